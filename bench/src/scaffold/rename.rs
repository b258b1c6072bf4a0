//! Text under a new name.

use crate::entrants::name::Name;

/// Rust source under the new name: identifiers in code, and what is quoted in comments. In prose the word is a word.
pub(super) fn source(text: &str, old: &Name, new: &Name) -> String {
    let quoted = |word: &str| format!("`{word}`");
    let line = |line: &str| {
        if line.trim_start().starts_with("//") {
            let line = line.replace(&quoted(old.kebab()), &quoted(new.kebab()));
            return line.replace(&quoted(&old.camel()), &quoted(&new.camel()));
        }
        code(line, old, new)
    };
    text.split_inclusive('\n').map(line).collect()
}

/// Markdown under the new name: code, and the first heading.
pub(super) fn markdown(text: &str, old: &Name, new: &Name) -> String {
    let mut is_block = false;
    let mut line = |line: &str| {
        let is_fence = line.trim_start().starts_with("```");
        is_block ^= is_fence;
        if is_block {
            return command_or_code(line, old, new);
        }
        if line.trim_end() == format!("# {old}") {
            return line.replace(old.kebab(), new.kebab());
        }
        let is_code = |at: usize| at % 2 == 1;
        let parts = line.split('`').enumerate();
        let parts = parts.map(|(at, part)| if is_code(at) { command_or_code(part, old, new) } else { part.to_owned() });
        parts.collect::<Vec<_>>().join("`")
    };
    text.split_inclusive('\n').map(&mut line).collect()
}

/// What may be Rust, and may be a command or the name of a package. A path is Rust's.
fn command_or_code(text: &str, old: &Name, new: &Name) -> String {
    let (snake, kebab) = (new.snake(), new.kebab());
    let renamed = replace_word_by(text, &old.snake(), |rest| if rest.starts_with("::") { &snake } else { kebab });
    replace_word(&renamed, &old.camel(), &new.camel())
}

fn code(text: &str, old: &Name, new: &Name) -> String {
    replace_word(&replace_word(text, &old.snake(), &new.snake()), &old.camel(), &new.camel())
}

/// A source without the documentation that it opens with.
pub(super) fn undocumented(text: &str) -> String {
    text.lines().skip_while(|line| line.starts_with("//!")).flat_map(|line| [line, "\n"]).collect()
}

/// A manifest with other lines for those that begin so.
pub(super) fn lines(text: &str, changes: &[(String, String)]) -> Result<String, String> {
    let mut lines: Vec<&str> = text.lines().collect();
    for (old, new) in changes {
        let found: Vec<&mut &str> = lines.iter_mut().filter(|line| line.starts_with(old)).collect();
        if found.is_empty() {
            return Err(format!("no line begins with `{old}`"));
        }
        found.into_iter().for_each(|line| *line = new);
    }
    Ok(lines.into_iter().flat_map(|line| [line, "\n"]).collect())
}

/// Replaces `word` where it is a whole word.
fn replace_word(text: &str, word: &str, new: &str) -> String {
    replace_word_by(text, word, |_| new)
}

/// The same with a word that depends on what comes after.
fn replace_word_by<'a>(text: &str, word: &str, new: impl Fn(&str) -> &'a str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut replaced = String::new();
    let mut done = 0;
    for (start, _) in text.match_indices(word) {
        let end = start + word.len();
        if !text[..start].ends_with(is_word) && !text[end..].starts_with(is_word) {
            replaced += &text[done..start];
            replaced += new(&text[end..]);
            done = end;
        }
    }
    replaced + &text[done..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn code_and_quotes_are_renamed_and_prose_is_not() {
        let old = "//! `sequential` and [`Sequential`], in sequential order.\nuse sequential::Sequential; // sequential_a\n\
                   sequentially(Sequential, MySequential)";
        let new = "//! `a-b` and [`AB`], in sequential order.\nuse a_b::AB; // sequential_a\n\
                   sequentially(AB, MySequential)";
        assert_eq!(source(old, &name("sequential"), &name("a-b")), new);
    }

    #[test]
    fn of_markdown_code_and_the_heading_are_renamed() {
        let old = "# primes\n\nAll primes: `primes`, `primes::Primes`, primes.\n\n```sh\nrun jobs/primes # primes_a\n```\n\nprimes\n";
        let new = "# my-primes\n\nAll primes: `my-primes`, `my_primes::MyPrimes`, primes.\n\n```sh\nrun jobs/my-primes \
                   # primes_a\n```\n\nprimes\n";
        assert_eq!(markdown(old, &name("primes"), &name("my-primes")), new);
    }
}
