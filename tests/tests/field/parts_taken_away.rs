//! Parts of the old host's mirror are taken away under load, in any order and at any moment: by other people's
//! scripts, by an agent that is killed, by hand. Whatever is left of it, no frame leaves that is not the old host's own
//! or a finished copy, and production answers all the time.
//!
//! ```text
//!   clients ──▶ old eth0 ──▶ each frame that leaves: own, or a finished copy?
//!                 │  ▲
//!                 └──┴── a pin, a link, a filter, a device less
//! ```

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use mirror_tests::{
    Family, Host,
    agent::binary,
    departures::{Departures, Seen},
    foreign::{Place, Verdict},
    load::Load,
    mirror::{Mirror, PORT},
    random::Random,
    second,
};

/// Requests between two steps, and behind the last one.
const BETWEEN: u64 = 20;
const BEHIND: u64 = 200;

/// How programs are attached.
#[derive(Clone, Copy, Debug)]
enum By {
    Tcx,
    Clsact,
}
use By::{Clsact, Tcx};

impl By {
    const BOTH: [Self; 2] = [Tcx, Clsact];

    fn option(self) -> &'static str {
        match self {
            Tcx => "",
            Clsact => "--hook clsact",
        }
    }
}

/// A mirror that is attached, whose parts are taken away while clients work; then all of it is removed, and attached
/// anew.
fn taken_away(by: By, take: impl FnOnce(&Mirror, &Load)) {
    let departures = judged(by, |mirror| {
        Load::during(mirror, |load| {
            mirror.attach(by.option());
            load.more(BEHIND);
            take(mirror, load);
            load.more(BEHIND);
        });
    });
    assert!(departures.copied() > BEHIND, "there was a mirror: {departures:?}");
}

/// The same around anything that happens to a mirror.
fn judged(by: By, work: impl FnOnce(&Mirror)) -> Seen {
    let mirror = Mirror::idle();
    // The kernel drops what leaves while the first filter comes and the last one goes: there is one of somebody else.
    let last = Place { leaving: false, first: false };
    let _theirs = matches!(by, Clsact).then(|| Verdict::clsact(&mirror.old, "eth0", last));
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT}"));
    let leaks = mirror.watch_leaks();
    let departures = Departures::of_old(&mirror, &["eth0"]);
    work(&mirror);
    let seen = departures.stop();
    seen.assert_none_wrong();
    leaks.assert_none();
    assert_heals(&mirror, by);
    seen
}

/// Panics unless what is left can be taken off without a trace, and attached again.
fn assert_heals(mirror: &Mirror, by: By) {
    let detached = mirror.old.agent("detach eth0");
    assert_nothing_left(&mirror.old, by, &String::from_utf8_lossy(&detached.stderr));
    mirror.attach(by.option());
    mirror.connect().set("again", b"value");
    mirror.old.settled("source");
    mirror.new.settled("target");
    mirror.assert_copied(["again"]);
}

/// Programs go a moment after their links.
fn assert_nothing_left(host: &Host, by: By, said: &str) {
    let start = Instant::now();
    loop {
        let devices = host.output("ip", &["-br", "link", "show"]);
        let programs = host.output("bpftool", &["net", "show"]);
        let pins = pins(host);
        if !devices.contains("macopy") && !programs.contains("source_") && pins.is_empty() {
            return;
        }
        let left = format!("{by:?}: {said}{devices}{programs}{pins:?}");
        assert!(start.elapsed() < Duration::from_secs(5), "left of the mirror: {left}");
        sleep(Duration::from_millis(20));
    }
}

/// All pins of the host's mirror.
fn pins(host: &Host) -> Vec<PathBuf> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { below(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    below(&host.bpffs().join("mirror-agent"), &mut found);
    found.sort();
    found
}

/// A line of which it is of no interest whether it succeeds.
fn try_line(host: &Host, line: &str) {
    host.command("sh").args(["-c", line]).output().expect("there is a shell");
}

/// The device of the mirror's own at which copies are made.
fn copy_device(host: &Host) -> String {
    let device = host.copy_device("eth0");
    let devices = host.output("ip", &["-br", "link", "show"]);
    assert!(devices.contains(&device), "no {device}: {devices}");
    device
}

#[test]
fn nothing() {
    for by in By::BOTH {
        taken_away(by, |_, load| {
            load.more(10 * BEHIND);
        });
    }
}

/// Removes all pins, in an order that `arrange` makes of the alphabetical one.
fn unpin(by: By, arrange: impl FnOnce(&mut Vec<PathBuf>)) {
    taken_away(by, |mirror, load| {
        let mut found = pins(&mirror.old);
        arrange(&mut found);
        assert!(found.len() > 5, "{found:?}");
        for pin in found {
            // What one of them holds may go with another.
            let _ = fs::remove_file(&pin);
            load.more(BETWEEN);
        }
    });
}

#[test]
fn pins_in_order() {
    By::BOTH.into_iter().for_each(|by| unpin(by, |_| {}));
}

#[test]
fn pins_in_reverse() {
    By::BOTH.into_iter().for_each(|by| unpin(by, |pins| pins.reverse()));
}

#[test]
fn pins_in_any_order() {
    for (by, seed) in [(Tcx, "one"), (Clsact, "two"), (Tcx, "three"), (Clsact, "four")] {
        let mut random = Random::new(seed);
        unpin(by, |pins| pins.sort_by_cached_key(|_| random.number()));
    }
}

/// Those that hold programs first, where one alone is taken at a time.
#[test]
fn each_pin_of_a_program_by_itself() {
    for by in By::BOTH {
        taken_away(by, |mirror, load| {
            let of_programs = |pin: &PathBuf| {
                let name = pin.file_name().unwrap_or_default().to_string_lossy().into_owned();
                name.starts_with("link_") || name.starts_with("filter_") || name.starts_with("prog")
            };
            let all: Vec<_> = pins(&mirror.old).into_iter().filter(of_programs).collect();
            assert!(!all.is_empty(), "{:?}", pins(&mirror.old));
            for number in 0..all.len() {
                let pin = pins(&mirror.old).into_iter().filter(of_programs).nth(number);
                fs::remove_file(pin.expect("as many as before")).expect("a pin can be removed");
                load.more(BEHIND);
                mirror.old.agent_ok("detach eth0");
                mirror.attach(by.option());
                load.more(BETWEEN);
            }
        });
    }
}

/// Of the filter alone, and attached again without `detach`: what it copies is not copied twice.
#[test]
fn a_filters_pin_and_attached_over_it() {
    taken_away(Clsact, |mirror, load| {
        let of_filter = |pin: &&PathBuf| pin.to_string_lossy().contains("/filter_ingress");
        let pins = pins(&mirror.old);
        let pin = pins.iter().find(of_filter).expect("a filter has a pin");
        fs::remove_file(pin).expect("a pin can be removed");
        mirror.attach(Clsact.option());
        load.more(BEHIND);
        let filters = mirror.old.output("tc", &["filter", "show", "dev", "eth0", "ingress"]);
        let copying = filters.lines().filter(|line| line.contains("source_ingress")).count();
        assert_eq!(copying, 1, "{filters}");
    });
}

#[test]
fn links_that_are_detached() {
    taken_away(Tcx, |mirror, load| {
        for pin in pins(&mirror.old) {
            try_line(&mirror.old, &format!("bpftool link detach pinned {}", pin.display()));
            load.more(BETWEEN);
        }
    });
}

#[test]
fn filters_of_production_that_are_deleted() {
    for order in [["ingress", "egress"], ["egress", "ingress"]] {
        taken_away(Clsact, |mirror, load| {
            for direction in order {
                try_line(&mirror.old, &format!("tc filter del dev eth0 {direction}"));
                load.more(BEHIND);
            }
        });
    }
    // With all of its filters, while the kernel drops what leaves.
    judged(Clsact, |mirror| {
        Load::during_losses(mirror, |load| {
            mirror.attach(Clsact.option());
            load.more(BEHIND);
            mirror.old.shell("tc qdisc del dev eth0 clsact");
            load.more(BEHIND);
        });
    });
}

#[test]
fn the_copy_device() {
    for by in By::BOTH {
        taken_away(by, |mirror, _| {
            mirror.old.ip(&["link", "del", &copy_device(&mirror.old)]);
        });
    }
}

#[test]
fn the_copy_devices_other_end() {
    taken_away(Tcx, |mirror, _| {
        mirror.old.ip(&["link", "del", &format!("{}p", copy_device(&mirror.old))]);
    });
}

/// As somebody does it who takes all interfaces up.
#[test]
fn the_copy_devices_state() {
    for by in By::BOTH {
        taken_away(by, |mirror, load| {
            let device = copy_device(&mirror.old);
            for (name, state) in [("", "up"), ("p", "up"), ("", "down"), ("", "up"), ("p", "down")]
            {
                mirror.old.ip(&["link", "set", &format!("{device}{name}"), state]);
                load.more(BEHIND);
            }
            // And the program away, while both ends are up.
            mirror.old.ip(&["link", "set", &format!("{device}p"), "up"]);
            for pin in pins(&mirror.old) {
                let _ = fs::remove_file(&pin);
            }
            try_line(&mirror.old, &format!("tc filter del dev {device} egress"));
        });
    }
}

#[test]
fn the_copy_devices_queues_and_filters() {
    for by in By::BOTH {
        taken_away(by, |mirror, load| {
            let device = copy_device(&mirror.old);
            for line in [
                "tc qdisc del dev DEVICE root",
                "tc qdisc replace dev DEVICE root pfifo limit 10",
                "tc filter del dev DEVICE ingress",
                "tc filter del dev DEVICE egress",
                "tc qdisc del dev DEVICE clsact",
            ] {
                try_line(&mirror.old, &line.replace("DEVICE", &device));
                load.more(BEHIND);
            }
        });
    }
}

#[test]
fn the_copy_devices_settings() {
    taken_away(Tcx, |mirror, load| {
        let device = copy_device(&mirror.old);
        for line in [
            "echo 0 >/proc/sys/net/ipv4/conf/DEVICE/forwarding",
            "echo 0 >/proc/sys/net/ipv6/conf/DEVICE/forwarding",
            "echo 1 >/proc/sys/net/ipv6/conf/DEVICE/disable_ipv6",
            "echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter",
            "ip link set DEVICE address 02:00:00:00:00:77",
            "ip link set DEVICE mtu 1280",
            "ip link set DEVICE name strange",
        ] {
            try_line(&mirror.old, &line.replace("DEVICE", &device));
            load.more(BEHIND);
        }
    });
}

#[test]
fn verdicts_of_others_at_every_hook() {
    taken_away(Tcx, |mirror, load| {
        let devices = ["eth0".to_owned(), copy_device(&mirror.old)];
        for (interface, place) in devices.iter().flat_map(|it| Place::ALL.map(|place| (it, place)))
        {
            for pass in [true, false] {
                // What is refused at eth0 is production's.
                if pass || interface != "eth0" {
                    let _theirs = Verdict::tcx(&mirror.old, interface, place, pass);
                    load.more(BEHIND);
                }
            }
            // While a first filter comes and the last one goes, the kernel drops what leaves.
            let _theirs =
                (interface != "eth0").then(|| Verdict::clsact(&mirror.old, interface, place));
            load.more(BEHIND);
        }
    });
}

#[test]
fn verdicts_of_others_at_every_hook_by_clsact() {
    taken_away(Clsact, |mirror, load| {
        let devices = ["eth0".to_owned(), copy_device(&mirror.old)];
        for (interface, place) in devices.iter().flat_map(|it| Place::ALL.map(|place| (it, place)))
        {
            {
                let _theirs = Verdict::tcx(&mirror.old, interface, place, true);
                load.more(BEHIND);
            }
            let _theirs = Verdict::clsact(&mirror.old, interface, place);
            load.more(BEHIND);
        }
    });
}

/// Runs the agent and kills it after this time; whether it was done by then.
fn killed_after(host: &Host, arguments: &str, time: Duration) -> bool {
    let mut command: Command = host.command(binary());
    command.arg("--bpffs").arg(host.bpffs()).args(arguments.split_whitespace());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the agent can be started");
    sleep(time);
    let ended = child.try_wait().expect("the agent is a child of this process");
    let _ = child.kill();
    let _ = child.wait();
    ended.is_some_and(|status| status.success())
}

/// An agent that attaches is killed later each time, by this much, until it is done before.
const LATER: Duration = Duration::from_millis(8);
/// The same of one that detaches.
const SOON_LATER: Duration = Duration::from_millis(1);
const LATEST: u32 = 250;

#[test]
fn an_agent_that_is_killed_while_it_attaches() {
    for by in By::BOTH {
        taken_away(by, |mirror, load| {
            let (v4, v6) = (mirror.new.v4(), mirror.new.v6());
            let attach = format!(
                "attach eth0 --map {PORT}={v4}:{PORT} --map {PORT}=[{v6}]:{PORT} {}",
                by.option()
            );
            mirror.old.agent_ok("detach eth0");
            let done = (1..LATEST).find(|&turn| {
                let done = killed_after(&mirror.old, &attach, LATER * turn);
                load.more(BETWEEN);
                // What is half made is taken off, or replaced.
                if turn % 2 == 0 {
                    let said = mirror.old.agent("detach eth0").stderr;
                    assert_nothing_left(&mirror.old, by, &String::from_utf8_lossy(&said));
                } else if turn % 4 == 1 {
                    mirror.old.agent_ok(&attach);
                    load.more(BETWEEN);
                    mirror.old.agent_ok("detach eth0");
                }
                done
            });
            println!("attach by {by:?} is done after {:?}", done.map(|turn| LATER * turn));
            assert!(done.is_some(), "attach is done at some time");
        });
    }
}

#[test]
fn an_agent_that_is_killed_while_it_detaches() {
    for by in By::BOTH {
        taken_away(by, |mirror, load| {
            let done = (0..LATEST).find(|&turn| {
                let done = killed_after(&mirror.old, "detach eth0", SOON_LATER * turn);
                load.more(BETWEEN);
                if turn % 2 == 0 {
                    let said = mirror.old.agent("detach eth0").stderr;
                    assert_nothing_left(&mirror.old, by, &String::from_utf8_lossy(&said));
                }
                mirror.attach(by.option());
                load.more(BETWEEN);
                done
            });
            println!("detach by {by:?} is done after {:?}", done.map(|turn| SOON_LATER * turn));
            assert!(done.is_some(), "detach is done at some time");
        });
    }
}

/// Targets by a card of their own, which goes down and comes back.
#[test]
fn the_way_out() {
    let mut mirror = Mirror::idle();
    second::card(&mut mirror.lab, &mirror.old, "eth1");
    second::join(&mirror.new);
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT}"));
    let leaks = mirror.watch_leaks();
    let departures = Departures::of_old(&mirror, &["eth0", "eth1"]);
    let [v4, v6] = Family::BOTH.map(|family| second::address_by(&mirror.new, family));
    let maps = [v4.to_string(), format!("[{v6}]")]
        .map(|target| format!("--map {PORT}={target}:{PORT}"))
        .join(" ");
    let port = mirror.old.port("eth1");
    Load::during(&mirror, |load| {
        mirror.old.agent_ok(&format!("attach eth0 {maps}"));
        load.more(BEHIND);
        for state in ["down", "up", "down", "up"] {
            mirror.lab.switch().ip(&["link", "set", "dev", &port, state]);
            load.more(BEHIND);
            mirror.old.ip(&["link", "set", "dev", "eth1", state]);
            load.more(BEHIND);
        }
        mirror.old.ip(&["addr", "flush", "dev", "eth1"]);
        load.more(BEHIND);
        mirror.old.ip(&["link", "del", "eth1"]);
        load.more(BEHIND);
    });
    let seen = departures.stop();
    assert!(seen.copied() > BEHIND, "there was a mirror: {seen:?}");
    seen.assert_none_wrong();
    leaks.assert_none();
}
