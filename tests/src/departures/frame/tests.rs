//! Frames made by hand, and what each of them is.

use super::*;
use crate::{
    craft::{ACK, Body, MACS, PSH, Packet as Craft, Segment},
    sealed::copy_of,
};

const CLIENT: &str = "192.0.2.1:4000";
const CLIENT6: &str = "[2001:db8::1]:4000";
const OLD: &str = "192.0.2.2:11211";
const OLD6: &str = "[2001:db8::2]:11211";
const NEW: &str = "192.0.2.3:11311";
const NEW6: &str = "[2001:db8::3]:11311";

fn end(text: &str) -> SocketAddr {
    text.parse().expect("address and port")
}

fn sender() -> Sender {
    Sender {
        mac: MACS[6..].try_into().expect("six bytes"),
        addresses: vec![end(OLD).ip(), end(OLD6).ip()],
        targets: vec![end(NEW), end(NEW6)],
        magic: Magic::DEFAULT.0,
        mtu: 1500,
        path_mtu: 1400,
    }
}

fn request(from: &str, to: &str, bytes: usize) -> Craft {
    let payload = vec![b'x'; bytes];
    let segment = Segment { seq: 7, ack: 9, flags: ACK | PSH, payload, ..Segment::default() };
    Craft::tcp(end(from), end(to), segment)
}

fn datagram(from: &str, to: &str) -> Craft {
    Craft::udp(end(from), end(to), b"\x00\x01\x00\x00\x00\x01\x00\x00get key\r\n")
}

fn copy(packet: &Craft, target: &str) -> Craft {
    copy_of(packet, end(target), Magic::DEFAULT.0)
}

fn judge_bytes(bytes: &[u8]) -> Result<Departure, String> {
    sender().judge(&Frame { bytes, super_packet: None })
}

fn judge(packet: &Craft) -> Result<Departure, String> {
    judge_bytes(&packet.bytes())
}

fn judge_super(packet: &Craft, tcp: bool, size: usize) -> Result<Departure, String> {
    sender().judge(&Frame { bytes: &packet.bytes(), super_packet: Some(SuperPacket { tcp, size }) })
}

fn assert_wrong(judged: Result<Departure, String>, why: &str) {
    let said = judged.expect_err(why);
    assert!(said.starts_with(why), "{said}");
}

#[test]
fn replies_are_the_senders_own() {
    for (old, client) in [(OLD, CLIENT), (OLD6, CLIENT6)] {
        assert_eq!(judge(&request(old, client, 10)), Ok(Departure::Own));
        assert_eq!(judge(&datagram(old, client)), Ok(Departure::Own));
    }
}

#[test]
fn sealed_copies_are_known() {
    for (client, old, new) in [(CLIENT, OLD, NEW), (CLIENT6, OLD6, NEW6)] {
        let one = Ok(Departure::Copy { target: end(new), segments: 1 });
        assert_eq!(judge(&copy(&request(client, old, 10), new)), one);
        assert_eq!(judge(&copy(&datagram(client, old), new)), one);
        let three = Ok(Departure::Copy { target: end(new), segments: 3 });
        assert_eq!(judge_super(&copy(&request(client, old, 2500), new), true, 1000), three);
    }
}

#[test]
fn a_clients_packet_is_wrong_wherever_it_goes() {
    assert_wrong(judge(&request(CLIENT, OLD, 10)), "neither the sender's nor for a target");
    assert_wrong(judge(&datagram(CLIENT6, OLD6)), "neither the sender's nor for a target");
    assert_wrong(judge(&request(CLIENT, NEW, 10)), "a copy without a seal");
    assert_wrong(judge(&datagram(CLIENT6, NEW6)), "a copy without a seal");
    let other = Craft::new(end(CLIENT), end(NEW), Body::Other(47, vec![0; 30]));
    assert_wrong(judge(&other), "neither the sender's nor a copy");
}

#[test]
fn half_a_seal_is_none() {
    let sealed = copy(&request(CLIENT, OLD, 10), NEW);
    let l4 = sealed.l4();
    // Flags, window and urgent pointer.
    for at in [13, 14, 15, 18] {
        let mut bytes = sealed.bytes();
        bytes[l4 + at] ^= 0x10;
        assert_wrong(judge_bytes(&bytes), "a copy without a seal");
    }
    // Length, and the field that memcached reserves.
    for at in [5, 15] {
        let mut bytes = copy(&datagram(CLIENT, OLD), NEW).bytes();
        bytes[l4 + at] ^= 0x10;
        assert_wrong(judge_bytes(&bytes), "a copy without a seal");
    }
}

#[test]
fn a_seal_that_a_card_writes_over_is_none() {
    assert_wrong(
        judge_super(&copy(&datagram(CLIENT, OLD), NEW), false, 5),
        "a copy without a seal",
    );
}

#[test]
fn anothers_link_layer_address_is_wrong() {
    let mut bytes = copy(&request(CLIENT, OLD, 10), NEW).bytes();
    bytes[6] = 0x52;
    assert_wrong(judge_bytes(&bytes), "not from the sender's link-layer address");
}

#[test]
fn what_is_longer_than_the_mtu_is_wrong() {
    assert_eq!(judge(&request(OLD, CLIENT, 1460)), Ok(Departure::Own));
    assert_wrong(judge(&request(OLD, CLIENT, 1461)), "longer than the MTU");
    let sealed = copy(&request(CLIENT6, OLD6, 5000), NEW6);
    assert!(judge_super(&sealed, true, 1340).is_ok());
    assert_wrong(judge_super(&sealed, true, 1341), "a copy that is longer than the path takes");
    assert_wrong(judge_super(&sealed, true, 1441), "longer than the MTU");
}

#[test]
fn icmp_errors_and_fragments_are_wrong() {
    let icmp = |kind| {
        Craft::new(end(OLD), end(CLIENT), Body::Other(ICMP, [&[kind, 1][..], &[0; 30]].concat()))
    };
    assert_eq!(judge(&icmp(0)), Ok(Departure::Own));
    assert_wrong(judge(&icmp(3)), "an ICMP error");
    let mut part = copy(&request(CLIENT, OLD, 10), NEW);
    part.fragment = 0x2000;
    assert_wrong(judge(&part), "a fragment of a copy");
}
