//! Bad input: a clear error, an exit code, and nothing changed.

use mirror_tests::{Host, Lab, mirror::Mirror, mirror::PORT, wait};
use serde_json::Value;

fn pins(host: &Host) -> String {
    host.shell(&format!("find {}/mirror-agent 2>/dev/null || true", host.bpffs().display()))
}

/// Each command line, and what its error has to mention.
fn assert_refused(host: &Host, cases: &[(&str, &str)]) {
    let before = (pins(host), host.shell("ip -o link"));
    for (arguments, mentions) in cases {
        let said = host.agent_refuses(arguments);
        assert!(said.contains(mentions), "mirror-agent {arguments} said: {said}");
        assert_eq!((pins(host), host.shell("ip -o link")), before, "mirror-agent {arguments}");
    }
}

#[test]
fn wrong_arguments_say_what_is_wrong() {
    let mut lab = Lab::new();
    let (host, other) = (lab.host("host"), lab.host("other"));
    let (own, there) = (host.v4(), other.v4());
    host.ip(&["tuntap", "add", "dev", "tunnel", "mode", "tun"]);
    let attach = format!("attach eth0 --map 11211={there}:11211");
    assert_refused(
        &host,
        &[
            (&format!("attach eth7 --map 11211={there}:11211"), "there is no interface eth7"),
            (&format!("attach lo --map 11211={there}:11211"), "loopback"),
            (&format!("attach tunnel --map 11211={there}:11211"), "no Ethernet"),
            ("drop tunnel --port 11211", "no Ethernet"),
            ("guard tunnel --server 10.0.0.5:11211", "no Ethernet"),
            (&format!("attach eth0 --map 11211={own}:11211"), "address of this host"),
            ("attach eth0 --map 11211=127.0.0.1:11211", "another host"),
            (&format!("attach eth0 --map 11211-11212={there}:11211"), "cannot be mapped"),
            (&format!("attach eth0 --map 11212-11211={there}"), "before it begins"),
            (&format!("attach eth0 --map 0={there}:11211"), "port"),
            (&format!("attach eth0 --map 11211={there}:0"), "port"),
            ("attach eth0 --map 11211=fd77::2:11211", "brackets"),
            ("attach eth0 --map nonsense", "nonsense"),
            ("attach eth0", "--map"),
            (&format!("attach eth0 --map 11211={there}:11211 --map 11211={there}:11211"), "twice"),
            (&format!("{attach} --client 10.0.0.0/33"), "32 bits"),
            (&format!("{attach} --client 10.0.0.1/8"), "10.0.0.0/8"),
            (&format!("{attach} --exclude-client office"), "office"),
            (&format!("{attach} --client fd00::/8 --exclude-client fd00::/8"), "fd00::/8 is given"),
            (&format!("{attach} --sample 10"), "like 10%"),
            (&format!("{attach} --sample 0%"), "nothing"),
            (&format!("{attach} --sample 101%"), "more than all"),
            (&format!("{attach} --for 0s"), "like 500ms"),
            (&format!("{attach} --for 3"), "like 500ms"),
            (&format!("{attach} --until 2020-01-01T00:00:00Z"), "has passed"),
            (&format!("{attach} --until tomorrow"), "like 2030"),
            (&format!("{attach} --for 1h --until 2090-01-01T00:00:00Z"), "cannot be used with"),
            (&format!("{attach} --rate-limit 5"), "like 50kpps"),
            (&format!("{attach} --rate-limit 1pps --rate-limit 2pps"), "one of this kind"),
            (&format!("{attach} --multiply 17"), "16"),
            (&format!("{attach} --multiply-from 198.18.0.0/15"), "without --multiply"),
            (&format!("{attach} --multiply 2 --multiply-from 198.18.0.0/31"), "/30"),
            ("drop eth0 --port 0", "port"),
            ("drop eth0", "--port"),
            ("drop eth7 --port 11211", "there is no interface eth7"),
            ("drop lo --port 11211", "loopback"),
            ("guard eth0", "--server"),
            ("guard eth0 --server 10.0.0.5", "ADDR:PORT"),
            ("guard eth0 --server fd77::2:11211", "brackets"),
            ("guard lo --server 10.0.0.5:11211", "loopback"),
            ("detach", "--all"),
            ("stats eth0", "nothing is attached"),
        ],
    );
}

#[test]
fn more_targets_than_fit_are_refused() {
    let mut lab = Lab::new();
    let host = lab.host("host");
    let maps: String = (0..9).map(|n| format!(" --map 11211=10.77.0.{}:11211", 100 + n)).collect();
    assert_refused(&host, &[(&format!("attach eth0{maps}"), "8")]);
    let maps: String =
        (0..1025).map(|n| format!(" --map {}=10.77.0.100:11211", 20_000 + n)).collect();
    assert_refused(&host, &[(&format!("attach eth0{maps}"), "1024")]);
}

/// What is attached goes on as it is.
#[test]
fn a_choice_that_is_refused_changes_nothing() {
    let mirror = Mirror::idle();
    mirror.start_with("--sample 50% --client 10.77.0.0/24");
    let before = attached(&mirror.old);
    let prefixes: String =
        (0..16_385).map(|n| format!(" --client 10.{}.{}.1", n / 256, n % 256)).collect();
    let attach = format!("attach eth0 --map {PORT}={}:{PORT}", mirror.new.v4());
    assert_refused(
        &mirror.old,
        &[
            (&format!("{attach} --client 10.0.0.0/8 --exclude-client 10.0.0.0/8"), "is given"),
            (&format!("{attach} --until 2020-01-01T00:00:00Z"), "has passed"),
            (&format!("{attach}{prefixes}"), "16384"),
        ],
    );
    assert_eq!(attached(&mirror.old), before);
}

/// What `status` says is attached.
fn attached(host: &Host) -> Value {
    let document: Value =
        serde_json::from_str(&host.agent_ok("status --json")).expect("a JSON document");
    document["attachments"].clone()
}

#[test]
fn a_target_without_a_route_is_a_warning() {
    let mut lab = Lab::new();
    let host = lab.host("host");
    let output = host.agent("attach eth0 --map 11211=192.0.2.1:11211");
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no route"), "{output:?}");
    host.agent_ok("detach eth0");
}

#[test]
fn missing_capabilities_are_named() {
    let mut lab = Lab::new();
    let host = lab.host("host");
    let mut command = host.command("setpriv");
    let output = command
        .args([
            "--bounding-set",
            "-all",
            "--inh-caps",
            "-all",
            "--reuid",
            "65534",
            "--clear-groups",
        ])
        .arg(mirror_tests::agent::binary())
        .args(["attach", "eth0", "--map", "11211=10.77.0.9:11211"])
        .output()
        .expect("setpriv is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{output:?}");
    assert!(said.contains("CAP_NET_ADMIN"), "{said}");
}

#[test]
fn pins_of_another_version_are_left_alone() {
    let mirror = Mirror::running();
    let host = &mirror.old;
    let meta = host.bpffs().join("mirror-agent/eth0/source/META");
    let number = |text: &str| -> Vec<u32> {
        let value = text.split("\"value\":").nth(1).expect("a value");
        value
            .split('"')
            .skip(1)
            .step_by(2)
            .take(4)
            .map(|byte| u32::from_str_radix(byte.trim_start_matches("0x"), 16).expect("a byte"))
            .collect()
    };
    let dump = host.output("bpftool", &["-j", "map", "dump", "pinned", &meta.to_string_lossy()]);
    assert_eq!(number(&dump).len(), 4, "{dump}");
    let size: usize = host
        .output("bpftool", &["-j", "map", "show", "pinned", &meta.to_string_lossy()])
        .split("\"bytes_value\":")
        .nth(1)
        .and_then(|rest| rest.split(',').next()?.parse().ok())
        .expect("the value's size");
    // Another version's number, and its name.
    let mut value = vec!["0".to_owned(); size];
    value[0] = "250".to_owned();
    value[16..21].clone_from_slice(&["57", "46", "57", "46", "57"].map(str::to_owned));
    let mut arguments = vec!["map", "update", "pinned"];
    let path = meta.to_string_lossy().into_owned();
    arguments.extend([path.as_str(), "key", "0", "0", "0", "0", "value"]);
    arguments.extend(value.iter().map(String::as_str));
    host.output("bpftool", &arguments);

    let before = pins(host);
    for verb in ["stats", "status"] {
        let said = host.agent_ok(verb);
        assert!(said.contains("another version") && said.contains("9.9.9"), "{verb}: {said}");
        assert_eq!(pins(host), before, "{verb}");
    }
    for verb in ["attach eth0 --sample 1%", "map add eth0 --map 1=10.0.0.5:1"] {
        let said = host.agent_refuses(verb);
        assert!(said.contains("another version (9.9.9)"), "{verb}: {said}");
        assert_eq!(pins(host), before, "{verb}");
    }
}

#[test]
fn two_agents_at_once_are_refused() {
    let mirror = Mirror::running();
    let host = &mirror.old;
    let _agent_at_work = nix::fcntl::Flock::lock(
        std::fs::File::open(host.bpffs()).expect("it is mounted"),
        nix::fcntl::FlockArg::LockExclusive,
    )
    .expect("the directory can be locked");
    for verb in ["detach --all", &format!("attach eth0 --map {PORT}={}:{PORT}", mirror.new.v4())] {
        let said = host.agent_refuses(verb);
        assert!(said.contains("another mirror-agent"), "{verb}: {said}");
    }
    // Looking is always allowed.
    host.agent_ok("stats");
    host.agent_ok("status");
}

#[test]
fn an_interface_that_goes_away_can_be_detached_and_attached_anew() {
    let mut mirror = Mirror::idle();
    mirror.lab.second_interface(&mirror.new, "eth1");
    mirror.new.agent_ok(&format!("drop eth1 --port {PORT}"));
    mirror.new.ip(&["link", "del", "eth1"]);
    let status = mirror.new.agent_ok("status");
    assert!(status.contains("is gone"), "{status}");
    mirror.new.agent_ok("stats");
    mirror.lab.second_interface(&mirror.new, "eth1");
    mirror.new.agent_ok(&format!("drop eth1 --port {PORT}"));
    assert!(!mirror.new.agent_ok("status").contains("is gone"));
    mirror.new.ip(&["link", "del", "eth1"]);
    mirror.new.agent_ok("detach --all");
    wait::until("the hold device to go", || {
        (!mirror.new.shell("ip -o link").contains("mahold")).then_some(())
    });
    assert_eq!(pins(&mirror.new), "");
}

#[test]
fn a_missing_bpf_file_system_is_mounted() {
    let mut lab = Lab::new();
    let host = lab.host("host");
    host.shell(&format!("umount {}", host.bpffs().display()));
    host.agent_ok("attach eth0 --map 11211=10.77.0.9:11211");
    assert!(host.agent_ok("status").contains("10.77.0.9"));
    host.agent_ok("detach eth0");
}
