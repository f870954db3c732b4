//! `docs/counters.md`: the counters as the code describes them.

use super::counters::List;

/// Where it is.
pub(crate) const PATH: &str = "docs/counters.md";

const HEAD: &str = "\
# Counters

<!-- `cargo xtask counters` writes this file from the doc comments of the counters. -->

Each packet that the mirror meets ends in one of these ways. `mirror-agent stats` sums them up, `stats --all` shows all
of them, and `stats --explain NAME` says what is said here. [json.md](json.md) describes `stats --json`.

| class | meaning |
|---|---|
| total | all of them; the other counters of the same unit are parts of it |
| delivered | done as it should be |
| lost | should have been done, and was not |
| expected | left out, as it should be |
| internal | how it was done, which is neither good nor bad |

The kernel hands on a **packet** at once, and it may be several segments (GRO, GSO); a **segment** is a TCP segment
or a UDP datagram as it is on the wire; a **copy** is a packet made for one map.

## Health

`stats`, `status` and `status --check` give one verdict for each attachment:

| verdict | exit code of `status --check` | when |
|---|---|---|
| OK | 0 | it works, and of all that had to be mirrored at most 1 in 1,000 (0.1 %) was lost |
| DEGRADED | 1 | it works, and more was lost: since it was attached, or in the last minute that `stats --follow` has seen; or nothing listens at a port that a target serves; or most packets for a source's maps find no socket on its host |
| DOWN | 2 | nothing is mirrored: the interface is gone or down; the attachment is half made, or another version's; no copy of a source has left the host, though some were made; or nothing listens at any port of a target, and copies arrive |
| EXPIRED | 3 (UNKNOWN) | the deadline of a source (`--for`, `--until`) has passed, as was wanted: nothing is mirrored any more |
| | 3 (UNKNOWN) | nothing is attached, or it cannot be told, as without the rights to look |

The worst attachment of a host decides; EXPIRED is better than DEGRADED. The exit codes are those of Nagios' plugins.

* **A target** counts in segments. It had to apply those that are `applied` but not `withdrawn`, and those that it lost.
* **A source** counts in copies. It had to send those that were `sent`, and those that its maps lost. A packet for a map
  that cannot be mirrored counts as one copy. A source cannot see whether copies are applied.
* **A guard** is OK while its interface is. If it drops anything, the new host leaks replies.
* Silence is no fault: without clients, nothing arrives.
* Connections that are older than the mirror lose segments before their first request boundary. With many of them a
  target is DEGRADED for its first minute.
* Counters are those since the first `attach` or `drop`. Nothing makes up for a loss: `compare` finds the
  items that the new server lacks.
* \"Nothing listens\" is about TCP and UDP sockets in the agent's network namespace. It is not said of a port with open
  mirrored connections: memcached may be in a container.
";

/// The whole page.
pub(crate) fn page(lists: &[List]) -> String {
    let mut page = HEAD.to_owned();
    for list in lists {
        page += &format!("\n## {}\n\n{}\n\n", title(&list.name), wrapped(&list.help));
        page += "| counter | unit | class | |\n|---|---|---|---|\n";
        for counter in &list.counters {
            let of = |place: usize| counter.meaning.get(place).map(|word| word.to_lowercase());
            page += &format!(
                "| `{}` | {} | {} | {} |\n",
                counter.name,
                of(0).unwrap_or_default(),
                of(1).unwrap_or_default(),
                counter.help.replace('|', "\\|")
            );
        }
    }
    page
}

/// Of the list with that name.
fn title(name: &str) -> &str {
    match name {
        "MappingCounter" => "Each map of a source",
        "DerivedMapping" => "Each map of a source, computed",
        "DerivedTarget" => "Target, computed",
        _ => name.strip_suffix("Counter").unwrap_or(name),
    }
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
        let code =
            "counters! {\n /// Sums.\n RoleCounter { /// A | b.\n A = \"a\", Packets, Lost; } }";
        let page = page(&read([&Source::new("c.rs", code)].into_iter()).unwrap());
        assert!(page.ends_with(
            "\n## Role\n\nSums.\n\n| counter | unit | class | |\n|---|---|---|---|\n\
             | `a` | packets | lost | A \\| b. |\n"
        ));
    }

    #[test]
    fn long_texts_are_wrapped_between_words() {
        let text = "word ".repeat(60);
        let wrapped = wrapped(&text);
        assert!(wrapped.lines().count() == 3 && wrapped.lines().all(|line| line.len() <= 120));
        assert_eq!(wrapped.replace('\n', " "), text.trim());
    }
}
