//! Counters: what `counters!` is given.

use anyhow::Result;
use proc_macro2::{TokenStream, TokenTree};

use super::{
    super::syntax::{self, Cursor, is_punct},
    Source,
};

/// The counters of a role.
pub(crate) struct List {
    /// Of the type, as `SourceCounter`.
    pub(crate) name: String,
    /// What they have in common: how they add up.
    pub(crate) help: String,
    pub(crate) counters: Vec<Counter>,
    /// The file.
    pub(crate) path: String,
}

/// A way that a packet can end.
pub(crate) struct Counter {
    pub(crate) name: String,
    pub(crate) help: String,
    pub(crate) line: usize,
}

/// The counters that files define, as `Variant = "name"` within `counters!`.
pub(crate) fn read<'a>(files: impl Iterator<Item = &'a Source>) -> Result<Vec<List>> {
    let mut lists = Vec::new();
    for file in files {
        let tokens: Vec<TokenTree> = syntax::tokens(file)?.into_iter().collect();
        for window in tokens.windows(3) {
            if let [TokenTree::Ident(name), bang, TokenTree::Group(inside)] = window
                && name == "counters"
                && is_punct(bang, '!')
            {
                lists.extend(list(inside.stream(), &file.path));
            }
        }
    }
    Ok(lists)
}

fn list(tokens: TokenStream, path: &str) -> Option<List> {
    let mut tokens = Cursor::new(tokens);
    let help = help(&tokens.take_attributes());
    let Some(TokenTree::Ident(name)) = tokens.take() else { return None };
    let Some(TokenTree::Group(body)) = tokens.take() else { return None };
    let counters = counters(Cursor::new(body.stream()));
    Some(List { name: name.to_string(), help, counters, path: path.to_owned() })
}

fn counters(mut tokens: Cursor) -> Vec<Counter> {
    let mut counters = Vec::new();
    while tokens.ahead(0).is_some() {
        let help = help(&tokens.take_attributes());
        if let (Some(TokenTree::Ident(_)), true, Some(TokenTree::Literal(name))) =
            (tokens.take(), tokens.take_punct('='), tokens.ahead(0))
        {
            let line = name.span().start().line;
            counters.push(Counter { name: text(&name.to_string()), help, line });
        }
        // Whatever else a counter has, before the doc of the next.
        while tokens.ahead(0).is_some_and(|token| !is_punct(token, '#')) {
            tokens.take();
        }
    }
    counters
}

/// The lines of a doc comment, as one.
fn help(attributes: &[TokenStream]) -> String {
    let lines = attributes.iter().filter_map(|attribute| {
        let tokens: Vec<TokenTree> = attribute.clone().into_iter().collect();
        match tokens.as_slice() {
            [TokenTree::Ident(doc), _, TokenTree::Literal(line)] if doc == "doc" => {
                Some(text(&line.to_string()))
            }
            _ => None,
        }
    });
    lines.collect::<Vec<_>>().join(" ")
}

/// What a literal says.
fn text(literal: &str) -> String {
    literal.trim_matches('"').trim().replace("\\\"", "\"").replace("\\'", "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_with_what_they_mean_whatever_else_they_have() {
        let text = "counters! {\n /// One:\n /// `a`.\n SomeCounter {\n  /// It's\n  /// one.\n  A = \"a_b\",\n
            /// Two.\n B = \"b\", Segments, Lost;\n } }\n other! { C { D = \"d\" } }";
        let lists = read([&Source::new("c.rs", text)].into_iter()).unwrap();
        assert_eq!(lists.len(), 1);
        assert_eq!((lists[0].name.as_str(), lists[0].help.as_str()), ("SomeCounter", "One: `a`."));
        let counters: Vec<_> =
            lists[0].counters.iter().map(|it| (it.name.as_str(), it.help.as_str())).collect();
        assert_eq!(counters, [("a_b", "It's one."), ("b", "Two.")]);
        assert_eq!(lists[0].counters[0].line, 7);
    }
}
