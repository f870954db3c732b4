//! `status`: what is attached where, since when, and how it does.

pub(super) mod check;
mod merged;

use comfy_table::{Table, presets::NOTHING};

use self::merged::merged;
use super::{
    state::{Detail, RoleDetail, State},
    text::{format_duration, trimmed},
};
use crate::kernel::pins::Role;

/// A row for each attachment; sources of this host are one mirror, with a row for all of its interfaces.
pub fn table(states: &[State]) -> String {
    if states.is_empty() {
        return "nothing is attached\n".to_owned();
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["INTERFACE", "ROLE", "AGE", "ENDS IN", "HEALTH", "WHAT"]);
    for row in rows(states) {
        let each = |cell: fn(&State) -> String| {
            row.iter().map(|state| cell(state)).collect::<Vec<_>>().join("\n")
        };
        table.add_row([
            each(|state| state.interface.clone()),
            row[0].role.to_string(),
            each(age),
            each(ends_in),
            each(|state| state.health.level.to_string()),
            merged(&row.iter().map(|state| (&*state.interface, what(state))).collect::<Vec<_>>())
                .join("\n"),
        ]);
    }
    trimmed(&table)
}

/// What belongs together; none of it is empty. A source's place is that of the first.
fn rows(states: &[State]) -> Vec<Vec<&State>> {
    let mut rows: Vec<Vec<&State>> = Vec::new();
    let mut mirror: Option<usize> = None;
    for state in states {
        match mirror.filter(|_| is_of_mirror(state)) {
            Some(row) => rows[row].push(state),
            None => {
                if is_of_mirror(state) {
                    mirror = Some(rows.len());
                }
                rows.push(vec![state]);
            }
        }
    }
    rows
}

fn is_of_mirror(state: &State) -> bool {
    state.role == Role::Source && state.detail.is_some() && !state.identity.elsewhere
}

fn age(state: &State) -> String {
    state.origin.as_ref().map_or_else(String::new, |origin| format_duration(origin.age))
}

fn ends_in(state: &State) -> String {
    match state.detail.as_ref().map(|detail| &detail.role) {
        Some(RoleDetail::Source { selection, .. }) => {
            selection.deadline.map_or_else(String::new, |deadline| deadline.text())
        }
        Some(RoleDetail::Target(_) | RoleDetail::Guard { .. }) | None => String::new(),
    }
}

/// Lines by what they are about.
fn what(state: &State) -> Vec<Vec<String>> {
    let mut lines = vec![state.health.reasons.clone(), state.identity.notes()];
    if let Some(detail) = &state.detail {
        lines.extend(of_role(&detail.role));
        lines.push(vec![settings(state, detail)]);
        lines.push(detail.fallbacks.iter().map(ToString::to_string).collect());
    } else {
        let version = |origin: &super::Origin| format!("version {}", origin.version);
        lines.push(state.origin.iter().map(version).collect());
    }
    lines.push(state.warnings.iter().map(|warning| format!("warning: {warning}")).collect());
    lines.push(state.notes.iter().map(|note| format!("note: {note}")).collect());
    lines
}

fn of_role(role: &RoleDetail) -> Vec<Vec<String>> {
    match role {
        RoleDetail::Source { redundancy, maps, selection, .. } => {
            let redundant = (*redundancy > 1).then(|| format!("each TCP copy {redundancy} times"));
            vec![
                maps.iter().map(ToString::to_string).collect(),
                selection.lines_but_deadline(),
                redundant.into_iter().collect(),
            ]
        }
        RoleDetail::Target(target) => {
            let mut lines = vec![format!("port {}", target.served())];
            lines.extend(target.shortages.iter().map(ToString::to_string));
            lines.extend(target.allowed_macs.iter().map(|mac| format!("only from {mac}")));
            vec![lines]
        }
        RoleDetail::Guard { guarded_servers, .. } => {
            let drops = |server| format!("drops what {server} sends");
            vec![guarded_servers.iter().map(drops).collect()]
        }
    }
}

fn settings(state: &State, detail: &Detail) -> String {
    let mut all = detail.attached_by(&state.identity);
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
            expired_source, gone_target, guard, lossy_target, renamed_source, second_source,
            source, target, target_elsewhere, without_detail,
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

    #[test]
    fn one_mirror_at_two_interfaces() {
        insta::assert_snapshot!(table(&[source(), target(), second_source()]));
    }

    #[test]
    fn not_where_one_would_expect() {
        insta::assert_snapshot!(table(&[renamed_source(), target_elsewhere()]));
    }
}
