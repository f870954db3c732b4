//! Read-only values that the agent sets before a program is loaded. The verifier sees constants.

use mirror_common::packet::seal::Magic;

macro_rules! setting {
    ($name:ident, $getter:ident, $initial:expr, $doc:literal) => {
        #[unsafe(no_mangle)]
        static $name: u32 = $initial;

        #[doc = $doc]
        #[inline(always)]
        pub fn $getter() -> u32 {
            // SAFETY: a valid, aligned static; volatile since the agent replaces the value.
            unsafe { core::ptr::read_volatile(&raw const $name) }
        }
    };
}

setting!(SEAL, seal_number, Magic::DEFAULT.0, "The seal's magic, as a number.");
setting!(IFINDEX, ifindex, 0, "The interface that the programs are attached to.");
setting!(COPY_IFINDEX, copy_ifindex, 0, "The copy device, whose egress makes copies of clones.");
setting!(FORWARDED, forwarded, 0, "Whether to copy what this host does not take itself.");
setting!(HOLD_IFINDEX, hold_ifindex, 0, "The hold device that copies wait in; 0 for none.");
setting!(REDUNDANCY, redundancy, 1, "How often each TCP copy is sent.");
setting!(MACS_LIMITED, macs_limited, 0, "Whether only some may feed copies; 0 for all.");
setting!(
    BLOCKED,
    blocked,
    0,
    "What is blocked, as `mirror_common::memcached::admin_command` numbers it."
);
setting!(DEBUG_PACKETS, debug_packets, 0, "Whether to log packets; 0 for off.");

/// The seal's magic.
#[inline(always)]
pub fn seal() -> Magic {
    Magic(seal_number())
}
