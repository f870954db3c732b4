//! What a comparison found: a table with a verdict, or a JSON document.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets::NOTHING};
use serde::Serialize;

use super::{keys::printable, text::trimmed};
use crate::{
    inspect::compare::{
        bound,
        item::{Difference, Item},
        pair::Pair,
        run::{Comparison, Example},
        tally::{Tally, Verdict},
    },
    memcached::ttl::Ttl,
};

/// A pair, and what came of it or why nothing did.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The pair.
    pub pair: Pair,
    /// The comparison.
    pub found: Result<Comparison, String>,
}

/// All pairs of a run.
#[derive(Clone, Debug)]
pub struct Report {
    compared: Vec<Compared>,
    allowed: f64,
}

impl Report {
    /// Of pairs, and the share of keys that may differ.
    pub fn new(compared: Vec<Compared>, allowed: f64) -> Self {
        Self { compared, allowed }
    }

    /// How many pairs could not be compared.
    pub fn failed(&self) -> usize {
        self.compared.iter().filter(|compared| compared.found.is_err()).count()
    }

    /// The worst of all pairs' verdicts.
    pub fn verdict(&self) -> Verdict {
        self.found().map(|(_, found)| self.verdict_of(found)).max().unwrap_or_default()
    }

    fn verdict_of(&self, found: &Comparison) -> Verdict {
        found.tally.verdict(found.is_sample, self.allowed)
    }

    fn found(&self) -> impl Iterator<Item = (&Pair, &Comparison)> {
        self.compared
            .iter()
            .filter_map(|compared| Some((&compared.pair, compared.found.as_ref().ok()?)))
    }
}

/// The largest share of all keys that may be like those that are counted.
fn most(count: fn(&Tally) -> u64, found: &Comparison) -> f64 {
    let (like, judged) = (count(&found.tally), found.tally.judged());
    match (found.is_sample, judged) {
        (true, _) => bound::upper(like, judged),
        (false, 0) => 0.0,
        (false, _) => like as f64 / judged as f64,
    }
}

/// For people.
pub fn table(report: &Report) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header([
        "OLD",
        "NEW",
        "KEYS",
        "SAME",
        "VOLATILE",
        "GONE",
        "MISSING",
        "EXTRA",
        "STALE",
        "FLAGS",
        "TTL",
        "UNREADABLE",
        "VERDICT",
    ]);
    for Compared { pair, found } in &report.compared {
        let mut row = vec![pair.old.to_string(), pair.new.to_string()];
        if let Ok(found) = found {
            row.extend(counts(&found.tally).map(|count| count.to_string()));
            row.push(word(report.verdict_of(found)).to_owned());
        } else {
            row.extend((0..10).map(|_| "-".to_owned()));
            row.push("failed".to_owned());
        }
        table.add_row(row);
    }
    for column in 2..=11 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = trimmed(&table);
    for (pair, found) in report.found() {
        for example in &found.examples {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{pair} {}", line(example));
        }
    }
    for Compared { pair, found } in &report.compared {
        if let Err(reason) = found {
            let _ = writeln!(text, "{pair} failed: {reason}");
        }
    }
    text + &conclusion(report)
}

fn counts(tally: &Tally) -> [u64; 10] {
    let Tally { compared, same, gone, volatile, missing, extra, stale, flags, ttl, unreadable } =
        *tally;
    [compared, same, volatile, gone, missing, extra, stale, flags, ttl, unreadable]
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Same => "same",
        Verdict::Unproven => "unproven",
        Verdict::Missing => "missing",
        Verdict::Wrong => "wrong",
    }
}

/// The last lines: what it means.
fn conclusion(report: &Report) -> String {
    let mut text = String::new();
    for (what, of) in [("missing", missing as fn(&Tally) -> u64), ("wrong", Tally::wrong)] {
        let sum = |count: fn(&Tally) -> u64| {
            report.found().map(|(_, found)| count(&found.tally)).sum::<u64>()
        };
        let (found, judged) = (sum(of), sum(Tally::judged));
        let _ = write!(text, "{what} on the new side: {found} of {judged} keys");
        let samples = report.found().filter(|(_, found)| found.is_sample);
        if let Some(most) = samples.map(|(_, found)| most(of, found)).reduce(f64::max) {
            let all = if report.compared.len() > 1 { "each pair's" } else { "all" };
            let _ = write!(text, " ({} of {all} keys at most, 95% sure)", percent(most));
        }
        text.push('\n');
    }
    let failed = report.failed();
    if failed > 0 {
        let _ = writeln!(
            text,
            "failed: {failed} of {} pairs could not be compared",
            report.compared.len()
        );
        return text;
    }
    text + &meaning(report) + "\n"
}

fn meaning(report: &Report) -> String {
    let all = |count: fn(&Tally) -> u64| {
        report.found().map(|(_, found)| count(&found.tally)).sum::<u64>()
    };
    let is_sample = report.found().any(|(_, found)| found.is_sample);
    match report.verdict() {
        Verdict::Same if all(missing) + all(Tally::wrong) > 0 => {
            "same: fewer keys differ than are allowed".to_owned()
        }
        Verdict::Same if is_sample => "same: no key of the sample differs".to_owned(),
        Verdict::Same => "same: no key differs".to_owned(),
        Verdict::Missing if all(Tally::wrong) == 0 => {
            "missing: clients of the new side would have misses; nothing wrong was found".to_owned()
        }
        Verdict::Missing => {
            "missing: clients of the new side would have misses; fewer keys are wrong than are allowed".to_owned()
        }
        Verdict::Wrong => "wrong: clients of the new side would have wrong answers".to_owned(),
        Verdict::Unproven => match (all(Tally::judged), all(Tally::unknown)) {
            (0, 0) => "unproven: no key was there to be compared".to_owned(),
            (judged, unknown) if 10 * unknown > judged => {
                format!("unproven: {unknown} keys change all the time, or cannot be asked for")
            }
            _ => "unproven: a pair has too few keys that are known; take a larger --sample, or --full".to_owned(),
        },
    }
}

fn missing(tally: &Tally) -> u64 {
    tally.missing
}

fn percent(share: f64) -> String {
    match share * 100.0 {
        small if small < 0.1 => format!("{small:.3}%"),
        large => format!("{large:.2}%"),
    }
}

/// A key that differs, and how.
fn line(example: &Example) -> String {
    let what = name(example.difference);
    let key = printable(&example.key);
    let (old, new) = (side(example.seen.old.as_ref()), side(example.seen.new.as_ref()));
    format!("{what} {key} (old: {old}; new: {new})")
}

fn name(difference: Difference) -> &'static str {
    match difference {
        Difference::Missing => "missing",
        Difference::Extra => "extra",
        Difference::Stale => "stale",
        Difference::Flags => "flags",
        Difference::Ttl => "ttl",
    }
}

fn side(item: Option<&Item>) -> String {
    let Some(item) = item else { return "none".to_owned() };
    match (item.content, item.size) {
        (Some(content), _) => {
            let left = match content.left {
                Some(Ttl::Never) => ", never expires".to_owned(),
                Some(Ttl::Remaining(seconds)) => format!(", {seconds} s left"),
                None => String::new(),
            };
            let marked = if content.marked == Some(true) { ", marked as stale" } else { "" };
            format!("{} bytes, flags {}{left}{marked}", content.length, content.flags)
        }
        (None, Some(size)) => format!("{size} bytes with overhead"),
        (None, None) => "there".to_owned(),
    }
}

/// # Errors
///
/// Never: nothing in it is not JSON.
pub fn json(report: &Report) -> serde_json::Result<String> {
    let pairs = report.compared.iter().map(|Compared { pair, found }| PairDocument {
        old: pair.old.to_string(),
        new: pair.new.to_string(),
        error: found.as_ref().err().map(String::as_str),
        found: found.as_ref().ok().map(|found| FoundDocument {
            verdict: report.verdict_of(found),
            sample: found.is_sample,
            keys: found.tally,
            listed_old: found.listed[0],
            listed_new: found.listed[1],
            missing_at_most: most(missing, found),
            wrong_at_most: most(Tally::wrong, found),
            ttl_compared: found.has_ttl,
            renewals_taken_old: found.won[0],
            renewals_taken_new: found.won[1],
            examples: found.examples.iter().map(ExampleDocument::of).collect(),
        }),
    });
    serde_json::to_string_pretty(&Document {
        verdict: (report.failed() == 0).then(|| report.verdict()),
        failed: report.failed(),
        pairs: pairs.collect(),
    })
}

/// `verdict` is null where a pair could not be compared.
#[derive(Serialize)]
struct Document<'a> {
    verdict: Option<Verdict>,
    failed: usize,
    pairs: Vec<PairDocument<'a>>,
}

#[derive(Serialize)]
struct PairDocument<'a> {
    old: String,
    new: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(flatten)]
    found: Option<FoundDocument>,
}

/// `*_at_most` are shares of all keys, 1 for all; of a sample, 95 % sure.
#[derive(Serialize)]
struct FoundDocument {
    verdict: Verdict,
    sample: bool,
    keys: Tally,
    listed_old: u64,
    listed_new: u64,
    missing_at_most: f64,
    wrong_at_most: f64,
    ttl_compared: bool,
    renewals_taken_old: u64,
    renewals_taken_new: u64,
    examples: Vec<ExampleDocument>,
}

/// A key is written as in the table, with `%` and two digits for what is not plain text.
#[derive(Serialize)]
struct ExampleDocument {
    difference: Difference,
    key_encoded: String,
    old: Option<SideDocument>,
    new: Option<SideDocument>,
}

/// What was not read is null; so is `expires_in` for never.
#[derive(Serialize)]
struct SideDocument {
    length: Option<usize>,
    flags: Option<u64>,
    marked_stale: Option<bool>,
    expires_in: Option<u64>,
}

impl ExampleDocument {
    fn of(example: &Example) -> Self {
        Self {
            difference: example.difference,
            key_encoded: printable(&example.key),
            old: example.seen.old.map(SideDocument::of),
            new: example.seen.new.map(SideDocument::of),
        }
    }
}

impl SideDocument {
    fn of(item: Item) -> Self {
        let content = item.content;
        Self {
            length: content.map(|content| content.length),
            flags: content.map(|content| content.flags),
            marked_stale: content.and_then(|content| content.marked),
            expires_in: content.and_then(|content| match content.left {
                Some(Ttl::Remaining(seconds)) => Some(seconds),
                _ => None,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
