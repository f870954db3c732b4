//! Commands that change a server and not its items: they were meant for the old host, and are blocked
//! from the new one (protocol.txt; binary protocol, "Command opcodes").

use crate::memcached::{
    request_parser::BINARY_HEADER,
    request_start::{BINARY_REQUEST, begins},
};

/// A request is looked at if it is no longer than this, in bytes.
pub const LOOK: usize = 64;

/// Withhold what changes how a server works.
pub const ADMINISTRATION: u32 = 1;
/// Withhold what empties it: `flush_all`.
pub const FLUSH: u32 = 2;

/// Bytes that tell such a command from any other.
pub const HEAD: usize = 8;

/// Whether a payload that begins with these bytes, zeros behind its end, may have to be blocked: most do not,
/// at a glance.
#[inline(always)]
pub fn may_be(head: &[u8; HEAD]) -> bool {
    reason(head) != 0
}

const FLUSH_OPCODE: u8 = 0x08;
const STAT_OPCODE: u8 = 0x10;
const FLUSHQ_OPCODE: u8 = 0x18;
const VERBOSITY_OPCODE: u8 = 0x1b;

/// Why a payload that begins with `bytes` is blocked, as a number like [`FLUSH`]; zero if it is not. It has
/// to be one request and nothing else, of `length` bytes: what is behind those does not count.
///
/// Whether a request begins here, nobody knows. So what is blocked is no longer part of a stream that
/// memcached reads: the stream has a gap.
#[inline(always)]
pub fn blocked(bytes: &[u8; LOOK], length: u32) -> u32 {
    let head = [bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]];
    let alone =
        if head[0] == BINARY_REQUEST { is_packet(bytes, length) } else { is_line(bytes, length) };
    if alone { reason(&head) } else { 0 }
}

/// Whether there is one line, to the end.
#[inline(always)]
fn is_line(bytes: &[u8; LOOK], length: u32) -> bool {
    let mut at = 0;
    while at < LOOK {
        if bytes[at] == b'\n' {
            return at as u32 + 1 == length;
        }
        at += 1;
    }
    false
}

/// Whether there is one binary request, to the end; of those for statistics, only the one that resets them.
#[inline(always)]
fn is_packet(bytes: &[u8; LOOK], length: u32) -> bool {
    let body = u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
    let resets = body == 5 && bytes[24..29] == *b"reset";
    u32::from(BINARY_HEADER).wrapping_add(body) == length && (bytes[1] != STAT_OPCODE || resets)
}

/// By the first bytes, which no other command shares.
#[inline(always)]
fn reason(bytes: &[u8; HEAD]) -> u32 {
    if bytes[0] == BINARY_REQUEST {
        return match bytes[1] {
            FLUSH_OPCODE | FLUSHQ_OPCODE => FLUSH,
            VERBOSITY_OPCODE | STAT_OPCODE => ADMINISTRATION,
            _ => 0,
        };
    }
    let head = u64::from_le_bytes(*bytes);
    if begins(head, b"flush_al") {
        FLUSH
    } else if begins(head, b"shutdown")
        || begins(head, b"verbosit")
        || begins(head, b"cache_me")
        || begins(head, b"slabs ")
        || begins(head, b"lru ")
        || begins(head, b"lru_craw")
        || begins(head, b"watch ")
        || begins(head, b"watch\r")
        || begins(head, b"watch\n")
        || begins(head, b"stats re")
        || begins(head, b"debug")
        || begins(head, b"refresh_")
        || begins(head, b"misbehav")
        || begins(head, b"extstore")
    {
        ADMINISTRATION
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;

    fn judged(payload: &[u8]) -> u32 {
        let mut bytes = [0; LOOK];
        let n = payload.len().min(LOOK);
        bytes[..n].copy_from_slice(&payload[..n]);
        let found = blocked(&bytes, payload.len() as u32);
        let head = bytes[..HEAD].try_into().unwrap();
        assert!(found == 0 || may_be(head), "seen at a glance: {payload:?}");
        found
    }

    fn packet(opcode: u8, extras: &[u8], key: &[u8]) -> std::vec::Vec<u8> {
        let mut bytes = std::vec![0; 24];
        (bytes[0], bytes[1], bytes[3]) = (0x80, opcode, key.len() as u8);
        (bytes[4], bytes[11]) = (extras.len() as u8, (extras.len() + key.len()) as u8);
        bytes.extend(extras);
        bytes.extend(key);
        bytes
    }

    #[test]
    fn what_changes_a_server() {
        for line in [
            "shutdown",
            "shutdown graceful",
            "verbosity 1",
            "verbosity 1 noreply",
            "cache_memlimit 64",
            "slabs reassign 1 2",
            "slabs automove 1",
            "lru mode flat",
            "lru_crawler enable",
            "lru_crawler metadump all",
            "watch",
            "watch fetchers mutations",
            "stats reset",
            "debugtime p",
            "refresh_certs",
            "misbehave",
            "extstore item_size 1024",
        ] {
            for end in ["\n", "\r\n"] {
                assert_eq!(
                    judged(std::format!("{line}{end}").as_bytes()),
                    ADMINISTRATION,
                    "{line}"
                );
            }
        }
        assert_eq!(judged(&packet(0x1b, &[0, 0, 0, 1], b"")), ADMINISTRATION);
        assert_eq!(judged(&packet(0x10, b"", b"reset")), ADMINISTRATION);
    }

    #[test]
    fn what_empties_it() {
        for line in ["flush_all\r\n", "flush_all 10\r\n", "flush_all noreply\n"] {
            assert_eq!(judged(line.as_bytes()), FLUSH, "{line}");
        }
        for opcode in [0x08, 0x18] {
            assert_eq!(judged(&packet(opcode, b"", b"")), FLUSH);
            assert_eq!(judged(&packet(opcode, &[0, 0, 0, 9], b"")), FLUSH);
        }
    }

    #[test]
    fn what_others_need() {
        let long = std::format!("watch {}\r\n", "x".repeat(LOOK));
        for line in [
            "",
            "stats\r\n",
            "stats items\r\n",
            "version\r\n",
            "quit\r\n",
            "get shutdown\r\n",
            "slabs\r\n",
            "watchful\r\n",
            "shutdown",
            "stats reset",
            "stats reset\r\nget a\r\n",
            "get a\r\nstats reset\r\n",
            "flush_all\r\nflush_all\r\n",
            &long,
        ] {
            assert_eq!(judged(line.as_bytes()), 0, "{line}");
        }
        let get = packet(0, b"", b"reset");
        assert_eq!(judged(&get), 0);
        assert_eq!(judged(&packet(0x10, b"", b"items")), 0);
        assert_eq!(judged(&packet(0x07, b"", b"")), 0, "the client leaves");
        let two = [packet(0x08, b"", b""), get].concat();
        assert_eq!(judged(&two), 0, "not alone");
    }

    proptest! {
        /// Requests for items are never blocked, whatever they are about.
        #[test]
        fn requests_for_items_are_not(
            command in "get|gets|set|add|cas|replace|append|prepend|incr|decr|delete|touch|m[gsdane]",
            rest in "( [!-~]{1,12}){0,5}",
        ) {
            prop_assert_eq!(judged(std::format!("{command}{rest}\r\n").as_bytes()), 0);
        }

        /// What is behind the payload does not matter.
        #[test]
        fn only_the_payload_counts(mut bytes in prop::array::uniform32(any::<u8>()), length in 1u32..32) {
            bytes[..8].copy_from_slice(b"flush_al");
            let mut look = [b'\n'; LOOK];
            look[..32].copy_from_slice(&bytes);
            let mut cut = [0; LOOK];
            cut[..length as usize].copy_from_slice(&look[..length as usize]);
            let whole = cut[..length as usize].iter().position(|byte| *byte == b'\n');
            let expected = if length >= 8 && whole == Some(length as usize - 1) { FLUSH } else { 0 };
            prop_assert_eq!(blocked(&cut, length), expected);
        }
    }
}
