//! Choosing what is mirrored: clients, a sample of connections, until when, and a dry run.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use mirror_tests::{
    Host, Lab,
    agent::lost,
    bpf::{Input, Program},
    capture::Capture,
    client::{self, Connection, frame, udp},
    craft::{ACK, Body, PSH, Packet, Segment},
    mirror::{Mirror, PORT},
    random::Random,
    tally::Tally,
    wait,
};
use serde_json::{Value, json};

/// What `status --json` says of the selection of this host, a source.
fn selection(host: &Host) -> Value {
    let text = host.agent_ok("status --json");
    let document: Value = serde_json::from_str(&text).expect("status --json prints JSON");
    let selection = document["attachments"][0]["selection"].clone();
    assert!(selection.is_object(), "{document}");
    selection
}

/// Stores `key` over UDP, and waits for the reply.
fn set_by_datagram(host: &Host, server: IpAddr, key: &str) {
    let socket = udp(host, server, PORT);
    socket.send(&frame(1, 1, &client::set_request(key, b"1"))).expect("datagrams can be sent");
    let mut reply = [0; 100];
    let n = socket.recv(&mut reply).expect("production replies");
    assert_eq!(&reply[8..n], b"STORED\r\n", "{key}");
}

#[test]
fn only_chosen_clients_are_mirrored() {
    let mut mirror = Mirror::idle();
    let other = mirror.lab.host("other");
    // Of each kind one: a prefix that takes from a longer one, and one that gives to it.
    mirror.start_with(&format!(
        "--client 10.77.0.0/24 --exclude-client {} --exclude-client fd77::/64 --client {}",
        other.v4(),
        other.v6()
    ));
    let status = mirror.old.agent_ok("status");
    for line in [
        "only clients of 10.77.0.0/24".to_owned(),
        format!("only clients of {}/128", other.v6()),
        format!("no clients of {}/32", other.v4()),
        "no clients of fd77::/64".to_owned(),
    ] {
        assert!(status.contains(&line), "{line}: {status}");
    }
    assert_eq!(
        selection(&mirror.old),
        json!({
            "clients": ["10.77.0.0/24", format!("{}/128", other.v6())],
            "excluded_clients": [format!("{}/32", other.v4()), "fd77::/64"],
            "sample_percent": 100.0,
            "sample_by": "connection",
            "multiply": 1,
            "multiply_from": [],
            "rate_limits": [],
            "deadline": null,
            "seconds_left": null,
            "expired": false,
            "dry_run": false,
        })
    );

    let wire = mirror.watch_new();
    let mut clients = Vec::new();
    for (name, host) in [("client", &mirror.client), ("other", &other)] {
        for (family, server) in [("v4", mirror.old.v4()), ("v6", mirror.old.v6())] {
            let mut client = Connection::open(host, server, PORT);
            for i in 0..20 {
                client.set(&format!("{name}-{family}-{i}"), b"1");
            }
            set_by_datagram(host, server, &format!("{name}-{family}-udp"));
            clients.push(client);
        }
    }
    let (source, target) = mirror.settled();
    assert!(source["skipped_client"] > 2 * 20, "{source:?}");
    assert_eq!((target["opened"], target["adopted"], lost(&target)), (2, 0, 0), "{target:?}");
    let keys = |of: [&str; 2]| -> BTreeSet<String> {
        let numbers = || (0..20).map(|i| i.to_string()).chain(["udp".to_owned()]);
        of.iter().flat_map(|who| numbers().map(move |what| format!("{who}-{what}"))).collect()
    };
    let have: BTreeSet<String> = mirror.new_server.items(&mirror.new).into_keys().collect();
    assert_eq!(have, keys(["client-v4", "other-v6"]));

    // Who is wanted no more is told so, and who is wanted now is joined.
    let connections = || mirror.new_server.clients(&mirror.new);
    let before = connections();
    mirror.old.agent_ok(&format!("map set eth0 --exclude-client {}", mirror.client.v4()));
    wait::until("one connection to end", || (connections() + 1 == before).then_some(()));
    for client in &mut clients {
        for i in 0..5 {
            client.set(&format!("second{i}"), b"2");
        }
    }
    // More arrived than was copied: what told of the end.
    let settled = || {
        mirror.old.settled("source");
        mirror.new.settled("target")
    };
    let target = settled();
    assert_eq!((target["adopted"], target["desynced"]), (2, 0), "{target:?}");

    mirror.old.agent_ok("map set eth0 --clear-clients");
    assert_eq!(selection(&mirror.old)["clients"], json!([]));
    assert!(!mirror.old.agent_ok("status").contains("clients of"));
    for i in 0..5 {
        clients[0].set(&format!("third{i}"), b"3");
    }
    let target = settled();
    assert_eq!(target["adopted"], 3, "{target:?}");
    mirror.assert_same((1..5).map(|i| format!("third{i}")));
    assert_eq!(wire.stop(), Vec::<String>::new(), "nothing leaves the new host");
}

/// Which of these have both halves on the new host. Panics where one has one only.
fn wholes(mirror: &Mirror, names: &[String]) -> usize {
    let have: BTreeSet<String> = mirror.new_server.items(&mirror.new).into_keys().collect();
    names
        .iter()
        .filter(|name| {
            let halves = ["a", "b"].map(|half| have.contains(&format!("{name}-{half}")));
            assert_eq!(halves[0], halves[1], "{name} is mirrored as a whole or not at all");
            halves[0]
        })
        .count()
}

#[test]
fn a_sample_is_whole_connections() {
    const CONNECTIONS: usize = 2000;
    const OPEN: usize = 100;
    const SOCKETS: usize = 200;

    let mirror = Mirror::idle();
    mirror.start_with("--sample 50%");
    assert!(mirror.old.agent_ok("status").contains("50% of all connections"));
    assert_eq!(selection(&mirror.old)["sample_percent"], 50.0);
    let wire = mirror.watch_new();
    let connect = |i: usize| {
        let server = if i.is_multiple_of(2) { mirror.old.v4() } else { mirror.old.v6() };
        Connection::open(&mirror.client, server, PORT)
    };
    let mut open: Vec<Connection> = (0..OPEN).map(connect).collect();
    let of_open: Vec<String> = (0..OPEN).map(|i| format!("open{i}")).collect();
    for (client, name) in open.iter_mut().zip(&of_open) {
        client.set(&format!("{name}-a"), b"1");
    }
    let names: Vec<String> = (0..CONNECTIONS).map(|i| format!("connection{i}")).collect();
    for (i, name) in names.iter().enumerate() {
        let mut client = connect(i);
        client.set(&format!("{name}-a"), b"1");
        client.set(&format!("{name}-b"), b"1");
    }
    let sockets: Vec<String> = (0..SOCKETS).map(|i| format!("socket{i}")).collect();
    for name in &sockets {
        let socket = udp(&mirror.client, mirror.old.v4(), PORT);
        for half in ["a", "b"] {
            let set = client::set_request(&format!("{name}-{half}"), b"1");
            socket.send(&frame(1, 1, &set)).expect("datagrams can be sent");
            socket.recv(&mut [0; 100]).expect("production replies");
        }
    }
    // The same again, in place: whoever is mirrored still is.
    mirror.attach("--sample 50%");
    for (client, name) in open.iter_mut().zip(&of_open) {
        client.set(&format!("{name}-b"), b"1");
    }

    let (source, target) = mirror.settled();
    let mirrored = wholes(&mirror, &names);
    assert!((CONNECTIONS * 2 / 5..=CONNECTIONS * 3 / 5).contains(&mirrored), "{mirrored}");
    let by_datagram = wholes(&mirror, &sockets);
    assert!((SOCKETS / 4..=SOCKETS * 3 / 4).contains(&by_datagram), "{by_datagram}");
    let still = wholes(&mirror, &of_open);
    assert_eq!(target["opened"], (mirrored + still) as u64, "{target:?}");
    let whole = (target["adopted"], target["desynced"], target["evicted"], lost(&target));
    assert_eq!(whole, (0, 0, 0, 0), "{target:?}");
    assert!(source["skipped_sample"] > source["mirrored"] / 2, "{source:?}");
    assert_eq!(wire.stop(), Vec::<String>::new(), "nothing leaves the new host");
}

#[test]
fn the_kernel_ends_a_mirror_whose_time_is_over() {
    let mirror = Mirror::idle();
    mirror.start_with("--until 2090-01-01T00:00:00Z");
    // On whatever this host's clock says, and rounded.
    let ends_at = selection(&mirror.old)["deadline"].as_u64().expect("it ends");
    assert!(ends_at.abs_diff(3_786_912_000) <= 1, "{ends_at}");
    mirror.attach("--for 1h");
    let left = selection(&mirror.old)["seconds_left"].as_u64().expect("it ends");
    assert!((1..=3600).contains(&left), "{left}");
    assert!(mirror.old.agent_ok("status").contains("ENDS IN"));
    let idle = mirror.new_server.clients(&mirror.new);

    // The agent is gone when this returns.
    mirror.attach("--for 3s");
    let mut client = mirror.connect();
    let mut count = 0;
    let over = wait::until("the end", || {
        client.set(&format!("k{count}"), b"1");
        count += 1;
        (mirror.old.counters("source")["skipped_expired"] > 0).then_some(count)
    });
    for i in 0..10 {
        client.set(&format!("late{i}"), b"1");
    }
    let (source, _) = mirror.settled();
    assert!(source["skipped_expired"] >= 10, "{source:?}");
    let have: BTreeSet<String> = mirror.new_server.items(&mirror.new).into_keys().collect();
    let first: BTreeSet<String> = (0..have.len()).map(|i| format!("k{i}")).collect();
    assert!(!have.is_empty() && have.len() < over + 1, "{} of {over}", have.len());
    assert_eq!(have, first, "what was stored before the end, and nothing after it");
    let status = mirror.old.agent_ok("status");
    assert!(status.contains("expired") && status.contains("nothing is mirrored"), "{status}");
    let choice_now = selection(&mirror.old);
    assert_eq!((&choice_now["expired"], &choice_now["seconds_left"]), (&json!(true), &json!(0)));

    // On again, with no end; the connection that was mirrored before is joined again.
    mirror.old.agent_ok("map set eth0 --no-deadline");
    assert_eq!(selection(&mirror.old)["deadline"], Value::Null);
    let mut inside = mirror.new_server.inside(&mirror.new);
    let mut count = 0;
    wait::until("the connection to be joined", || {
        count += 1;
        client.set(&format!("again{count}"), b"1");
        inside.get(&format!("again{count}"))
    });
    let (_, target) = mirror.settled();
    assert_eq!((target["opened"], target["desynced"]), (1, 1), "{target:?}");
    drop(inside);
    // Over or not, whom it mirrored is told when it goes.
    mirror.old.agent_ok("detach eth0");
    wait::until("the mirrored connection to end", || {
        (mirror.new_server.clients(&mirror.new) == idle).then_some(())
    });
}

#[test]
fn a_dry_run_counts_and_sends_nothing() {
    const DATAGRAMS: u64 = 50;

    let mut mirror = Mirror::idle();
    let second = mirror.lab.host("second");
    let (new, map) = (mirror.new.v4(), format!("{PORT}={}:{PORT}", mirror.new.v4()));
    let twin = format!("{PORT}={}:{PORT}", second.v4());
    let v6_map = format!("{PORT}=[{}]:{PORT}", mirror.new.v6());
    let sent = Capture::start(
        mirror.lab.switch(),
        "old",
        &format!(
            "(tcp or udp) and (dst host {new} or dst host {} or dst host {})",
            mirror.new.v6(),
            second.v4()
        ),
    );
    mirror.attach(&format!("--map {twin} --redundancy 2 --dry-run"));
    assert!(mirror.old.agent_ok("status").contains("dry run: counts, and sends nothing"));
    assert_eq!(selection(&mirror.old)["dry_run"], true);
    let mut client = mirror.connect();
    client.set("small", b"1");
    client.set("big", &[b'b'; 500_000]);
    let mut of_v6 = Connection::open(&mirror.client, mirror.old.v6(), PORT);
    of_v6.set("six", b"6");

    let source = mirror.old.settled("source");
    assert_eq!(source["mirrored"], 0, "{source:?}");
    let maps = mirror.old.all_map_counters();
    let segments = maps[&map]["dry_run_copies"] + maps[&v6_map]["dry_run_copies"];
    assert_eq!(segments, 2 * source["dry_run"], "each twice: {maps:?}");
    assert_eq!(maps[&map], maps[&twin], "what one target gets, the other gets, too");
    assert!(maps[&map]["dry_run_bytes"] > 2 * 500_000, "{maps:?}");
    // What arrives as one packet of many segments leaves as many.
    assert!(maps[&map]["dry_run_segments"] > 2 * 500_000 / 1500, "{maps:?}");

    // What is counted is what leaves when it is done.
    let request = |key: &str| frame(1, 1, &client::set_request(key, &[b'd'; 100]));
    let send = |key: &str| {
        let socket = udp(&mirror.client, mirror.old.v4(), PORT);
        for _ in 0..DATAGRAMS {
            socket.send(&request(key)).expect("datagrams can be sent");
            socket.recv(&mut [0; 100]).expect("production replies");
        }
        mirror.old.settled("source");
        mirror.old.map_counters(&map)
    };
    let before = &maps[&map];
    let dry = send("dry");
    mirror.old.agent_ok("detach eth0");
    assert_eq!(sent.stop(), Vec::<String>::new(), "nothing was sent, at the end neither");

    mirror.start();
    let wet = send("wet");
    for (counted, left) in [
        ("dry_run_copies", "sent"),
        ("dry_run_segments", "sent_segments"),
        ("dry_run_bytes", "sent_bytes"),
    ] {
        assert_eq!(dry[counted] - before[counted], wet[left], "{counted}: {dry:?} {wet:?}");
    }
    assert_eq!(wet["sent"], DATAGRAMS);
    let items = mirror.new_server.items(&mirror.new);
    assert!(items.keys().eq(["wet"]), "and nothing else: {items:?}");

    // What was mirrored is told that it is no more.
    let connections = || mirror.new_server.clients(&mirror.new);
    let idle = connections();
    let mut mirrored = mirror.connect();
    mirrored.set("mirrored", b"1");
    mirror.settled();
    assert_eq!(connections(), idle + 1);
    mirror.attach("--dry-run");
    wait::until("the mirrored connection to end", || (connections() == idle).then_some(()));
    mirrored.set("not-mirrored", b"1");
}

/// A prefix, by hand.
struct Net {
    v4: bool,
    bits: u128,
    length: u32,
    wanted: bool,
}

impl Net {
    fn covers(&self, address: IpAddr) -> bool {
        let bits = bits(address);
        let size = if self.v4 { 32 } else { 128 };
        address.is_ipv4() == self.v4
            && (self.length == 0 || (bits ^ self.bits) >> (size - self.length) == 0)
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn address(v4: bool, bits: u128) -> IpAddr {
    if v4 { IpAddr::V4((bits as u32).into()) } else { IpAddr::V6(Ipv6Addr::from_bits(bits)) }
}

/// An address of few that have much in common.
fn any(random: &mut Random) -> (bool, u128) {
    let v4 = random.below(2) == 0;
    let near = random.number() as u128 & random.number() as u128 & 0xff0f_0303;
    (v4, if v4 { 0x0a00_0000 ^ near } else { (0xfd00 << 112) ^ near << 64 ^ near })
}

#[test]
fn the_kernel_finds_the_longest_of_many_prefixes() {
    const PREFIXES: usize = 400;
    const CLIENTS: usize = 1500;

    let mut lab = Lab::new();
    let (host, target) = (lab.host("host"), lab.host("target"));
    let mut random = Random::new("prefixes");
    for default in [true, false] {
        let mut nets: Vec<Net> = Vec::new();
        let mut options = String::new();
        while nets.len() < PREFIXES {
            let (v4, base) = any(&mut random);
            let size = if v4 { 32 } else { 128 };
            let length = random.below(size as usize + 1) as u32;
            let kept = if length == 0 { 0 } else { base >> (size - length) << (size - length) };
            if nets.iter().any(|net| (net.v4, net.bits, net.length) == (v4, kept, length)) {
                continue;
            }
            // The shortest would be the others'.
            if length < 8 {
                continue;
            }
            let wanted = !default && random.below(2) == 0;
            let option = if wanted { "client" } else { "exclude-client" };
            options += &format!(" --{option} {}/{length}", address(v4, kept));
            nets.push(Net { v4, bits: kept, length, wanted });
        }
        let (v4, v6) = (target.v4(), target.v6());
        host.agent_ok(&format!(
            "attach eth0 --map {PORT}={v4}:{PORT} --map {PORT}=[{v6}]:{PORT} --dry-run --forwarded{options}"
        ));
        let program = Program::attached(&host, "source", "ingress");
        let tally = Tally::source(&host);
        let counter = |name: &str| {
            let at = tally.names.iter().position(|own| *own == name).expect("a counter");
            tally.read()[at]
        };
        let mut seen = BTreeSet::new();
        for _ in 0..CLIENTS {
            let (v4, base) = any(&mut random);
            let from = address(v4, base);
            let longest = nets.iter().filter(|net| net.covers(from)).max_by_key(|net| net.length);
            let wanted = longest.map_or(default, |net| net.wanted);
            seen.insert((longest.is_some(), wanted));
            let body = Body::Tcp(Segment { flags: ACK | PSH, ..Segment::default() });
            let to = if v4 { host.v4() } else { host.v6() };
            let packet =
                Packet::new(SocketAddr::new(from, 40_000), SocketAddr::new(to, PORT), body);
            let before = (counter("dry_run"), counter("skipped_client"));
            let output = host
                .run(|| program.run(&Input { frame: &packet.bytes(), ..Input::default() }))
                .expect("the kernel takes the packet");
            assert_eq!(output.frame, packet.bytes(), "production's packet");
            let after = (counter("dry_run"), counter("skipped_client"));
            let moved = (after.0 - before.0, after.1 - before.1);
            let expected = if wanted { (1, 0) } else { (0, 1) };
            assert_eq!(moved, expected, "{from}, of{options}");
        }
        // Those that a prefix decides about, and the others.
        let expected: &[_] = if default {
            &[(false, true), (true, false)]
        } else {
            &[(false, false), (true, false), (true, true)]
        };
        assert_eq!(seen, expected.iter().copied().collect());
        host.agent_ok("detach eth0");
    }
}
