//! The agent's side of the border: these types are plain bytes to the `bpf` system call.

use super::{
    Breaker, ClientKey, Finished, Flow, FlowKey, GuardedServer, Mapping, Meta, PortSlot, RateState,
    ReceiveBuffer, Selection, Waits,
};

macro_rules! plain_bytes {
    ($($type:ty),+) => {$(
        // SAFETY: `repr(C)`, integers and byte arrays only, no padding (sizes are asserted).
        unsafe impl aya::Pod for $type {}
    )+};
}

plain_bytes!(
    Selection,
    Breaker,
    ClientKey,
    Finished,
    Flow,
    FlowKey,
    RateState,
    Mapping,
    Meta,
    PortSlot,
    ReceiveBuffer,
    GuardedServer,
    Waits
);
