//! What a guard drops, and what it lets pass.

extern crate std;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::abi::v4_mapped;

const GUARDED: [u8; 4] = [10, 0, 0, 5];
const CLIENT: [u8; 4] = [10, 0, 0, 9];

fn is_guarded(sender: &GuardedServer) -> bool {
    *sender == GuardedServer { addr: v4_mapped(u32::from_ne_bytes(GUARDED)), port: 11211 }
}

fn fate(frame: &[u8]) -> GuardCounter {
    judge(frame, is_guarded)
}

/// An IPv4 header without options; `place` is flags and offset.
fn ip(from: [u8; 4], to: [u8; 4], protocol: u8, place: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    let place = place.to_be_bytes();
    let mut bytes = Vec::from([0x45, 0, length[0], length[1], 0, 7, place[0], place[1]]);
    bytes.extend([64, protocol, 0, 0]);
    bytes.extend(from);
    bytes.extend(to);
    bytes.extend(payload);
    bytes
}

fn framed(ip: &[u8]) -> Vec<u8> {
    [&[2; 12][..], &[8, 0], ip].concat()
}

/// A TCP header with these flags, as long as a UDP header has to be, too.
fn ports(from: u16, to: u16, flags: u8) -> Vec<u8> {
    let mut bytes = [from.to_be_bytes(), to.to_be_bytes()].concat();
    bytes.extend([0, 8, 0, 0, 0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0]);
    bytes
}

#[test]
fn each_kind_of_packet_of_a_guarded_sender_is_dropped_by_its_reason() {
    let (tcp, udp, icmp) = (6, 17, 1);
    let reply = |flags| ports(11211, 40000, flags);
    let from =
        |protocol, place, payload: &[u8]| framed(&ip(GUARDED, CLIENT, protocol, place, payload));
    for (frame, expected) in [
        (from(tcp, 0, &reply(0x18)), GuardCounter::DroppedTcp),
        (from(tcp, 0, &reply(0x12)), GuardCounter::DroppedTcp),
        (from(tcp, 0, &reply(0x14)), GuardCounter::DroppedReset),
        (from(udp, 0, &reply(0)), GuardCounter::DroppedUdp),
        (from(udp, 0x2000, &reply(0)), GuardCounter::DroppedFragment),
        (from(udp, 0x0003, &reply(0)), GuardCounter::Passed),
        // What it asks of others, or serves at another port, is its own business.
        (from(tcp, 0, &ports(40000, 11211, 0x18)), GuardCounter::Passed),
        (from(tcp, 0, &ports(11212, 40000, 0x18)), GuardCounter::Passed),
        (from(icmp, 0, &[8, 0, 0, 0, 0, 0, 0, 0]), GuardCounter::Passed),
    ] {
        assert_eq!(fate(&frame), expected, "{frame:02x?}");
    }
    let other = framed(&ip(CLIENT, GUARDED, tcp, 0, &ports(11211, 11211, 0x18)));
    assert_eq!(fate(&other), GuardCounter::Passed, "to the sender, not from it");
}

#[test]
fn errors_about_copies_are_dropped_whoever_sends_them() {
    let quote = |from, to, port| {
        let quoted = ip(from, to, 6, 0, &ports(40000, port, 0x18));
        framed(&ip([10, 0, 0, 1], CLIENT, 1, 0, &[&[3, 1, 0, 0, 0, 0, 0, 0], &quoted[..]].concat()))
    };
    assert_eq!(fate(&quote(CLIENT, GUARDED, 11211)), GuardCounter::DroppedIcmp);
    assert_eq!(fate(&quote(CLIENT, GUARDED, 80)), GuardCounter::Passed);
    assert_eq!(fate(&quote(CLIENT, [10, 0, 0, 6], 11211)), GuardCounter::Passed);
}

proptest! {
    #[test]
    fn a_packet_cut_anywhere_is_judged(length in 0usize..60, flags: u8) {
        let frame = framed(&ip(GUARDED, CLIENT, 6, 0, &ports(11211, 40000, flags)));
        let whole = fate(&frame);
        let cut = fate(&frame[..length.min(frame.len())]);
        prop_assert!(whole != GuardCounter::Passed);
        // Its IP header says more than there is: nothing that any stack takes for a reply.
        prop_assert_eq!(cut == whole, length >= frame.len());
    }

    #[test]
    fn nobody_is_guarded_against_by_accident(bytes: Vec<u8>) {
        prop_assert_eq!(judge(&bytes[..], |_| false), GuardCounter::Passed);
    }
}
