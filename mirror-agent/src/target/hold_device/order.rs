//! One CPU at a time takes what comes out of the hold device, in order.
//!
//! A veth whose far end merges (GRO), and whose near end does not leave segmentation to it, passes packets through
//! one queue that NAPI empties (kernel: `veth_xmit`, `veth_poll`). Both are switched by ethtool's call (kernel:
//! `net/ethtool/ioctl.c`), which works wherever its network namespace does; `/sys` may be read-only, or show another
//! namespace.

use std::os::fd::AsRawFd as _;

use anyhow::{Context as _, Result, bail};
use nix::{
    libc,
    sys::socket::{AddressFamily, SockFlag, SockType, socket},
};

/// What is switched.
#[derive(Clone, Copy, Debug)]
enum Offload {
    /// Segmentation of what it sends (`ethtool -K … tso`).
    Segmentation,
    /// Merging of what it receives (`gro`).
    Merging,
}

impl Offload {
    /// `ETHTOOL_STSO`, `ETHTOOL_SGRO`.
    const fn command(self) -> u32 {
        match self {
            Self::Segmentation => 0x1f,
            Self::Merging => 0x2c,
        }
    }
}

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// Switches the pair `near` and `far`.
pub(super) fn keep(near: &str, far: &str) -> Result<()> {
    switch(near, Offload::Segmentation, false)?;
    switch(far, Offload::Merging, true)
}

/// Switches `offload` of the interface `name` of this network namespace.
fn switch(name: &str, offload: Offload, on: bool) -> Result<()> {
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
        .context("cannot open a socket")?;
    let mut value = Value { command: offload.command(), data: u32::from(on) };
    // SAFETY: integers and arrays of them, for which zero is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays zero.
    if name.len() >= request.ifr_name.len() {
        bail!("{name} is too long for the name of an interface");
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed() as libc::c_char;
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the kernel reads the request and the value that it points to, both of which outlive the call.
    let result =
        unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request) };
    if result != 0 {
        return Err(std::io::Error::last_os_error()).with_context(|| {
            format!("cannot switch {offload:?} of {name} {}", if on { "on" } else { "off" })
        });
    }
    Ok(())
}
