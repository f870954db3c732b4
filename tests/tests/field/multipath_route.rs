//! Two equal routes from the old host to the new one (ECMP): each connection's copies take one of them, whole.
//!
//! ```text
//!            10.77.0.0/24, fd77::/64
//!   client ────── eth0 ┐         ┌──▶
//!                      │ old     │      new: lo 10.79.0.N
//!                 eth1 ┘         └──▶
//!            10.78.0.0/24, fd78::/64
//! ```

use std::{collections::BTreeMap, net::IpAddr, net::SocketAddr};

use mirror_tests::{
    Family, Host,
    capture::Capture,
    client::Connection,
    departures::Departures,
    mirror::{Mirror, PORT},
    second,
};

const CONNECTIONS: usize = 24;
const KEYS: usize = 4;

/// The new host's address that both ways lead to.
fn target(new: &Host, family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::from([10, 79, 0, new.number]),
        Family::V6 => IpAddr::from([0xfd79, 0, 0, 0, 0, 0, 0, u16::from(new.number)]),
    }
}

/// A mirror of which nothing is attached, with two ways from the old host to the new one.
fn two_ways() -> Mirror {
    let mut mirror = Mirror::idle();
    second::card(&mut mirror.lab, &mirror.old, "eth1");
    second::join(&mirror.new);
    let (old, new) = (&mirror.old, &mirror.new);
    for protocol in ["ipv4", "ipv6"] {
        // By ports, too, or one client's packets all take the same way.
        old.shell(&format!("echo 1 >/proc/sys/net/{protocol}/fib_multipath_hash_policy"));
    }
    for family in Family::BOTH {
        let own = target(new, family).to_string();
        new.ip(&["addr", "add", &own, "dev", "lo"]);
        let hops = [(new.address(family), "eth0"), (second::address_by(new, family), "eth1")]
            .map(|(hop, card)| format!("nexthop via {hop} dev {card}"))
            .join(" ");
        old.shell(&format!("ip route add {own} {hops}"));
    }
    new.agent_ok(&format!("drop eth0 --port {PORT}"));
    let [v4, v6] = Family::BOTH.map(|family| target(new, family));
    old.agent_ok(&format!("attach eth0 --map {PORT}={v4}:{PORT} --map {PORT}=[{v6}]:{PORT}"));
    mirror
}

fn key(family: Family, connection: usize, n: usize) -> String {
    format!("{family:?}-{connection}-{n}")
}

/// By which cards each client's endpoint sent copies.
fn cards(captured: &[(&str, Vec<String>)]) -> BTreeMap<String, Vec<String>> {
    let mut cards: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (card, lines) in captured {
        for line in lines {
            let mut words = line.split_whitespace().skip_while(|word| !word.starts_with("IP"));
            let from = words.nth(1).expect("tcpdump says from where").to_owned();
            let of_client = cards.entry(from).or_default();
            if !of_client.iter().any(|known| known == card) {
                of_client.push((*card).to_owned());
            }
        }
    }
    cards
}

#[test]
fn each_connection_takes_one_of_the_ways() {
    let mirror = two_ways();
    let ports = ["eth0", "eth1"].map(|card| mirror.old.port(card));
    let targets = Family::BOTH.map(|family| SocketAddr::new(target(&mirror.new, family), PORT));
    let departures =
        Departures::watch(&mirror.lab, &mirror.old, &["eth0", "eth1"], targets.to_vec());
    let [v4, v6] = Family::BOTH.map(|family| target(&mirror.new, family));
    let filter = format!("dst host {v4} or dst host {v6}");
    let captures = ports.map(|port| Capture::start_arriving(mirror.lab.switch(), &port, &filter));
    let mut clients = Vec::new();
    for family in Family::BOTH {
        for connection in 0..CONNECTIONS {
            let old = mirror.old.address(family);
            let client = Connection::open(&mirror.client, old, PORT);
            clients.push((family, connection, client));
        }
    }
    for n in 0..KEYS {
        for (family, connection, client) in &mut clients {
            client.set(&key(*family, *connection, n), b"value");
        }
    }
    let source = mirror.old.settled("source");
    mirror.new.settled("target");
    let [eth0, eth1] = captures.map(Capture::stop);
    departures.stop().assert_none_wrong();
    let keys = clients
        .iter()
        .flat_map(|(family, connection, _)| (0..KEYS).map(move |n| key(*family, *connection, n)));
    mirror.assert_copied(keys);
    let maps = mirror.old.all_map_counters();
    // Of the way whose next hop has to be asked for, the first ones: they left later, as the keys say.
    assert!(maps.values().all(|map| map["unsent"] <= 3), "{source:?}, {maps:?}");
    let cards = cards(&[("eth0", eth0), ("eth1", eth1)]);
    let split: Vec<_> = cards.iter().filter(|(_, cards)| cards.len() > 1).collect();
    assert!(
        split.is_empty(),
        "{} of {} connections took both ways: {split:?}",
        split.len(),
        cards.len()
    );
    for card in ["eth0", "eth1"] {
        let count = cards.values().filter(|cards| cards.iter().any(|it| it == card)).count();
        assert!(count > 0, "no connection of {} went by {card}", cards.len());
    }
}
