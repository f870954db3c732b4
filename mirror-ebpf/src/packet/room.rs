//! Bytes that come into a packet, and go, behind the fixed part of its IP header; and sums over many.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::bpf_adj_room_mode::BPF_ADJ_ROOM_NET,
    helpers::generated::{
        bpf_csum_diff, bpf_loop, bpf_skb_adjust_room, bpf_skb_load_bytes, bpf_skb_store_bytes,
    },
};

use super::skb::{HelperError, Skb, bounded, check};

/// What [`Skb::take_out`] takes first. No IP header and no link-layer header is as long.
pub const FIRST_STEP: u32 = 128;
/// Bytes that are summed in one go (kernel: `bpf_csum_diff`, `MAX_BPF_STACK`).
const CHUNK: u32 = 512;
/// Chunks of the largest packet.
const CHUNKS: u32 = 128;

/// Room for a chunk. Longer than one, as the verifier does not see that a length that is rounded up still fits.
pub type Chunk = [u32; CHUNK as usize / 4 + 1];

impl Skb {
    /// Takes out `by` bytes behind the fixed part of the IP header: more than [`FIRST_STEP`]. What is left has no
    /// checksum that a card computes, whether it had one or not: the kernel drops the request where what is to be summed
    /// begins before the packet (`__skb_postpull_rcsum`). Those that ask before they take the bytes away (Linux up to
    /// 6.1.3) see it in the second step.
    #[inline(always)]
    pub fn take_out(self, by: u32) -> Result<(), HelperError> {
        /// What the helper moves in one go (`bpf_skb_adjust_room`).
        const STEP: u32 = 0xfff;
        /// As many as the largest packet needs.
        const STEPS: u32 = 17;

        self.adjust_room(-(FIRST_STEP as i32))?;
        let mut left = by.saturating_sub(FIRST_STEP);
        for _ in 0..STEPS {
            let step = if left < STEP { left } else { STEP };
            if step == 0 {
                break;
            }
            self.adjust_room(-(step as i32))?;
            left -= step;
        }
        if left == 0 { Ok(()) } else { Err(HelperError) }
    }

    /// Makes room for `by` bytes there.
    #[inline(always)]
    pub fn put_in(self, by: u32) -> Result<(), HelperError> {
        self.adjust_room(by as i32)
    }

    #[inline(always)]
    fn adjust_room(self, by: i32) -> Result<(), HelperError> {
        // SAFETY: the helper checks the packet and the length.
        check(unsafe { bpf_skb_adjust_room(self.context(), by, BPF_ADJ_ROOM_NET, 0) })
    }

    /// Overwrites `length` bytes, no more than there are in `words` and not none, and leaves every checksum alone.
    #[inline(always)]
    pub fn store_some<const N: usize>(
        self,
        offset: u32,
        words: &[u32; N],
        length: u32,
    ) -> Result<(), HelperError> {
        let size = bounded(length, size_of::<[u32; N]>() as u32);
        // SAFETY: the helper reads `size` bytes, of which there are as many, and checks the packet's bounds.
        check(unsafe {
            bpf_skb_store_bytes(self.context(), offset, words.as_ptr().cast(), size, 0)
        })
    }

    /// The sum of the bytes from `from` to `to` ([`mirror_common::packet::checksum`]), into `sum`.
    #[inline(always)]
    pub fn sum(self, from: u32, to: u32, (sum, chunk): (&mut u64, &mut Chunk)) {
        let mut bytes = Bytes { skb: self, from, to, sum, chunk };
        let step: unsafe extern "C" fn(u64, *mut Bytes<'_>) -> i64 = step;
        // SAFETY: the kernel calls `step` with a number and `bytes`, which outlives the call.
        unsafe { bpf_loop(CHUNKS, step as *mut c_void, (&raw mut bytes).cast(), 0) };
    }
}

/// Bytes of a packet, and their sum so far.
struct Bytes<'a> {
    skb: Skb,
    from: u32,
    to: u32,
    sum: &'a mut u64,
    chunk: &'a mut Chunk,
}

/// Called by the kernel for each chunk; returns 1 to stop.
unsafe extern "C" fn step(number: u64, bytes: *mut Bytes<'_>) -> i64 {
    // SAFETY: valid for as long as the call is (see `sum`).
    let bytes = unsafe { &mut *bytes };
    let from = bytes.from.saturating_add(number as u32 * CHUNK);
    if from >= bytes.to {
        return 1;
    }
    let size = bounded(bytes.to - from, CHUNK);
    // Zeros behind the last byte.
    bytes.chunk[(size as usize - 1) / 4 % (CHUNK as usize / 4)] = 0;
    let chunk = bytes.chunk.as_mut_ptr();
    // SAFETY: the helpers write and read no more bytes than there are in a chunk; the former checks the packet's bounds.
    unsafe {
        if bpf_skb_load_bytes(bytes.skb.context().cast(), from, chunk.cast(), size) != 0 {
            return 1;
        }
        let sum = bpf_csum_diff(core::ptr::null_mut(), 0, chunk, (size + 3) & !3, 0);
        *bytes.sum += u64::from(sum as u32);
    }
    0
}
