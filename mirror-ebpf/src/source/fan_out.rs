//! The clones of a clone: for further targets, extra copies of a connection, and against loss.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;
use mirror_common::{
    abi::{
        MAX_FAN_OUT, MAX_REDUNDANCY, MappingCounter, PortSlot, Selection,
        mark::{self, Stage},
    },
    packet::parse::{self, Headers},
};
use mirror_ebpf::{packet::skb::Skb, runtime::settings};

use crate::{
    extra_copy, maps,
    rate_limit::{self, Charge},
};

/// What is asked for, and how far it is done.
struct FanOut<'a> {
    skb: Skb,
    headers: &'a Headers,
    slot: &'a PortSlot,
    selection: &'a Selection,
    charge: Charge,
    generation: u32,
    /// The mapping that `skb` itself is for.
    first: u32,
    copies: u32,
    times: u32,
    /// Whether the first mapping was reached.
    reached: bool,
    /// Whether the present mapping takes the packet.
    taken: bool,
}

/// Makes the clones that the packet's port asks for, all but one for the first mapping, which is
/// `skb` itself.
#[inline(always)]
pub fn clone_for_others(skb: Skb, generation: u32, first: u32) {
    let Some(selection) = maps::selection(generation) else { return };
    let copies = extra_copy::copies(selection);
    let alone = |port| maps::port(generation, port).is_none_or(|slot| slot.len < 2);
    if settings::redundancy() == 1
        && copies == 1
        && parse::plain_ports(&skb).is_some_and(|(_, to)| alone(to))
    {
        return;
    }
    let Ok(headers) = parse::headers(&skb) else { return };
    let Some(slot) = maps::port(generation, headers.dst_port_number()) else { return };
    // False, which the verifier must not know: those of Linux 6.1 go through `step` once, with what is true before
    // its first turn, and take out what that makes unreachable.
    let not_yet = skb.ifindex() == 0;
    let mut fan = FanOut {
        skb,
        headers: &headers,
        slot,
        selection,
        charge: Charge::of(skb, &headers, selection),
        generation,
        first,
        copies,
        times: rate_limit::times(&headers),
        reached: not_yet,
        taken: not_yet,
    };
    let steps = slot.len.min(MAX_FAN_OUT as u32) * copies;
    let step: unsafe extern "C" fn(u64, *mut FanOut<'_>) -> i64 = step;
    // A loop of the kernel's, since the verifier goes through one of ours turn by turn.
    // SAFETY: the kernel calls `step` with a number and `fan`, which outlives the call.
    unsafe { bpf_loop(steps, step as *mut c_void, (&raw mut fan).cast(), 0) };
    skb.set_copy_id(0);
}

/// Called by the kernel for each copy of each mapping; returns 1 to stop.
unsafe extern "C" fn step(number: u64, fan: *mut FanOut<'_>) -> i64 {
    // SAFETY: valid for as long as the call is (see `clone_for_others`).
    let fan = unsafe { &mut *fan };
    // Never zero, which the compiler cannot know.
    let copies = u64::from(fan.copies.max(1));
    // All 64 bits, which the verifier then knows as an index.
    let (position, copy) = (number / copies, (number % copies) as u32);
    if position >= MAX_FAN_OUT as u64 {
        return 1;
    }
    let index = u32::from(fan.slot.mapping[position as usize]);
    if copy == 0 {
        fan.taken = takes(fan, index);
    }
    if fan.taken {
        copy_for(fan, index, copy);
    }
    0
}

/// Whether mapping `index` takes the packet. Those before the first did not, at ingress.
#[inline(always)]
fn takes(fan: &mut FanOut<'_>, index: u32) -> bool {
    if !maps::takes(index, fan.headers) {
        return false;
    }
    fan.reached |= index == fan.first;
    fan.reached && (index == fan.first || fan.charge.admits(index))
}

/// Makes the clones that copy number `copy` is sent in.
#[inline(always)]
fn copy_for(fan: &FanOut<'_>, index: u32, copy: u32) {
    if fan.copies > 1 && !extra_copy::claim(fan.headers, fan.selection, copy) {
        maps::count_mapping(index, MappingCounter::EndpointConflict, 1);
        return;
    }
    fan.skb.set_copy_id(extra_copy::pack(fan.generation, copy));
    let done = u32::from(copy == 0 && index == fan.first);
    for time in 0..MAX_REDUNDANCY {
        if time >= done && time < fan.times {
            clone_for(fan.skb, index);
        }
    }
}

/// Makes one clone, for mapping `index`.
#[inline(always)]
fn clone_for(skb: Skb, index: u32) {
    skb.set_mark(mark::pack(Stage::Rewrite, index));
    let cloned = skb.clone_to_egress(settings::copy_ifindex());
    maps::count_mapping(index, MappingCounter::Copies, 1);
    if cloned.is_err() {
        maps::count_mapping(index, MappingCounter::FailedClone, 1);
    }
}
