//! Pinned links: which interface they are attached to, and ending them. aya has neither.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use nix::libc;

use super::syscall::bpf;

/// `include/uapi/linux/bpf.h`, `enum bpf_cmd`.
const BPF_OBJ_GET: libc::c_long = 7;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const BPF_LINK_DETACH: libc::c_long = 34;

/// `union bpf_attr`, for `BPF_OBJ_GET`.
#[repr(C)]
struct Get {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

/// `union bpf_attr`, `info`.
#[repr(C)]
struct GetInfo {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

/// `union bpf_attr`, `link_detach`.
#[repr(C)]
struct Detach {
    link_fd: u32,
}

/// `struct bpf_link_info` as far as links of tcx and of XDP have it in common.
#[repr(C)]
#[derive(Default)]
struct Info {
    kind: u32,
    id: u32,
    prog_id: u32,
    pad: u32,
    ifindex: u32,
    rest: u32,
}

/// The index of the interface, in the interface's own network namespace; 0 when it is gone.
///
/// # Errors
///
/// Where nothing is pinned there, or something else.
pub(super) fn ifindex(pin: &Path) -> io::Result<u32> {
    let link = open(pin)?;
    let mut info = Info::default();
    let mut get = GetInfo {
        bpf_fd: link.as_raw_fd().cast_unsigned(),
        info_len: size_of::<Info>() as u32,
        info: (&raw mut info) as u64,
    };
    // SAFETY: the kernel writes `info_len` bytes at most, for which `info` has room, and how many there were to `get`.
    unsafe { bpf(BPF_OBJ_GET_INFO_BY_FD, &raw mut get) }?;
    Ok(info.ifindex)
}

/// Takes the program off, at once. Without that, it goes some time after its pin: the kernel waits for whoever may look
/// at it (kernel: `bpf_free_inode`).
///
/// # Errors
///
/// Where nothing is pinned there, or something else, or it is attached to nothing any more.
pub(super) fn detach(pin: &Path) -> io::Result<()> {
    let link = open(pin)?;
    let mut detach = Detach { link_fd: link.as_raw_fd().cast_unsigned() };
    // SAFETY: the kernel reads `detach`, and keeps nothing of it.
    unsafe { bpf(BPF_LINK_DETACH, &raw mut detach) }.map(drop)
}

fn open(pin: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(pin.as_os_str().as_bytes())?;
    let mut get = Get { pathname: path.as_ptr() as u64, bpf_fd: 0, file_flags: 0 };
    // SAFETY: the kernel reads `get` and the path, which ends with a NUL, and keeps neither.
    let fd = unsafe { bpf(BPF_OBJ_GET, &raw mut get) }?;
    // SAFETY: the kernel has just given it to this process, and nothing else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
