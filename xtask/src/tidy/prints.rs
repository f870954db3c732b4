//! Output that is printed: it panics when its reader is gone, and no test can look at it.

use anyhow::Result;
use proc_macro2::{TokenStream, TokenTree};

use super::{
    finding::{Check, Finding},
    source::Source,
    syntax,
};

/// Where this holds.
const BELOW: &str = "mirror-agent/src/";
/// Where it may be done all the same, below that.
const EXCEPT: [&str; 3] = ["main.rs", "output.rs", "output/"];
const MACROS: [&str; 4] = ["print", "println", "eprint", "eprintln"];

/// Looks for macros that print.
pub(super) fn check(files: &[Source]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in files {
        let Some(name) = file.path.strip_prefix(BELOW) else { continue };
        if file.is_test() || EXCEPT.iter().any(|except| name.starts_with(except)) {
            continue;
        }
        let tokens = syntax::without_tests(syntax::tokens(file)?);
        look(tokens, &file.path, &mut findings);
    }
    Ok(findings)
}

fn look(tokens: TokenStream, path: &str, findings: &mut Vec<Finding>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(inside) => look(inside.stream(), path, findings),
            TokenTree::Ident(name)
                if MACROS.contains(&name.to_string().as_str())
                    && tokens.get(at + 1).is_some_and(|next| syntax::is_punct(next, '!')) =>
            {
                findings.push(Finding {
                    check: Check::Printed,
                    path: path.to_owned(),
                    line: name.span().start().line,
                    text: format!(
                        "`{name}!` outside `output`: write to the `impl Write` that the verb is given"
                    ),
                });
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&[Source::new(path, text)]).unwrap().iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn printing_is_found_wherever_it_hides() {
        let text = "fn f() {\n    println!();\n    if a { eprint!(\"x\") }\n}";
        assert_eq!(lines("mirror-agent/src/command/stats.rs", text), [2, 3]);
        for path in
            ["mirror-agent/src/main.rs", "mirror-agent/src/output/table.rs", "xtask/src/main.rs"]
        {
            assert!(lines(path, text).is_empty(), "{path}");
        }
    }

    #[test]
    fn writing_comments_strings_and_tests_are_none() {
        let text = "fn f() { writeln!(out); /* println!() */ g(\"print!\") }
            #[cfg(test)] mod tests { fn t() { println!() } }";
        assert!(lines("mirror-agent/src/command/stats.rs", text).is_empty());
    }
}
