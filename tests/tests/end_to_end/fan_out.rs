//! Several targets, several sources, several ports.

use mirror_tests::{
    Host, Lab,
    agent::lost,
    client::{self, Connection},
    memcached::Memcached,
    mirror::{Mirror, PORT},
};

fn set_and_get(client: &mut Connection, prefix: &str, count: usize) {
    for i in 0..count {
        client.set(&format!("{prefix}{i}"), format!("value {i}").as_bytes());
        assert!(client.get(&format!("{prefix}{i}")).is_some(), "{prefix}{i}");
    }
}

fn assert_has(server: &Memcached, host: &Host, prefix: &str, count: usize) {
    let mut inside = server.inside(host);
    for i in 0..count {
        let value = inside.get(&format!("{prefix}{i}"));
        assert_eq!(value, Some(format!("value {i}").into_bytes()), "{prefix}{i}");
    }
}

#[test]
fn three_targets_get_everything() {
    let mut lab = Lab::new();
    let (client, old) = (lab.host("client"), lab.host("old"));
    let targets = [lab.host("new1"), lab.host("new2"), lab.host("new3")];
    let _old_server = Memcached::start(&old, PORT);
    let servers = targets.each_ref().map(|host| Memcached::start(host, PORT));
    let mut maps = String::new();
    for host in &targets {
        host.agent_ok(&format!("drop eth0 --port {PORT}"));
        maps += &format!(" --map {PORT}={}:{PORT}", host.v4());
    }
    old.agent_ok(&format!("attach eth0{maps}"));
    set_and_get(&mut Connection::open(&client, old.v4(), PORT), "k", 100);

    let source = old.settled("source");
    for (host, server) in targets.iter().zip(&servers) {
        assert_has(server, host, "k", 100);
        let target = host.settled("target");
        assert_eq!(lost(&target), 0, "{target:?}");
        let map = old.map_counters(&format!("{PORT}={}:{PORT}", host.v4()));
        assert_eq!(map["copies"], source["mirrored"], "{map:?}");
        assert_eq!((map["sent"], map["unsent"]), (map["copies"], 0), "{map:?}");
        assert_eq!(map["sent_segments"], target["arrived"], "{map:?}");
    }
}

#[test]
fn copies_that_are_sent_twice_are_applied_once() {
    let mirror = Mirror::idle();
    let mut older = mirror.connect();
    mirror.start_with("--redundancy 2");
    let wire = mirror.watch_new();
    older.set("lost", b"by every connection older than the mirror");
    let mut client = mirror.connect();
    client.set("n", b"0");
    for i in 0..100 {
        older.set(&format!("older{i}"), b"1");
        client.ask("incr n 1\r\n", "\r\n");
    }
    client.set("big", &[b'b'; 500_000]);
    let udp = client::udp(&mirror.client, mirror.old.v4(), mirror.port());
    udp.send(&client::frame(1, 1, b"incr n 1\r\n")).expect("datagrams can be sent");
    udp.recv(&mut [0; 1500]).expect("a reply");
    client.send(b"quit\r\n");
    drop((older, client));

    let target = mirror.new.settled("target");
    let source = mirror.old.settled("source");
    let map = mirror.old.map_counters(&format!("{PORT}={}:{PORT}", mirror.new.v4()));
    assert_eq!(map["sent"], 2 * source["mirrored"] - 1, "all but the datagram: {map:?}");
    assert_eq!(target["arrived"], map["sent_segments"], "{target:?}");
    assert!(target["discarded_duplicate"] > 200, "{target:?}");
    assert_eq!(target["desynced"], 0, "{target:?}");
    assert_eq!(wire.stop(), Vec::<String>::new(), "nothing leaves the new host");
    mirror.assert_same((0..100).map(|i| format!("older{i}")).chain(["n".into(), "big".into()]));
}

#[test]
fn targets_that_fail_harm_neither_the_others_nor_production() {
    let mut lab = Lab::new();
    let (client, old) = (lab.host("client"), lab.host("old"));
    let (good, down) = (lab.host("good"), lab.host("down"));
    let (refusing, forgotten) = (lab.host("refusing"), lab.host("forgotten"));
    let _old_server = Memcached::start(&old, PORT);
    let good_server = Memcached::start(&good, PORT);
    let forgotten_server = Memcached::start(&forgotten, PORT);
    // Nobody listens on `refusing`; nobody ran `drop` on `forgotten`; `down` is off.
    for host in [&good, &refusing] {
        host.agent_ok(&format!("drop eth0 --port {PORT}"));
    }
    down.ip(&["link", "set", "eth0", "down"]);
    let maps: String = [&down, &refusing, &forgotten, &good]
        .iter()
        .map(|host| format!(" --map {PORT}={}:{PORT}", host.v4()))
        .collect();
    let at_client = mirror_tests::capture::Capture::start(
        lab.switch(),
        "client",
        &format!(
            "port {PORT} and (src host {} or src host {} or src host {})",
            good.v4(),
            refusing.v4(),
            forgotten.v4()
        ),
    );
    old.agent_ok(&format!("attach eth0{maps}"));
    set_and_get(&mut Connection::open(&client, old.v4(), PORT), "k", 100);

    let target = good.settled("target");
    assert_has(&good_server, &good, "k", 100);
    assert_eq!(lost(&target), 0, "{target:?}");
    assert_eq!(forgotten_server.stat(&forgotten, "curr_items"), 0);
    assert_eq!(at_client.stop(), Vec::<String>::new(), "nothing comes back to the client");
    let down = old.map_counters(&format!("{PORT}={}:{PORT}", down.v4()));
    assert!(down["unsent"] > 0 && down["sent"] + down["unsent"] == down["copies"], "{down:?}");
}

#[test]
fn two_sources_share_a_target() {
    let mut lab = Lab::new();
    let client = lab.host("client");
    let (old1, old2, new) = (lab.host("old1"), lab.host("old2"), lab.host("new"));
    let _servers = [Memcached::start(&old1, PORT), Memcached::start(&old2, PORT)];
    let new_server = Memcached::start(&new, PORT);
    new.agent_ok(&format!("drop eth0 --port {PORT}"));
    for old in [&old1, &old2] {
        old.agent_ok(&format!("attach eth0 --map {PORT}={}:{PORT}", new.v4()));
    }
    let mut one = Connection::open(&client, old1.v4(), PORT);
    let mut two = Connection::open(&client, old2.v4(), PORT);
    for round in 0..5 {
        set_and_get(&mut one, &format!("one{round}-"), 20);
        set_and_get(&mut two, &format!("two{round}-"), 20);
    }
    let target = new.settled("target");
    assert_eq!(lost(&target), 0, "{target:?}");
    for round in 0..5 {
        assert_has(&new_server, &new, &format!("one{round}-"), 20);
        assert_has(&new_server, &new, &format!("two{round}-"), 20);
    }
}

#[test]
fn each_port_goes_to_its_own_target() {
    const OTHER: u16 = 11212;
    let mut lab = Lab::new();
    let (client, old) = (lab.host("client"), lab.host("old"));
    let (new1, new2) = (lab.host("new1"), lab.host("new2"));
    let _old_servers = [Memcached::start(&old, PORT), Memcached::start(&old, OTHER)];
    let first = Memcached::start(&new1, 12_000);
    let second = Memcached::start(&new2, PORT);
    let both = [Memcached::start(&new1, PORT), Memcached::start(&new1, OTHER)];
    new1.agent_ok(&format!("drop eth0 --port 12000 --port {PORT}"));
    new2.agent_ok(&format!("drop eth0 --port {PORT}"));
    old.agent_ok(&format!(
        "attach eth0 --map {PORT}={0}:12000 --map {OTHER}={1}:{PORT}",
        new1.v4(),
        new2.v4()
    ));
    set_and_get(&mut Connection::open(&client, old.v4(), PORT), "a", 50);
    set_and_get(&mut Connection::open(&client, old.v4(), OTHER), "b", 50);
    assert_has(&first, &new1, "a", 50);
    assert_has(&second, &new2, "b", 50);
    assert_eq!(both[0].stat(&new1, "curr_items") + both[1].stat(&new1, "curr_items"), 0);
    assert_eq!(first.stat(&new1, "curr_items"), 50);
    old.settled("source");
}

#[test]
fn a_local_address_limits_a_map() {
    let mut lab = Lab::new();
    let (client, old, new) = (lab.host("client"), lab.host("old"), lab.host("new"));
    old.ip(&["addr", "add", "10.77.0.200/24", "dev", "eth0"]);
    let _old_server = Memcached::start(&old, PORT);
    let new_server = Memcached::start(&new, PORT);
    new.agent_ok(&format!("drop eth0 --port {PORT}"));
    old.agent_ok(&format!("attach eth0 --map 10.77.0.200:{PORT}={}:{PORT}", new.v4()));
    let mapped = "10.77.0.200".parse().expect("an address");
    set_and_get(&mut Connection::open(&client, mapped, PORT), "mapped", 10);
    set_and_get(&mut Connection::open(&client, old.v4(), PORT), "other", 10);
    let source = old.settled("source");
    assert!(source["skipped_address"] > 20, "{source:?}");
    assert_has(&new_server, &new, "mapped", 10);
    assert_eq!(new_server.stat(&new, "curr_items"), 10);
}

#[test]
fn hosts_that_mirror_each_other_do_not_loop() {
    let mut lab = Lab::new();
    let (client, a, b) = (lab.host("client"), lab.host("a"), lab.host("b"));
    let (a_server, b_server) = (Memcached::start(&a, PORT), Memcached::start(&b, PORT));
    for (here, there) in [(&a, &b), (&b, &a)] {
        here.agent_ok(&format!("drop eth0 --port {PORT}"));
        here.agent_ok(&format!("attach eth0 --map {PORT}={}:{PORT}", there.v4()));
    }
    set_and_get(&mut Connection::open(&client, a.v4(), PORT), "to-a-", 100);
    set_and_get(&mut Connection::open(&client, b.v4(), PORT), "to-b-", 100);
    for (host, other, server) in [(&a, &b, &a_server), (&b, &a, &b_server)] {
        assert_has(server, host, "to-a-", 100);
        assert_has(server, host, "to-b-", 100);
        let (source, target) = (host.settled("source"), host.settled("target"));
        assert_eq!(lost(&target), 0, "{target:?}");
        assert_eq!(source["mirrored"], other.settled("target")["arrived"], "{source:?}");
        assert!(source["skipped_sealed"] >= 200, "{source:?}");
        assert_eq!(server.stat(host, "cmd_set"), 200, "each set once");
    }
}

/// Each takes the other's copies for somebody else's packets: production must not meet them again.
#[test]
fn hosts_that_mirror_each_other_with_different_magics_do_not_loop() {
    let mut lab = Lab::new();
    let (client, a, b) = (lab.host("client"), lab.host("a"), lab.host("b"));
    let (a_server, b_server) = (Memcached::start(&a, PORT), Memcached::start(&b, PORT));
    for (here, there, magic) in [(&a, &b, "0x11111111"), (&b, &a, "0x22222222")] {
        here.agent_ok(&format!("attach eth0 --magic {magic} --map {PORT}={}:{PORT}", there.v4()));
    }
    set_and_get(&mut Connection::open(&client, a.v4(), PORT), "to-a-", 100);
    set_and_get(&mut Connection::open(&client, b.v4(), PORT), "to-b-", 100);
    assert_has(&a_server, &a, "to-a-", 100);
    assert_has(&b_server, &b, "to-b-", 100);
    let (of_a, of_b) = (a.settled("source"), b.settled("source"));
    assert_eq!(of_a["mirrored"], of_b["skipped_sealed"], "{of_a:?}, {of_b:?}");
    assert_eq!(of_b["mirrored"], of_a["skipped_sealed"], "{of_a:?}, {of_b:?}");
}
