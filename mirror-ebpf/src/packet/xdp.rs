//! Packet bytes where XDP sees them: `struct xdp_md` through the kernel's checked helpers, which know of
//! several buffers, too. Offsets count from the Ethernet header.

use aya_ebpf::{
    bindings::xdp_md,
    helpers::generated::{bpf_xdp_get_buff_len, bpf_xdp_load_bytes},
    programs::XdpContext,
};
use mirror_common::packet::Packet;

/// A frame at an XDP hook.
#[derive(Clone, Copy)]
pub struct Frame(*mut xdp_md);

impl Packet for Frame {
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
        unsafe { bpf_xdp_get_buff_len(self.0) as u32 }
    }
}

impl Frame {
    /// The frame of `ctx`.
    #[inline(always)]
    pub fn new(ctx: &XdpContext) -> Self {
        Self(ctx.ctx)
    }

    /// Reads a `T` at `offset`. For integers and arrays of them only, where every pattern is valid.
    #[inline(always)]
    fn read<T: Copy>(self, offset: u32) -> Option<T> {
        let mut value = core::mem::MaybeUninit::<T>::uninit();
        let size = size_of::<T>() as u32;
        // SAFETY: the helper writes all of `value` on success and checks the frame's bounds.
        unsafe {
            if bpf_xdp_load_bytes(self.0, offset, value.as_mut_ptr().cast(), size) != 0 {
                return None;
            }
            Some(value.assume_init())
        }
    }
}
