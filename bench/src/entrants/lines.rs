//! Lines of code: how much there is to read.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::Attribute;

/// Why lines could not be counted.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// A file could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A file is no Rust.
    #[error(transparent)]
    Syntax(#[from] syn::Error),
}

/// Lines of the strategy in `folder`: those of its `src/lib.rs`, which is what is read and copied. Its `src/main.rs` is the
/// same for every strategy. One that is a program alone has the lines of all its sources.
pub fn of_strategy(folder: &Path) -> Result<usize, CountError> {
    let sources = folder.join("src");
    match fs::read_to_string(sources.join("lib.rs")) {
        Ok(source) => count(&source),
        Err(error) if error.kind() == io::ErrorKind::NotFound => count_in(&sources),
        Err(error) => Err(error.into()),
    }
}

/// Lines of a program that are taken home: neither those of its `main` nor of what its crate is told.
pub fn to_take_home(source: &str) -> Result<usize, CountError> {
    let mut file = syn::parse_file(source)?;
    file.attrs.clear();
    file.items.retain(|item| !matches!(item, syn::Item::Fn(function) if function.sig.ident == "main"));
    Ok(count_file(&file))
}

/// Lines of all `.rs` files below `dir` that hold code: no comments, documentation or blank lines, and nothing that is
/// compiled for tests only.
fn count_in(dir: &Path) -> Result<usize, CountError> {
    let mut lines = 0;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            lines += count_in(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            lines += count(&fs::read_to_string(&path)?)?;
        }
    }
    Ok(lines)
}

/// Lines of one source text on which a token of code starts or ends.
fn count(source: &str) -> Result<usize, CountError> {
    Ok(count_file(&syn::parse_file(source)?))
}

fn count_file(file: &syn::File) -> usize {
    let mut lines = BTreeSet::new();
    for item in file.items.iter().filter(|item| !is_test(item)) {
        collect(item.to_token_stream(), &mut lines);
    }
    for attribute in &file.attrs {
        collect(attribute.to_token_stream(), &mut lines);
    }
    lines.len()
}

/// Lines of a Python source that hold code: no comments, blank lines, or texts that stand where a statement would, as
/// documentation does. Found by the line: such a text must begin its line, and end one.
pub fn count_python(source: &str) -> usize {
    const QUOTES: [&str; 2] = ["\"\"\"", "'''"];
    let mut lines = source.lines().map(str::trim);
    let mut count = 0;
    while let Some(line) = lines.next() {
        if let Some(quotes) = QUOTES.into_iter().find(|quotes| line.starts_with(quotes)) {
            if !line[quotes.len()..].ends_with(quotes) {
                let _end = lines.find(|line| line.ends_with(quotes));
            }
        } else if !line.is_empty() && !line.starts_with('#') {
            count += 1;
        }
    }
    count
}

/// Whether `item` carries `#[cfg(test)]`.
fn is_test(item: &syn::Item) -> bool {
    let is_cfg_test = |attribute: &Attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|ident| ident == "test")
    };
    attributes(item).iter().any(is_cfg_test)
}

fn attributes(item: &syn::Item) -> &[Attribute] {
    use syn::Item::{Const, Fn, Impl, Macro, Mod, Static, Struct, Trait, Type, Use};
    match item {
        Const(item) => &item.attrs,
        Fn(item) => &item.attrs,
        Impl(item) => &item.attrs,
        Macro(item) => &item.attrs,
        Mod(item) => &item.attrs,
        Static(item) => &item.attrs,
        Struct(item) => &item.attrs,
        Trait(item) => &item.attrs,
        Type(item) => &item.attrs,
        Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Adds the lines of all tokens but those of documentation, which the compiler hands over as `#[doc = "…"]`.
fn collect(tokens: TokenStream, lines: &mut BTreeSet<usize>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        if let TokenTree::Punct(punct) = &token
            && punct.as_char() == '#'
        {
            let inner = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == '!');
            let bang = tokens.next_if(inner);
            if tokens.next_if(is_documentation).is_some() {
                continue;
            }
            lines.extend(bang.map(|bang| bang.span().start().line));
        }
        match token {
            TokenTree::Group(group) => {
                if group.delimiter() != Delimiter::None {
                    lines.insert(group.span_open().start().line);
                    lines.insert(group.span_close().end().line);
                }
                collect(group.stream(), lines);
            }
            token => {
                lines.extend(token.span().start().line..=token.span().end().line);
            }
        }
    }
}

fn is_documentation(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else { return false };
    matches!(group.stream().into_iter().next(), Some(TokenTree::Ident(name)) if name == "doc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_counted() {
        let source = "//! About.\n\n#![recursion_limit = \"256\"]\n\n/// Adds.\n/* why */\nfn add(a: u8, b: u8) -> u8 {\n    // Why.\n\n    \
                      a + b // too\n}\n\n/** Block. */\nstruct Empty;\n\n#[cfg(test)]\nmod tests {\n    fn t() {}\n}\n";
        assert_eq!(count(source).unwrap(), 5);
    }

    #[test]
    fn what_is_taken_home_has_no_main() {
        let source = "#![expect(x)]\nuse a::b;\n\nfn f() {\n    b();\n}\n\n/// Runs.\nfn main() {\n    f();\n}\n";
        assert_eq!((count(source).unwrap(), to_take_home(source).unwrap()), (8, 4));
    }

    #[test]
    fn a_text_of_several_lines_counts_whole() {
        assert_eq!(count("const A: &str = \"one\ntwo\nthree\";\n").unwrap(), 3);
    }

    #[test]
    fn only_code_of_python_is_counted() {
        let source = "#!/usr/bin/env python3\n\"\"\"About.\n\nMore.\n\"\"\"\n\nimport a\n\ndef f():\n    \"\"\"One line.\"\"\"\n    # Why.\n    \
                      return a.b(\n        \"\"  # too\n    )\n\"\"\"\nEnd.\n\"\"\"\n";
        assert_eq!(count_python(source), 5);
        assert_eq!(count_python("\"\"\"\nnever closed"), 0);
    }

    #[test]
    fn what_is_no_rust_is_an_error() {
        assert!(matches!(count("fn {"), Err(CountError::Syntax(_))));
    }

    #[test]
    fn a_strategy_is_its_library_or_else_all_its_sources() {
        let dir = tempfile::tempdir().unwrap();
        let sources = dir.path().join("src");
        fs::create_dir_all(sources.join("inner")).unwrap();
        fs::write(sources.join("main.rs"), "mod inner;\n").unwrap();
        fs::write(sources.join("inner/mod.rs"), "struct A;\nstruct B;\n").unwrap();
        fs::write(sources.join("notes.txt"), "struct C;\n").unwrap();
        assert_eq!(of_strategy(dir.path()).unwrap(), 3);
        fs::write(sources.join("lib.rs"), "struct D;\n").unwrap();
        assert_eq!(of_strategy(dir.path()).unwrap(), 1);
        assert!(matches!(of_strategy(&dir.path().join("nowhere")), Err(CountError::Io(_))));
    }
}
