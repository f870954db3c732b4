//! What pages have in code.

use super::Source;

/// The words of all code, in their order.
pub(super) struct Written(Vec<Vec<String>>);

impl Written {
    /// Reads blocks between fences and spans between backticks.
    pub(super) fn read(pages: &[Source]) -> Self {
        let mut code = Vec::new();
        for page in pages {
            let mut fenced = false;
            // A span may go on in the next line, but not in the next paragraph.
            let mut paragraph = String::new();
            for line in page.text.lines().chain([""]) {
                if line.trim_start().starts_with("```") {
                    fenced = !fenced;
                } else if fenced {
                    code.push(words(line));
                } else if !line.trim().is_empty() {
                    paragraph.push_str(line);
                    paragraph.push('\n');
                    continue;
                }
                code.extend(paragraph.split('`').skip(1).step_by(2).map(words));
                paragraph.clear();
            }
        }
        Self(code)
    }

    /// Whether a name is there, or the names that it consists of, one after the other.
    pub(super) fn has(&self, name: &str) -> bool {
        let name: Vec<&str> = name.split(' ').collect();
        self.0.iter().any(|code| code.windows(name.len()).any(|words| words == name))
    }
}

fn words(code: &str) -> Vec<String> {
    let in_word = |letter: char| letter.is_alphanumeric() || "_-".contains(letter);
    code.split(|letter| !in_word(letter))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_code_only() {
        let page = "`one` two `map\nadd --three[=N]`\n\n| `four` | five |\n```\nmap set --six 1\n```\nseven\n";
        let written = Written::read(&[Source::new("README.md", page)]);
        for name in ["one", "map add", "--three", "four", "map set", "--six"] {
            assert!(written.has(name), "{name}");
        }
        for name in ["two", "five", "seven", "add map", "--thre", "six", "map --six"] {
            assert!(!written.has(name), "{name}");
        }
    }

    #[test]
    fn a_backtick_that_is_alone_ends_with_its_paragraph() {
        let written = Written::read(&[Source::new("README.md", "a ` b\n\nc `d` e")]);
        assert!(written.has("d") && !written.has("e") && !written.has("c"));
    }
}
