//! JSON, one document a call. `docs/json.md` describes it.

use serde_json::{Map, Value, json};

use super::{
    selection::SelectionState,
    state::{Detail, RoleDetail, State, TargetDetail},
};
use crate::{
    config::mapping::MapSpec,
    stats::{
        figures::percent,
        snapshot::{Snapshot, Values},
        tally::Tally,
    },
};

/// Raised with every change that a reader may stumble over; what is new beside the rest is none.
const SCHEMA: u32 = 1;

/// What all documents have in common. `time` is this moment, in seconds since the epoch.
pub fn document(attachments: Vec<Value>, time: f64) -> String {
    json!({ "schema": SCHEMA, "time": time, "attachments": attachments }).to_string()
}

/// `stats --json`.
pub fn stats(states: &[State], time: f64) -> String {
    let attachments = states.iter().map(|state| {
        let mut entry = verdict(state);
        let detail = state.detail.as_ref();
        let tally = detail.map(Detail::tally);
        entry.extend(fields(json!({
            "attached_at": state.origin.as_ref().map(|origin| origin.attached_at),
            "due": tally.as_ref().map(Tally::due),
            "done": tally.as_ref().map(|tally| tally.done),
            "done_percent": tally.as_ref().and_then(|tally| percent(tally.done, tally.due())),
            "lost": tally.as_ref().map(Tally::lost),
            "losses": tally.as_ref().map(|tally| object(&tally.losses)),
            "connections": detail.and_then(connections),
            "counters": detail.map(|detail| object(&detail.snapshot.counters)),
            "maps": detail.map_or_else(Vec::new, |detail| maps(&detail.snapshot)),
        })));
        Value::Object(entry)
    });
    document(attachments.collect(), time)
}

/// `status --json`.
pub fn status(states: &[State], time: f64) -> String {
    let attachments = states.iter().map(|state| {
        let mut entry = verdict(state);
        let (origin, detail) = (state.origin.as_ref(), state.detail.as_ref());
        entry.extend(fields(json!({
            "attached_at": origin.map(|origin| origin.attached_at),
            "changed_at": detail.map(|detail| detail.changed_at),
            "version": origin.map(|origin| &origin.version),
            "hook": detail.and_then(|detail| detail.hook).map(|hook| hook.name()),
            "fallbacks": detail.map_or_else(Vec::new, |detail| texts(&detail.fallbacks)),
            "warnings": state.warnings,
            "notes": state.notes,
        })));
        if let Some(detail) = detail {
            entry.extend(match &detail.role {
                RoleDetail::Source { magic, redundancy, maps, selection: selected } => {
                    fields(json!({
                        "magic": hex(*magic),
                        "redundancy": redundancy,
                        "maps": maps.iter().map(|one| Value::Object(map(one))).collect::<Vec<_>>(),
                        "selection": selection(selected),
                    }))
                }
                RoleDetail::Target(target) => of_target(target),
                RoleDetail::Guard { guarded_servers, mode } => fields(json!({
                    "guarded_servers": texts(guarded_servers),
                    "mode": mode.map(|mode| mode.to_string()),
                })),
            });
        }
        Value::Object(entry)
    });
    document(attachments.collect(), time)
}

/// How every entry begins.
fn verdict(state: &State) -> Map<String, Value> {
    fields(json!({
        "interface": state.interface,
        "role": state.role.name(),
        "state": state.condition.name(),
        "health": state.health.level.key(),
        "reasons": state.health.reasons,
        "attached_as": state.identity.attached_as,
        "network_namespace": state.identity.namespace,
    }))
}

fn of_target(target: &TargetDetail) -> Map<String, Value> {
    fields(json!({
        "magic": hex(target.magic),
        "ports": target.ports.iter().map(|port| json!({
            "port": port.port,
            "listens": port.listens,
        })).collect::<Vec<_>>(),
        "receive_buffer_shortages": target.shortages.iter().map(|shortage| json!({
            "port": shortage.port,
            "receive_buffer": shortage.bytes,
            "wanted": shortage.wanted,
            "message": shortage.to_string(),
        })).collect::<Vec<_>>(),
        "allowed_macs": target.allowed_macs,
        "max_connections": target.max_connections,
        "hold_queue": target.hold_queue.map(|queue| json!({
            "discipline": queue.discipline.name(),
            "ordered": queue.ordered,
        })),
    }))
}

fn connections(detail: &Detail) -> Option<Value> {
    let RoleDetail::Target(target) = &detail.role else { return None };
    let now = &target.connections;
    Some(json!({
        "open": now.open,
        "opening": now.opening,
        "closing": now.closing,
        "unsynced": now.unsynced,
        "direct": now.direct,
        "total": now.total(),
        "max": target.max_connections,
    }))
}

fn maps(snapshot: &Snapshot) -> Vec<Value> {
    let entries = snapshot.maps.iter().map(|(spec, values)| {
        let mut entry = map(spec);
        entry.insert("counters".to_owned(), object(values).into());
        Value::Object(entry)
    });
    entries.collect()
}

/// One `--map`: as it is typed, and its parts.
pub(super) fn map(spec: &MapSpec) -> Map<String, Value> {
    fields(json!({
        "map": spec.to_string(),
        "local_addr": spec.local_addr.map(|address| address.to_string()),
        "local_port": spec.local_port,
        "target": spec.target.to_string(),
    }))
}

/// `deadline` in seconds since the epoch, `seconds_left` 0 when it has passed; null without one.
pub(super) fn selection(selection: &SelectionState) -> Value {
    json!({
        "clients": texts(&selection.clients),
        "excluded_clients": texts(&selection.excluded),
        "sample_percent": selection.sample.percent(),
        "sample_by": selection.sample_by.name(),
        "multiply": selection.copies.count,
        "multiply_from": texts(&selection.copies.pools),
        "rate_limits": texts(&selection.limits.rates()),
        "deadline": selection.deadline.map(|ends| ends.at),
        "seconds_left": selection.deadline.map(|ends| ends.left),
        "expired": selection.deadline.is_some_and(|ends| ends.left == 0),
        "dry_run": selection.dry_run,
    })
}

fn hex(magic: u32) -> String {
    format!("{magic:#x}")
}

fn texts(values: &[impl ToString]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn object(values: &Values) -> Map<String, Value> {
    values.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
}

fn fields(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        output::state::tests::{
            expired_source, guard, lossy_target, renamed_source, source, target, target_elsewhere,
            without_detail,
        },
        stats::condition::Condition,
    };

    fn pretty(text: &str) -> String {
        format!("{:#}", serde_json::from_str::<Value>(text).unwrap())
    }

    #[test]
    fn what_is_attached() {
        let states = [
            expired_source(),
            lossy_target(),
            guard(),
            without_detail(Condition::OtherVersion),
            without_detail(Condition::Incomplete),
            renamed_source(),
            target_elsewhere(),
        ];
        insta::assert_snapshot!(pretty(&status(&states, 1_700_000_000.25)));
    }

    #[test]
    fn what_was_counted() {
        let states = [source(), target(), guard(), without_detail(Condition::OtherVersion)];
        insta::assert_snapshot!(pretty(&stats(&states, 1_700_000_000.25)));
    }
}
