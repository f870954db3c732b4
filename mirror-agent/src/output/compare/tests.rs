//! What a comparison looks like.

use super::*;
use crate::inspect::compare::item::{Both, Content};

fn compared(pair: &str, found: Result<Comparison, &str>) -> Compared {
    let (old, new) = pair.split_once('=').unwrap();
    let pair = Pair { old: old.parse().unwrap(), new: new.parse().unwrap() };
    Compared { pair, found: found.map_err(str::to_owned) }
}

fn comparison(tally: Tally, examples: Vec<Example>) -> Comparison {
    Comparison {
        tally,
        examples,
        listed: [1_000_000, 900_000],
        is_sample: true,
        won: [0; 2],
        has_ttl: true,
    }
}

fn some() -> Comparison {
    let content = Content {
        length: 5,
        digest: 1,
        flags: 7,
        marked: Some(false),
        left: Some(Ttl::Remaining(60)),
    };
    let item = |content| Some(Item { unique: 1, content: Some(content), size: None });
    let seen = Some(Item { unique: 1, content: None, size: Some(70) });
    let example = |difference, key: &[u8], old, new| Example {
        difference,
        key: key.to_vec(),
        seen: Both { old, new },
    };
    let other = Content { length: 6, left: Some(Ttl::Never), ..content };
    comparison(
        Tally {
            compared: 10_000,
            same: 9_981,
            gone: 3,
            volatile: 4,
            missing: 10,
            stale: 2,
            ..Tally::default()
        },
        vec![
            example(Difference::Missing, b"user:1", seen, None),
            example(Difference::Stale, b"a b\xff", item(content), item(other)),
        ],
    )
}

fn all_same() -> Comparison {
    comparison(Tally { compared: 3_000, same: 3_000, ..Tally::default() }, Vec::new())
}

#[test]
fn a_table() {
    let report = Report::new(
        vec![
            compared("cache1=10.0.0.5", Ok(some())),
            compared("cache1:2=10.0.0.5:2", Ok(all_same())),
        ],
        0.0,
    );
    insta::assert_snapshot!(table(&report));
}

#[test]
fn verdicts_in_words() {
    let last = |found: Result<Comparison, &str>, is_sample, allowed| {
        let found = found.map(|found| Comparison { is_sample, ..found });
        let report = Report::new(vec![compared("a=b", found)], allowed);
        table(&report).lines().last().unwrap().to_owned()
    };
    let missing =
        || comparison(Tally { compared: 9, same: 8, missing: 1, ..Tally::default() }, Vec::new());
    let lines = [
        last(Ok(all_same()), true, 0.0),
        last(Ok(all_same()), true, 0.01),
        last(Ok(all_same()), true, 0.000_1),
        last(Ok(missing()), false, 0.0),
        last(Ok(some()), false, 0.0),
        last(Ok(comparison(Tally::default(), Vec::new())), false, 0.0),
        last(
            Ok(comparison(
                Tally { compared: 9, same: 4, volatile: 5, ..Tally::default() },
                Vec::new(),
            )),
            false,
            0.0,
        ),
        last(Err("cannot connect to a:11211"), true, 0.0),
    ];
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_document() {
    let report = Report::new(
        vec![
            compared("cache1=10.0.0.5", Ok(some())),
            compared("a=b", Err("cannot connect to a:11211")),
        ],
        0.0,
    );
    insta::assert_snapshot!(json(&report).unwrap());
}
