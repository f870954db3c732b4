//! The system call (kernel: `include/uapi/linux/bpf.h`), as far as the lab needs it.

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

/// What to do: the numbers of `enum bpf_cmd`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Command {
    MapCreate = 0,
    MapLookup = 1,
    MapUpdate = 2,
    MapNextKey = 4,
    ProgramLoad = 5,
    ObjectGet = 7,
    ProgramTestRun = 10,
    ProgramById = 13,
    ObjectInfo = 15,
    ProgramQuery = 16,
    LinkCreate = 28,
}

/// `union bpf_attr`, filled by offset.
#[repr(C, align(8))]
pub(super) struct Attributes([u8; 128]);

impl Default for Attributes {
    fn default() -> Self {
        Self([0; 128])
    }
}

impl Attributes {
    pub(super) fn u32(&mut self, offset: usize, value: u32) {
        self.0[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
    }

    pub(super) fn fd(&mut self, offset: usize, value: &OwnedFd) {
        self.u32(offset, value.as_raw_fd().cast_unsigned());
    }

    pub(super) fn pointer<T>(&mut self, offset: usize, value: *const T) {
        self.0[offset..offset + 8].copy_from_slice(&(value as u64).to_ne_bytes());
    }

    /// A text, which zeros follow.
    pub(super) fn text(&mut self, offset: usize, value: &str) {
        self.0[offset..offset + value.len()].copy_from_slice(value.as_bytes());
    }

    /// What the kernel left at `offset`.
    pub(super) fn get(&self, offset: usize) -> u32 {
        let [a, b, c, d, ..] = self.0[offset..] else { unreachable!("an offset of the union") };
        u32::from_ne_bytes([a, b, c, d])
    }
}

/// A command that makes or opens something.
pub(super) fn descriptor(command: Command, attributes: &mut Attributes) -> io::Result<OwnedFd> {
    let fd = call(command, attributes)?;
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Any command.
pub(super) fn call(command: Command, attributes: &mut Attributes) -> io::Result<i64> {
    let pointer = std::ptr::from_mut(attributes);
    // SAFETY: the attributes are as large as said, and what they point to lives during the call.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command as i64, pointer, size_of::<Attributes>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// What is pinned at `path`.
pub(super) fn pinned(path: &Path) -> OwnedFd {
    let name = CString::new(path.as_os_str().as_bytes()).expect("a path without zeros");
    let mut attributes = Attributes::default();
    attributes.pointer(0, name.as_ptr());
    descriptor(Command::ObjectGet, &mut attributes)
        .unwrap_or_else(|error| panic!("{} cannot be opened: {error}", path.display()))
}
