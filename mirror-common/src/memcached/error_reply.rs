//! What memcached says when it refuses a request.
//!
//! Looked for where a TCP segment or datagram of the server's begins: an error behind another reply of the same segment is
//! not seen.

use crate::packet::Packet;

/// Why a request was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorReply {
    /// The server has as many connections as it may have (`-c`).
    TooManyClients,
    /// The client has not said who it is, or not rightly (`-Y`, SASL).
    Unauthenticated,
    /// There is no memory for the item.
    OutOfMemory,
    /// The item is larger than the server takes (`-I`).
    TooLarge,
    /// The value does not end where the request said: the stream is not what its client sent.
    BadChunk,
    /// Anything else.
    Other,
}

/// What the reply at `at` says, if it refuses a request (protocol.txt, "Error strings"; BinaryProtocolRevamped, "Response
/// Status").
#[inline(always)]
pub fn at<P: Packet + ?Sized>(packet: &P, at: u32) -> Option<ErrorReply> {
    match &packet.bytes::<4>(at)? {
        b"ERRO" => Some(match packet.bytes::<8>(at + 4) {
            Some(rest) if &rest == b"R Too ma" => ErrorReply::TooManyClients,
            _ => ErrorReply::Other,
        }),
        b"SERV" => behind(packet, at, b"ER_ERROR").map(|rest| match &rest {
            b"out of m" => ErrorReply::OutOfMemory,
            b"object t" => ErrorReply::TooLarge,
            _ => ErrorReply::Other,
        }),
        b"CLIE" => behind(packet, at, b"NT_ERROR").map(|rest| match &rest {
            b"unauthen" | b"authenti" | b"bad auth" => ErrorReply::Unauthenticated,
            b"bad data" => ErrorReply::BadChunk,
            _ => ErrorReply::Other,
        }),
        [0x81, _, 0, 0] => binary(packet.bytes::<4>(at + 4)?),
        _ => None,
    }
}

/// What is said behind `SERVER_ERROR ` or `CLIENT_ERROR `, of which this is the second part.
#[inline(always)]
fn behind<P: Packet + ?Sized>(packet: &P, at: u32, second: &[u8; 8]) -> Option<[u8; 8]> {
    if packet.bytes::<8>(at + 4)? == *second { packet.bytes::<8>(at + 13) } else { None }
}

/// By the second word of a header without key: length of extras, data type, status.
#[inline(always)]
fn binary([extras, kind, high, low]: [u8; 4]) -> Option<ErrorReply> {
    if extras != 0 || kind != 0 {
        return None;
    }
    match u16::from_be_bytes([high, low]) {
        0x03 => Some(ErrorReply::TooLarge),
        0x20 => Some(ErrorReply::Unauthenticated),
        0x82 => Some(ErrorReply::OutOfMemory),
        // Invalid arguments, no number, another server's, unknown, not supported, internal, busy.
        0x04 | 0x06 | 0x07 | 0x81 | 0x83..=0x86 => Some(ErrorReply::Other),
        // Done, not found, there already, not stored, to be continued; or no reply at all.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    fn said(reply: &[u8]) -> Option<ErrorReply> {
        at([b"before", reply].concat().as_slice(), 6)
    }

    #[test]
    fn texts() {
        for (reply, want) in [
            ("ERROR Too many open connections\r\n", Some(ErrorReply::TooManyClients)),
            ("CLIENT_ERROR unauthenticated\r\n", Some(ErrorReply::Unauthenticated)),
            ("CLIENT_ERROR authentication failure\r\n", Some(ErrorReply::Unauthenticated)),
            ("CLIENT_ERROR bad authentication token format\r\n", Some(ErrorReply::Unauthenticated)),
            ("CLIENT_ERROR bad data chunk\r\n", Some(ErrorReply::BadChunk)),
            ("CLIENT_ERROR bad command line format\r\n", Some(ErrorReply::Other)),
            ("SERVER_ERROR out of memory storing object\r\n", Some(ErrorReply::OutOfMemory)),
            ("SERVER_ERROR object too large for cache\r\n", Some(ErrorReply::TooLarge)),
            ("SERVER_ERROR unknown thing\r\n", Some(ErrorReply::Other)),
            ("ERROR\r\n", Some(ErrorReply::Other)),
            ("END\r\n", None),
            ("STORED\r\n", None),
            ("VALUE ERROR 0 1\r\n", None),
            ("CLIENTS of ours", None),
            ("HD", None),
        ] {
            assert_eq!(said(reply.as_bytes()), want, "{reply}");
        }
    }

    #[test]
    fn statuses() {
        let header = |key: u8, extras: u8, status: u16| {
            let [high, low] = status.to_be_bytes();
            [&[0x81, 1, 0, key, extras, 0, high, low][..], &[0; 16]].concat()
        };
        for (status, want) in [
            (0, None),
            (1, None),
            (5, None),
            (0x21, None),
            (3, Some(ErrorReply::TooLarge)),
            (0x20, Some(ErrorReply::Unauthenticated)),
            (0x82, Some(ErrorReply::OutOfMemory)),
            (0x81, Some(ErrorReply::Other)),
            (0x4000, None),
        ] {
            assert_eq!(said(&header(0, 0, status)), want, "{status:#x}");
        }
        assert_eq!(said(&header(1, 0, 3)), None, "with a key");
        assert_eq!(said(&header(0, 4, 3)), None, "with extras");
    }
}
