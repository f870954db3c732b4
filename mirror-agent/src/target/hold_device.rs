//! The hold device: a veth pair whose near end sends slowly. A copy that cannot be served yet goes
//! round through it and is judged again.

mod look;
mod order;

use anyhow::{Context as _, Result};
use futures_util::StreamExt as _;
use rtnetlink::{
    LinkUnspec,
    packet_core::{
        DefaultNla, NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage,
        NetlinkPayload,
    },
    packet_route::{
        RouteNetlinkMessage,
        tc::{TcAttribute, TcHandle, TcMessage, TcOption},
    },
};

pub use self::look::{Discipline, HoldQueue};
use crate::{
    kernel::fallback::Fallback,
    net::{forwarding, netlink::Network, veth},
};

/// What the queue lets through, in bytes per second: the pace at which held copies go round. Each time
/// round takes a few µs of a processor, and copies that come faster than it can judge them overflow
/// its backlog (`net.core.netdev_max_backlog`).
const RATE: u32 = 40_000_000;
/// What a shorter copy counts as, in bytes, since it takes as long to judge.
const LEAST: u16 = 1500;
/// What it lets through at once, in bytes: one jumbo frame. More would let small copies spin.
const BURST: u32 = 10_000;
/// How many packets it can hold: what it lets out in 0.6 s. More are dropped, and their flow is adopted anew.
const LIMIT: u32 = 16_384;
/// Largest MTU there is: whatever the real interface takes, this takes.
const MTU: u32 = 65_535;

/// Names of the pair that belongs to the interface with index `ifindex`: near end, far end.
pub fn names(ifindex: u32) -> (String, String) {
    veth::names(veth::HOLD, ifindex)
}

/// Makes the pair, or finds it. Returns the near end's index.
pub async fn ensure(network: &Network, ifindex: u32) -> Result<u32> {
    let (near, far) = names(ifindex);
    let (indexes, _) =
        veth::ensure(network, (&near, &far), MTU).await.context("the hold device")?;
    for (name, index) in [&near, &far].into_iter().zip(indexes) {
        // No addresses, no ARP, no router solicitations: it carries held copies and nothing else.
        network
            .handle
            .link()
            .set(LinkUnspec::new_with_index(index).arp(false).mtu(MTU).up().build())
            .execute()
            .await
            .with_context(|| format!("cannot bring the hold device {name} up"))?;
    }
    forwarding::switch_on(&near, Fallback::WayBackUnknown);
    if let Err(error) = order::keep(&near, &far) {
        log::warn!("{near}: {} ({error:#})", Fallback::Unordered);
    }
    slow_down(network, &near, indexes[0])
        .await
        .with_context(|| format!("cannot give {near} its queue"))?;
    Ok(indexes[0])
}

/// Takes the pair away.
pub async fn remove(network: &Network, ifindex: u32) -> Result<()> {
    veth::remove(network, &names(ifindex).0).await.context("the hold device")
}

/// Gives the near end the best queue that the kernel has.
async fn slow_down(network: &Network, near: &str, index: u32) -> Result<()> {
    let index = i32::try_from(index).context("interface index")?;
    if make(network, token_bucket(index)).await.context("the kernel refused the tbf queue")? {
        let made = make(network, in_order(index)).await;
        return made.map(drop).context("the kernel refused the pfifo queue");
    }
    if make(network, fair_queue(index)).await.context("the kernel refused the fq queue")? {
        log::warn!("{near}: {}", Fallback::FairQueue);
    } else {
        log::warn!("{near}: {}", Fallback::NoQueue);
    }
    Ok(())
}

const TCA_OPTIONS: u16 = 2;
const HANDLE: TcHandle = TcHandle { major: 1, minor: 0 };

/// A queue of this kind at the root.
fn root(index: i32, kind: &str, options: Vec<TcOption>) -> TcMessage {
    let mut message = TcMessage::with_index(index);
    message.header.parent = TcHandle::ROOT;
    message.header.handle = HANDLE;
    message.attributes.push(TcAttribute::Kind(kind.to_owned()));
    message.attributes.push(TcAttribute::Options(options));
    message
}

/// A token bucket filter (`tc … tbf`; kernel: `net/sched/sch_tbf.c`).
fn token_bucket(index: i32) -> TcMessage {
    const TCA_TBF_PARMS: u16 = 1;
    const TCA_TBF_BURST: u16 = 6;
    let options = vec![
        TcOption::Other(DefaultNla::new(TCA_TBF_PARMS, parameters())),
        TcOption::Other(DefaultNla::new(TCA_TBF_BURST, BURST.to_ne_bytes().to_vec())),
    ];
    root(index, "tbf", options)
}

/// In it, packets that wait in order (`pfifo`).
fn in_order(index: i32) -> TcMessage {
    const ONLY_CLASS: TcHandle = TcHandle { major: 1, minor: 1 };
    let mut message = TcMessage::with_index(index);
    message.header.parent = ONLY_CLASS;
    message.attributes.push(TcAttribute::Kind("pfifo".to_owned()));
    // `struct tc_fifo_qopt`: the limit, and no nested attributes.
    let limit = DefaultNla::new(TCA_OPTIONS, LIMIT.to_ne_bytes().to_vec());
    message.attributes.push(TcAttribute::Other(limit));
    message
}

/// Fair queueing with a rate for each flow (`tc … fq maxrate`; kernel: `net/sched/sch_fq.c`).
fn fair_queue(index: i32) -> TcMessage {
    const TCA_FQ_PLIMIT: u16 = 1;
    const TCA_FQ_FLOW_PLIMIT: u16 = 2;
    const TCA_FQ_FLOW_MAX_RATE: u16 = 7;
    let option =
        |kind, value: u32| TcOption::Other(DefaultNla::new(kind, value.to_ne_bytes().to_vec()));
    let options = vec![
        option(TCA_FQ_PLIMIT, LIMIT),
        option(TCA_FQ_FLOW_PLIMIT, LIMIT),
        option(TCA_FQ_FLOW_MAX_RATE, RATE),
    ];
    root(index, "fq", options)
}

/// Makes a queue, or replaces it. Returns false where the kernel does not know its kind.
async fn make(network: &Network, message: TcMessage) -> Result<bool> {
    let result = request(network, message).await;
    match &result {
        Err(error) if is_unknown_kind(error) => Ok(false),
        _ => result.map(|()| true),
    }
}

/// What the kernel says where it has no queue by that name (kernel: `qdisc_create`).
fn is_unknown_kind(error: &anyhow::Error) -> bool {
    let code = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error);
    code == Some(nix::errno::Errno::ENOENT as i32)
}

/// Sends it to the kernel.
async fn request(network: &Network, message: TcMessage) -> Result<()> {
    let mut request = NetlinkMessage::from(RouteNetlinkMessage::NewQueueDiscipline(message));
    request.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
    let mut answers = network.handle.clone().request(request).context("netlink")?;
    while let Some(answer) = answers.next().await {
        if let NetlinkPayload::Error(error) = answer.payload
            && let Some(code) = error.code
        {
            return Err(std::io::Error::from_raw_os_error(-code.get()).into());
        }
    }
    Ok(())
}

/// `struct tc_tbf_qopt`: two rate specifications (rate, peak rate), limit, buffer, mtu.
fn parameters() -> Vec<u8> {
    const LINK_LAYER_ETHERNET: u8 = 1;
    let mut bytes = Vec::with_capacity(36);
    // `struct tc_ratespec`: cell_log, linklayer, overhead, cell_align, mpu, rate.
    bytes.extend([0, LINK_LAYER_ETHERNET, 0, 0, 0, 0]);
    bytes.extend(LEAST.to_ne_bytes());
    bytes.extend(RATE.to_ne_bytes());
    bytes.extend([0; 12]);
    bytes.extend(LIMIT.to_ne_bytes());
    // Buffer and MTU in ticks; the kernel takes the burst in bytes instead.
    bytes.extend([0; 8]);
    bytes
}
