//! `tidy`: what keeps the layout readable, and what no compiler checks.
//!
//! | module | what it refuses |
//! |---|---|
//! | [`cycle`] | files of a crate that need each other |
//! | [`rooms`] | a room that uses one above it, and a file in no room |
//! | [`shape`] | a file that is long without a reason, and one that does not say what it is |
//! | [`documented`] | a counter, verb or option that no page names |
//! | [`prints`] | output that is printed where nothing but a terminal can have it |
//!
//! A check is a function from files to [`Finding`]s. Those that take more than the text of one file go by what names
//! what: [`syntax`] reads a file, [`modules`] finds the modules of a crate, [`uses`] says who uses whom.

mod cycle;
mod documented;
mod finding;
mod modules;
mod prints;
mod rooms;
mod shape;
mod source;
mod syntax;
mod uses;

use std::fs;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use self::{finding::Finding, source::Source};
use crate::process::workspace;

/// Nothing to choose.
#[derive(Args, Default)]
pub(crate) struct Options {}

/// Runs the task.
pub(crate) fn run(_: &Options) -> Result<()> {
    let (rust, pages) = source::read(&workspace())?;
    let findings = findings(&rust, &pages)?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => bail!("tidy found {count} to mend"),
    }
}

/// What to do about the page of counters.
#[derive(Args)]
pub(crate) struct CountersOptions {
    /// Write nothing, and fail where the page is not what the code says
    #[arg(long)]
    check: bool,
}

/// Writes the page of counters from their doc comments.
pub(crate) fn write_counters(options: &CountersOptions) -> Result<()> {
    let (rust, _) = source::read(&workspace())?;
    let (path, page) = documented::counter_page(&rust)?;
    let file = workspace().join(path);
    if options.check {
        return match fs::read_to_string(&file) {
            Ok(found) if found == page => Ok(()),
            _ => bail!(
                "{path} is not what the code says of its counters: run `cargo xtask counters`"
            ),
        };
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(&file, page).with_context(|| format!("cannot write {}", file.display()))?;
    println!("wrote {path}");
    Ok(())
}

/// What all checks say, by file and line.
fn findings(rust: &[Source], pages: &[Source]) -> Result<Vec<Finding>> {
    let crates = modules::crates(rust)?;
    let mut findings = Vec::new();
    for each in &crates {
        let uses = uses::between_files(each);
        findings.extend(cycle::check(&uses));
        findings.extend(rooms::check(&uses));
    }
    findings.extend(rooms::check_files(rust));
    findings.extend(shape::check(rust));
    findings.extend(documented::check(rust, pages)?);
    findings.extend(prints::check(rust)?);
    findings.sort_by(|one, other| (&one.path, one.line).cmp(&(&other.path, other.line)));
    // A file may be a module of two crates.
    findings.dedup();
    Ok(findings)
}
