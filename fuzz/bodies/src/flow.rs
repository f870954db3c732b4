//! `copy::judge` and `reply::judge`: one 4-tuple, an honest server, and a network that does anything.

mod event;
mod host;
mod judged;
mod server;

use mirror_common::{
    abi::{CopySide, Flow, State},
    target::{
        copy::{self, Pass},
        reply,
    },
};

use event::{Event, Kind};
use host::Host;
use judged::{judge_copy, judge_reply};

/// What was decided.
#[derive(Default)]
pub struct Met {
    /// About copies.
    pub copies: Vec<copy::Action>,
    /// About replies.
    pub replies: Vec<reply::Action>,
}

/// Carries the events out, and checks after each what has to hold:
///
/// * memcached's socket is given one stream, without a hole, within its window; what is given twice it
///   may not have yet;
/// * what the synthetic client acknowledges is what the server sent, all of it and nothing else;
/// * a connection is opened where there is no socket, by a SYN or at a proven boundary;
/// * a reset hits exactly what the socket expects, and no flow ends before its socket;
/// * nothing of a mirrored flow passes, and everything of a real one;
/// * what waits is counted, keeps its order, and waits for no longer than the limit;
/// * a field has one writer.
///
/// Returns what was decided on the way.
pub fn check(input: &[u8]) -> Met {
    let mut host = Host::default();
    for bytes in input.as_chunks().0 {
        let event = Event(*bytes);
        anything(host.flow.unwrap_or_default(), &event);
        match event.kind() {
            Kind::Copy => {
                let segment =
                    event.segment(&host.flow.unwrap_or_default(), host.next_seq(), host.last);
                host.arrives(segment);
            }
            Kind::Again => host.again(),
            Kind::Return => host.returns(event.selection()),
            Kind::Split => host.splits(event.selection()),
            Kind::Drop => host.loses(event.selection()),
            Kind::Wait => host.wait(event.time()),
            Kind::Reply => {
                if let Some(reply) = host.server.reply(&event) {
                    host.replies(&reply);
                }
            }
            Kind::RealClient => host.real_client(),
        }
    }
    host.settle();
    host.met
}

/// Whatever the numbers: no panic, nothing passes, and each field has one writer.
fn anything(flow: Flow, event: &Event) {
    let mut copied = flow;
    for pass in [Pass::First, Pass::Requeued, Pass::Held] {
        judge_copy(&mut copied, &event.wild_segment(), pass, event.wild_time());
    }
    let mut replied = flow;
    judge_reply(&mut replied, &event.wild_reply(), event.wild_time());
    let mut real = Flow { copy: CopySide { state: State::DIRECT, ..flow.copy }, ..flow };
    judge_copy(&mut real, &event.wild_segment(), Pass::First, event.wild_time());
    judge_reply(&mut real, &event.wild_reply(), event.wild_time());
}
