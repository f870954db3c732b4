//! Where a memcached request begins (protocol.txt; docs/binary protocol "Packet Structure").

/// What the first bytes of a segment look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// No request of memcached's starts like this.
    None,
    /// A command line of the classic or meta text protocol.
    Text,
    /// A request header of the binary protocol.
    Binary,
}

/// Bytes that [`start`] looks at: a binary header. Shorter segments are padded with zeros.
pub const LOOK: usize = 24;

/// What the first bytes of a segment look like. A necessary condition for a request boundary, never
/// a sufficient one: a value may contain anything.
#[inline(always)]
pub fn start(bytes: &[u8; LOOK]) -> Start {
    if bytes[0] == BINARY_REQUEST {
        return if is_binary(bytes) { Start::Binary } else { Start::None };
    }
    if is_text(bytes) { Start::Text } else { Start::None }
}

pub(crate) const BINARY_REQUEST: u8 = 0x80;
/// Highest opcode of the binary protocol (range operations included).
pub(crate) const MAX_OPCODE: u8 = 0x3d;
const MAX_KEY: u16 = 250;
/// The largest item memcached can be told to take (`-I`), and room for key and extras.
pub(crate) const MAX_BODY: u32 = (1 << 30) + 1024;

#[inline(always)]
fn is_binary(bytes: &[u8; LOOK]) -> bool {
    let key = u16::from_be_bytes([bytes[2], bytes[3]]);
    let body = u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
    bytes[1] <= MAX_OPCODE
        && key <= MAX_KEY
        && bytes[4] <= 20
        && bytes[5] == 0
        && u32::from(key) + u32::from(bytes[4]) <= body
        && body <= MAX_BODY
}

/// The first eight bytes as one number, and the same of a command: comparisons without loops.
#[inline(always)]
fn is_text(bytes: &[u8; LOOK]) -> bool {
    let head = u64::from_le_bytes([
        bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
    ]);
    // With a key: the command, one blank, and a byte that can be in a key.
    let key_at = if begins(head, b"get ")
        || begins(head, b"set ")
        || begins(head, b"add ")
        || begins(head, b"cas ")
        || begins(head, b"gat ")
    {
        4
    } else if begins(head, b"mg ")
        || begins(head, b"ms ")
        || begins(head, b"md ")
        || begins(head, b"ma ")
        || begins(head, b"me ")
    {
        3
    } else if begins(head, b"gets ")
        || begins(head, b"gats ")
        || begins(head, b"incr ")
        || begins(head, b"decr ")
    {
        5
    } else if begins(head, b"touch ") {
        6
    } else if begins(head, b"delete ") || begins(head, b"append ") {
        7
    } else if begins(head, b"replace ") || begins(head, b"prepend ") {
        8
    } else {
        return begins(head, b"mn\r\n")
            || begins(head, b"quit\r\n")
            || begins(head, b"stats ")
            || begins(head, b"stats\r\n")
            || begins(head, b"version\r")
            || begins(head, b"flush_al")
            || begins(head, b"verbosit");
    };
    // A key has no blank or control character (protocol.txt, "Keys").
    bytes[key_at] > b' ' && bytes[key_at] != 0x7f
}

/// Whether the first eight bytes, the first of all in the lowest, begin with `command`.
#[inline(always)]
pub(crate) fn begins<const N: usize>(head: u64, command: &[u8; N]) -> bool {
    let (mut want, mut mask) = (0, 0);
    let mut at = 0;
    while at < N {
        want |= (command[at] as u64) << (8 * at);
        mask |= 0xff << (8 * at);
        at += 1;
    }
    head & mask == want
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;

    fn look(text: &[u8]) -> Start {
        let mut bytes = [0; LOOK];
        let n = text.len().min(LOOK);
        bytes[..n].copy_from_slice(&text[..n]);
        start(&bytes)
    }

    #[test]
    fn commands_of_the_text_protocols() {
        for line in [
            "get a\r\n",
            "gets a b\r\n",
            "gat 10 a\r\n",
            "gats 1 a\r\n",
            "set k 0 0 1\r\n",
            "add k 0 0 1\r\n",
            "replace k 0 0 1\r\n",
            "append k 0 0 1\r\n",
            "prepend k 0 0 1\r\n",
            "cas k 0 0 1 5\r\n",
            "incr n 1\r\n",
            "decr n 1\r\n",
            "delete k\r\n",
            "touch k 1\r\n",
            "mg k v\r\n",
            "ms k 2\r\n",
            "md k\r\n",
            "ma k\r\n",
            "me k\r\n",
            "mn\r\n",
            "quit\r\n",
            "stats\r\n",
            "stats items\r\n",
            "version\r\n",
            "flush_all\r\n",
            "verbosity 1\r\n",
        ] {
            assert_eq!(look(line.as_bytes()), Start::Text, "{line:?}");
        }
        for line in
            ["", "g", "getx a", "get  a\r\n", "set \r\n", "VALUE a 0 1\r\n", "abcdef\r\n", "\r\n"]
        {
            assert_eq!(look(line.as_bytes()), Start::None, "{line:?}");
        }
    }

    #[test]
    fn headers_of_the_binary_protocol() {
        let mut get = [0; LOOK];
        (get[0], get[3], get[11]) = (0x80, 3, 3);
        assert_eq!(start(&get), Start::Binary);
        get[11] = 2;
        assert_eq!(start(&get), Start::None, "body shorter than its key");
        get[11] = 3;
        get[0] = 0x81;
        assert_eq!(start(&get), Start::None, "a response");
    }

    /// memcached's binary commands (`protocol_binary.h`), as far as they are requests.
    fn binary() -> impl Strategy<Value = std::vec::Vec<u8>> {
        (0u8..=0x3d, 0u16..=250, 0u8..=20, 0u32..1_000_000, any::<[u8; 12]>()).prop_map(
            |(opcode, key, extras, value, rest)| {
                let body = u32::from(key) + u32::from(extras) + value;
                let mut header = std::vec![0x80, opcode];
                header.extend(key.to_be_bytes());
                header.extend([extras, 0, rest[0], rest[1]]);
                header.extend(body.to_be_bytes());
                header.extend(&rest);
                header
            },
        )
    }

    proptest! {
        #[test]
        fn every_text_request_is_seen(
            command in "get|gets|set|add|cas|replace|append|prepend|incr|decr|delete|touch|m[gsdae]",
            key in "[!-~]{1,250}",
            rest in "( [0-9]{1,9}){0,5}",
        ) {
            let line = std::format!("{command} {key}{rest}\r\n");
            prop_assert_eq!(look(line.as_bytes()), Start::Text);
        }

        #[test]
        fn every_binary_request_is_seen(header in binary()) {
            prop_assert_eq!(look(&header), Start::Binary);
        }

        /// What is taken for a request is one that memcached would at least begin to read.
        #[test]
        fn arbitrary_bytes_are_no_request(bytes: [u8; LOOK]) {
            match start(&bytes) {
                Start::None => {}
                Start::Text => prop_assert!(bytes[..2].iter().all(u8::is_ascii_lowercase)),
                Start::Binary => {
                    prop_assert_eq!((bytes[0], bytes[5]), (BINARY_REQUEST, 0));
                    let body = u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
                    prop_assert!(body >= u32::from(bytes[4]) + u32::from(bytes[3]));
                }
            }
        }

        #[test]
        fn responses_are_no_requests(
            word in "VALUE k 0 1|STORED|NOT_STORED|EXISTS|NOT_FOUND|END|DELETED|TOUCHED|OK|HD|EN|\
                     VA 5|ERROR|CLIENT_ERROR x|SERVER_ERROR x|STAT a b|VERSION 1|[0-9]{1,20}",
        ) {
            prop_assert_eq!(look(std::format!("{word}\r\n").as_bytes()), Start::None);
        }
    }
}
