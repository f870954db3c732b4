//! The modules of a crate, and the file of each.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, Result};

use super::{
    source::Source,
    syntax::{self, Contents},
};

/// A crate: the first module is its root.
pub(super) struct Crate {
    pub(super) modules: Vec<Module>,
}

/// A module, in a file of its own or within one.
pub(super) struct Module {
    pub(super) file: String,
    pub(super) parent: Option<usize>,
    pub(super) children: BTreeMap<String, usize>,
    pub(super) contents: Contents,
}

/// Every crate: what a `lib.rs` or `main.rs` is the root of. Not programs of tests, in which a list of all cases is
/// above them, and what they share beside it.
pub(super) fn crates(sources: &[Source]) -> Result<Vec<Crate>> {
    let files: HashMap<&str, &Source> =
        sources.iter().map(|source| (source.path.as_str(), source)).collect();
    let roots = sources.iter().filter(|source| {
        let name = source.path.rsplit('/').next();
        matches!(name, Some("lib.rs" | "main.rs")) && !source.is_test()
    });
    roots.map(|root| read(root, &files)).collect()
}

fn read(root: &Source, files: &HashMap<&str, &Source>) -> Result<Crate> {
    let mut read = Crate { modules: Vec::new() };
    let place = Place { file: root.path.clone(), folder: parent(&root.path).to_owned() };
    read.add(syntax::contents(syntax::tokens(root)?), place, None, files)?;
    Ok(read)
}

/// Where a module is written, and where the files of its children are.
struct Place {
    file: String,
    folder: String,
}

impl Crate {
    /// Whether one module is a parent of another, or its parent's, and so on.
    pub(super) fn is_above(&self, one: usize, other: usize) -> bool {
        let parent = |module: &usize| self.modules[*module].parent;
        std::iter::successors(parent(&other), parent).any(|above| above == one)
    }

    fn add(
        &mut self,
        mut contents: Contents,
        place: Place,
        parent: Option<usize>,
        files: &HashMap<&str, &Source>,
    ) -> Result<usize> {
        let index = self.modules.len();
        let declared = std::mem::take(&mut contents.modules);
        let file = place.file.clone();
        self.modules.push(Module { file, parent, children: BTreeMap::new(), contents });
        for child in declared {
            let (place, contents) = match child.inline {
                Some(contents) => (place.inline(&child.name), contents),
                None => {
                    let place = place
                        .find(&child.name, child.file.as_deref(), files)
                        .with_context(|| format!("{}: no file of {}", place.file, child.name))?;
                    let source = files[place.file.as_str()];
                    (place, syntax::contents(syntax::tokens(source)?))
                }
            };
            let added = self.add(contents, place, Some(index), files)?;
            self.modules[index].children.insert(child.name, added);
        }
        Ok(index)
    }
}

impl Place {
    fn inline(&self, name: &str) -> Self {
        Self { file: self.file.clone(), folder: join(&self.folder, name) }
    }

    /// `name.rs`, `name/mod.rs`, or what `#[path]` says.
    fn find(
        &self,
        name: &str,
        given: Option<&str>,
        files: &HashMap<&str, &Source>,
    ) -> Option<Self> {
        if let Some(given) = given {
            let file = join(parent(&self.file), given);
            let folder = parent(&file).to_owned();
            return files.contains_key(file.as_str()).then_some(Self { file, folder });
        }
        let folder = join(&self.folder, name);
        [format!("{folder}.rs"), join(&folder, "mod.rs")]
            .into_iter()
            .find(|file| files.contains_key(file.as_str()))
            .map(|file| Self { file, folder })
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A path below a folder, without `..`.
fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_where_the_compiler_finds_them() {
        let sources = [
            Source::new("x/src/lib.rs", "mod a; mod b { mod c; } #[cfg(test)] mod t;"),
            Source::new("x/src/a.rs", "mod d; #[path = \"../../y/e.rs\"] mod e;"),
            Source::new("x/src/a/d/mod.rs", ""),
            Source::new("x/src/b/c.rs", ""),
            Source::new("y/e.rs", ""),
        ];
        let crates = crates(&sources).unwrap();
        let files: Vec<_> = crates[0].modules.iter().map(|module| module.file.as_str()).collect();
        let expected = [
            "x/src/lib.rs",
            "x/src/a.rs",
            "x/src/a/d/mod.rs",
            "y/e.rs",
            "x/src/lib.rs",
            "x/src/b/c.rs",
        ];
        assert_eq!(files, expected);
    }

    #[test]
    fn a_file_that_is_missing_is_an_error() {
        assert!(crates(&[Source::new("main.rs", "mod a;")]).is_err());
    }
}
