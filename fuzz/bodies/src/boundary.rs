//! `memcache::start`, against the grammar of both protocols, written down once more and differently.

use mirror_common::memcached::request_start::{LOOK, Start, start};

/// Commands with a key (protocol.txt).
const KEYED: [&str; 19] = [
    "get", "gets", "gat", "gats", "set", "add", "cas", "replace", "append", "prepend", "incr",
    "decr", "delete", "touch", "mg", "ms", "md", "ma", "me",
];
/// The others, of which the mirror looks at eight bytes.
const KEYLESS: [&str; 6] = ["mn", "quit", "stats", "version", "flush_al", "verbosit"];

/// Checks that the first bytes of a segment are taken for a request only if memcached would begin to
/// read one, and always if they are a whole one. Returns what they are taken for.
pub fn check(segment: &[u8]) -> Start {
    let mut head = [0; LOOK];
    let seen = segment.len().min(LOOK);
    head[..seen].copy_from_slice(&segment[..seen]);
    let found = start(&head);
    match found {
        Start::Binary => assert!(is_binary(&head), "{head:x?}"),
        Start::Text => assert!(begins_text(&head), "{}", head.escape_ascii()),
        Start::None => {
            assert!(!is_binary(&head), "{head:x?}");
            assert!(!is_text(&head), "{}", head.escape_ascii());
        }
    }
    // Behind the key's first byte, anything may follow a command.
    let mut other = head;
    other[9..].fill(!0);
    assert_eq!(found == Start::Text, start(&other) == Start::Text, "{}", head.escape_ascii());
    found
}

/// Whether this is a request header ("Packet Structure" of the binary protocol).
fn is_binary(head: &[u8; LOOK]) -> bool {
    let &[0x80, opcode, key_high, key_low, extras, 0, _, _, ref rest @ ..] = head else {
        return false;
    };
    let key = u64::from(key_high) << 8 | u64::from(key_low);
    let body = rest[..4].iter().fold(0, |body, byte| body << 8 | u64::from(*byte));
    opcode < 0x3e
        && key <= 250
        && extras <= 20
        && (key + u64::from(extras)..=(1 << 30) + 1024).contains(&body)
}

/// The command, and what follows the blank behind it, if there is one.
fn split(head: &[u8; LOOK]) -> Option<(&str, Option<&[u8]>)> {
    let ends = |byte: &u8| !byte.is_ascii_lowercase() && *byte != b'_';
    let end = head.iter().position(ends).unwrap_or(LOOK);
    let command = str::from_utf8(&head[..end]).ok()?;
    Some((command, head[end..].strip_prefix(b" ")))
}

fn is_key(byte: u8) -> bool {
    !byte.is_ascii_control() && byte != b' '
}

/// Whether a command of memcached's begins like this.
fn begins_text(head: &[u8; LOOK]) -> bool {
    let Some((command, rest)) = split(head) else { return false };
    let keyed = KEYED.contains(&command) && rest.is_some_and(|rest| is_key(rest[0]));
    keyed || KEYLESS.iter().any(|keyless| command.starts_with(keyless))
}

/// Whether this is a whole request, or the beginning of one that is longer than this.
fn is_text(head: &[u8; LOOK]) -> bool {
    let Some((command, rest)) = split(head) else { return false };
    let ends = head[command.len()..].starts_with(b"\r\n");
    match command {
        "mn" | "quit" | "stats" | "version" | "flush_all" if ends => true,
        "verbosity" => rest.is_some(),
        _ => KEYED.contains(&command) && rest.is_some_and(|rest| is_key(rest[0])),
    }
}
