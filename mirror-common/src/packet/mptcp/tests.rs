//! Which segments are of MPTCP.

extern crate std;
use std::{vec, vec::Vec};

use proptest::{collection::vec as bytes, prelude::*};

use super::*;
use crate::packet::tcp::{ACK, FIN, PSH, RST};

const MP_CAPABLE: u8 = 0;
const DSS: u8 = 2;
const AT: u32 = 34;

/// The subtype that is found among `options`, which are filled up with zeros, with `payload` behind them.
fn found_before(options: &[u8], payload: &[u8]) -> Option<u8> {
    let mut header = options.to_vec();
    header.resize(options.len().next_multiple_of(4), option::END);
    let length = HEADER + header.len() as u32;
    let mut packet = vec![0xff; (AT + HEADER) as usize];
    packet.extend(header);
    packet.extend(payload);
    subtype(&packet[..], AT, length)
}

fn found(options: &[u8]) -> Option<u8> {
    found_before(options, b"set evil 0 0 1\r\n")
}

#[test]
fn options_as_linux_sends_them() {
    let timestamps = [1, 1, 8, 10, 0, 1, 2, 3, 4, 5, 6, 7];
    let sack = [1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9];
    let dss = [30, 20, 0x20, 0x05, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 16, 0x12, 0x34];
    let syn = [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 8];
    assert_eq!(found(&[]), None);
    assert_eq!(found(&timestamps), None);
    assert_eq!(found(&[timestamps, sack].concat()), None);
    assert_eq!(found(&syn), None);
    assert_eq!(found(&dss), Some(DSS));
    assert_eq!(found(&[&timestamps[..], &dss].concat()), Some(DSS));
    assert_eq!(found(&[&syn[..], &[30, 4, 0x01, 0x01]].concat()), Some(MP_CAPABLE));
    let join = [30, 12, 0x10, 1, 0, 0, 0, 1, 0, 0, 0, 2];
    assert_eq!(found(&[&syn[..], &join].concat()), Some(MP_JOIN));
    // The shortest, at the very end, with nothing behind it.
    assert_eq!(found_before(&[1, 30, 3, 0x50], b""), Some(5));
}

#[test]
fn other_options_are_not_taken_for_it() {
    for options in [
        // Within another, behind the end of the list, and cut off.
        &[1, 1, 8, 10, 30, 3, 0x20, 30, 30, 3, 0x20, 30][..],
        &[2, 4, 30, 30],
        &[0, 30, 3, 0x20],
        &[1, 1, 30, 3],
        &[1, 1, 1, 30],
        // Lengths that lie.
        &[5, 0, 30, 3, 0x20, 0, 0, 0],
        &[5, 1, 30, 3, 0x20, 0, 0, 0],
        &[5, 255, 30, 3, 0x20, 0, 0, 0],
        &[5, 9, 30, 3, 0x20, 0, 0, 0],
    ] {
        assert_eq!(found(options), None, "{options:?}");
    }
    // A header that ends before its options, and one that is too short to be one.
    assert_eq!(subtype(&[30u8; 56][..], 34, 60), None);
    assert_eq!(subtype(&[30u8; 60][..], 34, 16), None);
}

#[test]
fn what_is_copied_of_a_connection() {
    for other in 0..16 {
        for flags in [ACK, ACK | PSH, ACK | FIN, RST, RST | ACK] {
            assert!(!is_skipped(None, flags, 10));
            assert!(!is_skipped(Some(other), flags, 0), "{other} {flags:#x}");
            assert!(is_skipped(Some(other), flags, 1), "{other} {flags:#x}");
            assert!(is_agreed(Some(other), flags) && !is_agreed(None, flags));
        }
    }
    assert!(!is_skipped(Some(MP_CAPABLE), SYN, 0), "the server may know nothing of MPTCP");
    assert!(!is_agreed(Some(MP_CAPABLE), SYN));
    assert!(is_skipped(Some(MP_JOIN), SYN, 0), "its stream would be a part of another's");
    assert!(is_skipped(Some(MP_CAPABLE), SYN, 1), "a beginning whose rest is not copied");
}

/// An option other than MPTCP's and padding, sound.
fn other_option() -> impl Strategy<Value = Vec<u8>> {
    let with_length = (2u8..=255, bytes(any::<u8>(), 0..9))
        .prop_filter("not MPTCP", |(kind, _)| *kind != MPTCP)
        .prop_map(|(kind, value)| [&[kind, value.len() as u8 + 2], &value[..]].concat());
    prop_oneof![Just(vec![option::NOP]), with_length]
}

proptest! {
    /// Wherever it is.
    #[test]
    fn it_is_found_behind_others(
        before in bytes(other_option(), 0..5),
        this in 0u8..16,
        length in 3u8..20,
        behind in bytes(any::<u8>(), 0..40),
    ) {
        let mut options = before.concat();
        let mut option = vec![0; usize::from(length)];
        (option[0], option[1], option[2]) = (MPTCP, length, this << 4 | 5);
        options.extend(option);
        prop_assume!(options.len() <= 40);
        options.extend(behind);
        options.truncate(40);
        prop_assert_eq!(found(&options), Some(this));
    }

    #[test]
    fn nothing_is_found_where_there_is_none(options in bytes(other_option(), 0..5)) {
        let options = options.concat();
        prop_assume!(options.len() <= 40);
        prop_assert_eq!(found(&options), None);
    }

    /// Any bytes, any offsets: it comes to an end, and reads nothing outside.
    #[test]
    fn nothing_is_too_strange(packet in bytes(any::<u8>(), 0..100), offset in 0u32..80, length in 0u32..=60) {
        let _ = subtype(&packet[..], offset, length);
    }
}
