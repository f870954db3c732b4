//! What another version of the agent attached: the present one's programs and maps, which say that they have another
//! layout.

use std::{cell::RefCell, mem::offset_of, path::PathBuf};

use mirror_common::abi::Meta;

use crate::{Host, bpf::Map};

/// What an agent of that version calls itself.
pub const OTHER: &str = "9.9.9";

/// Has what is attached to `eth0` as `role` be that of another version.
pub fn estrange(host: &Host, role: &str) {
    Map::pinned(&notes(host, role)).change_all(|meta| {
        let abi = offset_of!(Meta, abi);
        meta[abi..abi + 4].copy_from_slice(&(Meta::ABI + 1000).to_ne_bytes());
        let version = offset_of!(Meta, version);
        meta[version..version + OTHER.len() + 1].copy_from_slice(format!("{OTHER}\0").as_bytes());
    });
}

/// The same of a version that remembers more than the present one: only what is frozen has its place.
pub fn estrange_more(host: &Host, role: &str) {
    estrange(host, role);
    let path = notes(host, role);
    let known = RefCell::new(Vec::new());
    Map::pinned(&path).change_all(|meta| meta.clone_into(&mut known.borrow_mut()));
    let frozen = offset_of!(Meta, netns_inode) + size_of_val(&Meta::default().netns_inode);
    let mut value = known.into_inner();
    value[frozen..].fill(0xa5);
    value.resize(size_of::<Meta>() + 24, 0xa5);
    std::fs::remove_file(&path).expect("the pin is there");
    let bytes: Vec<String> = value.iter().map(ToString::to_string).collect();
    host.shell(&format!(
        "bpftool map create {path} type array key 4 value {size} entries 1 name META
         bpftool map update pinned {path} key 0 0 0 0 value {bytes}",
        path = path.display(),
        size = value.len(),
        bytes = bytes.join(" "),
    ));
}

/// Has a table of what is attached to `eth0` as `role` be of a kind that the present version does not know.
pub fn estrange_table(host: &Host, role: &str, table: &str) {
    let path = notes(host, role).with_file_name(table);
    std::fs::remove_file(&path).expect("the pin is there");
    let path = path.display();
    host.shell(&format!("bpftool map create {path} type hash key 4 value 4 entries 1 name other"));
}

/// Where the agent keeps what it remembers.
fn notes(host: &Host, role: &str) -> PathBuf {
    host.bpffs().join(format!("mirror-agent/eth0/{role}/META"))
}
