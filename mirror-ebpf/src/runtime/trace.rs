//! `--debug-packets`: a line for each packet of the mirror, but no more than so many in a second.
//!
//! Off is a constant that the verifier sees, so that it takes all of this out.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use aya_log_ebpf::info;
use mirror_common::{
    abi::{Address, LABEL},
    packet::{
        Packet,
        parse::{self, Headers, TCP},
        seal,
        tcp::{self, Header},
    },
};

use crate::runtime::{clock, settings};

/// Lines in a second, for each hook on each CPU.
const LINES: u32 = 100;
/// Hooks that have lines.
const HOOKS: u32 = 2;

/// A hook whose packets can be logged.
pub trait Hook {
    /// Which of the [`HOOKS`]. Different where programs run nested.
    const INDEX: u32;
    /// What lines begin with.
    const NAME: &'static str;
    /// The name of what became of a packet; `None` if it is not the mirror's, and not worth a line.
    fn label(counter: u32) -> Option<[u8; LABEL]>;
}

/// The packet at hand, and how many lines there were. Not on the stack, which is small.
#[map]
static DEBUG: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(HOOKS, 0);

struct Scratch {
    second: u64,
    lines: u32,
    left_out: u32,
    /// The last counter that the packet moved, plus one.
    counter: u32,
    /// Whether what follows is the packet's.
    parsed: u32,
    headers: Headers,
    header: Header,
}

/// Call first: notes what the packet is, which may be another one afterwards.
#[inline(always)]
pub fn before<H: Hook>(packet: impl Packet) {
    if settings::debug_packets() != 0 {
        note_packet(packet, H::INDEX);
    }
}

/// Call where a counter is moved.
#[inline(always)]
pub fn note<H: Hook>(counter: u32) {
    if settings::debug_packets() != 0
        && let Some(scratch) = scratch(H::INDEX)
    {
        scratch.counter = counter + 1;
    }
}

/// Call last: writes the line.
#[inline(always)]
pub fn after<H: Hook>() {
    if settings::debug_packets() != 0 {
        write::<H>();
    }
}

#[inline(always)]
fn scratch(index: u32) -> Option<&'static mut Scratch> {
    // SAFETY: zeroed by the kernel, which is a valid value of every field; a hook's programs do not
    // use it while another of the same hook is between two uses on the same CPU.
    DEBUG.get_ptr_mut(index).map(|scratch| unsafe { &mut *scratch })
}

#[inline(never)]
fn note_packet<P: Packet>(packet: P, index: u32) {
    let Some(scratch) = scratch(index) else { return };
    scratch.counter = 0;
    scratch.parsed = 0;
    let Ok(headers) = parse::headers(&packet) else { return };
    scratch.headers = headers;
    scratch.header = Header([0; 5]);
    if headers.protocol == TCP {
        let Some(header) = packet.words(headers.l4).map(Header) else { return };
        let sealed = seal::is_sealed_tcp(&header, settings::seal());
        scratch.header = if sealed { seal::unseal_tcp(&header) } else { header };
    }
    scratch.parsed = 1;
}

#[inline(never)]
fn write<H: Hook>() {
    const SECOND: u64 = 1_000_000_000;

    let Some(scratch) = scratch(H::INDEX) else { return };
    if scratch.parsed == 0 || scratch.counter == 0 {
        return;
    }
    let Some(label) = H::label(scratch.counter - 1) else { return };
    scratch.counter = 0;
    let second = clock::now() / SECOND;
    if scratch.second != second {
        scratch.second = second;
        scratch.lines = 0;
    }
    if scratch.lines >= LINES {
        scratch.left_out += 1;
        return;
    }
    scratch.lines += 1;
    if scratch.left_out > 0 {
        info!((), target: "packets", "{}: {} lines left out", H::NAME, scratch.left_out);
        scratch.left_out = 0;
    }
    // SAFETY: names of counters are ASCII.
    let label = unsafe { core::str::from_utf8_unchecked(&label) };
    ends::<H>(scratch, label);
}

#[inline(always)]
fn ends<H: Hook>(scratch: &Scratch, label: &str) {
    let Scratch { headers, header, .. } = scratch;
    let payload = headers.l4 + if headers.protocol == TCP { header.length() } else { 8 };
    info!(
        (),
        target: "packets",
        "{} {} {:i} {} > {:i} {} seq {} ack {} flags {:x} length {}",
        H::NAME,
        label,
        octets(&headers.src),
        headers.src_port_number(),
        octets(&headers.dst),
        headers.dst_port_number(),
        header.seq(),
        header.ack(),
        header.flags() & (tcp::SYN | tcp::ACK | tcp::FIN | tcp::RST | tcp::PSH),
        headers.end.saturating_sub(payload),
    );
}

#[inline(always)]
fn octets(address: &Address) -> [u8; 16] {
    // SAFETY: words in memory order are the address's bytes in order.
    unsafe { core::mem::transmute(*address) }
}
