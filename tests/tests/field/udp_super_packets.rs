//! A client beside the old host sends many UDP datagrams in one packet (`UDP_SEGMENT`), which only a wire cuts
//! apart.

use mirror_tests::{
    client::{frame, udp},
    mirror::{Mirror, PORT},
    wait,
};
use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};

const PACKETS: u16 = 10;
const DATAGRAMS: u16 = 20;

#[test]
fn nothing_runs_or_answers_where_drop_does_not_run() {
    for v6 in [false, true] {
        let mirror = Mirror::idle();
        mirror.client.output("ethtool", &["-K", "eth0", "tx-udp-segmentation", "on"]);
        // What leaves is cut to the size of the wire.
        let offloads = ["tso", "off", "gso", "off", "tx-udp-segmentation", "off"];
        mirror.old.output("ethtool", &[&["-K", "eth0"], &offloads[..]].concat());
        let leaks = mirror.watch_leaks();
        mirror.attach("");

        let server = if v6 { mirror.old.v6() } else { mirror.old.v4() };
        let socket = udp(&mirror.client, server, mirror.port());
        let request = |id: u16| frame(id, 1, format!("set u{id:03} 0 0 3\r\nudp\r\n").as_bytes());
        let size = i32::try_from(request(0).len()).expect("a small datagram");
        setsockopt(&socket, UdpGsoSegment, &size).expect("the kernel has UDP_SEGMENT");
        for packet in 0..PACKETS {
            let ids = packet * DATAGRAMS..(packet + 1) * DATAGRAMS;
            let datagrams: Vec<u8> = ids.flat_map(request).collect();
            socket.send(&datagrams).expect("datagrams can be sent");
            for _ in 0..DATAGRAMS {
                socket.recv(&mut [0; 1500]).expect("production replies");
            }
        }
        let source = mirror.old.settled("source");
        leaks.assert_none();
        wait::until("production to store all", || {
            let stored = mirror.old_server.stat(&mirror.old, "cmd_set");
            (stored == u64::from(PACKETS * DATAGRAMS)).then_some(())
        });
        assert_eq!(mirror.new_server.stat(&mirror.new, "cmd_set"), 0, "nothing ran");
        assert_eq!(source["skipped_udp_super"], u64::from(PACKETS), "{source:?}");
        assert_eq!(source["mirrored"], 0, "{source:?}");
    }
}

#[test]
fn attach_says_what_udp_it_takes_and_what_joins_it() {
    let mirror = Mirror::idle();
    mirror.old.shell("ethtool -K eth0 rx-udp-gro-forwarding on");
    let map = format!("--map {PORT}={}:{PORT}", mirror.new.v4());
    let any = format!("UDP requests to port {PORT} are mirrored from any address");
    let joined = "rx-udp-gro-forwarding is on";
    mirror.old.assert_said(&map, &[&any, "--client CIDR", joined]);
    mirror.old.shell("ethtool -K eth0 rx-udp-gro-forwarding off");
    let said = mirror.old.attach_warned("--client 10.77.0.0/24");
    assert_eq!(said, "");
    assert!(mirror.old.notes().is_empty());
}
