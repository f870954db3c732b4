//! `kernels`: end-to-end tests on other kernels, each started in a virtual machine.
//!
//! The machine is emulated in software, so that this needs nothing of the hardware and takes minutes.
//! Its files are this machine's, read only, with what is written kept in its memory.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::{
    build, install,
    process::{cargo, exec, output, target_dir},
};

const INITRD: &str = include_str!("kernels/initrd.sh");
const INIT: &str = include_str!("kernels/init.sh");
/// Printed when all tests were started, however they ended.
const END: &str = "all tests of this kernel were run";
/// How long a machine may run, in seconds.
const LIMIT: &str = "1500";
/// A test of each theme.
const TESTS: [&str; 26] = [
    "binary_protocol",
    "classic_text",
    "appears_as_often",
    "counted_and_not_merged",
    "counts_and_sends_nothing",
    "detach_leaves",
    "filters_of_clsact",
    "fragments_go_where",
    "hosts_that_mirror_each_other",
    "idle_connections_are_adopted",
    "in_a_full_flow_table",
    "ipv6",
    "large_replies_end_here",
    "large_values_for_which",
    "longest_of_many_prefixes",
    "only_chosen_clients",
    "nothing_of_a_guarded",
    "outlives",
    "sent_twice_are_applied_once",
    "single_datagrams",
    "shed_by_connections",
    "three_targets",
    "time_is_over",
    "unreachable_to_real_clients",
    "values_from",
    "what_the_hold_device_dropped",
];

/// Which kernels, and which tests.
#[derive(Args)]
pub(crate) struct Options {
    /// Debian packages of kernels; by default the oldest that is claimed to work, and one with tcx
    #[arg(long = "package", value_name = "NAME", default_values = ["linux-image-amd64", "linux-image-6.12-amd64"])]
    packages: Vec<String>,
    /// Kernel modules that are not loaded, as if the kernel lacked them; repeat it for more
    #[arg(long = "without", value_name = "MODULE")]
    without: Vec<String>,
    /// Only tests whose name contains one of these; by default one of each theme
    filter: Vec<String>,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    install::lab_tools()?;
    install::emulator()?;
    let agent = build::agent()?;
    let work = target_dir().join("kernels");
    fs::create_dir_all(&work).context("cannot make a folder to work in")?;
    let work = work.canonicalize().context("a folder to work in")?;
    let tests = work.join("tests.sh");
    fs::write(&tests, script(&agent, &executables()?, &options.filter))?;
    for package in &options.packages {
        let kernel = Kernel::fetch(&work, package)?;
        println!("booting Linux {}", kernel.release);
        let said = kernel.boot(&work, &tests, &options.without)?;
        let failed = said.contains("FAILED") || said.contains("panicked");
        ensure!(said.contains(END), "Linux {}: the tests did not come to an end", kernel.release);
        ensure!(!failed, "Linux {}: tests failed, see above", kernel.release);
        println!("Linux {}: all tests passed", kernel.release);
    }
    Ok(())
}

/// The end-to-end tests' programs.
fn executables() -> Result<Vec<PathBuf>> {
    let lines = output(
        cargo()
            .args(["test", "--package", "mirror-tests", "--tests", "--no-run"])
            .args(["--message-format", "json"]),
    )?;
    let messages =
        lines.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    Ok(messages
        .filter(|message| message["target"]["kind"][0] == "test")
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .collect())
}

/// What the virtual machine's shell runs.
fn script(agent: &Path, executables: &[PathBuf], filter: &[String]) -> String {
    let filter = if filter.is_empty() { TESTS.join(" ") } else { filter.join(" ") };
    let mut script = format!("uname -r; export MIRROR_AGENT='{}'\n", agent.display());
    for executable in executables {
        // An emulated processor is slow: one at a time.
        script += &format!("'{}' --test-threads 1 {filter}\n", executable.display());
    }
    script + &format!("echo {END}\n")
}

/// An unpacked kernel package.
struct Kernel {
    release: String,
    folder: PathBuf,
}

impl Kernel {
    /// Fetches the kernel that `package` is, or depends on.
    fn fetch(work: &Path, package: &str) -> Result<Self> {
        let depends = output(Command::new("apt-cache").args(["depends", package]))?;
        let real = depends
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Depends: "))
            .find(|name| name.starts_with("linux-image-"))
            .unwrap_or(package)
            .to_owned();
        let release = real
            .strip_prefix("linux-image-")
            .with_context(|| format!("{real} is no kernel's package"))?
            .to_owned();
        let folder = work.join(&real);
        if !folder.join(format!("boot/vmlinuz-{release}")).exists() {
            exec(Command::new("apt-get").args(["download", "-q", &real]).current_dir(work))?;
            let file = fs::read_dir(work)?
                .flatten()
                .map(|entry| entry.path())
                .find(|path| {
                    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                    name.is_some_and(|name| name.starts_with(&format!("{real}_")))
                })
                .with_context(|| format!("apt-get downloaded no {real}"))?;
            exec(Command::new("dpkg-deb").arg("-x").arg(&file).arg(&folder))?;
            fs::remove_file(&file)?;
        }
        Ok(Self { release, folder })
    }

    /// Starts it, and returns what it printed.
    fn boot(&self, work: &Path, tests: &Path, without: &[String]) -> Result<String> {
        let (script, initrd) = (work.join("init.sh"), work.join(format!("{}.gz", self.release)));
        fs::write(&script, INIT)?;
        exec(
            Command::new("sh")
                .args(["-c", INITRD, "initrd"])
                .arg(&self.folder)
                .arg(&self.release)
                .arg(work.join("root"))
                .arg(&script)
                .arg(&initrd),
        )?;
        let share = |path: &str, tag: &str| {
            format!(
                "local,path={path},mount_tag={tag},security_model=none,readonly=on,multidevs=remap"
            )
        };
        let modules = self.folder.join("lib/modules");
        // One thread: with several, a processor may run code that another one has just patched.
        let mut child = Command::new("timeout")
            .args([LIMIT, "qemu-system-x86_64", "-accel", "tcg,thread=single", "-cpu", "max"])
            .args(["-smp", "2", "-m", "2048", "-nographic", "-no-reboot", "-nic", "none"])
            .arg("-kernel")
            .arg(self.folder.join(format!("boot/vmlinuz-{}", self.release)))
            .arg("-initrd")
            .arg(initrd)
            .args(["-virtfs", &share("/", "root")])
            .args(["-virtfs", &share(&modules.to_string_lossy(), "modules")])
            .arg("-append")
            .arg(format!(
                "console=ttyS0 quiet panic=-1 without={} tests={}",
                without.join(","),
                tests.display()
            ))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start qemu")?;
        let mut said = String::new();
        if let Some(console) = child.stdout.take() {
            for line in BufReader::new(console).split(b'\n') {
                let line = String::from_utf8_lossy(&line?).trim_end().to_owned();
                println!("  {line}");
                said += &line;
                said.push('\n');
            }
        }
        child.wait().context("qemu")?;
        Ok(said)
    }
}
