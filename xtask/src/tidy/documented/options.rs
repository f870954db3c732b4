//! The verbs and the long options that clap is given: by `derive(Subcommand)`, and by `#[arg(long)]` in what derives
//! `Args` or `Parser`. Hidden ones and aliases do not count.

use std::collections::HashMap;

use anyhow::Result;
use proc_macro2::{TokenStream, TokenTree};

use super::{
    super::syntax::{self, Cursor, group, is_punct},
    Shown, Source,
};

/// The verbs and options that files define.
pub(super) fn read<'a>(files: impl Iterator<Item = &'a Source>) -> Result<Vec<Shown>> {
    let mut options = Vec::new();
    let mut verbs = Vec::new();
    for file in files {
        for item in items(syntax::without_tests(syntax::tokens(file)?)) {
            let members = members(item.body.clone());
            if item.derives("Subcommand") {
                verbs.push((item.name, file, members));
            } else if item.derives("Args") || item.derives("Parser") {
                options.extend(members.iter().filter_map(|member| option(member, file)));
            }
        }
    }
    // The verb that an enum of further verbs belongs to.
    let mut above = HashMap::new();
    for (_, _, members) in &verbs {
        for member in members.iter().filter(|member| member.settings("command").has("subcommand")) {
            above.extend(member.payload.clone().map(|payload| (payload, member.verb())));
        }
    }
    for (name, file, members) in &verbs {
        let above = above.get(name).map_or_else(String::new, |verb| format!("{verb} "));
        options.extend(members.iter().filter_map(|member| verb(member, &above, file)));
    }
    Ok(options)
}

fn option(field: &Member, file: &Source) -> Option<Shown> {
    let settings = field.settings("arg");
    if settings.has("hide") {
        return None;
    }
    let long = settings.get("long")?.clone().unwrap_or_else(|| field.name.replace('_', "-"));
    Some(field.shown("option", format!("--{long}"), file))
}

fn verb(variant: &Member, above: &str, file: &Source) -> Option<Shown> {
    if variant.settings("command").has("hide") {
        return None;
    }
    Some(variant.shown("verb", format!("{above}{}", variant.verb()), file))
}

/// A struct or an enum.
struct Item {
    name: String,
    attributes: Vec<TokenStream>,
    body: TokenStream,
}

impl Item {
    fn derives(&self, name: &str) -> bool {
        self.attributes
            .iter()
            .filter_map(|attribute| named(attribute, "derive"))
            .any(|inside| has_word(inside, name))
    }
}

fn has_word(tokens: TokenStream, word: &str) -> bool {
    tokens.into_iter().any(|token| matches!(token, TokenTree::Ident(found) if found == word))
}

/// What is in the parentheses of `name(…)`.
fn named(attribute: &TokenStream, name: &str) -> Option<TokenStream> {
    let mut tokens = Cursor::new(attribute.clone());
    if !tokens.take_word(name) {
        return None;
    }
    tokens.ahead(0).and_then(group).map(|group| group.stream())
}

fn items(tokens: TokenStream) -> Vec<Item> {
    let mut tokens = Cursor::new(tokens);
    let mut items = Vec::new();
    let mut attributes = Vec::new();
    while tokens.ahead(0).is_some() {
        attributes.extend(tokens.take_attributes());
        match (tokens.take(), tokens.ahead(0), tokens.ahead(1)) {
            (
                Some(TokenTree::Ident(word)),
                Some(TokenTree::Ident(name)),
                Some(TokenTree::Group(body)),
            ) if word == "struct" || word == "enum" => {
                let (name, body) = (name.to_string(), body.stream());
                items.push(Item { name, attributes: std::mem::take(&mut attributes), body });
            }
            // What the attributes belong to goes on.
            (Some(TokenTree::Ident(word)), ..) if word == "pub" => {}
            (Some(TokenTree::Group(scope)), ..) if has_word(scope.stream(), "crate") => {}
            _ => attributes.clear(),
        }
    }
    items
}

/// A field or a variant.
struct Member {
    name: String,
    attributes: Vec<TokenStream>,
    /// The type within a variant's parentheses.
    payload: Option<String>,
    line: usize,
}

impl Member {
    fn settings(&self, name: &str) -> Settings {
        let lists = self.attributes.iter().filter_map(|attribute| named(attribute, name));
        Settings::read(lists.collect())
    }

    /// What is typed for a variant.
    fn verb(&self) -> String {
        let given = self.settings("command").get("name").cloned().flatten();
        given.unwrap_or_else(|| kebab(&self.name))
    }

    fn shown(&self, kind: &'static str, name: String, file: &Source) -> Shown {
        Shown { kind, name, path: file.path.clone(), line: self.line }
    }
}

fn members(body: TokenStream) -> Vec<Member> {
    let mut tokens = Cursor::new(body);
    let mut members = Vec::new();
    while tokens.ahead(0).is_some() {
        let attributes = tokens.take_attributes();
        if tokens.take_word("pub") && tokens.ahead(0).and_then(group).is_some() {
            tokens.take();
        }
        let Some(TokenTree::Ident(name)) = tokens.take() else { continue };
        let payload = match tokens.ahead(0) {
            Some(TokenTree::Group(inside)) => last_word(inside.stream()),
            _ => None,
        };
        let line = name.span().start().line;
        members.push(Member { name: name.to_string(), attributes, payload, line });
        skip_to_comma(&mut tokens);
    }
    members
}

fn last_word(tokens: TokenStream) -> Option<String> {
    tokens
        .into_iter()
        .filter(|it| matches!(it, TokenTree::Ident(_)))
        .last()
        .map(|it| it.to_string())
}

/// Passes over a comma, but not over those between `<` and `>`.
fn skip_to_comma(tokens: &mut Cursor) {
    let mut depth = 0;
    while let Some(token) = tokens.take() {
        depth += i32::from(is_punct(&token, '<')) - i32::from(is_punct(&token, '>'));
        if depth <= 0 && is_punct(&token, ',') {
            return;
        }
    }
}

/// What is in the parentheses of `#[arg(…)]`: names, some of them with a text.
struct Settings(HashMap<String, Option<String>>);

impl Settings {
    fn read(lists: Vec<TokenStream>) -> Self {
        let mut settings = HashMap::new();
        for list in lists {
            let mut tokens = Cursor::new(list);
            while let Some(token) = tokens.take() {
                let TokenTree::Ident(name) = &token else { continue };
                let text = match (tokens.ahead(0), tokens.ahead(1)) {
                    (Some(equals), Some(TokenTree::Literal(text))) if is_punct(equals, '=') => {
                        Some(text.to_string().trim_matches('"').to_owned())
                    }
                    _ => None,
                };
                settings.insert(name.to_string(), text);
                skip_to_comma(&mut tokens);
            }
        }
        Self(settings)
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn get(&self, name: &str) -> Option<&Option<String>> {
        self.0.get(name)
    }
}

/// `SomeName` as `some-name`.
fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.extend(letter.to_lowercase());
    }
    kebab
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<String> {
        let files: Vec<_> = texts.iter().map(|text| Source::new("c.rs", text)).collect();
        read(files.iter()).unwrap().into_iter().map(|shown| shown.name).collect()
    }

    #[test]
    fn options_are_found_by_their_long_names() {
        let text = "/// Doc.\n#[derive(Debug, Args)]\n#[command(next_help_heading = \"X\")]\npub(crate) struct A {
            /// Doc.
            #[arg(long, value_name = \"N\", value_parser = f::<u8, u8>().range(1..))]
            pub(crate) one_two: HashMap<u8, u8>,
            #[arg(short, long = \"three\", alias = \"older\", requires = \"x\")]
            pub four: Vec<u8>,
            pub positional: u8,
            #[arg(long, hide = true)]
            pub hidden: u8,
            #[command(flatten)]
            pub more: B,
        }";
        assert_eq!(names(&[text]), ["--one-two", "--three"]);
    }

    #[test]
    fn verbs_are_found_with_those_above_them() {
        let top = "#[derive(Subcommand)] enum Verb { Attach(Attach), #[command(subcommand)] Map(cli::Map),
            #[command(name = \"do\")] Undo(X), #[command(hide = true)] Hidden(X), ThisOne }";
        let below = "#[derive(Debug, Subcommand)] pub enum Map { Add(Edit), Set { x: u8, y: u8 } }";
        let expected = ["attach", "map", "do", "this-one", "map add", "map set"];
        assert_eq!(names(&[top, below]), expected);
    }

    #[test]
    fn what_clap_is_not_given_is_none() {
        assert!(
            names(&["struct A { #[arg(long)] a: u8 } #[cfg(test)] #[derive(Args)] struct B {}"])
                .is_empty()
        );
        assert!(names(&["#[derive(ValueEnum)] enum A { B, C }"]).is_empty());
    }
}
