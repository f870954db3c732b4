//! What a copy adds to a request of production: CPU time, as differences between a side's turn and the bare ones
//! before and after it.

use std::time::Duration;

use anyhow::Result;

use super::{
    Plan, dup,
    report::{Cell, Report},
    side::Side,
    site::Site,
    spread::{Estimate, TOLERANCE, Turn},
    steady::{Steady, Took},
};
use crate::interrupt::Interrupt;

/// Each half of a turn: with warm caches, then with cold ones.
const TIME: Duration = Duration::from_millis(150);
/// Sides that copy into the black hole, which are compared.
const COPIES: [Side; 3] = [Side::Mirred, Side::NftDup, Side::BlackHole];
/// Sides that say what real copies cost besides. They have every second round.
const BEYOND: [Side; 3] = [Side::Sealed, Side::One, Side::Three];
/// What ours may cost, as parts of what nft dup does: the goal, and what is wished for.
const GOALS: [f64; 2] = [1.0, 0.6];

const HEADS: [&str; 6] = ["", "warm\nµs", "warm\nwithin", "cold\nµs", "cold\nwithin", "turns"];

/// A side's turns.
struct Series {
    side: Side,
    warm: Vec<Turn>,
    cold: Vec<Turn>,
}

/// One of the two lists.
type Kind = fn(&Series) -> &[Turn];

const KINDS: [(&str, Kind); 2] =
    [("warm", |series| series.warm.as_slice()), ("cold", |series| series.cold.as_slice())];

pub(crate) fn measure(
    site: &Site,
    plan: Plan,
    interrupt: &Interrupt,
    report: &mut Report,
) -> Result<()> {
    let lacking = dup::lacking(&site.old);
    let possible = |side: &Side| *side != Side::NftDup || lacking.is_none();
    let sides = COPIES.into_iter().chain(BEYOND).filter(possible);
    let mut series: Vec<Series> =
        sides.map(|side| Series { side, warm: Vec::new(), cold: Vec::new() }).collect();
    let (bare, idle) = turns(site, plan, interrupt, &mut series)?;
    table(report, &series, &bare, &idle);
    let mut remarks = doubts(&series);
    remarks.extend(match lacking {
        Some(why) => vec![format!("cannot compare with nft dup: {why}")],
        None => KINDS.into_iter().filter_map(|kind| compared(&series, kind)).collect(),
    });
    report.remarks("Added to a request", &remarks);
    shares(report, &series);
    Ok(())
}

/// Takes turns. Returns what bare ones took, and what a bare turn has more than the bare ones beside it.
fn turns(
    site: &Site,
    plan: Plan,
    interrupt: &Interrupt,
    series: &mut [Series],
) -> Result<(Vec<Took>, Series)> {
    let steady = Steady::new(site, interrupt);
    let mut idle = Series { side: Side::Bare, warm: Vec::new(), cold: Vec::new() };
    // At first, so that no turn has to wait for it.
    site.serve(BEYOND.into_iter().map(Side::targets).max().unwrap_or(0));
    // The first of all warms up whatever there is to warm up.
    steady.turn(Side::Bare, TIME)?;
    let mut bare = vec![steady.turn(Side::Bare, TIME)?];
    for round in 0..plan.turns {
        eprintln!("added to a request: round {} of {}", round + 1, plan.turns);
        let count = series.len();
        for position in 0..count {
            // Each round begins with another side, in case the order matters.
            let series = &mut series[(position + round) % count];
            if round % 2 == 1 && BEYOND.contains(&series.side) {
                continue;
            }
            let before = bare[bare.len() - 1];
            let with = steady.turn(series.side, TIME)?;
            let after = steady.turn(Side::Bare, TIME)?;
            bare.push(after);
            series.add(before, with, after);
        }
        if let [.., before, with, after] = bare[..] {
            idle.add(before, with, after);
        }
    }
    Ok((bare, idle))
}

impl Series {
    fn add(&mut self, before: Took, with: Took, after: Took) {
        self.warm.push(Turn { before: before.warm, with: with.warm, after: after.warm });
        self.cold.push(Turn { before: before.cold, with: with.cold, after: after.cold });
    }
}

fn table(report: &mut Report, series: &[Series], bare: &[Took], idle: &Series) {
    let halves = [
        Estimate::of(bare.iter().map(|took| took.warm).collect()),
        Estimate::of(bare.iter().map(|took| took.cold).collect()),
    ];
    let mut rows = vec![row("a request, bare", halves, Cell::Estimate)];
    let nothing = KINDS.map(|(_, kind)| Estimate::added(kind(idle)));
    // A fifth of nothing is nothing.
    rows.push(row("bare once more", nothing, |half, digits| Cell::Median(half.values, digits)));
    rows.extend(series.iter().map(|series| {
        let halves = KINDS.map(|(_, kind)| Estimate::added(kind(series)));
        row(series.side.name(), halves, Cell::Estimate)
    }));
    report.table(
        "Added to a request",
        &format!(
            "µs of production's CPU for a get of 100 bytes on one connection, and what sides add to that: the \
             median of differences\nto the bare turns before and after, and where it lies in 95 of 100 cases. \
             Warm: the next request follows at once. Cold:\nother data fills the core's own caches before each, \
             as other work does on a real host. \"Cannot tell\" where these are\nmore than {:.0} % apart. Bare \
             once more is what nothing adds: about 0 where this machine is quiet enough.",
            TOLERANCE * 100.0
        ),
        &HEADS,
        &rows,
    );
}

fn row(name: &str, halves: [Estimate; 2], cell: fn(Estimate, usize) -> Cell) -> Vec<Cell> {
    let turns = halves[0].values.len() as u64;
    let mut row = vec![Cell::text(name)];
    for half in halves {
        let within =
            half.within.map_or("-".to_owned(), |(low, high)| format!("{low:.2} – {high:.2}"));
        row.extend([cell(half, 2), Cell::text(within)]);
    }
    row.push(Cell::count(turns));
    row
}

/// Why something cannot be told, a line each.
fn doubts(series: &[Series]) -> Vec<String> {
    let of = |series: &Series| {
        KINDS.map(|(name, kind)| {
            let doubt = Estimate::added(kind(series)).doubt?;
            Some(format!("cannot tell: {}, {name}: {doubt}", series.side.name()))
        })
    };
    series.iter().flat_map(of).flatten().collect()
}

/// Ours as a part of what nft dup adds, round by round, and whether the goals are met.
fn compared(series: &[Series], (name, kind): (&str, Kind)) -> Option<String> {
    let of = |side| Some(kind(series.iter().find(|series| series.side == side)?));
    let (ours, other) = (of(Side::BlackHole)?, of(Side::NftDup)?);
    let ratios = ours.iter().zip(other).map(|(ours, other)| ours.added() / other.added());
    let ratio = Estimate::of(ratios.collect());
    Some(match (ratio.told(), &ratio.doubt, ratio.within) {
        (Some(times), _, Some((low, high))) => {
            let met = |goal: f64| {
                if high <= goal {
                    "met"
                } else if low > goal {
                    "missed"
                } else {
                    "open"
                }
            };
            format!(
                "ours, {name}: {times:.2} × of nft dup ({low:.2} – {high:.2}); goal {:.1}: {}, wish {:.1}: {}",
                GOALS[0],
                met(GOALS[0]),
                GOALS[1],
                met(GOALS[1])
            )
        }
        (_, doubt, _) => {
            let doubt = doubt.as_deref().unwrap_or("no turns");
            format!("cannot tell: ours as a part of nft dup, {name}: {doubt}")
        }
    })
}

/// The same as differences between sides that differ in one thing.
fn shares(report: &mut Report, series: &[Series]) {
    let row = |name: &str, more: Side, less: Side, times: f64| {
        let of = |side| series.iter().find(|series| series.side == side);
        let halves = KINDS.map(|(_, kind)| {
            let (Some(more), Some(less)) = (of(more), of(less)) else {
                return Estimate::of(Vec::new());
            };
            // The sides of the black hole have twice the turns.
            let step = if BEYOND.contains(&less.side) { 1 } else { 2 };
            let pairs = kind(more).iter().zip(kind(less).iter().step_by(step));
            Estimate::of(pairs.map(|(more, less)| (more.added() - less.added()) / times).collect())
        });
        self::row(name, halves, Cell::Estimate)
    };
    report.table(
        "Where the time of real copies goes",
        "The same load, as differences between sides of the same round. On real hosts a network card does the \
         first of these.",
        &HEADS,
        &[
            row(
                "the lab's wire: veth, bridge, waking another CPU",
                Side::Sealed,
                Side::BlackHole,
                1.0,
            ),
            row("a new host that applies copies, beside", Side::One, Side::Sealed, 1.0),
            row("each further target, all of it", Side::Three, Side::One, 2.0),
        ],
    );
}
