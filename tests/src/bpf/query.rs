//! Which programs are attached where.

use std::io;

use nix::net::if_::if_nameindex;

use super::{
    program::Hook,
    syscall::{Attributes, Command, call},
};
use crate::Host;

/// Room for the programs of a hook: the kernel allows as many.
const MOST: u32 = 64;

/// A program that is attached at tcx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The kernel's number for the program.
    pub id: u64,
    /// Name of the interface.
    pub interface: String,
    /// `tcx/ingress` or `tcx/egress`.
    pub hook: &'static str,
}

impl Attached {
    /// Where it is, as bpftool writes it.
    pub fn place(&self) -> String {
        format!("{} {}", self.interface, self.hook)
    }
}

/// All programs at tcx of a host's interfaces, whoever attached them, in the order in which they run; none where the
/// kernel has no tcx (before Linux 6.6).
pub fn tcx(host: &Host) -> Vec<Attached> {
    host.run(|| {
        let interfaces = if_nameindex().expect("the kernel lists interfaces");
        let mut found = Vec::new();
        for interface in &interfaces {
            let name = interface.name().to_string_lossy();
            for (hook, called) in
                [(Hook::TcxIngress, "tcx/ingress"), (Hook::TcxEgress, "tcx/egress")]
            {
                let ids = programs(interface.index(), hook).unwrap_or_default();
                found.extend(ids.into_iter().map(|id| Attached {
                    id: u64::from(id),
                    interface: name.clone().into_owned(),
                    hook: called,
                }));
            }
        }
        found
    })
}

/// `struct { … } query`, on the calling thread's host.
fn programs(ifindex: u32, hook: Hook) -> io::Result<Vec<u32>> {
    let mut ids = vec![0u32; MOST as usize];
    let mut attributes = Attributes::default();
    attributes.u32(0, ifindex);
    attributes.u32(4, hook.attach_type());
    attributes.pointer(16, ids.as_mut_ptr());
    attributes.u32(24, MOST);
    call(Command::ProgramQuery, &mut attributes)?;
    ids.truncate(attributes.get(24) as usize);
    Ok(ids)
}
