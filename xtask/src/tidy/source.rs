//! The files that are looked at.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// A file, by its path below the workspace.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    #[cfg(test)]
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Whether it only holds tests, by its name.
    pub(super) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| matches!(part, "tests" | "tests.rs"))
            && !self.path.starts_with("tests/src/")
    }
}

/// Rust files, and pages for users: README and what is below `docs`.
pub(super) fn read(workspace: &Path) -> Result<(Vec<Source>, Vec<Source>)> {
    let mut paths = Vec::new();
    walk(workspace, &mut paths).context("cannot list the workspace")?;
    paths.sort();
    let (mut rust, mut pages) = (Vec::new(), Vec::new());
    for path in paths {
        let name = path.strip_prefix(workspace)?.to_string_lossy().into_owned();
        let list = if name.ends_with(".rs") {
            &mut rust
        } else if name == "README.md" || name.starts_with("docs/") && name.ends_with(".md") {
            &mut pages
        } else {
            continue;
        };
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
        list.push(Source { path: name, text });
    }
    Ok((rust, pages))
}

/// All files below `folder`, but for hidden folders, and those that cargo builds to, which it puts a tag into.
fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if folder.join("CACHEDIR.TAG").exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if !entry.file_type()?.is_dir() {
            paths.push(entry.path());
        } else if !name.to_string_lossy().starts_with('.') {
            walk(&entry.path(), paths)?;
        }
    }
    Ok(())
}
