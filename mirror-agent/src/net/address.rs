//! Addresses: as they are typed, as keys of BPF maps, and networks of them.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

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

/// A network by its first address and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix(pub IpAddr, pub u8);

impl Prefix {
    /// This address and no other.
    pub const fn only(address: IpAddr) -> Self {
        Self(address, if address.is_ipv4() { 32 } else { 128 })
    }

    /// Whether `address` is in it.
    pub fn covers(&self, address: IpAddr) -> bool {
        let bits = |address| match address {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32),
            IpAddr::V6(v6) => (v6.to_bits(), 128),
        };
        let ((own, own_width), (other, width)) = (bits(self.0), bits(address));
        let different = (own ^ other).leading_zeros();
        own_width == width && different >= u32::from(self.1)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(address, length) = self;
        if *self == Self::only(*address) {
            write!(f, "{address}")
        } else {
            write!(f, "{address}/{length}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_cover_their_family() {
        for (net, length, address, expected) in [
            ("10.0.0.0", 8, "10.1.2.3", true),
            ("10.0.0.0", 8, "11.1.2.3", false),
            ("0.0.0.0", 0, "11.1.2.3", true),
            ("10.1.2.3", 32, "10.1.2.3", true),
            ("10.1.2.3", 32, "10.1.2.2", false),
            ("fd00::", 8, "fd12::1", true),
            ("::", 0, "10.0.0.1", false),
            ("0.0.0.0", 0, "::1", false),
            ("fd00::1", 128, "fd00::1", true),
        ] {
            let covers = Prefix(net.parse().unwrap(), length).covers(address.parse().unwrap());
            assert_eq!(covers, expected, "{net}/{length} {address}");
        }
    }
}
