//! The kernel objects: loading them onto pinned maps, and reaching the maps.

use std::{borrow::Borrow, io, path::Path};

use anyhow::{Context as _, Result, bail};
use aya::{
    Ebpf, EbpfLoader, Pod,
    maps::{Array, HashMap, Map, MapData, MapError},
    programs::Program,
};
use mirror_common::abi::Meta;

use crate::kernel::pins::{Attachment, Role};

/// Bytes of a ring buffer that nobody writes to: the kernel wants a page.
const SMALLEST_RING: u32 = 4096;

static SOURCE: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/source"));
static TARGET: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/target"));
static GUARD: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/guard"));

/// Maps that are pinned, those that hold what the agent sets included.
const SOURCE_MAPS: &[&str] = &[
    "GENERATION",
    "PORTS",
    "MAPPINGS",
    "SELECTION",
    "CLIENTS",
    "GAUGES",
    "OWNERS",
    "COUNTERS",
    "MAPPING_COUNTERS",
    "META",
];

/// Values that are fixed when a program is loaded.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The seal's magic.
    pub magic: u32,
    /// The interface the programs are for.
    pub ifindex: u32,
    /// Near end of the hold device, for the target.
    pub hold_ifindex: u32,
    /// Size of the flow table, for the target.
    pub flows: u32,
    /// How often each TCP copy is sent, for the source.
    pub redundancy: u32,
    /// Whether only some may feed copies, for the target.
    pub macs_limited: bool,
    /// Commands that are blocked, as `mirror_common::memcached::admin_command` numbers them, for the target.
    pub blocked: u32,
    /// Receive buffer that a target's listeners are to have, 0 for their own; remembered, for `status`.
    pub receive_buffer: u32,
    /// Whether to log packets.
    pub debug_packets: bool,
}

impl Settings {
    /// A source's; what only a target has is not set.
    pub const fn source(ifindex: u32, magic: u32, redundancy: u32) -> Self {
        Self { magic, redundancy, ..Self::guard(ifindex) }
    }

    /// A guard's, which knows nothing of copies.
    pub const fn guard(ifindex: u32) -> Self {
        Self {
            magic: 0,
            ifindex,
            hold_ifindex: 0,
            flows: 0,
            redundancy: 1,
            macs_limited: false,
            blocked: 0,
            receive_buffer: 0,
            debug_packets: false,
        }
    }
}

/// Loads `attachment`'s object. Maps that are pinned are used, others are made and pinned.
pub fn load(attachment: &Attachment, settings: &Settings) -> Result<Ebpf> {
    let macs_limited = u32::from(settings.macs_limited);
    let debug_packets = u32::from(settings.debug_packets);
    let mut loader = EbpfLoader::new();
    let (object, maps): (_, &[&str]) = match attachment.role {
        Role::Source => {
            loader.override_global("REDUNDANCY", &settings.redundancy, true);
            (SOURCE, SOURCE_MAPS)
        }
        Role::Target => {
            loader
                .map_max_entries("FLOWS", settings.flows)
                .override_global("HOLD_IFINDEX", &settings.hold_ifindex, true)
                .override_global("IFINDEX", &settings.ifindex, true)
                .override_global("MACS_LIMITED", &macs_limited, true)
                .override_global("BLOCKED", &settings.blocked, true);
            let maps = &[
                "PORTS",
                "FLOWS",
                "FINISHED",
                "DIRECT_REQUESTS",
                "MULTIPATH",
                "DROPPED_FRAGMENTS",
                "WAITS",
                "ALLOWED_MACS",
                "RECEIVE_BUFFERS",
                "COUNTERS",
                "META",
            ];
            (TARGET, maps)
        }
        Role::Guard => (GUARD, &["GUARDED_SERVERS", "COUNTERS", "META"]),
    };
    if attachment.role != Role::Guard {
        loader.override_global("SEAL", &settings.magic, true).override_global(
            "DEBUG_PACKETS",
            &debug_packets,
            true,
        );
        if !settings.debug_packets {
            loader.map_max_entries("AYA_LOGS", SMALLEST_RING);
        }
    }
    for name in maps {
        loader.map_pin_path(name, attachment.map(name));
    }
    let mut ebpf = loader.load(object).context("the kernel refused the maps")?;
    for (name, program) in ebpf.programs_mut() {
        let loaded = match program {
            Program::SchedClassifier(program) => program.load(),
            Program::Xdp(program) => program.load(),
            _ => bail!("{name} is neither a tc program nor one of XDP"),
        };
        loaded.with_context(|| format!("the kernel refused the program {name}"))?;
    }
    Ok(ebpf)
}

/// The pinned map `name`.
pub fn pinned(attachment: &Attachment, name: &str) -> Result<MapData> {
    MapData::from_pin(attachment.map(name)).with_context(|| {
        format!("cannot open map {name} of the {} at {}", attachment.role, attachment.interface)
    })
}

/// The pinned array `name`.
pub fn array<V: Pod>(attachment: &Attachment, name: &str) -> Result<Array<MapData, V>> {
    Array::try_from(Map::Array(pinned(attachment, name)?))
        .with_context(|| format!("map {name} is not what this version expects"))
}

/// The pinned hash table `name`; `kind` is `Map::HashMap` or `Map::LruHashMap`.
pub fn hash<K: Pod, V: Pod>(
    attachment: &Attachment,
    name: &str,
    kind: fn(MapData) -> Map,
) -> Result<HashMap<MapData, K, V>> {
    HashMap::try_from(kind(pinned(attachment, name)?))
        .with_context(|| format!("map {name} is not what this version expects"))
}

/// The keys of the pinned hash table `name`, for those that are no more than a set of keys.
pub fn keys<K: Pod>(attachment: &Attachment, name: &str) -> Result<Vec<K>> {
    hash::<K, u32>(attachment, name, Map::HashMap)?
        .keys()
        .collect::<Result<_, MapError>>()
        .with_context(|| format!("cannot read {name}"))
}

/// Makes such a table hold `wanted` and nothing else. New keys first, so that those that stay are there all the
/// time.
pub fn set_keys<K: Pod + PartialEq>(
    attachment: &Attachment,
    name: &str,
    wanted: &[K],
) -> Result<()> {
    let mut table = hash::<K, u32>(attachment, name, Map::HashMap)?;
    for key in wanted {
        table.insert(key, 1, 0).with_context(|| format!("cannot write {name}: too many?"))?;
    }
    for key in keys::<K>(attachment, name)?.into_iter().filter(|key| !wanted.contains(key)) {
        table.remove(&key).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}

/// Whether everything was attached. Not so while an agent is at it, or when one was killed meanwhile.
pub fn is_complete(attachment: &Attachment) -> bool {
    array::<Meta>(attachment, "META")
        .and_then(|table| Ok(get(&table, 0)?))
        .is_ok_and(|meta| meta.abi != 0)
}

/// What is known of an attachment. Refuses one that another version made.
pub fn meta(attachment: &Attachment) -> Result<Meta> {
    let meta: Meta = get(&array(attachment, "META")?, 0)?;
    if meta.abi != Meta::ABI {
        bail!(
            "the {} at {} was attached by another version ({}); detach it with that version, or \
             remove its pins, and attach again",
            attachment.role,
            attachment.interface,
            version(&meta)
        );
    }
    Ok(meta)
}

/// Writes down who attached, when and where.
pub fn write_meta(attachment: &Attachment, settings: &Settings) -> Result<()> {
    let mut version = [0; 24];
    for (to, from) in version.iter_mut().zip(env!("CARGO_PKG_VERSION").bytes()) {
        *to = from;
    }
    let attached_at = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let meta = Meta {
        abi: Meta::ABI,
        ifindex: settings.ifindex,
        attached_at,
        version,
        seal: settings.magic,
        redundancy: settings.redundancy,
        receive_buffer: settings.receive_buffer,
        pad: 0,
    };
    array(attachment, "META")?.set(0, meta, 0).context("cannot write META")
}

/// The version of the agent that attached.
pub fn version(meta: &Meta) -> String {
    let text: Vec<u8> = meta.version.iter().copied().take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&text).into_owned()
}

/// Entry `index` of `array`.
pub fn get<T: Borrow<MapData>, V: Pod>(array: &Array<T, V>, index: u32) -> Result<V, MapError> {
    array.get(&index, 0)
}

/// Whether `error` says that a file is not there.
pub fn is_missing(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false))
        || matches!(path.metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound)
}
