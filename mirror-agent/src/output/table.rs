//! Tables for people.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets::NOTHING};

use super::{
    selection::SelectionState,
    state::State,
    text::{format_duration, trimmed},
};
use crate::{
    kernel::pins::Role,
    stats::snapshot::{GAUGES, Snapshot, Values},
};

/// `stats`: counters that are not zero, and with an earlier reading `seconds` ago their rates.
pub fn stats(now: &[Snapshot], before: Option<(&[Snapshot], f64)>) -> String {
    if now.is_empty() {
        return "nothing is attached\n".to_owned();
    }
    let mut text = String::new();
    for snapshot in now {
        let earlier = before.and_then(|(all, seconds)| {
            let same = all.iter().find(|other| {
                other.interface == snapshot.interface && other.role == snapshot.role
            })?;
            Some((same, seconds))
        });
        let _ = writeln!(text, "{} ({})", snapshot.interface, snapshot.role);
        text += &values(&snapshot.counters, earlier.map(|(old, s)| (&old.counters, s)));
        for (map, counters) in &snapshot.maps {
            let old = earlier.and_then(|(old, seconds)| {
                let (_, counters) = old.maps.iter().find(|(other, _)| other == map)?;
                Some((counters, seconds))
            });
            let _ = writeln!(text, "  {map}");
            text += &values(counters, old);
        }
    }
    text
}

fn values(now: &Values, before: Option<(&Values, f64)>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    for (position, (name, value)) in now.iter().enumerate() {
        // The first two are the sum and what became of it: worth a row even when zero.
        if *value == 0 && position > 1 {
            continue;
        }
        let mut row = vec![format!("    {name}"), value.to_string()];
        if let Some((old, seconds)) = before {
            let was = old.get(position).map_or(0, |(_, was)| *was);
            let rate = format!("{:.0}/s", value.saturating_sub(was) as f64 / seconds);
            row.push(if GAUGES.contains(name) { String::new() } else { rate });
        }
        table.add_row(row);
    }
    for column in 1..=2 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    trimmed(&table)
}

/// `status`.
pub fn status(states: &[State]) -> String {
    if states.is_empty() {
        return "nothing is attached\n".to_owned();
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["INTERFACE", "ROLE", "FOR", "VERSION", "MAGIC", "MIRRORS"]);
    for state in states {
        let mut what: Vec<String> = state.maps.iter().map(ToString::to_string).collect();
        what.extend(state.selection.iter().flat_map(SelectionState::lines));
        what.extend(state.ports.iter().map(|port| format!("port {port}")));
        what.extend(state.shortages.iter().map(ToString::to_string));
        what.extend(state.from.iter().map(|mac| format!("only from {mac}")));
        what.extend(state.senders.iter().map(|sender| format!("drops what {sender} sends")));
        what.extend(state.mode.iter().map(|mode| format!("{mode} XDP")));
        if state.redundancy > 1 {
            what.push(format!("each TCP copy {} times", state.redundancy));
        }
        what.extend(state.warnings.iter().map(|warning| format!("warning: {warning}")));
        if !state.present {
            what.insert(0, "the interface is gone: detach, or attach again when it is back".into());
        }
        table.add_row([
            state.interface.clone(),
            state.role.to_string(),
            format_duration(state.age),
            state.version.clone(),
            if state.role == Role::Guard { String::new() } else { format!("{:#x}", state.magic) },
            what.join("\n"),
        ]);
    }
    trimmed(&table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{multiply::Multiply, rate::Limits, sample::Sample},
        kernel::attach::xdp::Mode,
        output::Deadline,
        target::receive_buffer::Shortage,
    };

    fn snapshot(cloned: u64) -> Snapshot {
        Snapshot {
            interface: "eth0".into(),
            role: Role::Source,
            counters: vec![("seen", 2 * cloned), ("cloned", cloned), ("skipped_port", 0)],
            maps: vec![(
                "11211=10.0.0.5:11211".parse().unwrap(),
                vec![("cloned", cloned), ("sent", cloned), ("unsent", 0)],
            )],
        }
    }

    #[test]
    fn counters_and_rates() {
        insta::assert_snapshot!(stats(&[snapshot(30)], Some((&[snapshot(10)], 2.0))));
        insta::assert_snapshot!(stats(&[], None));
    }

    #[test]
    fn what_is_attached() {
        let source = State {
            interface: "eth0".into(),
            role: Role::Source,
            present: true,
            attached_at: 1_700_000_000,
            age: 3 * 86_400 + 5 * 3600,
            version: "0.1.0".into(),
            magic: 0x1234,
            redundancy: 2,
            maps: vec!["11211=10.0.0.5:11211".parse().unwrap()],
            selection: Some(SelectionState {
                clients: vec![],
                excluded: vec![],
                sample: Sample::ALL,
                copies: Multiply::default(),
                limits: Limits::default(),
                deadline: None,
                dry_run: false,
            }),
            ports: vec![],
            shortages: vec![],
            from: vec![],
            senders: vec![],
            mode: None,
            warnings: vec!["something is on".into()],
        };
        let choosy = State {
            interface: "eth2".into(),
            warnings: vec![],
            redundancy: 1,
            selection: Some(SelectionState {
                clients: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
                excluded: vec!["10.1.2.3".parse().unwrap()],
                sample: Sample(5_000),
                copies: Multiply { count: 3, pools: vec!["198.18.0.0/15".parse().unwrap()] },
                limits: Limits { packets: 50_000, kbits: 100_000 },
                deadline: Some(Deadline { at: 1_700_090_000, left: 86_399, over_for: 0 }),
                dry_run: true,
            }),
            ..source.clone()
        };
        let over = State {
            interface: "eth3".into(),
            warnings: vec![],
            redundancy: 1,
            selection: Some(SelectionState {
                clients: vec![],
                excluded: vec![],
                sample: Sample::ALL,
                copies: Multiply::default(),
                limits: Limits::default(),
                deadline: Some(Deadline { at: 1_699_999_000, left: 0, over_for: 1000 }),
                dry_run: false,
            }),
            ..source.clone()
        };
        let target = State {
            interface: "eth1".into(),
            warnings: vec![],
            role: Role::Target,
            present: false,
            age: 61,
            maps: vec![],
            selection: None,
            ports: vec![11211, 11212, 11213],
            shortages: vec![
                Shortage { port: 11212, bytes: Some(131_072), wanted: 8 << 20 },
                Shortage { port: 11213, bytes: None, wanted: 8 << 20 },
            ],
            from: vec!["02:00:5e:10:00:01".into()],
            redundancy: 1,
            ..source.clone()
        };
        let guard = State {
            interface: "eth4".into(),
            warnings: vec![],
            role: Role::Guard,
            selection: None,
            maps: vec![],
            senders: vec!["10.0.0.5:11211".parse().unwrap()],
            mode: Some(Mode::Native),
            magic: 0,
            redundancy: 1,
            ..source.clone()
        };
        insta::assert_snapshot!(status(&[source, choosy, over, target, guard]));
    }
}
