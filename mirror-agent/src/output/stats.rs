//! `stats`: health at a glance.

pub(super) mod all;
pub(super) mod explain;
pub(super) mod follow;

use std::collections::BTreeSet;

use mirror_common::abi::{
    DerivedTarget, GuardCounter, MappingCounter, SourceCounter, TargetCounter,
};

use super::{
    state::{Detail, RoleDetail, State, TargetDetail},
    text::format_duration,
};
use crate::{
    kernel::pins::Role,
    stats::{
        figures::{grouped, listed, percent_text},
        health::{Level, words},
        meaning::List,
        snapshot::{Snapshot, Values},
        tally::{Tally, value},
    },
};

/// How far what is said of an attachment is moved to the right.
const INDENT: &str = "            ";

/// A paragraph for each attachment.
pub fn text(states: &[State]) -> String {
    if states.is_empty() {
        return "nothing is attached\n".to_owned();
    }
    let paragraphs: Vec<String> = states.iter().map(paragraph).collect();
    paragraphs.join("\n")
}

fn paragraph(state: &State) -> String {
    let mut head = vec![state.interface.clone(), state.role.to_string()];
    head.extend(state.origin.as_ref().map(|origin| format!("up {}", format_duration(origin.age))));
    head.extend(state.detail.iter().flat_map(|detail| detail.attached_by(&state.identity)));
    if let Some(RoleDetail::Target(target)) = state.detail.as_ref().map(|detail| &detail.role) {
        head.push(format!("port {}", target.served()));
    }
    let mut lines = Vec::new();
    let tally = state.detail.as_ref().map(Detail::tally).unwrap_or_default();
    if let Some(detail) = &state.detail {
        lines.push(work(state.role, &tally, &detail.snapshot));
    }
    lines.extend(state.health.reasons.iter().cloned());
    lines.extend(state.identity.notes());
    if let Some(detail) = &state.detail {
        // Where it is degraded, the reason says it.
        if state.health.level < Level::Degraded && !tally.losses.is_empty() {
            lines.push(format!("lost: {}", listed(&tally.losses)));
        }
        lines.extend(about(detail));
    } else if let Some(origin) = &state.origin {
        lines.push(format!("version {}", origin.version));
    }
    lines.extend(state.warnings.iter().map(|warning| format!("warning: {warning}")));

    let mut text = format!("{}\n  {:<10}", head.join("  "), state.health.level);
    for (number, line) in lines.iter().enumerate() {
        if number > 0 {
            text.push_str(INDENT);
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// What was done of what had to be.
pub(super) fn work(role: Role, tally: &Tally, snapshot: &Snapshot) -> String {
    let (unit, done) = words(role);
    match role {
        Role::Guard => {
            let seen = value(&snapshot.counters, GuardCounter::Seen.name());
            format!("dropped {} of {} packets", grouped(tally.done), grouped(seen))
        }
        Role::Source if tally.due() == 0 => "no packet for its maps was seen yet".to_owned(),
        Role::Target if tally.due() == 0 => {
            "no copy that memcached needs has arrived yet".to_owned()
        }
        Role::Source | Role::Target => format!(
            "{done} {} of {} {unit} ({}), lost {}",
            grouped(tally.done),
            grouped(tally.due()),
            percent_text(tally.done, tally.due()),
            grouped(tally.lost())
        ),
    }
}

fn about(detail: &Detail) -> Vec<String> {
    match &detail.role {
        RoleDetail::Source { .. } => of_source(&detail.snapshot),
        RoleDetail::Target(target) => of_target(target, &detail.snapshot),
        RoleDetail::Guard { .. } if detail.tally().done > 0 => vec![
            "a guarded server sent what no client may see: run `mirror-agent status` on its host"
                .to_owned(),
        ],
        RoleDetail::Guard { .. } => Vec::new(),
    }
}

fn of_source(snapshot: &Snapshot) -> Vec<String> {
    let mut lines: Vec<String> =
        snapshot.maps.iter().map(|(map, values)| format!("{map}: {}", of_map(values))).collect();
    let count =
        |counter: SourceCounter| (counter.name(), value(&snapshot.counters, counter.name()));
    let mut sentence = |what: &str, counters: &[SourceCounter]| {
        let counts: Vec<_> =
            counters.iter().map(|counter| count(*counter)).filter(|(_, n)| *n > 0).collect();
        if !counts.is_empty() {
            lines.push(format!("{what}, in packets: {}", listed(&counts)));
        }
    };
    sentence(
        "left out, as you chose",
        &[
            SourceCounter::DryRun,
            SourceCounter::SkippedExpired,
            SourceCounter::SkippedClient,
            SourceCounter::SkippedSample,
            SourceCounter::SkippedRateLimit,
        ],
    );
    sentence(
        "not mirrorable",
        &[
            SourceCounter::SkippedMptcp,
            SourceCounter::SkippedUrgent,
            SourceCounter::SkippedUdpMulti,
            SourceCounter::SkippedUdpSuper,
        ],
    );
    let fragments = value(&snapshot.counters, SourceCounter::SkippedFragment.name());
    if fragments > 0 {
        lines.push(format!("not mirrorable, of any port: {} IP fragments", grouped(fragments)));
    }
    let targets: BTreeSet<String> =
        snapshot.maps.iter().map(|(map, _)| map.target.ip().to_string()).collect();
    if !targets.is_empty() {
        lines.push(format!(
            "cannot see from here whether copies are applied: run `mirror-agent stats` on {}",
            targets.into_iter().collect::<Vec<_>>().join(", ")
        ));
    }
    lines
}

fn of_map(values: &Values) -> String {
    let count = |counter: MappingCounter| value(values, counter.name());
    let mut parts = vec![format!(
        "sent {} copies, {} segments, {} bytes",
        grouped(count(MappingCounter::Sent)),
        grouped(count(MappingCounter::SentSegments)),
        grouped(count(MappingCounter::SentBytes))
    )];
    if count(MappingCounter::DryRunCopies) > 0 {
        parts.push(format!(
            "dry run {} copies, {} segments, {} bytes",
            grouped(count(MappingCounter::DryRunCopies)),
            grouped(count(MappingCounter::DryRunSegments)),
            grouped(count(MappingCounter::DryRunBytes))
        ));
    }
    let losses = Tally::of_map(values).losses;
    if !losses.is_empty() {
        parts.push(format!("lost {}", listed(&losses)));
    }
    let limited = count(MappingCounter::RateLimited);
    if limited > 0 {
        parts.push(format!("rate-limited {} packets", grouped(limited)));
    }
    parts.join("; ")
}

fn of_target(target: &TargetDetail, snapshot: &Snapshot) -> Vec<String> {
    let count = |counter: TargetCounter| grouped(value(&snapshot.counters, counter.name()));
    let now = &target.connections;
    let most = u64::from(target.max_connections);
    let mut lines = vec![format!(
        "connections: {} open, {} opening, {} closing, {} before a request boundary, {} of direct clients; \
         table {} of {} ({})",
        grouped(now.open),
        grouped(now.opening),
        grouped(now.closing),
        grouped(now.unsynced),
        grouped(now.direct),
        grouped(now.total()),
        grouped(most),
        percent_text(now.total(), most),
    )];
    lines.push(format!(
        "so far: {} opened, {} adopted, {} desynchronised, {} closed",
        count(TargetCounter::Opened),
        count(TargetCounter::Adopted),
        count(TargetCounter::Desynced),
        count(TargetCounter::Closed)
    ));
    let waiting = value(&snapshot.counters, DerivedTarget::Waiting.name());
    if waiting > 0 {
        let longest = value(&snapshot.counters, DerivedTarget::LongestWait.name());
        lines.push(format!(
            "hold queue: {} segments wait, the oldest for {} ms",
            grouped(waiting),
            grouped(longest)
        ));
    }
    let replies = List::Of(Role::Target)
        .meanings()
        .iter()
        .filter(|meaning| meaning.name.starts_with("reply_dropped_"))
        .map(|meaning| value(&snapshot.counters, meaning.name))
        .sum();
    lines.push(format!(
        "replies: {} packets dropped, {} acknowledged for clients",
        grouped(replies),
        count(TargetCounter::AckedForClient)
    ));
    lines.extend(target.shortages.iter().map(ToString::to_string));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::state::tests::{
        guard, lossy_target, renamed_source, source, target, target_elsewhere, without_detail,
    };
    use crate::stats::condition::Condition;

    #[test]
    fn healthy() {
        insta::assert_snapshot!(text(&[source(), target(), guard()]));
    }

    #[test]
    fn not_where_one_would_expect() {
        insta::assert_snapshot!(text(&[renamed_source(), target_elsewhere()]));
    }

    #[test]
    fn lossy() {
        insta::assert_snapshot!(text(&[lossy_target()]));
    }

    #[test]
    fn dead() {
        insta::assert_snapshot!(text(&[
            without_detail(Condition::Incomplete),
            without_detail(Condition::OtherVersion),
        ]));
    }

    #[test]
    fn nothing() {
        assert_eq!(text(&[]), "nothing is attached\n");
    }
}
