//! Counters, verbs and options that no page for users names, and a page of counters that is not what the code says.
//!
//! A page names something where it is written as code: between backticks, or in a block.

mod counter_page;
mod counters;
mod options;
mod pages;

use anyhow::Result;

use self::{counters::List, pages::Written};
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
    let lists = counters::read(below("mirror-common/src/"))?;
    let mut shown: Vec<Shown> = lists.iter().flat_map(shown_counters).collect();
    shown.extend(options::read(below("mirror-agent/src/"))?);
    let missing = shown.into_iter().filter(|shown| !written.has(&shown.name));
    Ok(missing.map(finding).chain(stale(&lists, pages)).collect())
}

/// The page of counters, as `cargo xtask counters` writes it, and where.
pub(super) fn counter_page(rust: &[Source]) -> Result<(&'static str, String)> {
    let common = rust.iter().filter(|file| file.path.starts_with("mirror-common/src/"));
    Ok((counter_page::PATH, counter_page::page(&counters::read(common)?)))
}

fn stale(lists: &[List], pages: &[Source]) -> Option<Finding> {
    let page = pages.iter().find(|page| page.path == counter_page::PATH)?;
    let wanted = counter_page::page(lists);
    let differ = |(now, wanted): (&str, &str)| now != wanted;
    let line =
        1 + page.text.lines().zip(wanted.lines()).take_while(|lines| !differ(*lines)).count();
    (page.text != wanted).then(|| Finding {
        check: Check::Undocumented,
        path: page.path.clone(),
        line,
        text: "is not what the code says of its counters: run `cargo xtask counters`".to_owned(),
    })
}

fn shown_counters(list: &List) -> impl Iterator<Item = Shown> {
    list.counters.iter().map(|counter| Shown {
        kind: "counter",
        name: counter.name.clone(),
        path: list.path.clone(),
        line: counter.line,
    })
}

fn finding(Shown { kind, name, path, line }: Shown) -> Finding {
    let text = format!("no page names the {kind} `{name}`: write in README.md or docs/ what it is");
    Finding { check: Check::Undocumented, path, line, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_counters_is_what_the_code_says() {
        let rust =
            [Source::new("mirror-common/src/c.rs", "counters! { A { /// B.\n B = \"b\", } }")];
        let (path, page) = counter_page(&rust).unwrap();
        assert_eq!(check(&rust, &[Source::new(path, &page)]).unwrap(), []);
        let old = page.replace("B.", "C.");
        let found = check(&rust, &[Source::new(path, &old)]).unwrap();
        assert_eq!((found.len(), found[0].line), (1, page.lines().count()));
    }

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
