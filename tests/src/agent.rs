//! The command line, and its counters.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::{
    host::{Host, Running},
    wait,
};

/// Counters by name.
pub type Counters = BTreeMap<String, u64>;

/// What the agent calls lost: it is beside the counters of an attachment, and among them here.
const LOST: &str = "lost";

/// Segments whose bytes memcached should have seen and did not, of a target's counters.
pub fn lost(target: &Counters) -> u64 {
    target[LOST]
}

/// Where the agent is: what the task runner says, or where it builds it.
pub fn binary() -> PathBuf {
    let path = std::env::var_os("MIRROR_AGENT").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/release/mirror-agent"),
        PathBuf::from,
    );
    assert!(path.exists(), "{} is not built: run cargo xtask build", path.display());
    path
}

impl Host {
    /// Runs the agent on this host.
    pub fn agent(&self, arguments: &str) -> Output {
        self.agent_at(self.bpffs(), arguments)
    }

    /// Runs the agent on this host, with this BPF file system.
    pub fn agent_at(&self, bpffs: &Path, arguments: &str) -> Output {
        self.command(binary())
            .arg("--bpffs")
            .arg(bpffs)
            .args(arguments.split_whitespace())
            .stdin(Stdio::null())
            .output()
            .expect("the agent can be run")
    }

    /// Runs the agent, which has to succeed; returns what it printed.
    pub fn agent_ok(&self, arguments: &str) -> String {
        let output = self.agent(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "mirror-agent {arguments}: {error}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs the agent, which has to refuse; returns what it said.
    pub fn agent_refuses(&self, arguments: &str) -> String {
        let output = self.agent(arguments);
        assert!(!output.status.success(), "mirror-agent {arguments} succeeded");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Starts the agent with `--foreground`.
    pub fn agent_foreground(&self, arguments: &str) -> Running {
        self.agent_foreground_to(arguments, Stdio::inherit())
    }

    /// The same, with what it has to say going there.
    pub fn agent_foreground_to(&self, arguments: &str, stderr: impl Into<Stdio>) -> Running {
        let child = self
            .command(binary())
            .arg("--bpffs")
            .arg(self.bpffs())
            .args(arguments.split_whitespace())
            .arg("--foreground")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .expect("the agent can be started");
        Running(child)
    }

    /// Starts an agent that shows counters until it is ended.
    pub fn agent_tail(&self) -> Running {
        let child = self
            .command(binary())
            .arg("--bpffs")
            .arg(self.bpffs())
            .args(["stats", "--follow"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the agent can be started");
        Running(child)
    }

    /// Waits until an agent that stays has attached, so that `status` shows this.
    pub fn wait_for_status(&self, part: &str) {
        wait::until("the agent to attach", || {
            let status = self.agent_ok("status");
            // What is half made is shown, too.
            (status.contains(part) && !status.contains("being attached right now")).then_some(())
        });
    }

    /// This host's counters as `role` at `eth0`, when traffic has stopped; checks that they add up.
    pub fn settled(&self, role: &str) -> Counters {
        self.still(role, &|| self.counters(role))
    }

    /// The same of the target at `interface`.
    pub fn settled_target_at(&self, interface: &str) -> Counters {
        self.still("target", &|| {
            self.counters_where(&|entry| {
                entry["role"] == "target" && entry["interface"] == interface
            })
        })
    }

    fn still(&self, role: &str, counters: &dyn Fn() -> Counters) -> Counters {
        let mut before = None;
        let still = wait::until("counters that stand still", || {
            let now = counters();
            std::thread::sleep(Duration::from_millis(250));
            let waits = now.get("waiting").is_some_and(|waiting| *waiting > 0);
            let still = before.as_ref() == Some(&now) && !waits;
            before = Some(now);
            still.then(|| before.clone()).flatten()
        });
        assert_sums(&still, role);
        still
    }

    /// This host's counters as `role` at `eth0`, as they are.
    pub fn counters(&self, role: &str) -> Counters {
        self.counters_where(&|entry| entry["role"] == role)
    }

    fn counters_where(&self, is_it: &dyn Fn(&Value) -> bool) -> Counters {
        let found = self.attachments().into_iter().find(is_it);
        let found = found.expect("this host is what it is asked for");
        let mut counters = numbers(&found["counters"]);
        counters.insert(LOST.to_owned(), found[LOST].as_u64().expect("what is lost is a number"));
        counters
    }

    /// The counters of each map of this host, by map.
    pub fn all_map_counters(&self) -> BTreeMap<String, Counters> {
        self.attachments()
            .iter()
            .filter_map(|entry| entry["maps"].as_array())
            .flatten()
            .map(|entry| (entry["map"].as_str().unwrap_or("?").into(), numbers(&entry["counters"])))
            .collect()
    }

    /// The counters of one map of this host.
    pub fn map_counters(&self, map: &str) -> Counters {
        let mut all = self.all_map_counters();
        all.remove(map).unwrap_or_else(|| panic!("this host has no map {map}"))
    }

    /// The counters of the source at `interface`, and those of each of its maps; checks that they add up.
    pub fn settled_at(&self, interface: &str) -> (Counters, BTreeMap<String, Counters>) {
        let now = || {
            let here = |entry: &Value| entry["interface"] == interface && entry["role"] == "source";
            let entry = self.attachments().into_iter().find(here);
            let entry = entry.unwrap_or_else(|| panic!("there is no source at {interface}"));
            let maps = entry["maps"].as_array().expect("a list of maps").iter();
            let name = |map: &Value| map["map"].as_str().expect("a map has a name").to_owned();
            let maps = maps.map(|map| (name(map), numbers(&map["counters"])));
            let maps: BTreeMap<String, Counters> = maps.collect();
            (numbers(&entry["counters"]), maps)
        };
        let mut before = now();
        let (source, maps) = wait::until("counters that stand still", || {
            std::thread::sleep(Duration::from_millis(250));
            let now = now();
            (std::mem::replace(&mut before, now.clone()) == now).then_some(now)
        });
        assert_sums(&source, "source");
        for (map, counters) in &maps {
            let ended = counters["sent"] + sum(counters, "failed_") + counters["unsent"];
            assert_eq!(counters["copies"], ended, "{map} at {interface}: {counters:?}");
        }
        (source, maps)
    }

    /// How many packets all maps of this host took.
    pub fn copied(&self) -> u64 {
        self.all_map_counters().values().map(|map| map["copies"]).sum()
    }

    fn attachments(&self) -> Vec<Value> {
        let text = self.agent_ok("stats --json");
        let document: Value = serde_json::from_str(&text).expect("stats --json prints JSON");
        document["attachments"].as_array().expect("a list of attachments").clone()
    }
}

/// All counters whose names begin with `prefix`.
pub fn sum(counters: &Counters, prefix: &str) -> u64 {
    counters.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, count)| count).sum()
}

/// Every packet has a name, and the names add up.
fn assert_sums(counters: &Counters, role: &str) {
    let by = |prefix| sum(counters, prefix);
    if role == "source" {
        assert_eq!(
            counters["seen"],
            counters["mirrored"]
                + counters["dry_run"]
                + by("skipped_")
                + by("dropped_")
                + by("failed_"),
            "source: {counters:?}"
        );
    } else if role == "guard" {
        assert_eq!(counters["seen"], counters["passed"] + by("dropped_"), "guard: {counters:?}");
    } else {
        assert_eq!(counters["waiting"], 0, "target: {counters:?}");
        assert_eq!(
            counters["arrived"],
            counters["applied"] + by("discarded_"),
            "target: {counters:?}"
        );
        // Nothing is on its way any more, so that all that was held has to be back, but for what was dropped.
        let back = counters["released"] + counters["discarded_hold_dropped"];
        assert_eq!(counters["held"], back, "target: {counters:?}");
    }
}

fn numbers(object: &Value) -> Counters {
    object
        .as_object()
        .expect("counters are an object")
        .iter()
        .map(|(name, value)| (name.clone(), value.as_u64().expect("counters are numbers")))
        .collect()
}
