//! The real `new-strategy`, in a copy of this repository.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bench::entrants::contender::strategies;
use bench::entrants::name::{LONGEST, Name};
use bench::scaffold::FILL_IN;
use bench::text::splice::{Part, splice};
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

mod rules;
mod scaffold;

#[path = "scaffold/names.rs"]
mod names;
#[path = "scaffold/tree.rs"]
mod tree;

use names::badly_named;
use scaffold::{assert_success, stderr, stdout};
use tree::Tree;

fn new_strategy(tree: &Tree, arguments: &[&OsStr]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_new-strategy"));
    // No test asks crates.io.
    command.env("CARGO_NET_OFFLINE", "true");
    command.args(arguments).current_dir(tree.path("")).stdin(Stdio::null()).output().unwrap()
}

/// With a cargo in whose crates.io there is a crate of this name alone.
fn new_strategy_beside(tree: &Tree, on_crates_io: &str, name: &str) -> Output {
    let fake = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fakes/cargo.sh");
    let mut command = Command::new(env!("CARGO_BIN_EXE_new-strategy"));
    command.env("CARGO", fake).env("REAL_CARGO", env!("CARGO")).env("FAKE_CRATE", on_crates_io);
    command.arg(name).current_dir(tree.path("")).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_new_strategy_is_whole_from_the_start() {
    let tree = Tree::copy();
    let before = tree.sources();
    // The first name of all, the last, and the longest: formatting must depend on none.
    let longest = "m".repeat(LONGEST);
    let names = ["a", "born-4-testing", "zz-top", &longest];
    for name in names {
        let output = new_strategy(&tree, &[name.as_ref()]);
        assert_success(&output);
        for next in ["src/lib.rs", "examples/plain.rs", "README.md", "tests/laws.rs", "Cargo.toml"] {
            assert!(stdout(&output).contains(&format!("impls/{name}/{next} ")), "{}", stdout(&output));
        }
        for next in [format!("cargo test -p {name} "), format!("scripts/compare.sh --only {name} ")] {
            assert!(stdout(&output).contains(&next), "{}", stdout(&output));
        }
        assert_success(&tree.cargo(&format!("fmt --check -p {name}")));
    }
    let name = names[1];
    assert_success(&tree.cargo(&format!("build --locked --offline -p {name}")));
    let tested = tree.cargo(&format!("test --locked --offline -p {name}"));
    assert_success(&tested);
    for law in ["agrees_with_a_plain_loop", "plain_gives_each_keys_output_in_key_order"] {
        assert!(stdout(&tested).contains(&format!("test {law} ... ok")), "{}", stdout(&tested));
    }
    assert!(stderr(&tested).contains("examples/plain.rs"), "{}", stderr(&tested));
    assert_success(&tree.cargo(&format!("clippy --locked --offline -p {name} --all-targets -- -D warnings")));
    assert_success(&tree.cargo(&format!("doc --locked --offline -p {name} --no-deps")));
    assert!(names.iter().all(|name| strategies(&tree.path("impls")).unwrap().iter().any(|known| known == name)));

    for rule in [
        rules::dependencies_are_licensed_from_the_list,
        rules::dependencies_come_from_the_registry,
        rules::dependencies_run_one_way,
        rules::every_crate_takes_the_workspaces_versions_and_lints,
        rules::what_one_strategy_alone_depends_on_stands_in_its_manifest,
        rules::strategies_that_share_a_dependency_ask_for_one_version,
        rules::every_strategy_is_its_folder,
        rules::every_strategy_explains_itself,
        rules::every_strategy_is_short,
        rules::every_strategy_can_be_taken_home,
        rules::scripts_are_thin_doors,
        rules::the_rooms_of_bench_look_one_way,
        rules::the_files_of_the_pool_look_one_way,
        rules::the_pool_is_ready_to_be_published,
        rules::no_test_is_skipped_and_every_exception_says_why,
    ] {
        rule(tree.dir.path());
    }

    let mut after = tree.sources();
    for name in names {
        let folder = Path::new("impls").join(name);
        let file = |path: &str| String::from_utf8(after[&folder.join(path)].clone()).unwrap();
        assert!(file("README.md").starts_with(&format!("# {name}\n")));
        assert!(file("src/lib.rs").contains("\n//! Decisions: "));
        let plain = Part::Plain.render(tree.dir.path(), &[], &folder).unwrap();
        assert_eq!(splice(&file("README.md"), Part::Plain, &[], &plain).unwrap(), file("README.md"));
        for path in ["Cargo.toml", "README.md", "src/lib.rs", "examples/plain.rs"] {
            assert!(file(path).contains(FILL_IN), "{path}");
        }
        for path in ["Cargo.toml", "src/main.rs", "tests/laws.rs"] {
            assert!(!file(path).to_lowercase().contains("sequential"), "{}", file(path));
        }
        after.retain(|path, _| !path.starts_with(&folder));
    }
    let lock =
        |files: &mut BTreeMap<PathBuf, Vec<u8>>| String::from_utf8(files.remove(Path::new("Cargo.lock")).unwrap());
    let mut before = before;
    let (old, new) = (lock(&mut before).unwrap(), lock(&mut after).unwrap());
    assert!(before == after, "something else has changed: {:?} became {:?}", before.keys(), after.keys());
    let is_new =
        |entry: &&str| names.iter().any(|name| entry.starts_with(&format!("[[package]]\nname = \"{name}\"\n")));
    let kept: Vec<&str> = new.split("\n\n").filter(|entry| !is_new(entry)).collect();
    assert_eq!(kept.join("\n\n").trim_end(), old.trim_end());
}

#[test]
fn a_bad_name_is_refused_with_the_reason_and_nothing_is_made() {
    let tree = Tree::copy();
    tree.write("impls/left-over", "Not a strategy.");
    let before = tree.sources();
    let of_strategies = [
        ("sequential", "impls/sequential exists already"),
        ("left-over", "impls/left-over exists already"),
        ("rayon_iter", "`rayon_iter` differs from the strategy `rayon-iter` by `-` and `_` alone"),
        ("rayoniter", "`rayoniter` differs from the strategy `rayon-iter` by `-` and `_` alone"),
        ("compare", "`compare` is a program of the crate `bench`"),
        ("new-strategy", "`new-strategy` is a program of the crate `bench`"),
        ("new-job", "`new-job` is a program of the crate `bench`"),
        ("plain", "`plain` is a module of every strategy's tests"),
        ("exit-code", "the type of `exit-code` would be `ExitCode`, which means something else in its file already"),
        ("w", "the type of `w` would be `W`, which means something else in its file already"),
        ("python-loky", "`python-loky` begins like a row of the notebook, which is Python's"),
        ("numpy-anything", "`numpy-anything` begins like a row of the notebook, which is Python's"),
        ("joblib-loky", "`joblib-loky` begins like a row of the notebook, which is Python's"),
    ]
    .map(|(name, reason)| (name.to_owned(), reason.to_owned()));
    for (name, reason) in of_strategies.into_iter().chain(badly_named()) {
        let output = new_strategy(&tree, &[name.as_ref()]);
        assert_eq!(stderr(&output), format!("error: {reason}\n"), "{name}");
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{name}");
    }
    assert!(tree.sources() == before);
}

#[test]
fn what_fails_half_way_leaves_nothing() {
    let tree = Tree::empty();
    let manifest = "[package]\nname = \"sequential\"\ndescription = \"Template\"\n\n\
                    [[example]]\nname = \"plain-sequential\"\npath = \"examples/plain.rs\"\n";
    let missing = "[dependencies]\nrayon = \"=999999.0.0\"\n";
    tree.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"impls/*\"]\n");
    tree.write("Cargo.lock", "version = 4\n\n[[package]]\nname = \"sequential\"\nversion = \"0.0.0\"\n");
    tree.write("impls/sequential/Cargo.toml", format!("{manifest}\n{missing}"));
    tree.write("impls/sequential/src/lib.rs", "//! Template.\n");
    tree.write("impls/sequential/examples/plain.rs", "fn main() {}\n");
    let before = tree.sources();
    let output = new_strategy(&tree, &["sound-name".as_ref()]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).starts_with("error: cargo could not add it to Cargo.lock: "), "{}", stderr(&output));
    assert!(!tree.path("impls/sound-name").exists());
    assert!(tree.sources() == before);

    tree.write("impls/sequential/Cargo.toml", manifest);
    assert_success(&new_strategy(&tree, &["sound-name".as_ref()]));
    assert!(tree.path("impls/sound-name/src/lib.rs").exists());
}

#[test]
fn a_name_that_crates_io_has_too_is_taken_with_a_note() {
    let tree = Tree::copy();
    for (name, noted) in [("of-both", true), ("of-one", false)] {
        let output = new_strategy_beside(&tree, "of-both", name);
        assert_success(&output);
        assert_eq!(stderr(&output).contains("such as `of-both-keys`"), noted, "{}", stderr(&output));
        assert!(tree.path("impls").join(name).is_dir() && stdout(&output).contains("cargo test -p "));
    }
}

#[test]
fn help_has_an_example_and_wrong_usage_says_what_is_wrong() {
    use std::os::unix::ffi::OsStrExt;
    let tree = Tree::empty();
    let help = new_strategy(&tree, &["--help".as_ref()]);
    assert_success(&help);
    let nothing = new_strategy(&tree, &[]);
    assert_eq!(nothing.status.code(), Some(2));
    for text in [stdout(&help), stderr(&nothing)] {
        for part in ["Usage: scripts/new-strategy.sh <NAME>", "Example:\n  scripts/new-strategy.sh work-stealing "] {
            assert!(text.contains(part), "{text}");
        }
    }
    for arguments in [[OsStr::new("a"), OsStr::new("b")], [OsStr::from_bytes(b"\xff"), OsStr::new("a")]] {
        let output = new_strategy(&tree, &arguments);
        assert_eq!((output.status.code(), stderr(&output).lines().count()), (Some(2), 1), "{}", stderr(&output));
        assert!(stderr(&output).starts_with("error: "), "{}", stderr(&output));
    }
}

proptest! {
    #[test]
    fn the_forms_of_a_name_are_rusts_and_lead_back_to_it(text in "[a-z][a-z0-9]{0,9}(-[a-z0-9]{1,6}){0,3}") {
        // Most words are no keyword.
        if let Ok(name) = Name::new(&text) {
            prop_assert_eq!(name.kebab(), &text);
            prop_assert_eq!(name.snake().replace('_', "-"), text.clone());
            prop_assert_eq!(name.camel().to_lowercase(), text.replace('-', ""));
            for form in [name.snake(), name.camel()] {
                prop_assert!(syn::parse_str::<syn::Ident>(&form).is_ok(), "{form}");
            }
            prop_assert!(name.camel().starts_with(|first: char| first.is_ascii_uppercase()));
        } else {
            let reserved = !text.contains('-') || text == "proc-macro" || is_a_prelude_name(&text);
            prop_assert!(reserved || text.len() > LONGEST);
        }
    }

    #[test]
    fn no_other_text_is_a_name(text in "\\PC{0,40}") {
        let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9'));
        let well_formed = text.split('-').all(is_word) && !text.starts_with(|c: char| c.is_ascii_digit());
        prop_assert!(well_formed || Name::new(&text).is_err());
    }
}

/// Whether the name is refused for the type that it would make.
fn is_a_prelude_name(text: &str) -> bool {
    Name::new(text).is_err_and(|error| error.to_string().starts_with("the type of "))
}
