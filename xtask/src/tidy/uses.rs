//! Which file of a crate uses which other.
//!
//! What counts is the file in which a name is defined. A name that a module only passes on, by `pub use` or to its
//! children by `use`, is followed to where it comes from. So a parent that is the front of its children is none of
//! their users' dependencies. What a macro defines counts for the module that calls the macro.
//!
//! A module may take its types, traits and constants from one above it (`super::Plan`): a file and the folder of its
//! name are read together, so that this is no use of another file. To call a function of one above is.

use super::{
    modules::Crate,
    syntax::{Kind, Path},
};

/// `from` names something that `to` defines.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Use {
    pub(super) from: String,
    pub(super) to: String,
    /// In `from`.
    pub(super) line: usize,
    /// As it is written there.
    pub(super) name: String,
}

/// Every use of a file by another, in the order of their lines.
pub(super) fn between_files(from: &Crate) -> Vec<Use> {
    let mut uses = Vec::new();
    for (index, module) in from.modules.iter().enumerate() {
        let imports = module.contents.imports.iter().map(|import| &import.path);
        for path in imports.chain(&module.contents.paths) {
            let found = Search { krate: from, asked: Vec::new() }.path(index, &path.names);
            let Some(found) = found else { continue };
            let to = &from.modules[found.module()].file;
            if *to != module.file
                && !(found.is_definition() && from.is_above(found.module(), index))
            {
                uses.push(a_use(&module.file, to, path));
            }
        }
    }
    uses.sort();
    uses
}

fn a_use(from: &str, to: &str, path: &Path) -> Use {
    Use { from: from.to_owned(), to: to.to_owned(), line: path.line, name: path.names.join("::") }
}

/// What a path leads to.
#[derive(Clone, Copy)]
enum Found {
    /// A module itself.
    Module(usize),
    /// Something that is defined in it; without a kind if a macro made it.
    Item(usize, Option<Kind>),
}

impl Found {
    const fn module(self) -> usize {
        match self {
            Self::Module(module) | Self::Item(module, _) => module,
        }
    }

    const fn is_definition(self) -> bool {
        matches!(self, Self::Item(_, Some(Kind::Definition)))
    }
}

/// A search, and what it asked already: imports may go in circles.
struct Search<'a> {
    krate: &'a Crate,
    asked: Vec<(usize, String)>,
}

impl Search<'_> {
    /// What `names`, written in `module`, leads to; none for another crate's, and for `self` alone.
    fn path(&mut self, module: usize, names: &[String]) -> Option<Found> {
        let (first, rest) = names.split_first()?;
        let mut found = match first.as_str() {
            "crate" => Found::Module(0),
            "self" => Found::Module(module),
            "super" => Found::Module(self.krate.modules[module].parent?),
            name => self.name(module, name)?,
        };
        for name in rest {
            let Found::Module(within) = found else { break };
            found = match name.as_str() {
                "super" => Found::Module(self.krate.modules[within].parent?),
                // A macro may have made it.
                name => self.name(within, name).unwrap_or(Found::Item(within, None)),
            };
        }
        Some(found)
    }

    /// What a name means in a module.
    fn name(&mut self, module: usize, name: &str) -> Option<Found> {
        let asked = (module, name.to_owned());
        if self.asked.contains(&asked) {
            return None;
        }
        self.asked.push(asked);
        let within = &self.krate.modules[module];
        if let Some(child) = within.children.get(name) {
            return Some(Found::Module(*child));
        }
        if let Some(kind) = within.contents.items.get(name) {
            return Some(Found::Item(module, Some(*kind)));
        }
        let imports = &within.contents.imports;
        let by_name = imports.iter().filter(|import| import.name.as_deref() == Some(name));
        if let Some(found) = by_name.into_iter().find_map(|it| self.path(module, &it.path.names)) {
            return Some(found);
        }
        imports.iter().filter(|import| import.name.is_none()).find_map(|all| {
            match self.path(module, &all.path.names)? {
                Found::Module(other) => self.name(other, name),
                // The variants of an enum.
                Found::Item(..) => None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{modules::crates, source::Source},
        *,
    };

    /// Uses as `from -> to`, by the names of the files.
    fn uses(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<_> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
        let crates = crates(&sources).unwrap();
        let mut uses: Vec<String> = between_files(&crates[0])
            .iter()
            .map(|it| format!("{} -> {}", it.from, it.to).replace(".rs", ""))
            .collect();
        uses.dedup();
        uses
    }

    const ROOT: (&str, &str) = ("lib.rs", "mod a; mod b;");

    #[test]
    fn every_way_to_write_a_path_counts() {
        for text in [
            "use crate::b::B;",
            "use super::b::{B, C};",
            "use super::b;",
            "use crate::b as c; fn f() { c::d() }",
            "fn f() { crate::b::d() }",
            "fn f() { m!(super::b::d) }",
        ] {
            let found = uses(&[ROOT, ("a.rs", text), ("b.rs", "pub fn d() {}")]);
            assert_eq!(found, ["a -> b"], "{text}");
        }
    }

    #[test]
    fn other_crates_do_not_count() {
        assert!(uses(&[ROOT, ("a.rs", "use std::b::C; use d::e;"), ("b.rs", "")]).is_empty());
    }

    #[test]
    fn what_is_passed_on_counts_for_where_it_is_defined() {
        for front in ["pub use self::c::C;", "use c::C;", "pub use c::*;", "pub use c::D as C;"] {
            let front = format!("mod c; mod d; {front}");
            let found = uses(&[
                ("lib.rs", "mod b;"),
                ("b.rs", &front),
                ("b/c.rs", "pub struct C; pub struct D;"),
                ("b/d.rs", "use super::C;"),
            ]);
            assert_eq!(found, ["b -> b/c", "b/d -> b/c"], "{front}");
        }
    }

    #[test]
    fn a_function_of_a_parent_is_a_use_of_the_parent_and_a_type_is_none() {
        let found = |text| uses(&[("lib.rs", "mod a; struct S; fn f() {}"), ("a.rs", text)]);
        assert_eq!(found("use super::{S, f};"), ["a -> lib"]);
        assert!(found("use super::S; use crate::S as T;").is_empty());
    }

    #[test]
    fn what_a_macro_makes_counts_for_who_called_it() {
        let found = uses(&[ROOT, ("a.rs", "use crate::b::Made;"), ("b.rs", "make! { Made }")]);
        assert_eq!(found, ["a -> b"]);
    }

    #[test]
    fn imports_in_a_circle_end() {
        assert!(
            uses(&[ROOT, ("a.rs", "use crate::b::X;"), ("b.rs", "use crate::a::X;")]).len() < 3
        );
    }
}
