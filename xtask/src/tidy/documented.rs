//! Counters, verbs and options that no page for users names.
//!
//! A page names something where it is written as code: between backticks, or in a block.

mod counters;
mod options;
mod pages;

use anyhow::Result;

use self::pages::Written;
use super::{
    finding::{Check, Finding},
    source::Source,
};

/// Something that a user meets.
#[derive(PartialEq, Eq, Debug)]
struct Shown {
    /// What it is, as in "option".
    kind: &'static str,
    /// As it is written.
    name: String,
    path: String,
    line: usize,
}

/// Compares what the sources have with what the pages name.
pub(super) fn check(rust: &[Source], pages: &[Source]) -> Result<Vec<Finding>> {
    let written = Written::read(pages);
    let below = |folder| rust.iter().filter(move |file: &&Source| file.path.starts_with(folder));
    let mut shown = counters::read(below("mirror-common/src/"))?;
    shown.extend(options::read(below("mirror-agent/src/"))?);
    let missing = shown.into_iter().filter(|shown| !written.has(&shown.name));
    Ok(missing.map(finding).collect())
}

fn finding(Shown { kind, name, path, line }: Shown) -> Finding {
    let text = format!("no page names the {kind} `{name}`: write in README.md or docs/ what it is");
    Finding { check: Check::Undocumented, path, line, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_page_names_is_found() {
        let rust = [
            Source::new(
                "mirror-common/src/c.rs",
                "counters! { A {\n B = \"b_b\",\n C = \"c_c\", } }",
            ),
            Source::new(
                "mirror-agent/src/c.rs",
                "#[derive(Args)] struct A { #[arg(long)] d_d: u8 }",
            ),
        ];
        let page = |text| [Source::new("README.md", text)];
        let names = |text| {
            let found = check(&rust, &page(text)).unwrap();
            found
                .iter()
                .map(|it| (it.line, it.text.split('`').nth(1).unwrap().to_owned()))
                .collect::<Vec<_>>()
        };
        assert_eq!(names("`b_b`, `c_c`, `verb --d-d N`"), []);
        assert_eq!(names("b_b, `c_c` and `--d`"), [(2, "b_b".into()), (1, "--d-d".into())]);
    }
}
