//! The copy device: a veth pair that is never up, whose egress is the program that makes and sends copies.
//!
//! Clones of clients' packets go there and nowhere else. Without the program, whatever the reason, they end there: the
//! kernel drops what is sent by a device that is down. Nothing of ours is in the way of what production sends, and nobody
//! else's packets come by.
//!
//! It forwards, alone on this host if need be, since the kernel answers a program that asks its routing tables only on
//! behalf of a device that does (`bpf_fib_lookup`, `BPF_FIB_LKUP_RET_FWD_DISABLED`). It receives nothing that could be
//! forwarded.

use anyhow::{Context as _, Result};

use crate::{
    kernel::{attach::hook::Hook, fallback::Fallback, pins::Attachment},
    net::{forwarding, netlink::Network, veth},
};

/// Largest MTU there is. No packet is measured by it.
const MTU: u32 = 65_535;
/// Name of the pin of the program at its egress.
pub const PIN: &str = "copies";

/// Names of the pair that belongs to the interface with index `ifindex`: near end, far end.
pub fn names(ifindex: u32) -> (String, String) {
    veth::names(veth::COPY, ifindex)
}

/// Makes the device, or finds it. Returns its index.
///
/// # Errors
///
/// Where the kernel refuses.
pub async fn ensure(network: &Network, attachment: &Attachment, ifindex: u32) -> Result<u32> {
    let (near, far) = names(ifindex);
    let ([index, _], fresh) =
        veth::ensure(network, (&near, &far), MTU).await.context("the copy device")?;
    if fresh {
        // Of a device that somebody removed: its link leads nowhere.
        attachment.remove_hook(PIN)?;
    }
    forwarding::switch_on(&near, Fallback::WayOfAttach);
    Ok(index)
}

/// Whether it is there.
///
/// # Errors
///
/// Where the kernel does not list links.
pub async fn exists(network: &Network, ifindex: u32) -> Result<bool> {
    Ok(veth::find(network, &names(ifindex).0).await?.is_some())
}

/// Takes it away.
///
/// # Errors
///
/// Where the kernel refuses.
pub async fn remove(network: &Network, ifindex: u32) -> Result<()> {
    veth::remove(network, &names(ifindex).0).await.context("the copy device")
}

/// The program at the egress of `device`.
pub fn hook<'a>(device: &'a str, of: Hook<'a>) -> Hook<'a> {
    Hook {
        program: "source_copies",
        interface: device,
        side: aya::programs::TcAttachType::Egress,
        pin: PIN,
        ..of
    }
}
