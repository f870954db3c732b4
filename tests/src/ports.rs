//! What a target does with a port, written past the agent: the kernel's table is in the state between two
//! for a moment only, while the agent takes a port off.

use mirror_common::abi::served;

use crate::{Host, bpf::Map};

/// Has the target at `eth0` refuse copies for `port`, and still keep replies to them from leaving.
pub fn retire(host: &Host, port: u16) {
    set(host, port, served::DRAINING);
}

/// Has it serve `port` again.
pub fn serve(host: &Host, port: u16) {
    set(host, port, served::YES);
}

fn set(host: &Host, port: u16, value: u32) {
    let map = Map::pinned(&host.bpffs().join("mirror-agent/eth0/target/PORTS"));
    map.write(u32::from(port), value);
}
