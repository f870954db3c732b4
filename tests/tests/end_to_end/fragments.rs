//! Fragments of replies that this kernel does not make by itself, sent by hand from the new host.

use std::net::{IpAddr, SocketAddr};

use mirror_tests::{
    capture::Capture,
    client::{Connection, frame, udp},
    mirror::{Mirror, PORT},
};

const TCP: u8 = 6;
const UDP: u8 = 17;
/// Where fragments are sent that may leave, and those that may not. Nobody has these addresses.
const MAY: [u8; 6] = [2, 0, 0, 0, 0, 1];
const MUST_NOT: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// A fragment of what the new host sends to a client.
#[derive(Clone)]
struct Piece {
    to: [u8; 6],
    tags: Vec<u16>,
    src: IpAddr,
    dst: IpAddr,
    protocol: u8,
    id: u16,
    /// In units of eight bytes.
    place: u16,
    more: bool,
    payload: Vec<u8>,
}

impl Piece {
    /// The first of `protocol` from `port` of the new host to `client`, with these bytes behind the ports.
    fn first(mirror: &Mirror, client: SocketAddr, protocol: u8, port: u16, rest: &[u8]) -> Self {
        let src = if client.is_ipv4() { mirror.new.v4() } else { mirror.new.v6() };
        let mut payload = [port.to_be_bytes(), client.port().to_be_bytes()].concat();
        payload.extend(rest);
        Self {
            to: MUST_NOT,
            tags: Vec::new(),
            src,
            dst: client.ip(),
            protocol,
            id: 0,
            place: 0,
            more: true,
            payload,
        }
    }

    fn id(mut self, id: u16) -> Self {
        self.id = id;
        self
    }

    fn tagged(mut self, tags: &[u16]) -> Self {
        self.tags = tags.to_vec();
        self
    }

    fn may_leave(mut self) -> Self {
        self.to = MAY;
        self
    }

    /// A fragment of the same packet behind this one.
    fn next(&self, more: bool) -> Self {
        let place = self.place + u16::try_from(self.payload.len() / 8).expect("short");
        Self { place, more, payload: vec![b'x'; 16], ..self.clone() }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.to.to_vec();
        bytes.extend([2, 0, 0, 0, 0, 3]);
        for tag in &self.tags {
            bytes.extend(tag.to_be_bytes());
            bytes.extend([0, 10]);
        }
        let length = self.payload.len();
        match (self.src, self.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let place = self.place | if self.more { 0x2000 } else { 0 };
                bytes.extend([8, 0, 0x45, 0]);
                bytes.extend(u16::try_from(20 + length).expect("short").to_be_bytes());
                bytes.extend(self.id.to_be_bytes());
                bytes.extend(place.to_be_bytes());
                bytes.extend([64, self.protocol, 0, 0]);
                bytes.extend(src.octets());
                bytes.extend(dst.octets());
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                // Hop-by-hop options, the fragment, and in the first one destination options, of padding.
                let padding = [self.protocol, 0, 1, 4, 0, 0, 0, 0];
                let options = if self.place == 0 { &padding[..] } else { &[] };
                bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
                bytes.extend(
                    u16::try_from(16 + options.len() + length).expect("short").to_be_bytes(),
                );
                bytes.extend([0, 64]);
                bytes.extend(src.octets());
                bytes.extend(dst.octets());
                bytes.extend([44, 0, 1, 4, 0, 0, 0, 0]);
                bytes.extend([60, 0]);
                bytes.extend((self.place << 3 | u16::from(self.more)).to_be_bytes());
                bytes.extend(u32::from(self.id).to_be_bytes());
                bytes.extend(options);
            }
            _ => unreachable!("both are the client's family"),
        }
        bytes.extend(&self.payload);
        bytes
    }
}

#[test]
fn fragments_go_where_their_first_goes() {
    const SEND: &str = "import socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(('eth0', 0))
for frame in sys.argv[1:]:
    wire.send(bytes.fromhex(frame))";
    let mirror = Mirror::running();
    let mut pieces = Vec::new();
    for v6 in [false, true] {
        let (old, new) = if v6 {
            (mirror.old.v6(), mirror.new.v6())
        } else {
            (mirror.old.v4(), mirror.new.v4())
        };
        let mut mirrored = Connection::open(&mirror.client, old, PORT);
        mirrored.set("key", b"value");
        let real = Connection::open(&mirror.client, new, PORT);
        let direct = udp(&mirror.client, new, PORT);
        direct.send(&frame(0x0102, 1, b"version\r\n")).expect("a datagram can be sent");
        direct.recv(&mut [0; 100]).expect("the new server replies");
        mirror.settled();
        let mirrored = mirrored.stream.local_addr().expect("it is connected");
        let real = real.stream.local_addr().expect("it is connected");
        // A socket that is connected knows its own address.
        let direct = direct.local_addr().expect("it is bound");

        // Behind the ports: the rest of UDP's header and the request's id.
        let asked = [0, 40, 0, 0, 1, 2, 0, 0];
        let not_asked = [0, 40, 0, 0, 1, 3, 0, 0];
        let segment = |client, port| Piece::first(&mirror, client, TCP, port, &[0; 20]);
        let datagram = |rest| Piece::first(&mirror, direct, UDP, PORT, rest);

        for (id, tags) in [(1, &[][..]), (2, &[0x8100]), (3, &[0x88a8, 0x8100])] {
            let first = segment(mirrored, PORT).id(id).tagged(tags);
            pieces.extend([first.clone(), first.next(true), first.next(false)]);
            // What comes under the number of a packet that has ended is another's.
            pieces.push(first.next(false).may_leave());

            let first = datagram(&asked).id(10 + id).tagged(tags).may_leave();
            pieces.extend([first.clone(), first.next(true), first.next(false)]);
        }
        let first = datagram(&not_asked).id(20);
        pieces.extend([first.clone(), first.next(false)]);
        // Too short to say what was asked.
        let first = datagram(&[0, 40, 0, 0]).id(21);
        pieces.extend([first.clone(), first.next(false)]);

        let first = segment(real, PORT).id(30).may_leave();
        pieces.extend([first.clone(), first.next(false)]);
        // A direct client's packet under the number of one whose last fragment never came.
        pieces.push(segment(mirrored, PORT).id(31));
        let first = segment(real, PORT).id(31).may_leave();
        pieces.extend([first.clone(), first.next(false)]);
        // Not memcached's port.
        let first = segment(mirrored, 9).id(32).may_leave();
        pieces.extend([first.clone(), first.next(false)]);
    }
    let may = |piece: &&Piece| piece.to == MAY;
    let before = mirror.new.settled("target");
    // At either end of the new host's wire: what is made by hand has no checksum, and no switch carries it.
    let seen = Capture::start(&mirror.new, "eth0", "ether dst 02:00:00:00:00:01");
    let leaks = Capture::start(mirror.lab.switch(), "new", "ether dst 02:00:00:00:00:02");
    let hex = |piece: &Piece| piece.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let frames: Vec<String> = pieces.iter().map(hex).collect();
    let mut arguments = vec!["-c", SEND];
    arguments.extend(frames.iter().map(String::as_str));
    mirror.new.output("python3", &arguments);
    let after = mirror.new.settled("target");
    assert_eq!(leaks.stop(), Vec::<String>::new(), "what may not leave");
    assert_eq!(seen.stop().len(), pieces.iter().filter(may).count(), "what may leave");
    let swallowed = after["reply_dropped_fragment"] - before["reply_dropped_fragment"];
    assert_eq!(swallowed, pieces.iter().filter(|piece| !may(piece)).count() as u64, "{after:?}");
}
