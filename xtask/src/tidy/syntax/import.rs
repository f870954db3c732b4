//! `use`, with all that braces, stars and `as` make of it.

use proc_macro2::{Delimiter, TokenTree};

use super::{Contents, Cursor, Import, Path, group, is_punct};

/// Reads what follows the word `use`, to its semicolon.
pub(super) fn read(tokens: &mut Cursor, contents: &mut Contents) {
    // `impl Trait + use<'a>` is another `use`.
    if tokens.ahead(0).is_some_and(|token| is_punct(token, '<')) {
        return;
    }
    tree(tokens, &[], contents);
    tokens.take_punct(';');
}

/// One branch: all before a comma or a semicolon.
fn tree(tokens: &mut Cursor, before: &[String], contents: &mut Contents) {
    let mut names = before.to_vec();
    // `use ::name` is of another crate.
    while tokens.take_punct(':') {}
    let Some(token) = tokens.take() else { return };
    let line = token.span().start().line;
    match &token {
        TokenTree::Ident(word) => names.push(word.to_string()),
        _ => return leaf(&token, names, line, contents),
    }
    while let Some(name) = tokens.take_path_part() {
        names.push(name);
    }
    if tokens.take_punct(':') {
        tokens.take_punct(':');
        if let Some(last) = tokens.take() {
            leaf(&last, names, line, contents);
        }
        return;
    }
    if names.len() > 1 && names.last().is_some_and(|name| name == "self") {
        names.pop();
    }
    let mut called = names.last().cloned();
    if tokens.take_word("as")
        && let Some(TokenTree::Ident(name)) = tokens.take()
    {
        called = Some(name.to_string());
    }
    contents.imports.push(Import { path: Path { names, line }, name: called });
}

/// `*` or `{…}` behind `names`.
fn leaf(token: &TokenTree, names: Vec<String>, line: usize, contents: &mut Contents) {
    if is_punct(token, '*') {
        contents.imports.push(Import { path: Path { names, line }, name: None });
    } else if let Some(braced) = group(token).filter(|it| it.delimiter() == Delimiter::Brace) {
        let mut inside = Cursor::new(braced.stream());
        while inside.ahead(0).is_some() {
            tree(&mut inside, &names, contents);
            inside.take_punct(',');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::contents;

    fn imports(text: &str) -> Vec<String> {
        let contents = contents(text.parse().unwrap());
        let import = |it: &super::Import| {
            format!("{} {}", it.path.names.join("::"), it.name.as_deref().unwrap_or("*"))
        };
        contents.imports.iter().map(import).collect()
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(imports("use a;"), ["a a"]);
        assert_eq!(imports("pub(crate) use a::b as c;"), ["a::b c"]);
        assert_eq!(imports("use super::a::*;"), ["super::a *"]);
        assert_eq!(imports("use ::a::b;"), ["a::b b"]);
        assert_eq!(
            imports("use a::{self, b::{C, D as _}, e::*,\n f};"),
            ["a a", "a::b::C C", "a::b::D _", "a::e *", "a::f f"]
        );
        assert_eq!(imports("use {a::b, c};"), ["a::b b", "c c"]);
    }

    #[test]
    fn those_in_functions_count_too() {
        assert_eq!(imports("fn f() { use a::b; b() }"), ["a::b b"]);
        assert_eq!(imports("fn f<'a>() -> impl A + use<'a> {}"), [""; 0]);
    }

    #[test]
    fn they_have_lines() {
        let contents = contents("\nuse a::{\n  b,\n};".parse().unwrap());
        assert_eq!(contents.imports[0].path.line, 3);
    }
}
