//! The source's maps, and the only functions that touch them.

use aya_ebpf::{
    bindings::BPF_ANY,
    macros::map,
    maps::{Array, LpmTrie, LruHashMap, PerCpuArray, lpm_trie::Key},
};
use mirror_common::abi::{
    Address, ClientKey, EndpointKey, GENERATIONS, MAX_FAN_OUT, MAX_MAPPINGS, MAX_OWNERS,
    MAX_PREFIXES, Mapping, MappingCounter, Meta, Owner, PortSlot, RateState, Selection,
    SourceCounter, slot_index,
};
use mirror_common::packet::parse::{self, Headers, ParseError};
use mirror_ebpf::{
    packet::{skb::Skb, socket::Room},
    runtime::{counters::Counters, trace},
};

use crate::{copy::Copy, cut::Cut, trace_hooks};

/// Which generation of PORTS, SELECTION and CLIENTS is in force. The agent fills the other one, and then changes this.
#[map]
static GENERATION: Array<u32> = Array::with_max_entries(1, 0);

/// By [`slot_index`].
#[map]
static PORTS: Array<PortSlot> = Array::with_max_entries(GENERATIONS << 16, 0);

#[map]
static MAPPINGS: Array<Mapping> = Array::with_max_entries(MAX_MAPPINGS, 0);

/// By generation. In a map and not a constant, so that it can change while the programs run.
#[map]
static SELECTION: Array<Selection> = Array::with_max_entries(GENERATIONS, 0);

/// Prefixes of clients' addresses, of both generations.
#[map]
static CLIENTS: LpmTrie<ClientKey, u32> = LpmTrie::with_max_entries(GENERATIONS * MAX_PREFIXES, 0);

#[map]
static COUNTERS: PerCpuArray<[u64; SourceCounter::COUNT]> = PerCpuArray::with_max_entries(1, 0);

#[map]
static MAPPING_COUNTERS: PerCpuArray<[u64; MappingCounter::COUNT]> =
    PerCpuArray::with_max_entries(MAX_MAPPINGS, 0);

/// How much each mapping was sent of late.
#[map]
static RATE_STATE: Array<RateState> = Array::with_max_entries(MAX_MAPPINGS, 0);

/// Whose an end of a connection at a target is, where connections are copied several times. Who is forgotten
/// writes itself down again.
#[map]
static OWNERS: LruHashMap<EndpointKey, Owner> = LruHashMap::with_max_entries(MAX_OWNERS, 0);

/// What is known of the packet at ingress. Not on the stack, which is small, and of which the verifier knows more than it
/// can go through.
#[map]
static PACKET: PerCpuArray<Arrived> = PerCpuArray::with_max_entries(1, 0);

/// What is known of the copy at the copy device; of one at a time, as clones of it are made and sent before.
#[map]
static COPY: PerCpuArray<Copy> = PerCpuArray::with_max_entries(1, 0);

/// What is known of a copy that is cut in pieces: what their programs are told, and what they say.
#[map]
static CUT: PerCpuArray<Cut> = PerCpuArray::with_max_entries(1, 0);

/// Written and read by the agent only; here so that it is pinned with the rest.
#[map]
static META: Array<Meta> = Array::with_max_entries(1, 0);

/// This CPU's counters of the interface.
#[inline(always)]
pub fn count(counter: SourceCounter) {
    if let Some(counters) = Counters::of(&COUNTERS, 0) {
        counters.add(counter as usize, 1);
    }
}

/// Adds one to this CPU's counter of packets seen, and to that of what became of one.
#[inline(always)]
pub fn count_seen(fate: SourceCounter) {
    trace::note::<trace_hooks::Ingress>(fate as u32);
    if let Some(counters) = Counters::of(&COUNTERS, 0) {
        counters.add(SourceCounter::Seen as usize, 1);
        counters.add(fate as usize, 1);
    }
}

/// Adds to this CPU's counter of mapping `index`.
#[inline(always)]
pub fn count_mapping(index: u32, counter: MappingCounter, amount: u64) {
    trace::note::<trace_hooks::Copies>(counter as u32);
    if let Some(counters) = Counters::of(&MAPPING_COUNTERS, index) {
        counters.add(counter as usize, amount);
    }
}

/// Adds a copy that left, in so many segments and bytes, to this CPU's counters of mapping `index`.
#[inline(always)]
pub fn count_sent(index: u32, segments: u64, bytes: u64) {
    trace::note::<trace_hooks::Copies>(MappingCounter::Sent as u32);
    if let Some(counters) = Counters::of(&MAPPING_COUNTERS, index) {
        counters.add(MappingCounter::Sent as usize, 1);
        counters.add(MappingCounter::SentSegments as usize, segments);
        counters.add(MappingCounter::SentBytes as usize, bytes);
    }
}

/// Adds copies that would have left, in so many segments and bytes, to this CPU's counters of mapping
/// `index`.
#[inline(always)]
pub fn count_dry_run(index: u32, copies: u64, segments: u64, bytes: u64) {
    if let Some(counters) = Counters::of(&MAPPING_COUNTERS, index) {
        counters.add(MappingCounter::DryRunCopies as usize, copies);
        counters.add(MappingCounter::DryRunSegments as usize, segments);
        counters.add(MappingCounter::DryRunBytes as usize, bytes);
    }
}

/// The generation that is in force.
#[inline(always)]
pub fn generation() -> u32 {
    GENERATION.get(0).map_or(0, |generation| generation % GENERATIONS)
}

/// What is mirrored, and until when.
#[inline(always)]
pub fn selection(generation: u32) -> Option<&'static Selection> {
    SELECTION.get(generation)
}

/// What the longest prefix says that covers this client.
#[inline(always)]
pub fn client(generation: u32, family: u8, addr: &Address) -> Option<u32> {
    let key = ClientKey { family: u32::from(family), addr: *addr }.in_generation(generation);
    CLIENTS.get(Key::new(ClientKey::BITS, key)).copied()
}

/// The mappings of a local port, `None` where it has none.
#[inline(always)]
pub fn port(generation: u32, number: u16) -> Option<&'static PortSlot> {
    PORTS.get(slot_index(generation, number)).filter(|slot| slot.len > 0)
}

/// Mapping `index`.
#[inline(always)]
pub fn mapping(index: u32) -> Option<&'static Mapping> {
    MAPPINGS.get(index)
}

/// How much mapping `index` was sent of late.
#[inline(always)]
pub fn rate_state(index: u32) -> Option<&'static mut RateState> {
    // SAFETY: an element stays where it is; CPUs write its numbers one by one, as `limit::admit` says.
    RATE_STATE.get_ptr_mut(index).map(|state| unsafe { &mut *state })
}

/// A packet at ingress.
pub struct Arrived {
    /// Its headers.
    pub headers: Headers,
    /// Room for more of them.
    pub room: Room,
}

/// Where to write down what is known of the packet at ingress, which nobody else uses meanwhile.
#[inline(always)]
pub fn arrived() -> Option<&'static mut Arrived> {
    // SAFETY: this CPU's; zeroed by the kernel, which is a valid value of every field. A packet's clone, which is judged
    // meanwhile, is at another hook.
    PACKET.get_ptr_mut(0).map(|packet| unsafe { &mut *packet })
}

/// Where to write down what is known of the copy at the copy device.
#[inline(always)]
pub fn copy() -> Option<&'static mut Copy> {
    // SAFETY: as above; it is used when all clones of the copy are gone.
    COPY.get_ptr_mut(0).map(|copy| unsafe { &mut *copy })
}

/// Where to write down what is known of a copy that is cut. Ask anew when a program of one of its pieces may have run.
#[inline(always)]
pub fn cut() -> Option<&'static mut Cut> {
    // SAFETY: as above; a piece's program runs within that of its copy, which does not use it meanwhile.
    CUT.get_ptr_mut(0).map(|cut| unsafe { &mut *cut })
}

/// Reads the packet's headers to where they are kept. A function of its own, so that they are read from there.
#[inline(never)]
pub fn parse_into(skb: Skb, headers: &mut Headers) -> Result<(), ParseError> {
    *headers = parse::headers(&skb)?;
    Ok(())
}

/// Whose this end of a connection is.
#[inline(always)]
pub fn owner(key: &EndpointKey) -> Option<Owner> {
    // SAFETY: copied out at once.
    unsafe { OWNERS.get(key) }.copied()
}

/// Writes down whose it is.
#[inline(always)]
pub fn write_owner(key: &EndpointKey, owner: &Owner) {
    let _ = OWNERS.insert(key, owner, u64::from(BPF_ANY));
}

/// Whether mapping `index` is for packets like the one with these headers, whose port it has.
#[inline(always)]
pub fn takes(index: u32, headers: &Headers) -> bool {
    mapping(index).is_some_and(|mapping| mapping.matches(headers.family, &headers.dst))
}

/// The index of the first mapping in `slot` that is for such packets, and that is `wanted`.
#[inline(always)]
pub fn find(slot: &PortSlot, headers: &Headers, wanted: impl Fn(u32) -> bool) -> Option<u32> {
    for position in 0..MAX_FAN_OUT {
        if position >= slot.len as usize {
            break;
        }
        let index = u32::from(slot.mapping[position]);
        if takes(index, headers) && wanted(index) {
            return Some(index);
        }
    }
    None
}
