//! What crosses the border between kernel and agent: map keys and values, counters, marks.

mod address;
mod breaker;
mod counter;
mod extra_copy;
mod flow;
mod fragment;
mod guarded_server;
mod mapping;
pub mod mark;
mod meta;
mod noted_syn;
mod rate_state;
mod receive_buffer;
mod request_state;
mod selection;
pub mod served;
pub mod stamp;
#[cfg(feature = "user")]
mod user;
mod waits;

pub use address::{Address, MAX_ALLOWED_MACS, mac_key, v4_mapped};
pub use breaker::Breaker;
pub use counter::{
    Class, DerivedMapping, DerivedTarget, GuardCounter, LABEL, MappingCounter, Meaning,
    SourceCounter, TargetCounter, Unit,
};
pub use extra_copy::{EndpointKey, MAX_COPIES, MAX_OWNERS, Owner};
pub use flow::{CopySide, Evidence, Finished, Flow, FlowKey, Gap, ReplySide, State, since, ticks};
pub use fragment::FragmentKey;
pub use guarded_server::{GuardedServer, MAX_GUARDED_SERVERS};
pub use mapping::{
    GENERATIONS, MAX_FAN_OUT, MAX_MAPPINGS, MAX_REDUNDANCY, Mapping, PortSlot, slot_index,
};
pub use meta::Meta;
pub use noted_syn::NotedSyn;
pub use rate_state::RateState;
pub use receive_buffer::{MAX_LISTENERS, ReceiveBuffer};
pub use request_state::RequestState;
pub use selection::{
    ALL_FLOWS, BY_CLIENT_ADDRESS, ClientKey, EXCLUDED, INCLUDED, MAX_PREFIXES, Selection,
};
pub use waits::Waits;
