//! Time for a target's flows, written past the agent: nobody has to wait until they are old.

use std::{mem::offset_of, time::Duration};

use mirror_common::abi::{Flow, ticks};

use crate::{Host, bpf::Map};

/// When something last happened to a flow, in ns of the monotonic clock; 0 for never.
const TIMES: [usize; 4] = [
    offset_of!(Flow, copy.stalled_at),
    offset_of!(Flow, copy.gap_at),
    offset_of!(Flow, copy.released_at),
    offset_of!(Flow, copy.seen_at),
];
/// The same in the units of a flow.
const TICKS: [usize; 3] = [
    offset_of!(Flow, copy.ahead_at),
    offset_of!(Flow, copy.desynced_at),
    offset_of!(Flow, copy.acked_at),
];

/// All that happened to the flows of the target at `eth0` is longer ago, by this.
pub fn age(host: &Host, by: Duration) {
    let by = u64::try_from(by.as_nanos()).expect("a short time");
    Map::pinned(&host.bpffs().join("mirror-agent/eth0/target/FLOWS")).change_all(|flow| {
        for at in TIMES {
            let field = &mut flow[at..at + 8];
            let then = u64::from_ne_bytes(field.try_into().expect("eight bytes"));
            if then != 0 {
                // A machine that was just started has no time as long ago as that.
                let earlier = then.saturating_sub(by).max(1);
                field.copy_from_slice(&earlier.to_ne_bytes());
            }
        }
        for at in TICKS {
            let field = &mut flow[at..at + 4];
            let then = u32::from_ne_bytes(field.try_into().expect("four bytes"));
            field.copy_from_slice(&then.wrapping_sub(ticks(by)).to_ne_bytes());
        }
    });
}
