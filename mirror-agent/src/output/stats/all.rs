//! `stats --all`: every counter, by what it says.

use comfy_table::{CellAlignment, Table, presets::NOTHING};
use mirror_common::abi::Class;

use super::super::{state::State, text::trimmed};
use crate::stats::{figures::grouped, meaning::List, snapshot::Values, tally::value};

/// A list for each attachment, and for each map of a source.
pub fn text(states: &[State]) -> String {
    if states.is_empty() {
        return "nothing is attached\n".to_owned();
    }
    let mut text = String::new();
    for state in states {
        text += &format!("{} {} ({})\n", state.interface, state.role, state.condition);
        let Some(detail) = &state.detail else { continue };
        text += &list(List::Of(state.role), &detail.snapshot.counters);
        for (map, values) in &detail.snapshot.maps {
            text += &format!("{} {} {map}\n", state.interface, state.role);
            text += &list(List::OfMap, values);
        }
    }
    text
}

fn list(list: List, values: &Values) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    let meanings = list.meanings();
    for class in Class::ALL {
        for meaning in meanings.iter().filter(|meaning| meaning.class == class) {
            table.add_row([
                format!("  {class}"),
                meaning.name.to_owned(),
                grouped(value(values, meaning.name)),
                meaning.unit.to_string(),
            ]);
        }
    }
    if let Some(column) = table.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    trimmed(&table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::state::tests::{lossy_target, source};

    #[test]
    fn every_counter() {
        insta::assert_snapshot!(text(&[source(), lossy_target()]));
    }
}
