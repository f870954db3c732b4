//! States as verbs find them, for tests of what is shown.

use super::*;
use crate::{
    config::{
        multiply::Multiply,
        rate::Limits,
        sample::{Sample, SampleBy},
    },
    output::Deadline,
    stats::{
        health::{self, Facts},
        snapshot::{Values, tests::snapshot},
    },
    target::hold_device::{Discipline, HoldQueue},
};

/// Judged as it is by `command::survey`.
fn state(
    condition: Condition,
    snapshot: Snapshot,
    hook: Option<Mechanism>,
    role: RoleDetail,
) -> State {
    let mut state = State {
        interface: snapshot.interface.clone(),
        role: snapshot.role,
        condition,
        health: Health::OK,
        origin: Some(Origin {
            attached_at: 1_700_000_000,
            age: 3 * 3600 + 13 * 60,
            version: "0.1.0".into(),
        }),
        detail: Some(Detail { changed_at: 1_700_000_060, hook, fallbacks: vec![], snapshot, role }),
        warnings: vec![],
        notes: vec![],
        identity: Identity::default(),
    };
    judge(&mut state, &[]);
    state
}

fn judge(state: &mut State, silent: &[u16]) {
    let total = state.detail.as_ref().map(Detail::tally).unwrap_or_default();
    state.health = health::judge(Facts {
        role: state.role,
        condition: state.condition,
        total: &total,
        recent: None,
        served: 2,
        silent,
        no_socket: [0; 2],
        leaked: false,
    });
}

fn selection(deadline: Option<Deadline>) -> SelectionState {
    SelectionState {
        clients: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
        excluded: vec!["10.1.2.3".parse().unwrap()],
        sample: Sample(5_000),
        sample_by: SampleBy::Connection,
        copies: Multiply { count: 3, pools: vec!["198.18.0.0/15".parse().unwrap()] },
        limits: Limits { packets: 50_000, kbits: 100_000 },
        deadline,
        dry_run: false,
    }
}

fn of_map(sent: u64, rest: &[(&'static str, u64)]) -> Values {
    let mut values = vec![
        ("copies", sent),
        ("sent", sent),
        ("sent_segments", sent + 5),
        ("sent_bytes", sent * 100),
    ];
    values.extend(rest);
    values
}

fn source_with(condition: Condition, selection: SelectionState) -> State {
    let counters = [
        ("seen", 9_812_345),
        ("mirrored", 9_801_211),
        ("skipped_client", 1200),
        ("skipped_mptcp", 12),
        ("skipped_fragment", 3),
    ];
    let mut snapshot = snapshot(Role::Source, &counters);
    let maps = ["11211=10.0.0.5:11211", "10.0.0.1:11212=10.0.0.6:11211"];
    let maps = maps.map(|map| map.parse().unwrap()).to_vec();
    snapshot.maps = vec![
        (maps[0], of_map(9_000_000, &[("rate_limited", 7)])),
        (maps[1], of_map(801_211, &[("unsent", 15)])),
    ];
    let role = RoleDetail::Source { magic: 0x6d1_9c7b, redundancy: 2, maps, selection };
    state(condition, snapshot, Some(Mechanism::Tcx), role)
}

/// Two maps; a little is lost, and something is not seen.
pub(in crate::output) fn source() -> State {
    let deadline = Deadline { at: 1_700_090_000, left: 86_399, over_for: 0 };
    let mut state = source_with(Condition::Running, selection(Some(deadline)));
    state.notes = vec!["1 connection is from this host itself".into()];
    state
}

/// The same host's at another interface, with another map and no deadline, for a shorter time.
pub(in crate::output) fn second_source() -> State {
    let mut state = source_with(Condition::Running, selection(None));
    state.interface = "eth1".into();
    state.origin = state.origin.map(|origin| Origin { age: 120, ..origin });
    if let Some(Detail { role: RoleDetail::Source { maps, .. }, .. }) = &mut state.detail {
        maps[1] = "11213=10.0.0.6:11211".parse().unwrap();
    }
    state
}

/// The same when its time is over.
pub(in crate::output) fn expired_source() -> State {
    let deadline = Deadline { at: 1_700_090_000, left: 0, over_for: 1000 };
    source_with(Condition::Expired, selection(Some(deadline)))
}

fn target_with(condition: Condition, counters: &[(&'static str, u64)]) -> State {
    let mut snapshot = snapshot(Role::Target, counters);
    snapshot.interface = "eth1".into();
    let ports = [11211, 11212].map(|port| ServedPort { port, listens: Some(port == 11211) });
    let detail = TargetDetail {
        magic: 0x6d1_9c7b,
        ports: ports.to_vec(),
        shortages: vec![],
        allowed_macs: vec![],
        max_connections: 262_144,
        leaked: false,
        connections: Connections {
            open: 812,
            opening: 1,
            closing: 0,
            unsynced: 2,
            direct: 0,
            open_ports: vec![11211],
        },
        hold_queue: Some(HoldQueue { discipline: Discipline::Tbf, ordered: Some(true) }),
    };
    let role = RoleDetail::Target(Box::new(detail));
    state(condition, snapshot, Some(Mechanism::Tcx), role)
}

/// Little is lost.
pub(in crate::output) fn target() -> State {
    target_with(
        Condition::Running,
        &[
            ("arrived", 9_812_345),
            ("applied", 9_799_279),
            ("discarded_pure_ack", 11_134),
            ("discarded_unsynced", 1801),
            ("discarded_hold_expired", 131),
            ("opened", 12),
            ("adopted", 800),
            ("acked_for_client", 120_000),
            ("reply_dropped_data", 9_700_000),
            ("reply_dropped_ack", 47),
        ],
    )
}

/// Much is lost; one port has no server, the other's has too little room.
pub(in crate::output) fn lossy_target() -> State {
    let mut state = target_with(
        Condition::Running,
        &[
            ("arrived", 1_000_000),
            ("applied", 950_000),
            ("withdrawn", 12),
            ("discarded_hold_expired", 49_000),
            ("discarded_port", 1000),
            ("desynced", 70),
            ("waiting", 5),
            ("longest_wait_ms", 18),
        ],
    );
    if let Some(Detail { hook, fallbacks, role: RoleDetail::Target(target), .. }) =
        &mut state.detail
    {
        *hook = Some(Mechanism::Clsact);
        *fallbacks = vec![Fallback::Clsact, Fallback::FairQueue];
        target.hold_queue = Some(HoldQueue { discipline: Discipline::Fq, ordered: None });
        target.shortages = vec![Shortage { port: 11211, bytes: Some(131_072), wanted: 8 << 20 }];
        target.allowed_macs = vec!["02:00:5e:10:00:01".into()];
    }
    judge(&mut state, &[11212]);
    state
}

/// A source at an interface with another name than when it was attached.
pub(in crate::output) fn renamed_source() -> State {
    let mut state = source();
    state.interface = "lan0".into();
    state.identity.attached_as = Some("eth0".into());
    state
}

/// A target in another network namespace, of which nothing but what is pinned is known.
pub(in crate::output) fn target_elsewhere() -> State {
    let mut state = target_with(Condition::OtherNamespace, &[("applied", 5)]);
    state.identity = Identity {
        attached_as: None,
        namespace: Some(4_026_532_500),
        elsewhere: true,
        prefix: Some("nsenter --net=/run/netns/cache1".into()),
    };
    if let Some(Detail { role: RoleDetail::Target(target), .. }) = &mut state.detail {
        target.hold_queue = None;
    }
    state
}

/// Its interface is gone.
pub(in crate::output) fn gone_target() -> State {
    target_with(Condition::InterfaceGone, &[("arrived", 5), ("applied", 5)])
}

/// It dropped something.
pub(in crate::output) fn guard() -> State {
    let counters = [("seen", 1_234_567), ("passed", 1_234_565), ("dropped_tcp", 2)];
    let mut snapshot = snapshot(Role::Guard, &counters);
    snapshot.interface = "eth2".into();
    let role = RoleDetail::Guard {
        guarded_servers: vec!["10.0.0.5:11211".parse().unwrap()],
        mode: Some(Mode::Native),
    };
    state(Condition::Running, snapshot, None, role)
}

/// A source of which only the frozen part of what is remembered can be read, or nothing.
pub(in crate::output) fn without_detail(condition: Condition) -> State {
    let mut state = source();
    state.interface = "eth3".into();
    if condition == Condition::Incomplete {
        state.origin = None;
    }
    (state.condition, state.detail) = (condition, None);
    judge(&mut state, &[]);
    state
}
