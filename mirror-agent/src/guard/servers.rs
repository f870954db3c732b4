//! Whose packets a guard drops: the addresses and ports of `guard --from`.

use std::net::SocketAddr;

use anyhow::Result;
use mirror_common::abi::GuardedServer;

use crate::{
    kernel::{maps, pins::Attachment},
    net::address::{address, ip},
};

/// Makes the kernel's table say `wanted`.
pub fn set(attachment: &Attachment, wanted: &[SocketAddr]) -> Result<()> {
    let wanted: Vec<GuardedServer> = wanted.iter().map(|sender| to_kernel(*sender)).collect();
    maps::guarded_servers(attachment)?.replace(&wanted)
}

/// Who is guarded against, in order.
pub fn get(attachment: &Attachment) -> Result<Vec<SocketAddr>> {
    let mut found: Vec<SocketAddr> =
        maps::guarded_servers(attachment)?.keys()?.iter().map(from_kernel).collect();
    found.sort_unstable();
    Ok(found)
}

fn to_kernel(sender: SocketAddr) -> GuardedServer {
    GuardedServer { addr: address(sender.ip()), port: u32::from(sender.port()) }
}

fn from_kernel(sender: &GuardedServer) -> SocketAddr {
    // The port was 16 bits when it was written.
    SocketAddr::new(ip(&sender.addr), sender.port as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_addresses_and_ports() {
        for text in ["10.0.0.5:11211", "[fd00::5]:65535"] {
            let sender: SocketAddr = text.parse().unwrap();
            assert_eq!(from_kernel(&to_kernel(sender)), sender);
        }
    }
}
