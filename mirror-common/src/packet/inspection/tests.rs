//! Which packets are the agent's own requests.

extern crate std;
use std::{vec, vec::Vec};

use super::*;
use crate::packet::parse::{UDP, headers};

/// A packet without payload, with these bits beside the DSCP as ECN.
fn packet(family: u8, protocol: u8, dscp: u8, ecn: u8, port: u16) -> Vec<u8> {
    let class = dscp << 2 | ecn;
    let mut bytes = vec![2; 12];
    if family == 4 {
        bytes.extend([0x08, 0x00, 0x45, class, 0, 40, 0, 0, 0x40, 0, 64, protocol, 0, 0]);
        bytes.extend([10, 0, 0, 1, 10, 0, 0, 2]);
    } else {
        bytes.extend([0x86, 0xdd, 0x60 | class >> 4, class << 4, 0, 0, 0, 20, protocol, 64]);
        bytes.extend([1; 32]);
    }
    bytes.extend(port.to_be_bytes());
    bytes.extend([0x2b, 0xcb]);
    bytes.extend([0; 16]);
    bytes
}

fn is_one(family: u8, protocol: u8, dscp: u8, ecn: u8, port: u16) -> bool {
    let packet = packet(family, protocol, dscp, ecn, port);
    is_request(&packet[..], &headers(&packet[..]).unwrap())
}

#[test]
fn only_with_both() {
    for family in [4, 6] {
        for dscp in 0..64 {
            for ecn in 0..4 {
                assert_eq!(is_one(family, TCP, dscp, ecn, FIRST_PORT + 7), dscp == DSCP);
            }
        }
        for port in 0..=u16::MAX {
            let inside = (FIRST_PORT..FIRST_PORT + PORTS).contains(&port);
            assert_eq!(is_one(family, TCP, DSCP, 0, port), inside, "{port}");
        }
        assert!(!is_one(family, UDP, DSCP, 0, FIRST_PORT));
    }
}
