//! Maps: arrays by index, and others as bytes.

use std::{
    os::fd::{AsRawFd as _, OwnedFd, RawFd},
    path::Path,
};

use super::syscall::{Attributes, Command, call, descriptor, pinned};

const ARRAY: u32 = 2;

/// One in the kernel.
#[derive(Debug)]
pub(crate) struct Map(OwnedFd);

impl Map {
    /// A new array of so many 64-bit numbers, all zero.
    pub(crate) fn new(entries: u32) -> Self {
        let mut attributes = Attributes::default();
        attributes.u32(0, ARRAY);
        attributes.u32(4, 4);
        attributes.u32(8, 8);
        attributes.u32(12, entries);
        Self(descriptor(Command::MapCreate, &mut attributes).expect("a map can be made"))
    }

    /// The one that is pinned at `path`.
    pub(crate) fn pinned(path: &Path) -> Self {
        Self(pinned(path))
    }

    /// Entry `index` of 64 bits.
    pub(crate) fn read(&self, index: u32) -> u64 {
        let mut value = [0];
        self.read_into(index, &mut value);
        value[0]
    }

    /// Entry `index` of as many 64-bit numbers as there is room for in `value`. A per-CPU array gives those
    /// of each CPU there may be, one after the other.
    pub(crate) fn read_into(&self, index: u32, value: &mut [u64]) {
        let mut attributes = self.entry(&index);
        attributes.pointer(16, value.as_mut_ptr());
        call(Command::MapLookup, &mut attributes).expect("a map can be read");
    }

    /// Overwrites entry `index` of 32 bits.
    pub(crate) fn write(&self, index: u32, value: u32) {
        let mut attributes = self.entry(&index);
        attributes.pointer(16, &raw const value);
        call(Command::MapUpdate, &mut attributes).expect("a map can be written");
    }

    /// Changes the value of each entry.
    pub(crate) fn change_all(&self, change: impl Fn(&mut [u8])) {
        let (key_size, value_size) = self.sizes();
        // First all keys: an entry that is written moves.
        let mut keys: Vec<Vec<u8>> = Vec::new();
        loop {
            let mut next = vec![0u8; key_size];
            let mut attributes = Attributes::default();
            attributes.fd(0, &self.0);
            attributes.pointer(8, keys.last().map_or(std::ptr::null(), |key| key.as_ptr()));
            attributes.pointer(16, next.as_mut_ptr());
            if call(Command::MapNextKey, &mut attributes).is_err() {
                break;
            }
            keys.push(next);
        }
        for key in keys {
            let mut value = vec![0u8; value_size];
            let mut attributes = Attributes::default();
            attributes.fd(0, &self.0);
            attributes.pointer(8, key.as_ptr());
            attributes.pointer(16, value.as_mut_ptr());
            call(Command::MapLookup, &mut attributes).expect("the entry is still there");
            change(&mut value);
            call(Command::MapUpdate, &mut attributes).expect("the entry can be written");
        }
    }

    /// Bytes of a key, and of a value.
    fn sizes(&self) -> (usize, usize) {
        // `struct bpf_map_info`: type, id, size of keys, size of values.
        let mut info = [0u32; 4];
        let mut attributes = Attributes::default();
        attributes.fd(0, &self.0);
        attributes.u32(4, 16);
        attributes.pointer(8, info.as_mut_ptr());
        call(Command::ObjectInfo, &mut attributes).expect("the kernel describes a map");
        (info[2] as usize, info[3] as usize)
    }

    pub(crate) fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    fn entry(&self, index: &u32) -> Attributes {
        let mut attributes = Attributes::default();
        attributes.fd(0, &self.0);
        attributes.pointer(8, std::ptr::from_ref(index));
        attributes
    }
}
