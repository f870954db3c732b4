//! `--copies`: which copies of a connection are sent, by whose end.

use mirror_common::{
    abi::{Address, EndpointKey, MAX_COPIES, Owner, Selection},
    packet::parse::Headers,
    source::extra_copy::{self, Claim},
};
use mirror_ebpf::runtime::clock;

use crate::maps;

/// How often each connection is copied to each target.
#[inline(always)]
pub fn copies(selection: &Selection) -> u32 {
    selection.copies.clamp(1, MAX_COPIES)
}

/// What a clone that is copy number `copy` carries; what it means is said by `generation`.
#[inline(always)]
pub const fn pack(generation: u32, copy: u32) -> u32 {
    generation << 8 | copy
}

/// Generation and copy of such a token.
#[inline(always)]
pub const fn unpack(token: u32) -> (u32, u32) {
    (token >> 8 & 1, token & 0xff)
}

/// What stands for the packet's source in copy number `copy`.
#[inline(always)]
pub fn endpoint(selection: &Selection, headers: &Headers, copy: u32) -> (Address, u16) {
    extra_copy::of(selection, headers.family, &headers.src, headers.src_port, copy)
}

/// Whether copy number `copy` of the packet is sent: its end is this connection's, and not another's.
#[inline(always)]
pub fn claim(headers: &Headers, selection: &Selection, copy: u32) -> bool {
    let (addr, port) = endpoint(selection, headers, copy);
    if port == 0 {
        return false;
    }
    let key = EndpointKey {
        addr,
        port,
        local_port: headers.dst_port,
        protocol: u32::from(headers.protocol),
    };
    let me = Owner {
        addr: headers.src,
        port: headers.src_port,
        pad: 0,
        // About seconds: enough to tell a minute by.
        seen: (clock::now() >> 30) as u32,
    };
    match extra_copy::claim(maps::owner(&key).as_ref(), &me, copy == 0) {
        Claim::Taken => return false,
        Claim::Known => {}
        Claim::Write => maps::write_owner(&key, &me),
    }
    true
}
