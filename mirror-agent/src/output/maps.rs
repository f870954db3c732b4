//! What sources copy, as `map list` shows it.

use serde_json::{Value, json};

use super::{
    json::{selection, texts},
    selection::SelectionState,
    state::MapState,
};
use crate::config::mapping::MapSpec;

/// What a source copies, a line each.
pub fn lines<'a>(
    maps: impl IntoIterator<Item = &'a MapSpec>,
    selection: &SelectionState,
) -> String {
    let maps = maps.into_iter().map(ToString::to_string);
    maps.chain(selection.lines()).map(|line| format!("  {line}\n")).collect()
}

/// A paragraph for each source.
pub fn text(states: &[MapState]) -> String {
    use std::fmt::Write as _;

    let mut text = String::new();
    for MapState { interface, maps, selection } in states {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{interface}");
        text += &lines(maps, selection);
    }
    if states.is_empty() {
        text.push_str("no source is attached\n");
    }
    text
}

/// One document; `selection` as in `status --json`.
pub fn json(states: &[MapState]) -> String {
    let sources: Vec<Value> = states
        .iter()
        .map(|state| {
            json!({
                "interface": state.interface,
                "maps": texts(&state.maps),
                "selection": selection(&state.selection),
            })
        })
        .collect();
    json!({ "sources": sources }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{multiply::Multiply, rate::Limits, sample::Sample},
        output::SelectionState,
    };

    #[test]
    fn what_is_copied() {
        let selection = SelectionState {
            clients: vec!["10.0.0.0/8".parse().unwrap()],
            excluded: vec![],
            sample: Sample(100_000),
            copies: Multiply::default(),
            limits: Limits::default(),
            deadline: None,
            dry_run: false,
        };
        let maps = ["11211=10.0.0.5:11211", "11212=[fd00::5]:11212"];
        let maps = maps.map(|map| map.parse().unwrap()).to_vec();
        let states = [MapState { interface: "eth0".into(), maps, selection }];
        insta::assert_snapshot!(text(&states), @r"
        eth0
          11211=10.0.0.5:11211
          11212=[fd00::5]:11212
          only clients of 10.0.0.0/8
          10% of all connections
        ");
        assert_eq!(text(&[]), "no source is attached\n");
        let document: Value = serde_json::from_str(&json(&states)).unwrap();
        assert_eq!(document["sources"][0]["maps"][1], "11212=[fd00::5]:11212");
        assert_eq!(document["sources"][0]["selection"]["sample_percent"], 10.0);
    }
}
