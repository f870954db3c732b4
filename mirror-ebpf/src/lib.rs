//! What the programs share: the packet, counters, settings.
//!
//! `source/` is the old host's object, `target/` the new host's, `guard/` that of whoever wants a second
//! belt. All only fetch bytes, ask `mirror-common` and carry out its verdict.
#![no_std]

pub mod packet;
pub mod runtime;

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
