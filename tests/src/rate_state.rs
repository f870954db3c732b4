//! What the kernel keeps of rate limits.

use mirror_common::abi::ALL_FLOWS;

use crate::{Host, bpf::Map};

/// Has the limits of all maps of the source at `eth0` shed every connection, from now on and for good.
pub fn shed_all(host: &Host) {
    let map = Map::pinned(&host.bpffs().join("mirror-agent/eth0/source/RATE_STATE"));
    // `mirror_common::abi::RateState`: a window that is never over, in which nothing was sent.
    let gauge = [u64::MAX, 0, u64::from(ALL_FLOWS)].map(u64::to_ne_bytes).concat();
    map.change_all(|value| value.copy_from_slice(&gauge));
}
