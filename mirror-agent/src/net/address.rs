//! Addresses: as they are typed, and as keys of BPF maps.

use std::net::{IpAddr, SocketAddr};

use mirror_common::abi::Address;

/// An address and a port, as typed.
///
/// # Errors
///
/// Where it is anything else; says what was expected.
pub fn endpoint(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("'{text}' is not ADDR:PORT; names are not looked up, IPv6 goes in brackets")
    })
}

/// An address in the form of map keys.
pub fn address(ip: IpAddr) -> Address {
    let v6 = match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    let bytes = v6.octets();
    std::array::from_fn(|word| {
        let at = word * 4;
        u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
    })
}

/// An address in the form of map keys, as the standard library has it.
pub fn ip(address: &Address) -> IpAddr {
    let mut bytes = [0; 16];
    for (chunk, word) in bytes.chunks_exact_mut(4).zip(address) {
        chunk.copy_from_slice(&word.to_ne_bytes());
    }
    IpAddr::from(bytes).to_canonical()
}
