//! Packets that stand for several on the wire (GSO).

use aya_ebpf::{
    bindings::bpf_adj_room_mode::BPF_ADJ_ROOM_NET, helpers::generated::bpf_skb_adjust_room,
};
use mirror_common::packet::{
    Packet,
    parse::{Headers, TCP},
    tcp::Header,
};

use super::skb::{HelperError, Skb, check};

/// Bytes of a UDP header (RFC 768).
pub const UDP_HEADER: u32 = 8;

impl Skb {
    /// Whether this is several packets in one (GSO).
    #[inline(always)]
    pub fn is_super_packet(self) -> bool {
        self.segment_size() != 0
    }

    /// How many bytes of payload each of several TCP segments in one packet has; 0 where it is one.
    #[inline(always)]
    pub fn segment_size(self) -> u32 {
        // SAFETY: as in `length`.
        unsafe { (*self.context()).gso_size }
    }

    /// Has the kernel cut several TCP segments in one packet into segments that are shorter `by` so many bytes.
    ///
    /// Room that is made between the headers comes off the size of segments, and room that is taken away does not
    /// come back where the size is fixed (kernel: `bpf_skb_net_grow`, `bpf_skb_net_shrink`).
    ///
    /// # Errors
    ///
    /// Where it is one segment, or what is left of each would be next to nothing.
    #[inline(always)]
    pub fn lower_segment_size(self, by: u32) -> Result<(), HelperError> {
        /// Bytes of payload that a segment has to have left.
        const LEAST: u32 = 64;
        /// What the helper moves in one go (`bpf_skb_adjust_room`: 0xfff).
        const STEP: u32 = 0x800;
        /// As many steps as a path for jumbo frames needs.
        const STEPS: u32 = 5;
        /// `BPF_F_ADJ_ROOM_FIXED_GSO`, `BPF_F_ADJ_ROOM_NO_CSUM_RESET`.
        const FIXED: u64 = 1 << 0;
        const SAME_SUM: u64 = 1 << 5;

        if self.segment_size() < by.saturating_add(LEAST) || by > STEP * STEPS {
            return Err(HelperError);
        }
        let mut left = by;
        for _ in 0..STEPS {
            let step = if left < STEP { left } else { STEP };
            if step == 0 {
                break;
            }
            let room = step as i32;
            // SAFETY: the helper checks the packet and the length.
            check(unsafe {
                bpf_skb_adjust_room(self.context(), room, BPF_ADJ_ROOM_NET, SAME_SUM)
            })?;
            // SAFETY: as above.
            check(unsafe {
                bpf_skb_adjust_room(self.context(), -room, BPF_ADJ_ROOM_NET, FIXED | SAME_SUM)
            })?;
            left -= step;
        }
        Ok(())
    }

    /// How many packets on the wire this one stands for, with `payload` bytes behind its headers.
    #[inline(always)]
    pub fn segments(self, payload: u32) -> u64 {
        let size = self.segment_size();
        if size == 0 || payload <= size { 1 } else { u64::from(payload.div_ceil(size)) }
    }

    /// How many packets on the wire this one stands for.
    #[inline(always)]
    pub fn wire_packets(self, headers: &Headers) -> u64 {
        if !self.is_super_packet() {
            return 1;
        }
        let header = match self.words(headers.l4).map(Header) {
            Some(header) if headers.protocol == TCP => header.length(),
            _ => UDP_HEADER,
        };
        self.segments(headers.end.saturating_sub(headers.l4 + header))
    }
}
