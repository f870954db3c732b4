//! Attach, drop, detach: what they leave behind, and what they survive.

use std::time::Duration;

use mirror_tests::{
    Host, agent::lost, client::Connection, foreign::Counter, memcached::Memcached, mirror::Mirror,
    mirror::PORT, wait,
};
use nix::sys::signal::Signal;

/// What the system's own tools say of a host: links, queues, pins.
fn inventory(host: &Host) -> String {
    host.shell(&format!(
        "ip -o link | sed 's/ state .*//; s/^[0-9]*: ma/ma/'; ip rule; tc qdisc show; find {} -mindepth 1 -not -name '*.debug' | sort",
        host.bpffs().display()
    ))
}

/// Ids of the programs and maps that a host's pins hold.
fn objects(host: &Host) -> Vec<(&'static str, u64)> {
    let mut found = Vec::new();
    for path in host.shell(&format!("find {}/mirror-agent -type f", host.bpffs().display())).lines()
    {
        let (kind, key) = match path.rsplit('/').next() {
            Some(name) if name.starts_with("link_") => ("link", "prog_id"),
            // Before Linux 6.6.
            Some(name) if name.starts_with("filter_") => ("prog", "id"),
            _ => ("map", "id"),
        };
        let text = host.output("bpftool", &["-j", kind, "show", "pinned", path]);
        let id = text.split(&format!("\"{key}\":")).nth(1).expect("an id");
        let digits: String = id.chars().take_while(char::is_ascii_digit).collect();
        found.push((if kind == "map" { kind } else { "prog" }, digits.parse().expect("an id")));
    }
    found
}

#[test]
fn detach_leaves_nothing_behind() {
    let mirror = Mirror::idle();
    let before = [inventory(&mirror.old), inventory(&mirror.new)];
    mirror.start();
    assert_ne!(inventory(&mirror.old), before[0], "attached things can be seen");
    assert!(inventory(&mirror.new).contains("mahold"), "the hold device can be seen");
    let held: Vec<_> = objects(&mirror.old).into_iter().chain(objects(&mirror.new)).collect();
    assert!(held.len() > 10, "{held:?}");
    let mut client = mirror.connect();
    client.set("big", &vec![b'x'; 500_000]);
    mirror.settled();

    for host in [&mirror.old, &mirror.new] {
        let said = host.agent_ok("detach --all");
        assert!(said.contains("detached"), "{said}");
    }
    assert_eq!([inventory(&mirror.old), inventory(&mirror.new)], before);
    for (kind, id) in held {
        wait::until(&format!("{kind} {id} to go"), || {
            let output =
                mirror.old.command("bpftool").args([kind, "show", "id", &id.to_string()]).output();
            (!output.expect("bpftool is installed").status.success()).then_some(())
        });
    }
    // Production goes on.
    client.set("after", b"1");
}

#[test]
fn detach_leaves_the_listener_and_real_connections_alone() {
    let mirror = Mirror::idle();
    let mut inside = mirror.new_server.inside(&mirror.new);
    let mut real = Connection::open(&mirror.client, mirror.new.v4(), PORT);
    mirror.start();
    // Connections that ended, and one that is open, of each family.
    for address in [mirror.old.v4(), mirror.old.v6()] {
        for _ in 0..5 {
            Connection::open(&mirror.client, address, PORT).set("ended", b"1");
        }
    }
    let mut open = [mirror.old.v4(), mirror.old.v6()]
        .map(|address| Connection::open(&mirror.client, address, PORT));
    open.iter_mut().for_each(|client| client.set("open", b"1"));
    let mut later = Connection::open(&mirror.client, mirror.new.v6(), PORT);
    later.set("later", b"1");
    mirror.settled();

    mirror.new.agent_ok("detach --all");
    for client in [&mut inside, &mut real, &mut later] {
        client.set("still", b"served");
    }
    for address in [mirror.new.v4(), mirror.new.v6()] {
        let mut fresh = Connection::open(&mirror.client, address, PORT);
        assert_eq!(fresh.get("still"), Some(b"served".to_vec()), "{address}");
    }
    assert_eq!(mirror.new_server.inside(&mirror.new).get("open"), Some(b"1".to_vec()));
}

#[test]
fn detach_ends_mirrored_connections_and_no_packet_reaches_a_client() {
    let mirror = Mirror::running();
    let at_client = mirror.watch("client");
    let mut clients: Vec<_> = (0..10).map(|_| mirror.connect()).collect();
    for client in &mut clients {
        client.set("key", b"value");
    }
    mirror.settled();
    let connected = mirror.new_server.clients(&mirror.new);
    mirror.new.agent_ok("detach eth0");
    wait::until("memcached to lose its mirrored connections", || {
        let now = mirror.new_server.clients(&mirror.new);
        (now + 10 <= connected).then_some(())
    });
    // Copies still arrive, sealed, at a host that does not know them.
    for client in &mut clients {
        client.set("key", b"again");
    }
    std::thread::sleep(Duration::from_millis(500));
    let Mirror { new_server, .. } = mirror;
    drop(new_server);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(at_client.stop(), Vec::<String>::new(), "nothing reaches the client");
}

#[test]
fn when_copies_end_the_target_ends_its_connections() {
    let mirror = Mirror::idle();
    let idle = mirror.new_server.clients(&mirror.new);
    let connections = || mirror.new_server.clients(&mirror.new) - idle;
    mirror.start();
    let leaks = mirror.watch_leaks();
    let mut v4: Vec<_> = (0..10).map(|_| mirror.connect()).collect();
    let mut v6: Vec<_> =
        (0..10).map(|_| Connection::open(&mirror.client, mirror.old.v6(), PORT)).collect();
    for client in v4.iter_mut().chain(&mut v6) {
        client.set("key", b"value");
    }
    // One has a request under way.
    v4[0].send(b"set half 0 0 10\r\nhal");
    mirror.settled();
    assert_eq!(connections(), 20);
    // A map that goes, in place.
    mirror.old.agent_ok(&format!("map remove eth0 --map {PORT}=[{}]:{PORT}", mirror.new.v6()));
    wait::until("the connections of one family to end", || (connections() == 10).then_some(()));
    mirror.old.agent_ok("detach eth0");
    wait::until("all connections to end", || (connections() == 0).then_some(()));
    let target = mirror.new.settled("target");
    assert_eq!((target["opened"], target["closed"]), (20, 20), "{target:?}");
    v4[0].send(b"f-open-\r\n");
    assert_eq!(v4[0].read_until(b"\r\n"), b"STORED\r\n", "production goes on");
    leaks.assert_none();
}

#[test]
fn everything_can_be_said_twice() {
    let mirror = Mirror::running();
    let mut client = mirror.connect();
    client.set("one", b"1");
    for _ in 0..2 {
        let (source, target) = (inventory(&mirror.old), inventory(&mirror.new));
        mirror.start();
        assert_eq!((inventory(&mirror.old), inventory(&mirror.new)), (source, target));
    }
    client.set("two", b"2");
    let (source, target) = mirror.settled();
    assert_eq!(lost(&target), 0, "connections live on: {target:?}");
    assert_eq!(source["mirrored"], target["arrived"], "counters live on: {source:?} {target:?}");
    mirror.assert_same(["one", "two"]);

    for host in [&mirror.old, &mirror.new] {
        host.agent_ok("detach eth0");
        let again = host.agent_ok("detach eth0");
        assert!(again.contains("nothing is attached"), "{again}");
        let all = host.agent_ok("detach --all");
        assert!(all.contains("nothing is attached"), "{all}");
    }
}

#[test]
fn maps_and_ports_change_in_place() {
    let mut mirror = Mirror::running();
    let other = mirror.lab.host("other");
    let other_server = Memcached::start(&other, PORT);
    other.agent_ok(&format!("drop eth0 --port {PORT}"));
    let mut client = mirror.connect();
    client.set("to-new", b"1");
    mirror.settled();
    mirror.old.agent_ok(&format!("map set eth0 --map {PORT}={}:{PORT}", other.v4()));
    let mut client = mirror.connect();
    client.set("to-other", b"1");
    mirror.old.settled("source");
    other.settled("target");
    assert_eq!(other_server.inside(&other).get("to-other"), Some(b"1".to_vec()));
    assert_eq!(mirror.new_server.inside(&mirror.new).get("to-other"), None);

    // A port that is served no more has no mirrored connections left.
    let before = other_server.clients(&other);
    other.agent_ok("port add eth0 --port 11999");
    let said = other.agent_ok(&format!("port remove eth0 --port {PORT}"));
    assert!(said.contains(&format!("port {PORT} removed")), "{said}");
    assert!(said.contains("connections of memcached's closed"), "{said}");
    wait::until("the retired port's connections to end", || {
        (other_server.clients(&other) < before).then_some(())
    });
    client.set("too-late", b"1");
    let target = other.settled("target");
    assert!(target["discarded_port"] > 0, "{target:?}");
}

#[test]
fn the_mirror_outlives_a_killed_agent() {
    let mirror = Mirror::idle();
    let mut drop_agent = mirror.new.agent_foreground(&format!("drop eth0 --port {PORT}"));
    let mut attach_agent = mirror
        .old
        .agent_foreground(&format!("attach eth0 --map {PORT}={}:{PORT}", mirror.new.v4()));
    for host in [&mirror.old, &mirror.new] {
        host.wait_for_status("eth0");
    }
    for agent in [&mut drop_agent, &mut attach_agent] {
        agent.0.kill().expect("the agent runs");
        agent.0.wait().expect("the agent ends");
    }
    let wire = mirror.watch_new();
    let mut client = mirror.connect();
    for i in 0..50 {
        client.set(&format!("k{i}"), b"value");
    }
    let (_, target) = mirror.settled();
    assert_eq!(lost(&target), 0, "{target:?}");
    mirror.assert_same((0..50).map(|i| format!("k{i}")));
    assert_eq!(wire.stop(), Vec::<String>::new(), "nothing leaves the new host");
    assert!(mirror.old.agent_ok("status").contains(&format!("{PORT}={}:{PORT}", mirror.new.v4())));
    mirror.old.agent_ok("detach eth0");
    mirror.new.agent_ok("detach eth0");
}

#[test]
fn a_foreground_agent_detaches_when_it_is_told_to_end() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mirror = Mirror::idle();
        let before = inventory(&mirror.new);
        let mut agent = mirror.new.agent_foreground(&format!("drop eth0 --port {PORT}"));
        mirror.new.wait_for_status("eth0");
        agent.signal(signal);
        assert!(agent.0.wait().expect("the agent ends").success(), "{signal}");
        assert_eq!(inventory(&mirror.new), before, "{signal}");
    }
}

#[test]
fn programs_of_others_keep_running() {
    let mirror = Mirror::idle();
    let mut client = mirror.connect();
    let counters: Vec<Counter> = [&mirror.old, &mirror.new]
        .into_iter()
        .flat_map(|host| {
            [Counter::tcx_ingress(host), Counter::tcx_egress(host), Counter::xdp(host)]
        })
        .collect();
    for host in [&mirror.old, &mirror.new] {
        host.shell(
            "tc qdisc add dev eth0 clsact;
             tc filter add dev eth0 ingress u32 match u32 0 0 action ok 2>/dev/null ||
             tc filter add dev eth0 ingress bpf bytecode '1,6 0 0 0' flowid 1:1",
        );
    }
    let filters = |host: &Host| host.shell("tc filter show dev eth0 ingress");
    let before = [filters(&mirror.old), filters(&mirror.new)];
    let step = |name: &str, client: &mut mirror_tests::client::Connection| {
        let start: Vec<u64> = counters.iter().map(Counter::read).collect();
        for i in 0..20 {
            client.set(&format!("{name}{i}"), b"1");
        }
        // Whoever talks to the new host directly passes its programs, too.
        mirror.new_server.stats(&mirror.new);
        mirror_tests::client::Connection::open(&mirror.client, mirror.new.v4(), PORT).get("x");
        for (counter, start) in counters.iter().zip(start) {
            assert!(counter.read() > start, "{name}: {counter:?} stands still");
        }
        assert_eq!([filters(&mirror.old), filters(&mirror.new)], before, "{name}");
    };
    step("before", &mut client);
    mirror.start();
    step("during", &mut client);
    mirror.settled();
    mirror.assert_same((1..20).map(|i| format!("during{i}")));
    mirror.old.agent_ok("detach --all");
    mirror.new.agent_ok("detach --all");
    step("after", &mut client);
}

#[test]
fn filters_of_clsact_do_what_tcx_does() {
    let mirror = Mirror::idle();
    let before = [inventory(&mirror.old), inventory(&mirror.new)];
    let drop = format!("drop eth0 --port {PORT} --hook clsact");
    let attach = format!("attach eth0 --map {PORT}={}:{PORT} --hook clsact", mirror.new.v4());
    let mut older = mirror.connect();
    mirror.new.agent_ok(&drop);
    mirror.old.agent_ok(&attach);
    let device = mirror.old.copy_device("eth0");
    let filters = mirror
        .old
        .shell(&format!("tc filter show dev eth0 ingress; tc filter show dev {device} egress"));
    assert!(filters.contains("source_ingress") && filters.contains("source_copies"), "{filters}");
    let wire = mirror.watch_new();
    older.set("lost", b"1");
    let mut client = mirror.connect();
    for i in 0..50 {
        older.set(&format!("older{i}"), b"1");
        client.set(&format!("new{i}"), &vec![b'n'; 1 << (i % 18)]);
        if i == 20 {
            // In place.
            assert!(mirror.new.agent_ok(&drop).contains("nothing changed"));
            assert!(mirror.old.agent_ok(&attach).contains("nothing changed"));
        }
    }
    let said = mirror.old.agent_refuses(&attach.replace("clsact", "tcx"));
    assert!(said.contains("attached by clsact"), "{said}");
    let (_, target) = mirror.settled();
    assert_eq!((target["adopted"], target["desynced"]), (1, 0), "{target:?}");
    assert_eq!(wire.stop(), Vec::<String>::new(), "nothing leaves the new host");
    mirror.assert_same((0..50).flat_map(|i| [format!("older{i}"), format!("new{i}")]));

    for host in [&mirror.old, &mirror.new] {
        host.agent_ok("detach --all");
    }
    assert_eq!([inventory(&mirror.old), inventory(&mirror.new)], before);
    client.set("after", b"1");
    assert_eq!(mirror.new_server.inside(&mirror.new).get("after"), None);

    // Where clsact and a filter were before, they stay.
    mirror.old.shell(
        "tc qdisc add dev eth0 clsact
         tc filter add dev eth0 ingress bpf bytecode '1,6 0 0 0' flowid 1:1",
    );
    let before = mirror.old.shell("tc qdisc show dev eth0; tc filter show dev eth0 ingress");
    mirror.old.agent_ok(&attach);
    mirror.old.agent_ok("detach --all");
    let after = mirror.old.shell("tc qdisc show dev eth0; tc filter show dev eth0 ingress");
    assert_eq!(after, before);
}

#[test]
fn an_agent_killed_half_way_can_be_tidied_up_after() {
    let mirror = Mirror::running();
    let before = inventory(&mirror.old);
    // What is written last is missing.
    let meta = mirror.old.bpffs().join("mirror-agent/eth0/source/META");
    std::fs::remove_file(meta).expect("the pin is there");
    let output = mirror.old.agent("status");
    assert!(String::from_utf8_lossy(&output.stdout).contains("killed"), "{output:?}");
    mirror.start();
    assert_eq!(inventory(&mirror.old), before);
    let mut client = mirror.connect();
    client.set("key", b"value");
    mirror.settled();
    mirror.assert_same(["key"]);
}
