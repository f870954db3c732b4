//! memcached of several Debian releases, each with libraries of its own, for the tests.
//!
//! ```text
//! target/servers/.new-…/    apt's lists and archives, which are not this machine's, and what it downloads
//!                  root/    all packages, unpacked
//!                     │ rename
//!                     ▼
//! target/servers/bookworm/  usr/bin/memcached, its loader and its libraries
//! ```

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, anyhow, bail};
use mirror_tests::release::Release;
use tempfile::Builder;

use super::debian::apt;
use crate::process::{exec, output, target_dir};

/// What signs all of them.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// What memcached's package needs and memcached does not.
const NOT_NEEDED: [&str; 5] = ["adduser", "init-system-helpers", "lsb-base", "perl", "systemd"];
const HELP: &str = "Above is what apt says. This needs a network, and a package debian-archive-keyring that knows \
                    the release. Without them, single tests run: cargo test --package mirror-tests --test NAME";

/// Fetches those that are not there; returns the folder that they are in.
pub(crate) fn servers() -> Result<PathBuf> {
    let servers = target_dir().join("servers");
    fs::create_dir_all(&servers).with_context(|| format!("cannot make {}", servers.display()))?;
    let servers = servers.canonicalize().context("the folder of servers")?;
    for suite in Release::ALL.map(Release::name) {
        let folder = servers.join(suite);
        if !folder.exists() {
            println!("fetching memcached of Debian {suite}");
            fetch(suite, &folder).map_err(|error| {
                anyhow!("cannot fetch memcached of Debian {suite}: {error:#}\n{HELP}")
            })?;
        }
    }
    Ok(servers)
}

fn fetch(suite: &str, folder: &Path) -> Result<()> {
    if !Path::new(KEYRING).exists() {
        bail!("there is no {KEYRING} to check it with");
    }
    let servers = folder.parent().context("a folder within one")?;
    // apt downloads as a user of its own.
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    let work = Builder::new().prefix(".new-").permissions(permissions).tempdir_in(servers)?;
    let root = unpack(suite, work.path())?;
    match fs::rename(root, folder) {
        // Somebody else was faster.
        Err(_) if folder.exists() => Ok(()),
        renamed => Ok(renamed?),
    }
}

/// Downloads and unpacks memcached and its libraries; returns where to.
fn unpack(suite: &str, work: &Path) -> Result<PathBuf> {
    for folder in ["lists/partial", "archives/partial", "root"] {
        fs::create_dir_all(work.join(folder))?;
    }
    let sources = sources();
    let mirror = mirror(&sources)?;
    let source = format!("deb [signed-by={KEYRING} target=Packages] {mirror} {suite} main\n");
    fs::write(work.join("sources.list"), source)?;
    fs::write(work.join("status"), installed()?)?;
    fs::write(work.join("apt.conf"), configuration(work))?;
    exec(apt_get(work).arg("update"))?;
    exec(apt_get(work).args([
        "install",
        "--download-only",
        "--no-install-recommends",
        "memcached",
    ]))?;
    let root = work.join("root");
    for archive in fs::read_dir(work.join("archives"))? {
        let archive = archive?.path();
        if archive.extension().is_some_and(|extension| extension == "deb") {
            exec(Command::new("dpkg-deb").arg("-x").args([&archive, &root]))?;
        }
    }
    Ok(root)
}

fn apt_get(work: &Path) -> Command {
    let mut command = apt("apt-get");
    command.arg("-qq").arg("-c").arg(work.join("apt.conf"));
    command
}

/// What comes on top of this machine's configuration: other files than its own, and nothing to run afterwards.
fn configuration(work: &Path) -> String {
    const OPTIONS: &str = r#"
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Update::Error-Mode "any";
APT::Get::AllowUnauthenticated "false";
Acquire::Languages "none";
Acquire::Retries "3";
"#;
    let files = [
        ("Dir::Etc::sourcelist", "sources.list"),
        ("Dir::Etc::sourceparts", "no.folder"),
        ("Dir::State", "."),
        ("Dir::State::lists", "lists"),
        ("Dir::State::status", "status"),
        ("Dir::Cache", "."),
        ("Dir::Cache::archives", "archives"),
    ];
    let files = files.map(|(name, file)| format!("{name} \"{}\";\n", work.join(file).display()));
    OPTIONS.to_owned() + &files.concat()
}

/// What apt takes for installed: nothing but what is not needed.
fn installed() -> Result<String> {
    let architecture = output(Command::new("dpkg").arg("--print-architecture"))?;
    let package = |name| {
        format!(
            "Package: {name}\nStatus: install ok installed\nArchitecture: {}\nMulti-Arch: allowed\n\
             Version: 9999\n\n",
            architecture.trim()
        )
    };
    Ok(NOT_NEEDED.into_iter().map(package).collect())
}

/// All that apt's sources say, in both of their forms.
fn sources() -> String {
    let parts = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    let files = parts.map(|part| part.path()).chain([PathBuf::from("/etc/apt/sources.list")]);
    files.filter_map(|file| fs::read_to_string(file).ok()).collect::<Vec<_>>().join("\n")
}

/// Debian's mirror among these sources: whichever folder is called so.
fn mirror(sources: &str) -> Result<&str> {
    let lines = sources.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines
        .flat_map(str::split_whitespace)
        .map(|word| word.trim_end_matches('/'))
        .find(|word| word.contains("://") && word.ends_with("/debian"))
        .context("none of apt's sources (/etc/apt) is a mirror of Debian")
}

#[cfg(test)]
mod tests {
    use super::mirror;

    #[test]
    fn mirrors_in_both_forms_of_sources() {
        let lines = "# deb http://old.example/debian sid main\n\
                     deb http://security.example/debian-security sid main\n\
                     deb [arch=amd64] http://one.example/debian/ sid main\n";
        assert_eq!(mirror(lines).expect("a mirror"), "http://one.example/debian");
        let stanza = "Types: deb\nURIs: https://two.example/mirror/debian\nSuites: sid\n";
        assert_eq!(mirror(stanza).expect("a mirror"), "https://two.example/mirror/debian");
        assert!(mirror("deb http://other.example/ubuntu sid main").is_err());
    }
}
