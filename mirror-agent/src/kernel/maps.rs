//! The pinned BPF maps: the only place that knows their names and types. One function for each map.

use std::borrow::Borrow;

use anyhow::{Context as _, Result, bail};
use aya::{
    Pod,
    maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray, lpm_trie::LpmTrie},
};
use mirror_common::abi::{
    Breaker, ClientKey, Finished, Flow, FlowKey, GuardedServer, Mapping, MappingCounter, Meta,
    PortSlot, RateState, ReceiveBuffer, Selection, Waits,
};

use crate::kernel::{
    batch,
    pins::{Attachment, META, Role, is_missing},
};

const ALLOWED_MACS: &str = "ALLOWED_MACS";
const CLIENTS: &str = "CLIENTS";
const COUNTERS: &str = "COUNTERS";
const DIRECT_REQUESTS: &str = "DIRECT_REQUESTS";
const DROPPED_FRAGMENTS: &str = "DROPPED_FRAGMENTS";
const FINISHED: &str = "FINISHED";
const FLOWS: &str = "FLOWS";
const GENERATION: &str = "GENERATION";
const GUARDED_SERVERS: &str = "GUARDED_SERVERS";
const MAPPINGS: &str = "MAPPINGS";
const MAPPING_COUNTERS: &str = "MAPPING_COUNTERS";
const MULTIPATH: &str = "MULTIPATH";
const OWNERS: &str = "OWNERS";
const PORTS: &str = "PORTS";
const RATE_STATE: &str = "RATE_STATE";
const RECEIVE_BUFFERS: &str = "RECEIVE_BUFFERS";
const SELECTION: &str = "SELECTION";
const WAITS: &str = "WAITS";
const NOTED_SYNS: &str = "NOTED_SYNS";
const BREAKER: &str = "BREAKER";
const WAYS: &str = "WAYS";

/// The maps of a role that are pinned, those included that only the agent uses.
pub(super) const fn pinned(role: Role) -> &'static [&'static str] {
    match role {
        Role::Source => &[
            GENERATION,
            PORTS,
            MAPPINGS,
            SELECTION,
            CLIENTS,
            RATE_STATE,
            OWNERS,
            COUNTERS,
            MAPPING_COUNTERS,
            META,
        ],
        Role::Target => &[
            PORTS,
            FLOWS,
            FINISHED,
            DIRECT_REQUESTS,
            NOTED_SYNS,
            BREAKER,
            WAYS,
            MULTIPATH,
            DROPPED_FRAGMENTS,
            WAITS,
            ALLOWED_MACS,
            RECEIVE_BUFFERS,
            COUNTERS,
            META,
        ],
        Role::Guard => &[GUARDED_SERVERS, COUNTERS, META],
    }
}

/// The maps of connections, which all targets of a network namespace use together.
const SHARED: [&str; 7] =
    [FLOWS, FINISHED, MULTIPATH, NOTED_SYNS, DIRECT_REQUESTS, DROPPED_FRAGMENTS, BREAKER];

/// Pins the maps of connections that the target at `there` has for the one at `here`, which has none yet.
///
/// # Errors
///
/// Where one is not there, or the kernel refuses.
pub fn share(there: &Attachment, here: &Attachment) -> Result<()> {
    for name in SHARED {
        open(there, name)?
            .pin(here.map(name))
            .with_context(|| format!("cannot share {name} with {}", there.interface))?;
    }
    Ok(())
}

/// A set of keys in the kernel: a hash table whose values mean nothing.
pub struct Set<K: Pod> {
    name: &'static str,
    table: HashMap<MapData, K, u32>,
}

impl<K: Pod + PartialEq> Set<K> {
    /// All keys.
    ///
    /// # Errors
    ///
    /// Where the kernel does not give them.
    pub fn keys(&self) -> Result<Vec<K>> {
        let keys: Result<_, MapError> = self.table.keys().collect();
        keys.with_context(|| format!("cannot read {}", self.name))
    }

    /// Makes the set hold `wanted` and nothing else. New keys first, so that those that stay are there all the time.
    ///
    /// # Errors
    ///
    /// Where the kernel does not take them, as where they are too many.
    pub fn replace(&mut self, wanted: &[K]) -> Result<()> {
        let name = self.name;
        for key in wanted {
            self.table
                .insert(key, 1, 0)
                .with_context(|| format!("cannot write {name}: too many?"))?;
        }
        for key in self.keys()?.into_iter().filter(|key| !wanted.contains(key)) {
            self.table.remove(&key).with_context(|| format!("cannot write {name}"))?;
        }
        Ok(())
    }
}

/// What the agent remembers of an attachment.
pub fn meta(of: &Attachment) -> Result<Array<MapData, Meta>> {
    array(of, META)
}

/// Whether that was written down at all.
pub fn has_meta(of: &Attachment) -> bool {
    !is_missing(&of.map(META))
}

/// How many 64-bit words the fields of [`Meta`] take that are frozen.
pub(super) const FROZEN_WORDS: usize = 7;

/// The same of another version's: the fields that are frozen.
pub(super) fn frozen_meta(of: &Attachment) -> Result<[u64; FROZEN_WORDS]> {
    let map = open(of, META)?;
    let size = map.info().context("the kernel does not describe META")?.value_size();
    // The kernel copies whole values, whose size has to be known when this is compiled. All have 64-bit fields.
    macro_rules! first_words {
        ($($words:literal)*) => {
            match size / 8 {
                $($words => first::<$words>(map)?,)*
                _ => bail!("META has {size} bytes, which is not what any version writes"),
            }
        };
    }
    Ok(first_words!(7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32))
}

/// The first words of entry 0 of an array.
fn first<const N: usize>(map: MapData) -> Result<[u64; FROZEN_WORDS]> {
    let table: Array<MapData, [u64; N]> =
        Array::try_from(Map::Array(map)).with_context(|| unexpected(META))?;
    let value = get(&table, 0)?;
    let mut words = [0; FROZEN_WORDS];
    words.copy_from_slice(&value[..FROZEN_WORDS]);
    Ok(words)
}

/// Counters of an attachment, for each CPU: one entry.
pub fn counters<const N: usize>(of: &Attachment) -> Result<PerCpuArray<MapData, [u64; N]>> {
    per_cpu(of, COUNTERS)
}

/// Source: which generation of tables is active: one entry.
pub fn generation(source: &Attachment) -> Result<Array<MapData, u32>> {
    array(source, GENERATION)
}

/// Source: the maps of each port, in each generation.
pub fn mapped_ports(source: &Attachment) -> Result<Array<MapData, PortSlot>> {
    array(source, PORTS)
}

/// Source: `--map` entries by their index.
pub fn mappings(source: &Attachment) -> Result<Array<MapData, Mapping>> {
    array(source, MAPPINGS)
}

/// Source: counters of `--map` entries, for each CPU.
pub fn mapping_counters(
    source: &Attachment,
) -> Result<PerCpuArray<MapData, [u64; MappingCounter::COUNT]>> {
    per_cpu(source, MAPPING_COUNTERS)
}

/// Source: what is mirrored of that which `--map` entries match, by generation.
pub fn selection(source: &Attachment) -> Result<Array<MapData, Selection>> {
    array(source, SELECTION)
}

/// Source: prefixes of clients' addresses, of all generations.
pub fn clients(source: &Attachment) -> Result<LpmTrie<MapData, ClientKey, u32>> {
    LpmTrie::try_from(Map::LpmTrie(open(source, CLIENTS)?)).with_context(|| unexpected(CLIENTS))
}

/// Source: the state of the rate limit of `--map` entries by their index.
pub fn rate_state(source: &Attachment) -> Result<Array<MapData, RateState>> {
    array(source, RATE_STATE)
}

/// Target: what is done with a port, which is the index.
pub fn served_ports(target: &Attachment) -> Result<Array<MapData, u32>> {
    array(target, PORTS)
}

/// Target: what is done with each port, by its number. In one call where the kernel can: they are 65,536.
pub fn services(target: &Attachment) -> Result<Vec<u32>> {
    const PORTS_THERE_ARE: u32 = 1 << 16;
    if let Ok(services) = batch::values(&open(target, PORTS)?, PORTS_THERE_ARE) {
        return Ok(services);
    }
    let table = served_ports(target)?;
    let all: Result<_, MapError> = (0..PORTS_THERE_ARE).map(|port| get(&table, port)).collect();
    all.context("cannot read PORTS")
}

/// Target: mirrored connections.
pub fn flows(target: &Attachment) -> Result<HashMap<MapData, FlowKey, Flow>> {
    hash(target, FLOWS, Map::HashMap)
}

/// Target: mirrored connections that ended.
pub fn finished(target: &Attachment) -> Result<HashMap<MapData, FlowKey, Finished>> {
    hash(target, FINISHED, Map::LruHashMap)
}

/// Target: the longest wait in the hold queue: one entry.
pub fn waits(target: &Attachment) -> Result<Array<MapData, Waits>> {
    array(target, WAITS)
}

/// Target: whether this host's answers are seen: one entry.
pub fn breaker(target: &Attachment) -> Result<Array<MapData, Breaker>> {
    array(target, BREAKER)
}

/// Target: interfaces at whose egress the program is, by index.
pub fn ways(target: &Attachment) -> Result<Set<u32>> {
    set(target, WAYS)
}

/// Target: MAC addresses that copies are taken from.
pub fn allowed_macs(target: &Attachment) -> Result<Set<u64>> {
    set(target, ALLOWED_MACS)
}

/// Target: what memcached's listeners had, by socket cookie; `None` where an attachment of another version has no
/// such map.
pub fn receive_buffers(
    target: &Attachment,
) -> Result<Option<HashMap<MapData, u64, ReceiveBuffer>>> {
    if is_missing(&target.map(RECEIVE_BUFFERS)) {
        return Ok(None);
    }
    hash(target, RECEIVE_BUFFERS, Map::HashMap).map(Some)
}

/// Guard: memcacheds whose packets are dropped.
pub fn guarded_servers(guard: &Attachment) -> Result<Set<GuardedServer>> {
    set(guard, GUARDED_SERVERS)
}

/// Entry `index` of `array`.
pub fn get<T: Borrow<MapData>, V: Pod>(array: &Array<T, V>, index: u32) -> Result<V, MapError> {
    array.get(&index, 0)
}

fn open(of: &Attachment, name: &str) -> Result<MapData> {
    MapData::from_pin(of.map(name))
        .with_context(|| format!("cannot open map {name} of the {} at {}", of.role, of.interface))
}

fn unexpected(name: &str) -> String {
    format!("map {name} is not what this version expects")
}

fn array<V: Pod>(of: &Attachment, name: &str) -> Result<Array<MapData, V>> {
    Array::try_from(Map::Array(open(of, name)?)).with_context(|| unexpected(name))
}

fn per_cpu<V: Pod>(of: &Attachment, name: &str) -> Result<PerCpuArray<MapData, V>> {
    PerCpuArray::try_from(Map::PerCpuArray(open(of, name)?)).with_context(|| unexpected(name))
}

fn set<K: Pod>(of: &Attachment, name: &'static str) -> Result<Set<K>> {
    Ok(Set { name, table: hash(of, name, Map::HashMap)? })
}

fn hash<K: Pod, V: Pod>(
    of: &Attachment,
    name: &str,
    kind: fn(MapData) -> Map,
) -> Result<HashMap<MapData, K, V>> {
    HashMap::try_from(kind(open(of, name)?)).with_context(|| unexpected(name))
}
