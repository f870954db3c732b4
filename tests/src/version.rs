//! What another version of the agent attached: the present one's programs and maps, which say that they have another
//! layout.

use std::mem::offset_of;

use mirror_common::abi::Meta;

use crate::{Host, bpf::Map};

/// What an agent of that version calls itself.
pub const OTHER: &str = "9.9.9";

/// Has what is attached to `eth0` as `role` be that of another version.
pub fn estrange(host: &Host, role: &str) {
    Map::pinned(&host.bpffs().join(format!("mirror-agent/eth0/{role}/META"))).change_all(|meta| {
        let abi = offset_of!(Meta, abi);
        meta[abi..abi + 4].copy_from_slice(&(Meta::ABI + 1000).to_ne_bytes());
        let version = offset_of!(Meta, version);
        meta[version..version + OTHER.len() + 1].copy_from_slice(format!("{OTHER}\0").as_bytes());
    });
}
