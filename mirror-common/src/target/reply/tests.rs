//! Each decision by name.

use super::*;
use crate::packet::tcp::PSH;

const ISN: u32 = 1000;
const SERVER_ISN: u32 = 9000;
/// What the server sends next, once it is open.
const NEXT: u32 = SERVER_ISN + 1;
const NOW: u64 = 1_000_000_000_000_000;

/// A segment of the server's that acknowledges the client's SYN.
fn reply(seq: u32, length: u32, flags: u8) -> Reply {
    Reply { seq, ack: ISN + 1, flags: flags | ACK, window: 500, length, scale: 0 }
}

fn syn_ack() -> Reply {
    Reply { scale: 7, ..reply(SERVER_ISN, 0, SYN) }
}

/// A flow whose SYN was given to the stack just now.
fn began() -> Flow {
    let mut flow = Flow::default();
    flow.copy.state = State::SYNCED;
    flow.copy.isn = ISN;
    flow.copy.next_seq = ISN + 1;
    flow.copy.seen_at = NOW;
    flow
}

fn opened() -> Flow {
    let mut flow = began();
    assert_eq!(judge(&mut flow, &syn_ack(), || NOW).action, Action::Reflect);
    flow
}

fn action(flow: &mut Flow, reply: &Reply) -> Action {
    judge(flow, reply, || NOW).action
}

#[test]
fn a_syn_ack_is_acknowledged_and_tells_the_window() {
    let mut flow = began();
    let verdict = judge(&mut flow, &syn_ack(), || NOW);
    assert_eq!(verdict, Verdict { action: Action::Reflect, seq: ISN + 1, ack: NEXT });
    assert_eq!(flow.reply.edge, ISN + 1 + 500, "a SYN's window is not scaled");
    assert_eq!((flow.reply.rcv_nxt, flow.reply.scale, flow.acked), (ISN + 1, 7, NEXT));
}

#[test]
fn a_window_scale_beyond_the_limit_is_the_limit() {
    let mut flow = began();
    action(&mut flow, &Reply { scale: 200, ..syn_ack() });
    assert_eq!(flow.reply.scale, 14);
}

#[test]
fn a_syn_ack_sent_twice_is_acknowledged_twice() {
    let mut flow = opened();
    flow.reply.snd_nxt += 100;
    let verdict = judge(&mut flow, &syn_ack(), || NOW);
    assert_eq!(verdict, Verdict { action: Action::Reflect, seq: ISN + 1, ack: NEXT + 100 });
}

#[test]
fn a_syn_ack_for_another_syn_opens_nothing() {
    let mut flow = began();
    assert_eq!(action(&mut flow, &Reply { ack: 77, ..syn_ack() }), Action::DropAck);
    assert!(!flow.reply.has(ReplySide::BIT_SYN_ACK));
    assert_eq!(action(&mut flow, &syn_ack()), Action::Reflect);
}

#[test]
fn a_stray_sockets_challenge_ack_tells_where_to_reset_it() {
    let mut flow = began();
    assert_eq!(action(&mut flow, &Reply { ack: 4242, ..reply(5, 0, 0) }), Action::DropAck);
    assert_eq!(flow.reply.rcv_nxt, 4242);
}

#[test]
fn acknowledgements_move_the_scaled_edge_forward_only() {
    let mut flow = opened();
    let ack = Reply { ack: ISN + 101, window: 2, ..reply(NEXT, 0, 0) };
    assert_eq!(action(&mut flow, &ack), Action::DropAck);
    assert_eq!(flow.reply.rcv_nxt, ISN + 101);
    assert_eq!(flow.reply.edge, ISN + 501, "2 << 7 beyond 101 is less");
    action(&mut flow, &Reply { window: 4, ..ack });
    assert_eq!(flow.reply.edge, ISN + 101 + (4 << 7));
    action(&mut flow, &Reply { ack: ISN + 50, ..ack });
    assert_eq!(flow.reply.rcv_nxt, ISN + 101);
}

#[test]
fn a_small_reply_waits_for_the_next_copy() {
    let mut flow = opened();
    assert_eq!(action(&mut flow, &reply(NEXT, 8, PSH)), Action::DropData);
    assert_eq!(flow.reply.snd_nxt, NEXT + 8);
    assert_eq!(flow.acked, NEXT);
}

#[test]
fn a_large_reply_does_not() {
    let mut flow = opened();
    assert_eq!(action(&mut flow, &reply(NEXT, LAZY_REPLY, 0)), Action::DropData);
    let verdict = judge(&mut flow, &reply(NEXT + LAZY_REPLY, LAZY_REPLY + 1, 0), || NOW);
    assert_eq!(verdict.action, Action::Reflect);
    assert_eq!(verdict.ack, NEXT + 2 * LAZY_REPLY + 1);
}

#[test]
fn small_replies_wait_until_they_are_too_many() {
    let mut flow = opened();
    for number in 0..4 {
        let next = reply(NEXT + number * 1000, 1000, 0);
        assert_eq!(action(&mut flow, &next), Action::DropData, "{number}");
    }
    assert_eq!(action(&mut flow, &reply(NEXT + 4000, 1, 0)), Action::Reflect);
    assert_eq!(action(&mut flow, &reply(NEXT + 4001, 1, 0)), Action::DropData);
}

#[test]
fn a_retransmitted_reply_is_acknowledged() {
    let mut flow = opened();
    action(&mut flow, &reply(NEXT, 8, 0));
    let verdict = judge(&mut flow, &reply(NEXT, 8, 0), || NOW);
    assert_eq!(verdict, Verdict { action: Action::Reflect, seq: ISN + 1, ack: NEXT + 8 });
}

#[test]
fn sequence_numbers_wrap() {
    let mut flow = began();
    action(&mut flow, &Reply { seq: u32::MAX - 3, ..syn_ack() });
    assert_eq!(action(&mut flow, &reply(u32::MAX - 2, 8, 0)), Action::DropData);
    assert_eq!(flow.reply.snd_nxt, 5);
    assert_eq!(action(&mut flow, &reply(5, 8, 0)), Action::DropData);
    assert_eq!(flow.reply.snd_nxt, 13);
    assert_eq!(action(&mut flow, &reply(u32::MAX - 2, 8, 0)), Action::Reflect);
}

#[test]
fn a_keepalive_probe_is_answered() {
    let mut flow = opened();
    assert_eq!(action(&mut flow, &reply(NEXT, 0, 0)), Action::DropAck, "an ordinary ACK");
    let verdict = judge(&mut flow, &reply(NEXT - 1, 0, 0), || NOW);
    assert_eq!(verdict, Verdict { action: Action::Reflect, seq: ISN + 1, ack: NEXT });
}

#[test]
fn a_keepalive_probe_of_a_vanished_client_is_not_answered() {
    let mut flow = opened();
    let probe = reply(NEXT - 1, 0, 0);
    assert_eq!(judge(&mut flow, &probe, || NOW + PROBE_LIMIT).action, Action::Reflect);
    assert_eq!(judge(&mut flow, &probe, || NOW + PROBE_LIMIT + 1).action, Action::DropAck);
    // The copy that makes it heard again may be judged on another CPU, a moment ahead of this clock.
    flow.copy.seen_at = NOW + 2 * PROBE_LIMIT + 5;
    assert_eq!(judge(&mut flow, &probe, || NOW + 2 * PROBE_LIMIT).action, Action::Reflect);
}

#[test]
fn the_servers_fin_is_acknowledged() {
    let mut flow = opened();
    let verdict = judge(&mut flow, &reply(NEXT, 8, FIN), || NOW);
    assert_eq!(verdict, Verdict { action: Action::Reflect, seq: ISN + 1, ack: NEXT + 9 });
    assert!(flow.reply.has(ReplySide::BIT_FIN));
}

#[test]
fn the_servers_fin_behind_the_clients_is_the_last() {
    let mut flow = opened();
    flow.copy.bits |= CopySide::BIT_FIN;
    assert_eq!(action(&mut flow, &reply(NEXT, 0, FIN)), Action::ReflectLast);
}

#[test]
fn ends_that_cross_unseen_are_the_last_when_the_server_has_acknowledged_all() {
    let mut flow = opened();
    action(&mut flow, &reply(NEXT, 0, FIN));
    flow.copy.bits |= CopySide::BIT_FIN;
    flow.copy.next_seq = ISN + 2;
    assert_eq!(action(&mut flow, &reply(NEXT + 1, 0, 0)), Action::DropAck);
    let all = Reply { ack: ISN + 2, ..reply(NEXT + 1, 0, 0) };
    assert_eq!(action(&mut flow, &all), Action::DropLast);
}

#[test]
fn a_reset_ends_the_flow_in_every_state() {
    for mut flow in [Flow::default(), began(), opened()] {
        assert_eq!(action(&mut flow, &reply(NEXT, 0, RST)), Action::DropReset);
    }
}

#[test]
fn nothing_of_a_mirrored_flow_passes_and_everything_of_a_real_one() {
    for flags in [0, PSH, SYN, FIN, RST, FIN | PSH] {
        for length in [0, 1, 1460] {
            let reply = reply(NEXT, length, flags);
            for mut flow in [Flow::default(), began(), opened()] {
                assert_ne!(action(&mut flow, &reply), Action::Pass);
            }
            let mut real = opened();
            real.copy.state = State::DIRECT;
            let before = real;
            assert_eq!(action(&mut real, &reply), Action::Pass);
            assert_eq!(real, before);
        }
    }
}

#[test]
fn a_client_refuses_what_was_acknowledged_to_it() {
    let mut flow = began();
    let refused = |flow: &Flow, from: u32, to: u32| {
        (ISN - 10..ISN + 300).all(|seq| is_refused(flow, seq) == (from..=to).contains(&seq))
    };
    assert!(refused(&flow, ISN + 1, ISN + 1));
    flow = opened();
    flow.copy.next_seq += 100;
    assert!(refused(&flow, ISN + 1, ISN + 101), "what the server acknowledged was not seen");
    flow.reply.rcv_nxt += 70;
    assert!(refused(&flow, ISN + 71, ISN + 101));
    flow.copy.state = State::DIRECT;
    assert!(refused(&flow, u32::MAX, 0));
}
