//! What holds of a verdict, whatever it is about: it passes what is a direct client's, and writes only
//! what its side may write (`abi::Flow`).

use mirror_common::{
    abi::{Flow, ReplySide, State},
    packet::tcp::after,
    target::{
        copy::{self, Action, Discard, Pass, Segment},
        reply::{self, Reply},
    },
};

pub(crate) fn judge_copy(
    flow: &mut Flow,
    segment: &Segment,
    pass: Pass,
    now: u64,
) -> copy::Verdict {
    let before = *flow;
    let verdict = copy::judge(flow, segment, pass, now);
    let begins = matches!(verdict.action, Action::Open | Action::Adopt);
    if begins {
        assert!(!flow.reply.has(ReplySide::BIT_SYN_ACK) || flow.reply == before.reply);
    } else {
        assert_eq!(flow.reply, before.reply, "ingress wrote what egress writes");
    }
    if verdict.action == Action::Hold && pass == Pass::First && before.held() > 0 {
        let (state, next_seq) = (before.copy.state, before.copy.next_seq);
        assert_eq!(flow.copy.state, state, "a copy that waits changed what becomes of others");
        assert!(!after(next_seq, flow.copy.next_seq), "what was delivered is not any more");
    }
    if pass == Pass::Held {
        assert_eq!(flow.held_in, before.held_in, "a copy that came back was counted again");
    } else if flow.copy.epoch == before.copy.epoch {
        assert_eq!(flow.held_out, before.held_out, "a copy that was not there left");
    }
    if before.copy.state == State::DIRECT {
        assert_eq!((verdict.action, verdict.reason), (Action::Discard, Discard::DirectClient));
    }
    verdict
}

pub(crate) fn judge_reply(flow: &mut Flow, reply: &Reply, now: u64) -> reply::Verdict {
    let before = *flow;
    let verdict = reply::judge(flow, reply, || now);
    let real = before.copy.state == State::DIRECT;
    assert_eq!(verdict.action == reply::Action::Pass, real, "what is real passes, nothing else");
    assert_eq!(flow.copy, before.copy, "egress wrote what ingress writes");
    assert_eq!((flow.held_in, flow.held_out), (before.held_in, before.held_out));
    assert!(flow.reply.scale <= before.reply.scale.max(14));
    verdict
}
