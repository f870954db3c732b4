//! Tokens, one after the other, with a look ahead.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// The tokens of a stream, and how many of them were taken.
pub(crate) struct Cursor {
    tokens: Vec<TokenTree>,
    at: usize,
}

impl Cursor {
    pub(crate) fn new(tokens: TokenStream) -> Self {
        Self { tokens: tokens.into_iter().collect(), at: 0 }
    }

    /// What comes after `skipped` others.
    pub(crate) fn ahead(&self, skipped: usize) -> Option<&TokenTree> {
        self.tokens.get(self.at + skipped)
    }

    /// Takes the next token.
    pub(crate) fn take(&mut self) -> Option<TokenTree> {
        let token = self.tokens.get(self.at).cloned()?;
        self.at += 1;
        Some(token)
    }

    /// Takes the next token if it is this one.
    pub(crate) fn take_punct(&mut self, punct: char) -> bool {
        let is = self.ahead(0).is_some_and(|token| is_punct(token, punct));
        self.at += usize::from(is);
        is
    }

    /// Takes the next token if it is this word.
    pub(crate) fn take_word(&mut self, word: &str) -> bool {
        let is = matches!(self.ahead(0), Some(TokenTree::Ident(found)) if found == word);
        self.at += usize::from(is);
        is
    }

    /// Takes `::` and a name.
    pub(crate) fn take_path_part(&mut self) -> Option<String> {
        let colons = (0..2).all(|at| self.ahead(at).is_some_and(|token| is_punct(token, ':')));
        match self.ahead(2) {
            Some(TokenTree::Ident(name)) if colons => {
                let name = name.to_string();
                self.at += 3;
                Some(name)
            }
            _ => None,
        }
    }

    /// Takes `#[…]` and `#![…]`, as often as there are, and returns what is in the brackets of the former.
    pub(crate) fn take_attributes(&mut self) -> Vec<TokenStream> {
        let mut attributes = Vec::new();
        while self.ahead(0).is_some_and(|token| is_punct(token, '#')) {
            let inner = usize::from(self.ahead(1).is_some_and(|token| is_punct(token, '!')));
            let brackets = self.ahead(1 + inner).and_then(group);
            let Some(brackets) = brackets.filter(|it| it.delimiter() == Delimiter::Bracket) else {
                break;
            };
            if inner == 0 {
                attributes.push(brackets.stream());
            }
            self.at += 2 + inner;
        }
        attributes
    }
}

pub(crate) fn is_punct(token: &TokenTree, punct: char) -> bool {
    matches!(token, TokenTree::Punct(found) if found.as_char() == punct)
}

pub(crate) fn group(token: &TokenTree) -> Option<&Group> {
    match token {
        TokenTree::Group(group) => Some(group),
        _ => None,
    }
}
