//! Whether a payload is a command that memcached is not to be given.

use mirror_common::memcached::admin_command::{self, LOOK};
use mirror_ebpf::{packet::skb::Skb, runtime::settings};

/// Whether the `length` bytes at `at` are such a command, and nothing else.
#[inline(always)]
pub fn blocked(skb: Skb, at: u32, length: u32) -> bool {
    if settings::blocked() == 0 || length == 0 || length > LOOK as u32 {
        return false;
    }
    let Some(head) = skb.beginning(at, length) else { return false };
    admin_command::may_be(&head) && is_withheld(skb, at, length)
}

#[inline(never)]
fn is_withheld(skb: Skb, at: u32, length: u32) -> bool {
    let Some(bytes) = skb.beginning::<LOOK>(at, length) else { return false };
    admin_command::blocked(&bytes, length) & settings::blocked() != 0
}
