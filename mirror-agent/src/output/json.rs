//! JSON, one document a call.

use serde_json::{Map, Value, json};

use super::{selection::SelectionState, state::State};
use crate::stats::snapshot::{Snapshot, Values};

/// `stats --json`.
pub fn stats(snapshots: &[Snapshot]) -> String {
    let interfaces: Vec<Value> = snapshots
        .iter()
        .map(|snapshot| {
            json!({
                "interface": snapshot.interface,
                "role": snapshot.role.name(),
                "counters": object(&snapshot.counters),
                "maps": snapshot.maps.iter().map(|(map, values)| json!({
                    "map": map.to_string(),
                    "counters": object(values),
                })).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({ "interfaces": interfaces }).to_string()
}

/// `status --json`.
pub fn status(states: &[State]) -> String {
    let attachments: Vec<Value> = states
        .iter()
        .map(|state| {
            json!({
                "interface": state.interface,
                "role": state.role.name(),
                "present": state.present,
                "attached_at": state.attached_at,
                "version": state.version,
                "magic": state.magic,
                "redundancy": state.redundancy,
                "maps": texts(&state.maps),
                "selection": state.selection.as_ref().map(selection),
                "ports": state.ports,
                "receive_buffer_shortages": state.shortages.iter().map(|shortage| json!({
                    "port": shortage.port,
                    "receive_buffer": shortage.bytes,
                    "wanted": shortage.wanted,
                    "message": shortage.to_string(),
                })).collect::<Vec<_>>(),
                "from": state.from,
                "senders": texts(&state.senders),
                "mode": state.mode.map(|mode| mode.to_string()),
                "warnings": state.warnings,
            })
        })
        .collect();
    json!({ "attachments": attachments }).to_string()
}

/// `ends_at` in seconds since the epoch, `seconds_left` 0 when it is over; null without an end.
pub(super) fn selection(selection: &SelectionState) -> Value {
    json!({
        "clients": texts(&selection.clients),
        "excluded_clients": texts(&selection.excluded),
        "sample_percent": selection.sample.percent(),
        "multiply": selection.copies.count,
        "multiply_from": texts(&selection.copies.pools),
        "rate_limits": texts(&selection.limits.rates()),
        "deadline": selection.deadline.map(|ends| ends.at),
        "seconds_left": selection.deadline.map(|ends| ends.left),
        "expired": selection.deadline.is_some_and(|ends| ends.left == 0),
        "dry_run": selection.dry_run,
    })
}

pub(super) fn texts(values: &[impl ToString]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn object(values: &Values) -> Map<String, Value> {
    values.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{multiply::Multiply, rate::Limits, sample::Sample},
        kernel::pins::Role,
        output::Deadline,
        target::receive_buffer::Shortage,
    };

    #[test]
    fn what_is_attached() {
        let source = State {
            interface: "eth0".into(),
            role: Role::Source,
            present: true,
            attached_at: 1_700_000_000,
            age: 60,
            version: "0.1.0".into(),
            magic: 0x1234,
            redundancy: 1,
            maps: vec!["11211=10.0.0.5:11211".parse().unwrap()],
            selection: Some(SelectionState {
                clients: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
                excluded: vec!["10.1.2.3".parse().unwrap()],
                sample: Sample(5_000),
                copies: Multiply::default(),
                limits: Limits::default(),
                deadline: Some(Deadline { at: 1_700_003_600, left: 3540, over_for: 0 }),
                dry_run: true,
            }),
            ports: vec![],
            shortages: vec![],
            from: vec![],
            senders: vec![],
            mode: None,
            warnings: vec!["something is on".into()],
        };
        let over = State {
            selection: Some(SelectionState {
                clients: vec![],
                excluded: vec![],
                sample: Sample::ALL,
                copies: Multiply::default(),
                limits: Limits::default(),
                deadline: Some(Deadline { at: 1_700_000_030, left: 0, over_for: 30 }),
                dry_run: false,
            }),
            ..source.clone()
        };
        let target = State {
            role: Role::Target,
            warnings: vec![],
            maps: vec![],
            selection: None,
            ports: vec![11211, 11212],
            shortages: vec![
                Shortage { port: 11211, bytes: Some(131_072), wanted: 8 << 20 },
                Shortage { port: 11212, bytes: None, wanted: 8 << 20 },
            ],
            ..source.clone()
        };
        let document: Value = serde_json::from_str(&status(&[source, over, target])).unwrap();
        insta::assert_snapshot!(format!("{document:#}"));
    }
}
