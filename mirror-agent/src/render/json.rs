//! JSON, one document a call.

use serde_json::{Map, Value, json};

use super::State;
use crate::counters::{Snapshot, Values};

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
                "maps": state.maps.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "ports": state.ports,
                "from": state.from,
            })
        })
        .collect();
    json!({ "attachments": attachments }).to_string()
}

fn object(values: &Values) -> Map<String, Value> {
    values.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
}
