//! `docs/counters.md`: the counters as the code describes them.

use super::counters::List;

/// Where it is.
pub(crate) const PATH: &str = "docs/counters.md";

const HEAD: &str = "\
# Counters

<!-- `cargo xtask counters` writes this file from the doc comments of the counters. -->

Each packet that the mirror meets ends in one of these ways. `mirror-agent stats` shows those that moved, and
`mirror-agent stats --json` all of them.
";

/// The whole page.
pub(crate) fn page(lists: &[List]) -> String {
    let mut page = HEAD.to_owned();
    for list in lists {
        let title = list.name.strip_suffix("Counter").unwrap_or(&list.name);
        page += &format!("\n## {title}\n\n{}\n\n| counter | |\n|---|---|\n", wrapped(&list.help));
        for counter in &list.counters {
            page += &format!("| `{}` | {} |\n", counter.name, counter.help.replace('|', "\\|"));
        }
    }
    page
}

/// In lines of no more than 120 letters.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= 120 => {
                *line += &format!(" {word}");
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::{
        super::{super::source::Source, counters::read},
        *,
    };

    #[test]
    fn a_table_for_each_role() {
        let code = "counters! {\n /// Sums.\n RoleCounter { /// A | b.\n A = \"a\", } }";
        let page = page(&read([&Source::new("c.rs", code)].into_iter()).unwrap());
        assert!(
            page.ends_with("\n## Role\n\nSums.\n\n| counter | |\n|---|---|\n| `a` | A \\| b. |\n")
        );
    }

    #[test]
    fn long_texts_are_wrapped_between_words() {
        let text = "word ".repeat(60);
        let wrapped = wrapped(&text);
        assert!(wrapped.lines().count() == 3 && wrapped.lines().all(|line| line.len() <= 120));
        assert_eq!(wrapped.replace('\n', " "), text.trim());
    }
}
