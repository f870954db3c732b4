//! The names of counters: what `counters!` is given.

use anyhow::Result;
use proc_macro2::{TokenStream, TokenTree};

use super::{
    super::syntax::{self, is_punct},
    Shown, Source,
};

/// The counters that files define, as `Variant = "name"` within `counters!`.
pub(super) fn read<'a>(files: impl Iterator<Item = &'a Source>) -> Result<Vec<Shown>> {
    let mut shown = Vec::new();
    for file in files {
        let tokens: Vec<TokenTree> = syntax::tokens(file)?.into_iter().collect();
        for window in tokens.windows(3) {
            if let [TokenTree::Ident(name), bang, TokenTree::Group(inside)] = window
                && name == "counters"
                && is_punct(bang, '!')
            {
                names(inside.stream(), &file.path, &mut shown);
            }
        }
    }
    Ok(shown)
}

fn names(tokens: TokenStream, path: &str, shown: &mut Vec<Shown>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        match (token, tokens.get(at + 1), tokens.get(at + 2)) {
            (TokenTree::Group(inside), ..) => names(inside.stream(), path, shown),
            (TokenTree::Ident(variant), Some(equals), Some(TokenTree::Literal(name)))
                if is_punct(equals, '=') && variant != "doc" =>
            {
                shown.push(Shown {
                    kind: "counter",
                    name: name.to_string().trim_matches('"').to_owned(),
                    path: path.to_owned(),
                    line: name.span().start().line,
                });
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_whatever_else_a_counter_has() {
        let text = "counters! {\n /// Doc.\n SomeCounter {\n  /// Doc.\n  A = \"a_b\",\n
            /// Doc.\n B = \"b\", Segments, Lost;\n } }\n other! { C { D = \"d\" } }";
        let shown = read([&Source::new("c.rs", text)].into_iter()).unwrap();
        let names: Vec<_> = shown.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["a_b", "b"]);
        assert_eq!(shown[0].line, 5);
    }
}
