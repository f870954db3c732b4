//! Kernel programs.
#![no_std]
#![no_main]

use aya_ebpf::{macros::classifier, programs::TcContext};

/// Placeholder until the data path lands.
#[classifier]
pub fn source_ingress(ctx: TcContext) -> i32 {
    if ctx.len() == 0 { 0 } else { -1 }
}

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 4] = *b"GPL\0";
