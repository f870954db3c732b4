//! What a file declares, imports and names.
//!
//! It is read as tokens, so that comments, strings and the insides of macros are no riddle; what is under
//! `#[cfg(test)]` is left out. A method call names no module, and so counts for nothing here.

mod cursor;
mod import;

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, Group, Punct, Spacing, TokenStream, TokenTree};

pub(super) use self::cursor::{Cursor, group, is_punct};
use super::source::Source;

/// The tokens of a file.
pub(super) fn tokens(source: &Source) -> Result<TokenStream> {
    source.text.parse().map_err(|error| anyhow!("{} is no Rust: {error}", source.path))
}

/// What is in a module.
#[derive(Default, Debug)]
pub(super) struct Contents {
    pub(super) modules: Vec<Declared>,
    pub(super) imports: Vec<Import>,
    /// Items that are written here, not those that macros make.
    pub(super) items: BTreeMap<String, Kind>,
    /// Paths of two names or more, wherever they are.
    pub(super) paths: Vec<Path>,
}

/// What an item is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// It does something.
    Function,
    /// It says what something is: a type, a trait or a constant.
    Definition,
}

/// `mod name;` or `mod name { … }`.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) name: String,
    /// What `#[path]` says.
    pub(super) file: Option<String>,
    pub(super) inline: Option<Contents>,
}

/// A name that `use` brings.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Import {
    pub(super) path: Path,
    /// What it is called here; none for `*`, which brings all of `path`.
    pub(super) name: Option<String>,
}

/// `one::two::three`, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Path {
    pub(super) names: Vec<String>,
    pub(super) line: usize,
}

/// What a module's tokens say.
pub(super) fn contents(tokens: TokenStream) -> Contents {
    let mut contents = Contents::default();
    let mut tokens = Cursor::new(tokens);
    // Between `#[path]` and `mod` may be `pub`.
    let mut file = None;
    while tokens.ahead(0).is_some() {
        let attributes = tokens.take_attributes();
        let Some(token) = tokens.take() else { break };
        if attributes.iter().any(is_for_tests) {
            skip_item(&token, &mut tokens);
            continue;
        }
        file = attributes.iter().find_map(path_attribute).or(file);
        attributes.into_iter().for_each(|attribute| mentions(attribute, &mut contents));
        match &token {
            TokenTree::Ident(word) if word == "mod" => {
                contents.modules.extend(module(&mut tokens, file.take()));
            }
            TokenTree::Ident(word) => match introduced(&word.to_string()) {
                Some(kind) => {
                    contents.items.extend(item_name(&mut tokens).map(|name| (name, kind)));
                }
                None => mention(&token, &mut tokens, &mut contents),
            },
            _ => mention(&token, &mut tokens, &mut contents),
        }
    }
    contents
}

/// The same tokens, but for what is under `#[cfg(test)]` in the module itself, and for inner attributes.
pub(super) fn without_tests(tokens: TokenStream) -> TokenStream {
    let mut tokens = Cursor::new(tokens);
    let mut kept = TokenStream::new();
    while tokens.ahead(0).is_some() {
        let attributes = tokens.take_attributes();
        let Some(first) = tokens.take() else { break };
        if attributes.iter().any(is_for_tests) {
            skip_item(&first, &mut tokens);
            continue;
        }
        for attribute in attributes {
            kept.extend(quoted(attribute));
        }
        kept.extend([first]);
    }
    kept
}

/// `#[…]`, from what is in the brackets.
fn quoted(attribute: TokenStream) -> [TokenTree; 2] {
    let hash = Punct::new('#', Spacing::Alone);
    [hash.into(), Group::new(Delimiter::Bracket, attribute).into()]
}

/// `cfg(test)`, also within `all(…)`.
fn is_for_tests(attribute: &TokenStream) -> bool {
    let text = attribute.to_string().replace(' ', "");
    text.starts_with("cfg(")
        && !text.contains("not(")
        && text.split(|letter: char| !letter.is_alphanumeric()).any(|word| word == "test")
}

/// What follows `path =`.
fn path_attribute(attribute: &TokenStream) -> Option<String> {
    let tokens: Vec<TokenTree> = attribute.clone().into_iter().collect();
    match tokens.as_slice() {
        [TokenTree::Ident(word), equals, TokenTree::Literal(path)]
            if word == "path" && is_punct(equals, '=') =>
        {
            Some(path.to_string().trim_matches('"').to_owned())
        }
        _ => None,
    }
}

/// Passes over the item that begins with `token`: to its semicolon, or to its braces.
fn skip_item(token: &TokenTree, tokens: &mut Cursor) {
    let has_semicolon = |token: &TokenTree| {
        matches!(token, TokenTree::Ident(word)
            if ["use", "const", "static", "type"].contains(&word.to_string().as_str()))
    };
    let mut to_semicolon = has_semicolon(token);
    while let Some(token) = tokens.take() {
        to_semicolon |= has_semicolon(&token);
        let braced = group(&token).is_some_and(|it| it.delimiter() == Delimiter::Brace);
        if is_punct(&token, ';') || braced && !to_semicolon {
            return;
        }
    }
}

/// What follows `mod`.
fn module(tokens: &mut Cursor, file: Option<String>) -> Option<Declared> {
    let Some(TokenTree::Ident(name)) = tokens.take() else { return None };
    let inline = match tokens.take()? {
        TokenTree::Group(body) => Some(contents(body.stream())),
        _ => None,
    };
    Some(Declared { name: name.to_string(), file, inline })
}

/// What a word is the beginning of.
fn introduced(word: &str) -> Option<Kind> {
    match word {
        "fn" | "macro_rules" => Some(Kind::Function),
        "struct" | "enum" | "union" | "trait" | "type" | "const" | "static" => {
            Some(Kind::Definition)
        }
        _ => None,
    }
}

/// The name that follows; none where the item goes on, as in `const fn`.
fn item_name(tokens: &mut Cursor) -> Option<String> {
    tokens.take_punct('!');
    let Some(TokenTree::Ident(word)) = tokens.ahead(0) else { return None };
    let word = word.to_string();
    if matches!(word.as_str(), "fn" | "unsafe" | "extern" | "async" | "mut") {
        return None;
    }
    tokens.take();
    Some(word)
}

/// Takes down what a token, and those that belong to it, name.
fn mention(token: &TokenTree, tokens: &mut Cursor, contents: &mut Contents) {
    match token {
        TokenTree::Group(inside) => mentions(inside.stream(), contents),
        TokenTree::Ident(word) if word == "use" => import::read(tokens, contents),
        TokenTree::Ident(word) => {
            let line = word.span().start().line;
            let mut names = vec![word.to_string()];
            while let Some(name) = tokens.take_path_part() {
                names.push(name);
            }
            if names.len() > 1 {
                contents.paths.push(Path { names, line });
            }
        }
        // What follows `<T as Trait>::` is no path of its own.
        TokenTree::Punct(_) if is_punct(token, '>') => while tokens.take_path_part().is_some() {},
        TokenTree::Punct(_) | TokenTree::Literal(_) => {}
    }
}

fn mentions(tokens: TokenStream, contents: &mut Contents) {
    let mut tokens = Cursor::new(tokens);
    while let Some(token) = tokens.take() {
        mention(&token, &mut tokens, contents);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Contents {
        contents(text.parse().unwrap())
    }

    fn paths(text: &str) -> Vec<String> {
        read(text).paths.iter().map(|path| path.names.join("::")).collect()
    }

    #[test]
    fn modules_are_found_with_their_files() {
        let contents = read("pub mod a; #[path = \"../b.rs\"] mod b; mod c { pub mod d; }");
        let names: Vec<_> = contents.modules.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(contents.modules[1].file.as_deref(), Some("../b.rs"));
        assert_eq!(contents.modules[2].inline.as_ref().unwrap().modules[0].name, "d");
    }

    #[test]
    fn tests_are_left_out() {
        let contents = read(
            "#[cfg(test)] mod tests; #[cfg(test)] use a::b; #[cfg(all(test, unix))] fn f() { c::d() }
             #[cfg(not(test))] mod kept; #[cfg(test)] const X: [u8; 2] = { e::f() }; fn g() {}",
        );
        assert_eq!(contents.modules.len(), 1);
        assert!(contents.imports.is_empty() && contents.paths.is_empty(), "{contents:?}");
        assert_eq!(contents.items.into_keys().collect::<Vec<_>>(), ["g"]);
    }

    #[test]
    fn paths_are_found_in_code_macros_and_attributes_only() {
        assert_eq!(paths("fn f() { a::b(c::D::e) }"), ["a::b", "c::D::e"]);
        assert_eq!(paths("fn f() { println!(\"{}\", a::b) }"), ["a::b"]);
        assert_eq!(paths("struct S { #[arg(value_parser = a::b)] x: u8 }"), ["a::b"]);
        assert_eq!(paths("/// a::b\nfn f() { /* c::d */ let x = \"e::f\"; x.g() }"), [""; 0]);
        assert_eq!(paths("fn f() { <T as a::B>::c::d() }"), ["a::B"]);
    }

    #[test]
    fn items_are_found_by_their_names() {
        use Kind::{Definition, Function};
        let text = "pub const fn f() {} const C: u8 = 1; pub struct S; macro_rules! m {}";
        let items: Vec<_> = read(text).items.into_iter().collect();
        let expected = [("C", Definition), ("S", Definition), ("f", Function), ("m", Function)];
        assert_eq!(items, expected.map(|(name, kind)| (name.to_owned(), kind)));
    }
}
