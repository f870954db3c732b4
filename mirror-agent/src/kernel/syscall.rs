//! `bpf(2)`, for commands that aya has no function for.

use std::io;

use nix::libc;

/// The system call. What it returns is a file or 0.
///
/// # Errors
///
/// What the kernel says.
///
/// # Safety
///
/// `attributes` has to be the part of `union bpf_attr` that `command` takes (`include/uapi/linux/bpf.h`).
pub(super) unsafe fn bpf<T>(command: libc::c_long, attributes: *mut T) -> io::Result<i32> {
    // SAFETY: as this function asks for.
    let done = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    match i32::try_from(done) {
        Ok(done) if done >= 0 => Ok(done),
        _ => Err(io::Error::last_os_error()),
    }
}
