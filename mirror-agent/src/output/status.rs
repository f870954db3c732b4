//! `status`: what is attached where, since when, and how it does.

pub(super) mod check;

use comfy_table::{Table, presets::NOTHING};

use super::{
    state::{Detail, RoleDetail, State},
    text::{format_duration, trimmed},
};

/// A row for each attachment.
pub fn table(states: &[State]) -> String {
    if states.is_empty() {
        return "nothing is attached\n".to_owned();
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["INTERFACE", "ROLE", "AGE", "ENDS IN", "HEALTH", "WHAT"]);
    for state in states {
        let age = state.origin.as_ref().map(|origin| format_duration(origin.age));
        table.add_row([
            state.interface.clone(),
            state.role.to_string(),
            age.unwrap_or_default(),
            ends_in(state).unwrap_or_default(),
            state.health.level.to_string(),
            what(state).join("\n"),
        ]);
    }
    trimmed(&table)
}

fn ends_in(state: &State) -> Option<String> {
    match &state.detail.as_ref()?.role {
        RoleDetail::Source { selection, .. } => Some(selection.deadline?.text()),
        RoleDetail::Target(_) | RoleDetail::Guard { .. } => None,
    }
}

fn what(state: &State) -> Vec<String> {
    let mut lines = state.health.reasons.clone();
    if let Some(detail) = &state.detail {
        lines.extend(of_role(&detail.role));
        lines.push(settings(state, detail));
        lines.extend(detail.fallbacks.iter().map(ToString::to_string));
    } else {
        lines.extend(state.origin.as_ref().map(|origin| format!("version {}", origin.version)));
    }
    lines.extend(state.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.extend(state.notes.iter().map(|note| format!("note: {note}")));
    lines
}

fn of_role(role: &RoleDetail) -> Vec<String> {
    let mut lines = Vec::new();
    match role {
        RoleDetail::Source { redundancy, maps, selection, .. } => {
            lines.extend(maps.iter().map(ToString::to_string));
            lines.extend(selection.lines_but_deadline());
            if *redundancy > 1 {
                lines.push(format!("each TCP copy {redundancy} times"));
            }
        }
        RoleDetail::Target(target) => {
            lines.push(format!("port {}", target.served()));
            lines.extend(target.shortages.iter().map(ToString::to_string));
            lines.extend(target.allowed_macs.iter().map(|mac| format!("only from {mac}")));
        }
        RoleDetail::Guard { guarded_servers, .. } => {
            let drops = |server| format!("drops what {server} sends");
            lines.extend(guarded_servers.iter().map(drops));
        }
    }
    lines
}

fn settings(state: &State, detail: &Detail) -> String {
    let mut all = detail.attached_by();
    match &detail.role {
        RoleDetail::Source { magic, .. } => all.push(format!("magic {magic:#x}")),
        RoleDetail::Target(target) => all.push(format!("magic {:#x}", target.magic)),
        RoleDetail::Guard { .. } => {}
    }
    all.extend(state.origin.as_ref().map(|origin| format!("version {}", origin.version)));
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        output::state::tests::{
            expired_source, gone_target, guard, lossy_target, source, target, without_detail,
        },
        stats::condition::Condition,
    };

    #[test]
    fn healthy() {
        insta::assert_snapshot!(table(&[source(), target(), guard()]));
    }

    #[test]
    fn not_healthy() {
        insta::assert_snapshot!(table(&[
            expired_source(),
            lossy_target(),
            gone_target(),
            without_detail(Condition::Incomplete),
            without_detail(Condition::OtherVersion),
        ]));
    }
}
