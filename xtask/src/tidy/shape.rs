//! Files that are too long, and files that do not say what they are.

use super::{
    finding::{Check, Finding},
    source::Source,
};

/// The most lines of a file without a reason.
const LONG: usize = 400;
/// The same for files that hold nothing but tests, which are lists of cases and read in any order.
const LONG_FOR_TESTS: usize = 700;
/// How a reason begins.
const REASON: &str = "//! Long because: ";

/// Looks at each file by itself.
pub(super) fn check(files: &[Source]) -> Vec<Finding> {
    files.iter().flat_map(|file| [long(file), headless(file)]).flatten().collect()
}

fn long(file: &Source) -> Option<Finding> {
    let most = if file.is_test() { LONG_FOR_TESTS } else { LONG };
    let lines = file.text.lines().count();
    let has_reason =
        || head(&file.text).any(|line| line.strip_prefix(REASON).is_some_and(|it| !it.is_empty()));
    (lines > most && !has_reason()).then(|| Finding {
        check: Check::Long,
        path: file.path.clone(),
        line: lines,
        text: format!("{lines} lines, more than {most}: split it, or say why not in a line `{REASON}…` of its head"),
    })
}

fn headless(file: &Source) -> Option<Finding> {
    let first = head(&file.text).next();
    first.is_none_or(|line| line.len() < "//! x".len()).then(|| Finding {
        check: Check::Headless,
        path: file.path.clone(),
        line: 1,
        text: "begins without a sentence that says what the file is: write `//! …`".to_owned(),
    })
}

/// The doc of the module.
fn head(text: &str) -> impl Iterator<Item = &str> {
    text.lines().take_while(|line| line.starts_with("//!"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks(path: &str, text: &str) -> Vec<Check> {
        check(&[Source::new(path, text)]).iter().map(|finding| finding.check).collect()
    }

    #[test]
    fn long_files_need_a_reason() {
        let lines = |count| "x\n".repeat(count);
        let long = format!("//! What it is.\n{}", lines(LONG));
        assert_eq!(checks("a/src/b.rs", &long), [Check::Long]);
        assert_eq!(checks("a/src/b/tests.rs", &long), []);
        assert_eq!(checks("tests/tests/a/b.rs", &long), []);
        assert_eq!(checks("tests/src/b.rs", &long), [Check::Long]);
        let longer = format!("//! What it is.\n{}", lines(LONG_FOR_TESTS));
        assert_eq!(checks("a/src/b/tests.rs", &longer), [Check::Long]);
        let reason = format!("//! What it is.\n//!\n//! Long because: one list.\n{}", lines(LONG));
        assert_eq!(checks("a/src/b.rs", &reason), []);
        let late = format!("//! What it is.\n\n//! Long because: one list.\n{}", lines(LONG));
        assert_eq!(checks("a/src/b.rs", &late), [Check::Long]);
    }

    #[test]
    fn files_say_what_they_are() {
        assert_eq!(checks("a.rs", "//! What it is.\n"), []);
        for text in ["", "use a::b;\n//! Late.", "//!\n//! Late.", "// No doc.", "\n//! Late."] {
            assert_eq!(checks("a.rs", text), [Check::Headless], "{text}");
        }
    }
}
