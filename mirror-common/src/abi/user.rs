//! The agent's side of the border: these types are plain bytes to the `bpf` system call.

use super::{
    Choice, ClientKey, Finished, Flow, FlowKey, Gauge, Mapping, Meta, PortSlot, ReceiveBuffer,
    Sender, Waits,
};

macro_rules! plain_bytes {
    ($($type:ty),+) => {$(
        // SAFETY: `repr(C)`, integers and byte arrays only, no padding (sizes are asserted).
        unsafe impl aya::Pod for $type {}
    )+};
}

plain_bytes!(
    Choice,
    ClientKey,
    Finished,
    Flow,
    FlowKey,
    Gauge,
    Mapping,
    Meta,
    PortSlot,
    ReceiveBuffer,
    Sender,
    Waits
);
