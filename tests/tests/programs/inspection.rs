//! Segments of the agent's own `keys` and `compare`: not copied, and not counted as a client's.

use mirror_tests::craft::{ACK, Body, PSH, Packet, RST, SYN, Segment};

use crate::{
    connection::Connection,
    place::{v4, v6},
    source::{OTHER, PORT, Source, datagram, segment},
    source_ingress::{copied, not_copied, request},
    table::{Fate, Table},
    target::Target,
};

/// DSCP 43, without ECN.
const CLASS: u8 = 43 << 2;
/// The first and the last source port.
const PORTS: [u16; 2] = [61_440, 61_503];
/// Those beside them.
const OTHERS: [u16; 3] = [61_439, 61_504, 40_000];

/// The same packet from this port, with this class.
fn marked(packet: Packet, port: u16, class: u8) -> Packet {
    let from = (packet.from.ip(), port).into();
    Packet { from, class, ..packet }
}

/// What arrives at the old host.
pub(crate) fn source_rows(source: &Source, table: &mut Table<'_>) {
    for to in [v4(PORT), v6(PORT)] {
        let packet = |flags, port, class| {
            let segment = Segment { flags, ..segment() };
            marked(request(Body::Tcp(segment), to), port, class)
        };
        for port in PORTS {
            for flags in [SYN, ACK, ACK | PSH, RST] {
                for ecn in 0..4 {
                    let what = format!("{to}: an inspection from {port}, ECN {ecn}");
                    let frame = packet(flags, port, CLASS | ecn).bytes();
                    not_copied(source, table, &what, frame, "skipped_inspection");
                }
            }
            for class in [0, 42 << 2, 44 << 2, 43] {
                let what = format!("{to}: from {port}, class {class}");
                copied(source, table, &what, &packet(ACK | PSH, port, class));
            }
            let what = format!("{to}: a datagram from {port}");
            copied(source, table, &what, &marked(request(Body::Udp(datagram()), to), port, CLASS));
        }
        for port in OTHERS {
            let what = format!("{to}: from {port}, class {CLASS}");
            copied(source, table, &what, &packet(ACK | PSH, port, CLASS));
        }
    }
    let other = marked(request(Body::Tcp(segment()), v4(OTHER)), PORTS[0], CLASS);
    not_copied(source, table, "an inspection of another port", other.bytes(), "skipped_port");
}

/// What arrives at the new host, and what leaves it.
pub(crate) fn target_rows(target: &Target, table: &mut Table<'_>) {
    for server in [v4(crate::target::PORT), v6(crate::target::PORT)] {
        for (port, class, arrived, left) in [
            (PORTS[0], CLASS, "inspection_in", "inspection_out"),
            (PORTS[1], CLASS, "inspection_in", "inspection_out"),
            (PORTS[0], 0, "direct_in", "inspection_out"),
            (OTHERS[0], CLASS, "direct_in", "direct_out"),
        ] {
            let it = Connection::new(target, server);
            let what = |which: &str| format!("{which} from {port}, class {class}");
            let syn = marked(it.syn(), port, class);
            it.really_sent(table, &what("a SYN"), &syn, arrived);
            let data = marked(it.data(1, b"mn\r\n"), port, class);
            it.really_sent(table, &what("data"), &data, arrived);
            let mut reply = it.reply(ACK | PSH, 1, 1, b"MN\r\n");
            reply.to.set_port(port);
            it.replied(table, &what("the reply to data"), reply.bytes(), &Fate::Passes, left);
        }
    }
}
