//! Time in kernel programs, as the kernel itself counts it.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{FromRawFd as _, OwnedFd},
};

use anyhow::{Context as _, Result};
use mirror_tests::Host;
use nix::libc;
use serde_json::Value;

/// `kernel.bpf_stats_enabled`, by its file descriptor: off again when dropped, and with this process
/// however it ends.
pub(crate) struct Statistics(#[expect(dead_code, reason = "held, not used")] OwnedFd);

impl Statistics {
    pub(crate) fn on() -> Result<Self> {
        const ENABLE_STATS: libc::c_long = 32;
        // `union bpf_attr`: a type, where 0 is the time that programs run.
        let attributes = [0u64; 16];
        // SAFETY: the kernel reads the attributes, which are as large as said.
        let result = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                ENABLE_STATS,
                attributes.as_ptr(),
                size_of_val(&attributes),
            )
        };
        let error = io::Error::last_os_error();
        let fd = i32::try_from(result).ok().filter(|fd| *fd >= 0);
        let fd = fd.ok_or(error).context("cannot turn on kernel.bpf_stats_enabled")?;
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }
}

/// How often a program ran, and for how long together.
#[derive(Clone, Copy, Default)]
pub(crate) struct Time {
    pub(crate) runs: u64,
    pub(crate) nanoseconds: u64,
}

impl Time {
    pub(crate) fn since(self, then: Self) -> Self {
        Self { runs: self.runs - then.runs, nanoseconds: self.nanoseconds - then.nanoseconds }
    }

    pub(crate) fn each(self) -> f64 {
        self.nanoseconds as f64 / self.runs.max(1) as f64
    }

    /// What program `id` did since it was loaded.
    pub(crate) fn of(host: &Host, id: u64) -> Result<(String, Self)> {
        let text = host.output("bpftool", &["-j", "prog", "show", "id", &id.to_string()]);
        let program: Value = serde_json::from_str(&text).context("bpftool prints JSON")?;
        let name = program["name"].as_str().unwrap_or_default().to_owned();
        // The kernel leaves numbers out that are 0.
        let number = |key: &str| program[key].as_u64().unwrap_or(0);
        Ok((name, Self { runs: number("run_cnt"), nanoseconds: number("run_time_ns") }))
    }
}

/// What the mirror's programs on a host did since they were loaded, by name.
#[derive(Clone, Default)]
pub(crate) struct Times(BTreeMap<String, Time>);

impl Times {
    pub(crate) fn of(host: &Host) -> Result<Self> {
        let mut times = BTreeMap::<_, Time>::new();
        for id in programs(host)? {
            let (name, time) = Time::of(host, id)?;
            let sum = times.entry(name).or_default();
            sum.runs += time.runs;
            sum.nanoseconds += time.nanoseconds;
        }
        Ok(Self(times))
    }

    /// One program's.
    pub(crate) fn get(&self, name: &str) -> Result<Time> {
        self.0.get(name).copied().with_context(|| format!("the kernel shows no program {name}"))
    }
}

/// The number of a host's program of this name.
pub(crate) fn program(host: &Host, name: &str) -> Result<u64> {
    for id in programs(host)? {
        if Time::of(host, id)?.0 == name {
            return Ok(id);
        }
    }
    anyhow::bail!("the kernel shows no program {name}")
}

/// The mirror's programs on a host, by its pinned links.
fn programs(host: &Host) -> Result<Vec<u64>> {
    let pins = host.shell(&format!("find '{}' -name 'link_*'", host.bpffs().display()));
    let mut ids = pins
        .lines()
        .map(|pin| {
            let text = host.output("bpftool", &["-j", "link", "show", "pinned", pin]);
            let link: Value = serde_json::from_str(&text).context("bpftool prints JSON")?;
            link["prog_id"].as_u64().context("a link has a program")
        })
        .collect::<Result<Vec<_>>>()?;
    // One program can have several links.
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
