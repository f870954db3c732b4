//! Kinds of packets and networks.

use std::net::SocketAddr;

use mirror_tests::{
    Host, Lab,
    agent::lost,
    client::{Connection, frame},
    craft::{DOT1AD, DOT1Q, Packet},
    memcached,
    memcached::Memcached,
    mirror::Mirror,
    mirror::PORT,
    wire::Wire,
};

/// More than fits a fresh window.
const BIG: usize = 300_000;

/// Sets small and large values, and checks that the mirror lost nothing.
fn exercise(mirror: &Mirror, mut client: Connection) {
    for i in 0..20 {
        client.set(&format!("small{i}"), b"value");
        client.set(&format!("big{i}"), &vec![b'a' + i; BIG]);
        assert!(client.get(&format!("big{i}")).is_some(), "big{i}");
    }
    let (_, target) = mirror.settled();
    assert_eq!(lost(&target), 0, "{target:?}");
    mirror.assert_same((0..20).flat_map(|i| [format!("small{i}"), format!("big{i}")]));
}

#[test]
fn super_packets() {
    let mirror = Mirror::running();
    mirror.join_segments(true);
    let wire = mirror.watch_new();
    exercise(&mirror, mirror.connect());
    let source = mirror.old.counters("source");
    let map = &mirror.old.all_map_counters()[&format!("{PORT}={}:{PORT}", mirror.new.v4())];
    assert!(map["sent_segments"] > 2 * source["mirrored"], "they arrived joined: {map:?}");
    assert_eq!(wire.stop(), Vec::<String>::new(), "nothing leaves the new host");
}

#[test]
fn ipv6() {
    let mirror = Mirror::running();
    mirror.join_segments(true);
    let wire = mirror.watch_new();
    exercise(&mirror, Connection::open(&mirror.client, mirror.old.v6(), PORT));
    assert_eq!(wire.stop(), Vec::<String>::new(), "nothing leaves the new host");
}

#[test]
fn ipv4_options() {
    let mirror = Mirror::running();
    exercise(&mirror, Connection::open_with_options(&mirror.client, mirror.old.v4(), PORT));
}

#[test]
fn ipv6_extension_headers() {
    let mirror = Mirror::running();
    exercise(&mirror, Connection::open_with_options(&mirror.client, mirror.old.v6(), PORT));
}

#[test]
fn jumbo_frames() {
    let mirror = Mirror::idle();
    mirror.set_mtu(9000);
    mirror.start();
    let wire = mirror.watch_new();
    exercise(&mirror, mirror.connect());
    assert_eq!(wire.stop(), Vec::<String>::new(), "nothing leaves the new host");
}

#[test]
fn without_offloads() {
    let mirror = Mirror::idle();
    for host in [&mirror.client, &mirror.old, &mirror.new] {
        host.output(
            "ethtool",
            &["-K", "eth0", "tso", "off", "gso", "off", "gro", "off", "tx", "off"],
        );
    }
    mirror.start();
    exercise(&mirror, mirror.connect());
}

/// A UDP `set` in a frame with these VLAN tags, outermost first.
fn tagged_frame(mirror: &Mirror, tags: &[u16], key: &str) -> Vec<u8> {
    let [from, to] = [(&mirror.client, 40_000), (&mirror.old, PORT)]
        .map(|(host, port)| SocketAddr::new(host.v4(), port));
    let request = frame(7, 1, format!("set {key} 0 0 6\r\ntagged\r\n").as_bytes());
    let packet = Packet { tags: tags.to_vec(), ..Packet::udp(from, to, &request) };
    let mut bytes = packet.bytes();
    bytes[..6].copy_from_slice(&mirror.old.mac_bytes());
    bytes[6..12].copy_from_slice(&mirror.client.mac_bytes());
    bytes
}

#[test]
fn vlan_tags_are_taken_off_copies() {
    // As raw frames, since not every kernel has VLAN interfaces.
    let mirror = Mirror::running();
    let wire = Wire::at(&mirror.client, "eth0", mirror.client.mac_bytes());
    for (key, tags) in [
        ("untagged", &[][..]),
        ("dot1q", &[DOT1Q]),
        ("dot1ad", &[DOT1AD]),
        ("qinq", &[DOT1AD, DOT1Q]),
    ] {
        wire.send(&tagged_frame(&mirror, tags, key));
    }
    let (source, target) = mirror.settled();
    assert_eq!(source["mirrored"], 4, "{source:?}");
    assert_eq!(target["applied"], 4, "{target:?}");
    let mut inside = mirror.new_server.inside(&mirror.new);
    for key in ["untagged", "dot1q", "dot1ad", "qinq"] {
        assert_eq!(inside.get(key), Some(b"tagged".to_vec()), "{key}");
    }
}

#[test]
fn copies_that_leave_by_another_interface_are_counted() {
    let mut mirror = Mirror::idle();
    let second = mirror.lab.second_interface(&mirror.old, "eth1");
    mirror.new.ip(&["addr", "add", "10.80.0.2/24", "dev", "eth0"]);
    mirror.old.ip(&["addr", "add", "10.80.0.1/24", "dev", &second]);
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT}"));
    mirror.old.agent_ok(&format!("attach eth0 --map {PORT}=10.80.0.2:{PORT}"));
    let client = mirror.connect();
    exercise(&mirror, client);
    let map = mirror.old.map_counters(&format!("{PORT}=10.80.0.2:{PORT}"));
    assert!(map["copies"] > 0, "{map:?}");
    assert_eq!((map["sent"], map["unsent"]), (map["copies"], 0), "{map:?}");
}

/// A target behind a router: `old` — `router` — `far`.
struct Routed {
    far_server: Memcached,
    old_server: Memcached,
    far: Host,
    router: Host,
    old: Host,
    client: Host,
    _lab: Lab,
}

impl Routed {
    const FAR: &str = "10.78.0.2";

    fn new() -> Self {
        let mut lab = Lab::new();
        let (client, old) = (lab.host("client"), lab.host("old"));
        let (router, far) = (lab.host("router"), lab.host("far"));
        far.ip(&["link", "set", "eth0", "down"]);
        far.ip(&[
            "link",
            "add",
            "eth1",
            "type",
            "veth",
            "peer",
            "name",
            "eth1",
            "netns",
            &router.namespace,
        ]);
        for (host, address) in [(&router, "10.78.0.1/24"), (&far, "10.78.0.2/24")] {
            host.ip(&["addr", "add", address, "dev", "eth1"]);
            host.ip(&["link", "set", "eth1", "up"]);
        }
        router.shell("echo 1 >/proc/sys/net/ipv4/ip_forward");
        far.ip(&["route", "add", "default", "via", "10.78.0.1"]);
        old.ip(&["route", "add", "10.78.0.0/24", "via", &router.v4().to_string()]);
        let old_server = Memcached::start(&old, PORT);
        let far_server = Memcached::start(&far, PORT);
        Self { far_server, old_server, far, router, old, client, _lab: lab }
    }

    fn start(&self) {
        self.far.agent_ok(&format!("drop eth1 --port {PORT}"));
        self.old.agent_ok(&format!("attach eth0 --map {PORT}={}:{PORT}", Self::FAR));
    }

    fn assert_same(&self, keys: impl IntoIterator<Item = String>) {
        memcached::assert_same((&self.old_server, &self.old), (&self.far_server, &self.far), keys);
    }
}

#[test]
fn a_target_behind_a_router_whose_address_is_not_resolved_yet() {
    let lab = Routed::new();
    lab.start();
    lab.old.ip(&["neigh", "flush", "all"]);
    let mut client = Connection::open(&lab.client, lab.old.v4(), PORT);
    for i in 0..100 {
        client.set(&format!("k{i}"), b"routed");
    }
    lab.old.settled("source");
    let target = lab.far.settled("target");
    assert_eq!(lost(&target), 0, "{target:?}");
    lab.assert_same((0..100).map(|i| format!("k{i}")));
}

#[test]
fn a_router_that_changes_its_mac_address_under_load() {
    let lab = Routed::new();
    lab.start();
    lab.router.shell("echo 1 >/proc/sys/net/ipv4/conf/eth0/arp_notify");
    let mut client = Connection::open(&lab.client, lab.old.v4(), PORT);
    for i in 0..400 {
        client.set(&format!("k{i}"), b"routed");
        if i == 200 {
            lab.router.ip(&["link", "set", "eth0", "address", "02:00:00:00:77:77"]);
        }
    }
    for i in 400..500 {
        // A new connection needs nothing of what the change may have swallowed.
        Connection::open(&lab.client, lab.old.v4(), PORT).set(&format!("k{i}"), b"routed");
    }
    lab.old.settled("source");
    lab.far.settled("target");
    lab.assert_same((0..200).chain(400..500).map(|i| format!("k{i}")));
}

#[test]
fn attach_resolves_the_next_hop_and_warns_of_a_silent_one() {
    let mirror = Mirror::idle();
    mirror.old.ip(&["neigh", "flush", "all"]);
    let attach = |number: u8| {
        // With it, nothing is to be said of UDP.
        let clients = "--client 10.77.0.0/24";
        let map = format!("--map {PORT}=10.77.0.{number}:{PORT}");
        let output = mirror.old.agent(&format!("attach eth0 {map} {clients}"));
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert_eq!(attach(mirror.new.number), "", "nothing to warn of");
    let neighbours = mirror.old.shell("ip neigh show dev eth0");
    assert!(neighbours.contains(&format!("{} lladdr", mirror.new.v4())), "{neighbours}");
    let said = attach(99);
    assert!(said.contains("10.77.0.99 does not answer"), "{said}");
}
