//! Packets at the egress of an interface, by what it puts before the IP header: an Ethernet header, or, as tunnels do,
//! nothing.

use mirror_common::packet::{Packet, parse::ETHERNET_HEADER};

use super::skb::{HelperError, Skb};

/// Where the EtherType is in an Ethernet header.
const ETHERTYPE: u32 = 12;

/// A packet that is about to leave.
pub trait Leaving: Packet + Copy {
    /// The packet, which has its Ethernet header from now on.
    fn with_ethernet(self) -> Result<Skb, HelperError>;
}

impl Leaving for Skb {
    #[inline(always)]
    fn with_ethernet(self) -> Result<Self, HelperError> {
        Ok(self)
    }
}

/// A packet that begins with its IP header, read as if there was an Ethernet header before it.
#[derive(Clone, Copy)]
pub struct Bare(pub Skb);

impl Packet for Bare {
    #[inline(always)]
    fn words<const N: usize>(&self, offset: u32) -> Option<[u32; N]> {
        if offset < ETHERNET_HEADER { None } else { self.0.read(offset - ETHERNET_HEADER) }
    }

    #[inline(always)]
    fn bytes<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        if offset >= ETHERNET_HEADER {
            return self.0.read(offset - ETHERNET_HEADER);
        }
        let mut bytes = [0; N];
        if offset != ETHERTYPE || N != 2 {
            return None;
        }
        bytes.copy_from_slice(&self.0.protocol().to_ne_bytes());
        Some(bytes)
    }

    #[inline(always)]
    fn length(&self) -> u32 {
        self.0.length() + ETHERNET_HEADER
    }
}

impl Leaving for Bare {
    /// Its link-layer addresses are zeros.
    #[inline(always)]
    fn with_ethernet(self) -> Result<Skb, HelperError> {
        let protocol = self.0.protocol();
        self.0.push(ETHERNET_HEADER)?;
        self.0.write(ETHERTYPE, &protocol, 0)?;
        Ok(self.0)
    }
}
