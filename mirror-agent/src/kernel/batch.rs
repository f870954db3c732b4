//! Reading many entries of a BPF map in one call, which aya has no function for.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::maps::MapData;
use nix::libc;

use super::syscall::bpf;

/// `include/uapi/linux/bpf.h`, `enum bpf_cmd`.
const BPF_MAP_LOOKUP_BATCH: libc::c_long = 24;

/// `include/uapi/linux/bpf.h`, `union bpf_attr`, `batch`.
#[repr(C)]
#[derive(Default)]
struct Batch {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

/// All values of an array of `count` 32-bit numbers, by their index.
///
/// # Errors
///
/// Where the kernel cannot do it (before Linux 5.6), or the array is another.
pub(super) fn values(array: &MapData, count: u32) -> io::Result<Vec<u32>> {
    let info = array.info().map_err(io::Error::other)?;
    if (info.key_size(), info.value_size(), info.max_entries()) != (4, 4, count) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let (mut keys, mut values) = (vec![0u32; count as usize], vec![0u32; count as usize]);
    let mut next = 0u32;
    let mut batch = Batch {
        out_batch: (&raw mut next) as u64,
        keys: keys.as_mut_ptr() as u64,
        values: values.as_mut_ptr() as u64,
        count,
        map_fd: array.fd().as_fd().as_raw_fd().cast_unsigned(),
        ..Batch::default()
    };
    // SAFETY: the kernel writes up to `count` keys and values of the map's sizes (`generic_map_lookup_batch`), four bytes
    // each, for which both have room, one key to `next`, and how many there were to `batch`; all of them outlive the call.
    match unsafe { bpf(BPF_MAP_LOOKUP_BATCH, &raw mut batch) } {
        // That there are no more is said as an error.
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if batch.count != count || keys.iter().zip(0..).any(|(key, index)| *key != index) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(values)
}
