//! What sources copy, as `map list` shows it.

use serde_json::{Value, json};

use super::{
    json::{document, map, selection},
    selection::SelectionState,
    state::MapState,
};
use crate::{config::mapping::MapSpec, kernel::pins::Role};

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

/// One document; `selection` as in `status --json`. `time` is this moment, in seconds since the epoch.
pub fn json(states: &[MapState], time: f64) -> String {
    let attachments = states.iter().map(|state| {
        json!({
            "interface": state.interface,
            "role": Role::Source.name(),
            "maps": state.maps.iter().map(|one| Value::from(map(one))).collect::<Vec<_>>(),
            "selection": selection(&state.selection),
        })
    });
    document(attachments.collect(), time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{
            multiply::Multiply,
            rate::Limits,
            sample::{Sample, SampleBy},
        },
        output::SelectionState,
    };

    #[test]
    fn what_is_copied() {
        let selection = SelectionState {
            clients: vec!["10.0.0.0/8".parse().unwrap()],
            excluded: vec![],
            sample: Sample(100_000),
            sample_by: SampleBy::ClientAddress,
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
          10% of all clients, by address
        ");
        assert_eq!(text(&[]), "no source is attached\n");
        let document: Value = serde_json::from_str(&json(&states, 0.5)).unwrap();
        let source = &document["attachments"][0];
        assert_eq!(source["maps"][1]["map"], "11212=[fd00::5]:11212");
        assert_eq!(source["selection"]["sample_percent"], 10.0);
        assert_eq!(source["selection"]["sample_by"], "client-address");
    }
}
