//! Frames at a port of the switch, with what a card would be told of super-packets (`PACKET_VNET_HDR`).

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
};

use nix::{
    errno::Errno,
    libc,
    sys::socket::{MsgFlags, recv},
};

use super::{Frame, SuperPacket};
use crate::{Host, wire};

/// Bytes of `struct virtio_net_hdr`: flags, type, length of headers, size of segments, and two offsets.
const HEADER: usize = 10;
/// Room for any frame.
pub(super) const LONGEST: usize = HEADER + (1 << 18);
/// `VIRTIO_NET_HDR_GSO_…`; the bit for ECN says nothing of the kind.
const NONE: u8 = 0;
const TCP_V4: u8 = 1;
const TCP_V6: u8 = 4;
const ECN: u8 = 0x80;

/// A socket that has each frame that arrives at an interface.
#[derive(Debug)]
pub(super) struct Tap(OwnedFd);

impl Tap {
    pub(super) fn at(host: &Host, interface: &str) -> Self {
        const PACKET_VNET_HDR: libc::c_int = 15;
        let socket = wire::tap(host, interface);
        wire::switch_on(&socket, PACKET_VNET_HDR).expect("frames come with a header");
        Self(socket)
    }

    /// The next frame; `None` when there is none for a while. What no card could send is an error.
    pub(super) fn next<'a>(&self, buffer: &'a mut [u8]) -> Option<Result<Frame<'a>, String>> {
        let length = match recv(self.0.as_raw_fd(), buffer, MsgFlags::empty()) {
            Ok(length) => length,
            Err(Errno::EAGAIN | Errno::EINTR) => return None,
            // A frame waits, but for the next call.
            Err(Errno::ENETDOWN) => return None,
            Err(error) => return Some(Err(format!("a frame that cannot be described: {error}"))),
        };
        let (header, bytes) = buffer[..length].split_at(HEADER);
        let size = usize::from(u16::from_ne_bytes([header[4], header[5]]));
        let super_packet = match header[1] & !ECN {
            NONE => None,
            kind => Some(SuperPacket { tcp: matches!(kind, TCP_V4 | TCP_V6), size }),
        };
        Some(Ok(Frame { bytes, super_packet }))
    }

    /// How many frames there was no room for.
    pub(super) fn missed(&self) -> u32 {
        const PACKET_STATISTICS: libc::c_int = 6;
        // `struct tpacket_stats`: frames, and those that were dropped.
        let mut counts = [0u32; 2];
        let mut size = size_of_val(&counts) as libc::socklen_t;
        // SAFETY: the kernel writes at most `size` bytes to `counts`.
        let result = unsafe {
            let value = counts.as_mut_ptr().cast();
            let socket = self.0.as_raw_fd();
            libc::getsockopt(socket, libc::SOL_PACKET, PACKET_STATISTICS, value, &raw mut size)
        };
        assert_eq!(result, 0, "the kernel counts frames: {}", io::Error::last_os_error());
        counts[1]
    }
}
