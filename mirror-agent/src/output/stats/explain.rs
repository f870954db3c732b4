//! `stats --explain`: what a counter means.

use mirror_common::abi::Meaning;

use crate::stats::meaning::List;

/// Of the counter `name`, wherever there is one.
pub fn text(name: &str, found: &[(List, Meaning)]) -> String {
    let mut text = format!("{name}\n");
    for (list, meaning) in found {
        text += &format!(
            "  {}, in {}, {}: {}\n    {}\n",
            list.name(),
            meaning.unit,
            meaning.class,
            meaning.class.help(),
            meaning.help
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::meaning;

    #[test]
    fn explained() {
        let text = |name| text(name, &meaning::find(name));
        insta::assert_snapshot!(text("discarded_unsynced") + &text("failed_clone"));
    }
}
