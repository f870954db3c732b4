//! Time in kernel programs, as the kernel itself counts it.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{FromRawFd as _, OwnedFd},
};

use anyhow::{Context as _, Result};
use mirror_tests::{Host, bpf};
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Time {
    pub(crate) runs: u64,
    pub(crate) nanoseconds: u64,
}

impl Time {
    fn since(self, then: Self) -> Self {
        Self { runs: self.runs - then.runs, nanoseconds: self.nanoseconds - then.nanoseconds }
    }

    /// Nanoseconds of a run.
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

/// A program on a host, whoever attached it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Loaded {
    pub(crate) id: u64,
    pub(crate) name: String,
    /// Interfaces and hooks, like `eth0 tcx/ingress`.
    pub(crate) places: Vec<String>,
}

impl Loaded {
    /// Whether it sees what arrives, at any of its interfaces.
    pub(crate) fn sees_arrivals(&self) -> bool {
        self.places.iter().any(|place| !place.ends_with("egress"))
    }

    /// Its name, and where it is if not at `eth0`: others have a device of ours.
    pub(crate) fn title(&self) -> String {
        if self.places.iter().any(|place| place.starts_with("eth0 ")) {
            return self.name.clone();
        }
        format!("{} ({})", self.name, self.places.join(", "))
    }
}

/// All programs at a host's interfaces: those that arriving packets meet first, by name.
pub(crate) fn loaded(host: &Host) -> Result<Vec<Loaded>> {
    let mut programs = Vec::new();
    for (id, places) in places(host)? {
        programs.push(Loaded { id, name: Time::of(host, id)?.0, places });
    }
    programs.sort_by_key(|program| (!program.sees_arrivals(), program.name.clone()));
    Ok(programs)
}

/// Their numbers, in order.
pub(crate) fn attached(host: &Host) -> Result<Vec<u64>> {
    Ok(places(host)?.into_keys().collect())
}

/// Where programs are, by number. bpftool shows tcx from version 7.3 on, and XDP and filters always.
fn places(host: &Host) -> Result<BTreeMap<u64, Vec<String>>> {
    let mut places = listed(&host.output("bpftool", &["-j", "net", "show"]))?;
    for program in bpf::tcx(host) {
        let (list, place) = (places.entry(program.id).or_default(), program.place());
        if !list.contains(&place) {
            list.push(place);
        }
    }
    Ok(places)
}

/// What bpftool says of programs at interfaces.
fn listed(text: &str) -> Result<BTreeMap<u64, Vec<String>>> {
    let found: Value = serde_json::from_str(text).context("bpftool prints JSON")?;
    let mut places = BTreeMap::<u64, Vec<String>>::new();
    for kind in ["xdp", "tc"] {
        for entry in found[0][kind].as_array().into_iter().flatten() {
            let word = |key: &str| entry[key].as_str().unwrap_or_default();
            let id = ["prog_id", "id"].into_iter().find_map(|key| entry[key].as_u64());
            let id = id.context("a program has a number")?;
            let hook = if kind == "xdp" { kind } else { word("kind") };
            places.entry(id).or_default().push(format!("{} {hook}", word("devname")));
        }
    }
    Ok(places)
}

/// What the programs of a host did since they were loaded.
pub(crate) struct Times(Vec<(Loaded, Time)>);

impl Times {
    pub(crate) fn of(host: &Host) -> Result<Self> {
        let times = loaded(host)?.into_iter().map(|program| {
            let time = Time::of(host, program.id)?.1;
            Ok((program, time))
        });
        times.collect::<Result<_>>().map(Self)
    }

    /// What they did since `then`; those that were not there then did all of it.
    pub(crate) fn since(self, then: &Self) -> Vec<(Loaded, Time)> {
        let before = |id: u64| {
            let found = then.0.iter().find(|(program, _)| program.id == id);
            found.map_or_else(Time::default, |(_, time)| *time)
        };
        let passed = self.0.into_iter().map(|(program, time)| {
            let passed = time.since(before(program.id));
            (program, passed)
        });
        passed.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bpftool_lists_programs_at_interfaces() {
        let text = r#"[{"xdp":[{"devname":"eth0","ifindex":2,"mode":"generic","id":7}],
            "tc":[{"devname":"eth0","ifindex":2,"kind":"tcx/ingress","name":"in","prog_id":9,"link_id":3},
                  {"devname":"out","ifindex":4,"kind":"tcx/egress","name":"out","prog_id":8},
                  {"devname":"eth0","ifindex":2,"kind":"tcx/egress","name":"out","prog_id":8},
                  {"devname":"out","ifindex":4,"kind":"clsact/ingress","name":"old","id":5}],
            "flow_dissector":[],"netfilter":[]}]"#;
        let found = listed(text).expect("as bpftool prints it");
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), [5, 7, 8, 9]);
        assert_eq!(found[&8], ["out tcx/egress", "eth0 tcx/egress"]);
        assert_eq!(found[&7], ["eth0 xdp"]);
    }

    #[test]
    fn programs_have_a_direction_and_a_title() {
        let at = |places: &[&str]| Loaded {
            id: 1,
            name: "name".to_owned(),
            places: places.iter().map(|place| (*place).to_owned()).collect(),
        };
        let (arriving, leaving) = (at(&["eth0 tcx/ingress"]), at(&["copy tcx/egress"]));
        assert!(arriving.sees_arrivals() && at(&["eth0 xdp"]).sees_arrivals());
        assert!(!leaving.sees_arrivals());
        assert_eq!(arriving.title(), "name");
        assert_eq!(leaving.title(), "name (copy tcx/egress)");
    }

    #[test]
    fn times_are_differences() {
        let program = |id| Loaded { id, name: String::new(), places: Vec::new() };
        let time = |runs, nanoseconds| Time { runs, nanoseconds };
        let then = Times(vec![(program(1), time(10, 1000))]);
        let now = Times(vec![(program(1), time(30, 4000)), (program(2), time(5, 50))]);
        let passed: Vec<Time> = now.since(&then).into_iter().map(|(_, time)| time).collect();
        assert_eq!(passed, [time(20, 3000), time(5, 50)]);
        assert!((passed[0].each() - 150.0).abs() < 1e-9);
    }
}
