//! The only place where packet bytes are reached: `struct __sk_buff` through the kernel's checked
//! helpers. Offsets count from the Ethernet header.

use aya_ebpf::{
    bindings::{
        __sk_buff, BPF_F_INGRESS, BPF_F_MARK_MANGLED_0, BPF_F_PSEUDO_HDR, BPF_F_RECOMPUTE_CSUM,
    },
    helpers::generated::{
        bpf_clone_redirect, bpf_l3_csum_replace, bpf_l4_csum_replace, bpf_redirect,
        bpf_redirect_neigh, bpf_skb_change_head, bpf_skb_change_tail, bpf_skb_change_type,
        bpf_skb_load_bytes, bpf_skb_store_bytes, bpf_skb_vlan_pop,
    },
    programs::TcContext,
};
use mirror_common::packet::{
    Packet, checksum,
    parse::{Headers, TCP},
};

/// Let the next program of the hook, and then the stack, have the packet.
pub const NEXT: i32 = -1;
/// Drop the packet.
pub const DROP: i32 = 2;

/// A helper refused. The reason does not change what is done, so it is not kept.
#[derive(Clone, Copy, Debug)]
pub struct HelperError;

/// A socket buffer at a tc hook.
#[derive(Clone, Copy)]
pub struct Skb(*mut __sk_buff);

impl Packet for Skb {
    #[inline(always)]
    fn words<const N: usize>(&self, offset: u32) -> Option<[u32; N]> {
        self.read(offset)
    }

    #[inline(always)]
    fn bytes<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        self.read(offset)
    }

    #[inline(always)]
    fn length(&self) -> u32 {
        // SAFETY: the context is valid for the whole program.
        unsafe { (*self.0).len }
    }
}

impl Skb {
    /// The packet of `ctx`.
    #[inline(always)]
    pub fn new(ctx: &TcContext) -> Self {
        Self(ctx.skb.skb)
    }

    /// Reads a `T` at `offset`. For integers and arrays of them only, where every pattern is valid.
    #[inline(always)]
    pub(super) fn read<T: Copy>(self, offset: u32) -> Option<T> {
        let mut value = core::mem::MaybeUninit::<T>::uninit();
        let size = size_of::<T>() as u32;
        // SAFETY: the helper writes all of `value` on success and checks the packet's bounds.
        unsafe {
            if bpf_skb_load_bytes(self.0.cast(), offset, value.as_mut_ptr().cast(), size) != 0 {
                return None;
            }
            Some(value.assume_init())
        }
    }

    /// Reads words at `offset` to where there is room for them. Returns false beyond the packet's end.
    #[inline(always)]
    pub fn read_into<const N: usize>(self, offset: u32, words: &mut [u32; N]) -> bool {
        let size = size_of::<[u32; N]>() as u32;
        // SAFETY: the helper writes all of `words` on success and checks the packet's bounds.
        unsafe { bpf_skb_load_bytes(self.0.cast(), offset, words.as_mut_ptr().cast(), size) == 0 }
    }

    /// The `N` bytes at `offset`, of which no more than `length` are read, and `length` is not zero; zeros
    /// in place of the others.
    #[inline(always)]
    pub fn beginning<const N: usize>(self, offset: u32, length: u32) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        let size = bounded(length, N as u32);
        // SAFETY: the helper writes `size` bytes, of which there are `N`, and checks the packet's bounds.
        let result =
            unsafe { bpf_skb_load_bytes(self.0.cast(), offset, bytes.as_mut_ptr().cast(), size) };
        (result == 0).then_some(bytes)
    }

    /// `skb->mark`.
    #[inline(always)]
    pub fn mark(self) -> u32 {
        // SAFETY: as in `length`.
        unsafe { (*self.0).mark }
    }

    /// Sets `skb->mark`.
    #[inline(always)]
    pub fn set_mark(self, mark: u32) {
        // SAFETY: as in `length`; the field is writable for tc programs.
        unsafe { (*self.0).mark = mark }
    }

    /// The first word of the control buffer, which clones inherit. Whatever handled the packet before tc
    /// may have left anything there, and another program of the hook its own.
    #[inline(always)]
    pub fn token(self) -> u32 {
        // SAFETY: as in `length`.
        unsafe { (*self.0).cb[0] }
    }

    /// Sets the first word of the control buffer.
    #[inline(always)]
    pub fn set_token(self, token: u32) {
        // SAFETY: as in `set_mark`.
        unsafe { (*self.0).cb[0] = token }
    }

    /// The second word of the control buffer.
    #[inline(always)]
    pub fn copy_id(self) -> u32 {
        // SAFETY: as in `length`.
        unsafe { (*self.0).cb[1] }
    }

    /// Sets it.
    #[inline(always)]
    pub fn set_copy_id(self, token: u32) {
        // SAFETY: as in `set_mark`.
        unsafe { (*self.0).cb[1] = token }
    }

    /// For helpers that take the packet.
    #[inline(always)]
    pub(super) const fn context(self) -> *mut __sk_buff {
        self.0
    }

    /// Sets `skb->priority`, by which queues with bands choose one.
    #[inline(always)]
    pub fn set_priority(self, priority: u32) {
        // SAFETY: as in `set_mark`.
        unsafe { (*self.0).priority = priority }
    }

    /// `skb->tc_index`, which no queue between two redirects of ours writes.
    #[inline(always)]
    pub fn stamp(self) -> u16 {
        // SAFETY: as in `length`.
        unsafe { (*self.0).tc_index as u16 }
    }

    /// Sets it.
    #[inline(always)]
    pub fn set_stamp(self, stamp: u16) {
        // SAFETY: as in `set_mark`.
        unsafe { (*self.0).tc_index = u32::from(stamp) }
    }

    /// The interface the packet is at.
    #[inline(always)]
    pub fn ifindex(self) -> u32 {
        // SAFETY: as in `length`.
        unsafe { (*self.0).ifindex }
    }

    /// Whether the kernel keeps a VLAN tag beside the packet's bytes.
    #[inline(always)]
    pub fn has_vlan_tag(self) -> bool {
        // SAFETY: as in `length`.
        unsafe { (*self.0).vlan_present != 0 }
    }

    /// Overwrites words and leaves every checksum alone: the caller updates the header's.
    #[inline(always)]
    pub fn store<const N: usize>(self, offset: u32, words: &[u32; N]) -> Result<(), HelperError> {
        self.write(offset, words, 0)
    }

    /// Overwrites words of a header whose checksum the caller computes anew. Keeps the hardware's sum
    /// over the whole packet (`CHECKSUM_COMPLETE`) true.
    #[inline(always)]
    pub fn store_summed<const N: usize>(
        self,
        offset: u32,
        words: &[u32; N],
    ) -> Result<(), HelperError> {
        self.write(offset, words, u64::from(BPF_F_RECOMPUTE_CSUM))
    }

    #[inline(always)]
    pub(super) fn write<T>(self, offset: u32, value: &T, flags: u64) -> Result<(), HelperError> {
        let size = size_of::<T>() as u32;
        // SAFETY: the helper reads all of `value` and checks the packet's bounds.
        check(unsafe {
            bpf_skb_store_bytes(self.0, offset, core::ptr::from_ref(value).cast(), size, flags)
        })
    }

    /// Updates the transport checksum for bytes of the segment that changed by `difference`
    /// ([`checksum::difference`]).
    #[inline(always)]
    pub fn adjust_l4(self, headers: &Headers, difference: u64) -> Result<(), HelperError> {
        self.adjust(headers, difference, 0)
    }

    /// The same for the pseudo-header.
    #[inline(always)]
    pub fn adjust_pseudo_header(
        self,
        headers: &Headers,
        difference: u64,
    ) -> Result<(), HelperError> {
        self.adjust(headers, difference, u64::from(BPF_F_PSEUDO_HDR))
    }

    #[inline(always)]
    fn adjust(self, headers: &Headers, difference: u64, flags: u64) -> Result<(), HelperError> {
        let (field, flags) = if headers.protocol == TCP {
            (headers.l4 + 16, flags)
        } else {
            // A UDP checksum of zero means none (RFC 768) and stays zero.
            (headers.l4 + 6, flags | u64::from(BPF_F_MARK_MANGLED_0))
        };
        // SAFETY: the helper checks the offset.
        check(unsafe {
            bpf_l4_csum_replace(self.0, field, 0, u64::from(checksum::fold(difference)), flags)
        })
    }

    /// Updates the IPv4 header checksum for header bytes that changed by `difference`.
    #[inline(always)]
    pub fn adjust_l3(self, headers: &Headers, difference: u64) -> Result<(), HelperError> {
        // SAFETY: the helper checks the offset.
        check(unsafe {
            bpf_l3_csum_replace(
                self.0,
                headers.l3 + 10,
                0,
                u64::from(checksum::fold(difference)),
                0,
            )
        })
    }

    /// Cuts the packet, or fills it up with zeros, to `length` bytes.
    #[inline(always)]
    pub fn resize(self, length: u32) -> Result<(), HelperError> {
        // SAFETY: the helper checks the length.
        check(unsafe { bpf_skb_change_tail(self.0, length, 0) })
    }

    /// The EtherType of what follows the link-layer header, network byte order.
    #[inline(always)]
    pub(super) fn protocol(self) -> u16 {
        // SAFETY: as in `length`.
        unsafe { (*self.0).protocol as u16 }
    }

    /// Puts `length` zeros before the packet, as its link-layer header.
    #[inline(always)]
    pub(super) fn push(self, length: u32) -> Result<(), HelperError> {
        // SAFETY: the helper checks the length.
        check(unsafe { bpf_skb_change_head(self.0, length, 0) })
    }

    /// Takes the outermost VLAN tag off; does nothing where there is none.
    #[inline(always)]
    pub fn pop_vlan(self) -> Result<(), HelperError> {
        // SAFETY: the helper checks the packet.
        check(unsafe { bpf_skb_vlan_pop(self.0) })
    }

    /// Sends a clone out of `ifindex`, now.
    #[inline(always)]
    pub fn clone_to_egress(self, ifindex: u32) -> Result<(), HelperError> {
        // SAFETY: the helper checks the interface.
        check(unsafe { bpf_clone_redirect(self.0, ifindex, 0) })
    }

    /// Queues a clone as if it had arrived at `ifindex`; it is handled after this packet.
    #[inline(always)]
    pub fn clone_to_ingress(self, ifindex: u32) -> Result<(), HelperError> {
        // SAFETY: as above.
        check(unsafe { bpf_clone_redirect(self.0, ifindex, u64::from(BPF_F_INGRESS)) })
    }

    /// Has the stack take the packet, whichever link-layer address it is for (kernel: `eth_type_trans`).
    #[inline(always)]
    pub fn take_for_this_host(self) {
        /// `include/uapi/linux/if_packet.h`, `PACKET_HOST`.
        const HOST: u32 = 0;
        // SAFETY: the context is valid while the program runs.
        unsafe { bpf_skb_change_type(self.0, HOST) };
    }

    /// Whether the frame is for another host: seen by a port that mirrors a switch's others, or before a bridge.
    #[inline(always)]
    pub fn is_for_another_host(self) -> bool {
        /// `include/uapi/linux/if_packet.h`, `PACKET_OTHERHOST`.
        const OTHER_HOST: u32 = 3;
        // SAFETY: as in `length`.
        unsafe { (*self.0).pkt_type == OTHER_HOST }
    }
}

/// Verdict: send the packet out of `ifindex` to the next hop that the kernel's tables give.
#[inline(always)]
pub fn to_next_hop(ifindex: u32) -> i32 {
    // SAFETY: no parameters, as the helper allows.
    unsafe { bpf_redirect_neigh(ifindex, core::ptr::null_mut(), 0, 0) as i32 }
}

/// Verdict: send the packet out of `ifindex` as it is.
#[inline(always)]
pub fn to_egress(ifindex: u32) -> i32 {
    // SAFETY: the helper takes numbers.
    unsafe { bpf_redirect(ifindex, 0) as i32 }
}

/// Verdict: the packet arrives at `ifindex`.
#[inline(always)]
pub fn to_ingress(ifindex: u32) -> i32 {
    // SAFETY: as above.
    unsafe { bpf_redirect(ifindex, u64::from(BPF_F_INGRESS)) as i32 }
}

/// Verdict at egress: the packet ends here, and the sender takes it for sent.
///
/// A plain drop is reported to the sender, and TCP then holds its data for never sent (kernel:
/// `tcp_write_xmit`); a redirect is always a success (`sch_handle_egress`), and no interface has
/// index 0.
#[inline(always)]
pub fn drop_silently() -> i32 {
    to_egress(0)
}

#[inline(always)]
pub(super) fn check(result: i64) -> Result<(), HelperError> {
    if result == 0 { Ok(()) } else { Err(HelperError) }
}

/// `length` as the verifier sees that it is from 1 to `most`.
///
/// That of Linux 6.1 learns nothing from a comparison with zero, and refuses what could be nothing. Volatile, since what
/// the compiler knows of the length lets it leave out what the verifier has to see.
#[inline(always)]
pub(super) fn bounded(length: u32, most: u32) -> u32 {
    // SAFETY: a valid, aligned local.
    let length = unsafe { core::ptr::read_volatile(&raw const length) };
    length.wrapping_sub(1).min(most - 1) + 1
}
