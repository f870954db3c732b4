//! Values that are numbers or addresses to everybody else, and have a syntax here.

use std::net::SocketAddr;

use mirror_common::{abi::mac_key, packet::seal::Magic};

use crate::net::address::endpoint;

/// A decimal number, or a hexadecimal one with 0x.
pub(super) fn magic(text: &str) -> Result<Magic, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map(Magic).map_err(|_| "expected a number below 2^32, like 0x1267 or 4711".to_owned())
}

/// An address and a port that something can be sent from.
pub(super) fn server(text: &str) -> Result<SocketAddr, String> {
    let server = endpoint(text)?;
    if server.port() == 0 || server.ip().is_unspecified() || server.ip().is_multicast() {
        return Err(format!("nobody sends from {server}"));
    }
    Ok(server)
}

/// A MAC address like `02:00:5e:10:00:01`, as a key of a BPF map.
pub(super) fn mac(text: &str) -> Result<u64, String> {
    let wrong = || format!("expected a MAC address like 02:00:5e:10:00:01, not '{text}'");
    let bytes: Vec<u8> = text
        .split(':')
        .map(|part| u8::from_str_radix(part, 16).ok().filter(|_| part.len() == 2))
        .collect::<Option<_>>()
        .ok_or_else(wrong)?;
    Ok(mac_key(bytes.try_into().map_err(|_| wrong())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magics() {
        assert_eq!(magic("0x1267"), Ok(Magic(0x1267)));
        assert_eq!(magic("4711"), Ok(Magic(4711)));
        for text in ["", "0x", "-1", "0x100000000", "magic"] {
            assert!(magic(text).is_err(), "{text}");
        }
    }

    #[test]
    fn servers() {
        assert!(server("10.0.0.5:11211").is_ok() && server("[fd00::5]:11211").is_ok());
        for text in ["10.0.0.5", "fd00::5:11211", "cache:11211", "10.0.0.5:0", "0.0.0.0:11211"] {
            assert!(server(text).is_err(), "{text}");
        }
    }

    #[test]
    fn mac_addresses() {
        assert_eq!(mac("02:00:5e:10:00:fF"), Ok(0x0200_5e10_00ff));
        for text in ["", "02:00:5e:10:00", "02:00:5e:10:00:01:02", "2:0:5e:10:0:1", "x", "é:1"] {
            assert!(mac(text).is_err(), "{text}");
        }
    }
}
