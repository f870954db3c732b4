//! Following a stream.

extern crate std;
use super::*;
use proptest::{collection::vec, prelude::*};
use std::{format, vec::Vec};

/// Walks along `bytes`, which are cut into pieces of these lengths, over and over.
fn walk(mut walk: RequestState, bytes: &[u8], pieces: &[usize]) -> RequestState {
    let mut rest = bytes;
    for piece in pieces.iter().cycle() {
        let (segment, behind) = rest.split_at((*piece).min(rest.len()));
        walk = walk.feed(segment);
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    walk
}

fn whole(bytes: &[u8]) -> RequestState {
    walk(RequestState::BOUNDARY, bytes, &[usize::MAX])
}

fn binary(opcode: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::from([0; 24]);
    (bytes[0], bytes[1]) = (0x80, opcode);
    bytes[8..12].copy_from_slice(&(body.len() as u32).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

#[test]
fn requests_end_where_they_say() {
    for request in [
        &b"get a\r\n"[..],
        b"gets a b c\r\n",
        b"get a\n",
        b"mn\r\n",
        b"quit\r\n",
        b"flush_all 10 noreply\r\n",
        b"verbosity 1\r\n",
        b"lru_crawler metadump all\r\n",
        b"set k 0 0 5\r\nhello\r\n",
        b"set k 0 0 5\r\n\n\n\n\n\n\r\n",
        b"set k 0 0 0\r\n\r\n",
        b"set  k  0  0  2 \r\nab\r\n",
        b"append k 0 0 3 noreply\r\nabc\r\n",
        b"prepend k 0 0 3\r\nabc\r\n",
        b"replace k 0 0 3\r\nabc\r\n",
        b"cas k 0 0 3 12345\r\nabc\r\n",
        b"ms k 3 T0 F5\r\nabc\r\n",
        b"ms k 3\r\nabc\r\n",
        b"mg k v\r\n",
        b"incr n 5\r\n",
    ] {
        assert!(whole(request).at_boundary(), "{}", request.escape_ascii());
        for end in 1..request.len() {
            let state = whole(&request[..end]);
            assert!(!state.at_boundary() && !state.is_lost(), "{end} bytes of {request:?}");
        }
    }
}

#[test]
fn binary_requests_end_where_they_say() {
    for body in [0, 1, 1000] {
        let request = binary(1, &std::vec![b'\n'; body]);
        assert!(whole(&request).at_boundary());
        assert!(!whole(&request[..request.len() - 1]).at_boundary());
    }
}

#[test]
fn the_way_is_lost_where_no_request_is() {
    for bytes in [
        &b"\r\n"[..],
        b"GET a\r\n",
        b" get a\r\n",
        b"\x81",
        b"\x80\x7f",
        b"\x80\x01\0\0\0\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0",
        b"get\x01",
        b"get a\x01",
        b"set k 0 0\r\n",
        b"set k 0 0 -1\r\n",
        b"set k 0 0 1x\r\n",
        b"set k 0 0 99999999999\r\n",
        b"averyveryverylongname\r\n",
    ] {
        assert!(whole(bytes).is_lost(), "{}", bytes.escape_ascii());
    }
}

#[test]
fn replies_are_owed() {
    for (request, owed) in [
        (&b"get a\r\n"[..], 5),
        (b"get a b\r\nget a\r\n", 10),
        (b"set k 0 0 1\r\n1\r\n", 7),
        (b"set k 0 0 1 noreply\r\n1\r\n", 0),
        (b"incr n 1\r\n", 3),
        (b"incr n 1 noreply\r\n", 0),
        (b"mg a\r\n", 0),
        (b"quit\r\n", 0),
        (b"get a", 0),
    ] {
        assert_eq!(whole(request).owed(), owed, "{}", request.escape_ascii());
    }
    let (get, set_quietly) = (0x00, 0x11);
    assert_eq!(whole(&binary(get, b"")).owed(), 24);
    assert_eq!(whole(&binary(set_quietly, b"")).owed(), 0);
}

#[test]
fn acknowledgements_pay_what_is_owed_and_nothing_in_advance() {
    let mut walk = whole(b"get a\r\nget b\r\n");
    walk.acknowledge(4);
    assert_eq!(walk.owed(), 6);
    walk.acknowledge(1000);
    assert_eq!(walk.feed(b"get c\r\n").owed(), 5);
}

#[test]
fn lost_is_lost() {
    assert_eq!(walk(RequestState::default(), b"get a\r\n", &[1]), RequestState::default());
}

proptest! {
    #[test]
    fn cuts_make_no_difference(
        requests in vec((0..4usize, vec(any::<u8>(), 0..50)), 1..10),
        pieces in vec(1..40usize, 1..6),
        left_out in 0..60usize,
    ) {
        let mut bytes = Vec::new();
        for (kind, value) in &requests {
            let line = match kind {
                0 => { bytes.extend(binary(1, value)); continue }
                1 => { bytes.extend_from_slice(b"get k\r\n"); continue }
                2 => format!("set k 0 0 {}\r\n", value.len()),
                _ => format!("ms k {} T0\r\n", value.len()),
            };
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        prop_assert!(whole(&bytes).at_boundary());
        let some = &bytes[..bytes.len().saturating_sub(left_out)];
        prop_assert_eq!(walk(RequestState::BOUNDARY, some, &pieces), whole(some));
    }

    #[test]
    fn no_bytes_confuse_it(bytes in vec(any::<u8>(), 0..200)) {
        whole(&bytes);
    }
}
