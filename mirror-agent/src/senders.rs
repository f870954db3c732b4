//! Whose packets a guard drops: the addresses and ports of `guard --from`.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use aya::maps::{HashMap, Map, MapData, MapError};
use mirror_common::abi::Sender;

use crate::{
    mapping::{address, ip},
    object,
    pins::Attachment,
};

/// Makes the kernel's table say `wanted`. New ones first, so that those that stay are guarded against all
/// the time.
pub fn set(attachment: &Attachment, wanted: &[SocketAddr]) -> Result<()> {
    let mut table = table(attachment)?;
    for sender in wanted {
        table.insert(to_kernel(*sender), 1, 0).context("cannot write SENDERS: too many?")?;
    }
    for sender in get(attachment)?.into_iter().filter(|sender| !wanted.contains(sender)) {
        table.remove(&to_kernel(sender)).context("cannot write SENDERS")?;
    }
    Ok(())
}

/// Who is guarded against, in order.
pub fn get(attachment: &Attachment) -> Result<Vec<SocketAddr>> {
    let keys: Vec<Sender> = table(attachment)?
        .keys()
        .collect::<Result<_, MapError>>()
        .context("cannot read SENDERS")?;
    let mut found: Vec<SocketAddr> = keys.iter().map(from_kernel).collect();
    found.sort_unstable();
    Ok(found)
}

fn to_kernel(sender: SocketAddr) -> Sender {
    Sender { addr: address(sender.ip()), port: u32::from(sender.port()) }
}

fn from_kernel(sender: &Sender) -> SocketAddr {
    // The port was 16 bits when it was written.
    SocketAddr::new(ip(&sender.addr), sender.port as u16)
}

fn table(attachment: &Attachment) -> Result<HashMap<MapData, Sender, u32>> {
    object::hash(attachment, "SENDERS", Map::HashMap)
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
