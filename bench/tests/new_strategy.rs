//! The real `new-strategy`, in a copy of this repository.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bench::entrants::contender::strategies;
use bench::scaffold::{FILL_IN, LONGEST, Name};
use bench::text::splice::{Part, splice};
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use tempfile::TempDir;

mod rules;

/// Where this repository is.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Every file below `folder` that is source, by its path below it: no builds, no results, and nothing of git's or of an
/// environment's.
fn sources(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(&inner).unwrap() {
            let path = entry.unwrap().path();
            let relative = path.strip_prefix(folder).unwrap();
            if !path.is_dir() {
                files.insert(relative.to_owned(), fs::read(&path).unwrap());
                continue;
            }
            let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            // cargo tags its target folder, whatever it is called, unless that was there before.
            let is_built = path.join("CACHEDIR.TAG").exists() || relative == Path::new("target");
            let left_out = hidden || is_built || relative == Path::new("results");
            if !left_out {
                folders.push(path);
            }
        }
    }
    files
}

/// A repository that a test may change.
struct Tree {
    dir: TempDir,
}

impl Tree {
    /// A copy of this one.
    fn copy() -> Tree {
        let tree = Tree { dir: tempfile::tempdir().unwrap() };
        for (path, content) in sources(root()) {
            tree.write(&path, content);
            // Times are kept, so that what an earlier test has built from the same source is not built again.
            let modified = root().join(&path).metadata().unwrap().modified().unwrap();
            File::options().write(true).open(tree.path(&path)).unwrap().set_modified(modified).unwrap();
        }
        tree
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(&name).parent().unwrap()).unwrap();
        fs::write(self.path(&name), content).unwrap();
    }

    fn sources(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        sources(self.dir.path())
    }

    fn new_strategy(&self, arguments: &[&OsStr]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_new-strategy"));
        // No test asks crates.io.
        command.env("CARGO_NET_OFFLINE", "true");
        command.args(arguments).current_dir(self.dir.path()).stdin(Stdio::null()).output().unwrap()
    }

    /// With a cargo in whose crates.io there is a crate of this name alone.
    fn new_strategy_beside(&self, on_crates_io: &str, name: &str) -> Output {
        let fake = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fakes/cargo.sh");
        let mut command = Command::new(env!("CARGO_BIN_EXE_new-strategy"));
        command.env("CARGO", fake).env("REAL_CARGO", env!("CARGO")).env("FAKE_CRATE", on_crates_io);
        command.arg(name).current_dir(self.dir.path()).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs cargo here. What it builds is kept beside what the outer cargo builds, so that only the first run is slow.
    fn cargo(&self, arguments: &str) -> Output {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("new-strategy");
        let mut command = Command::new(env!("CARGO"));
        command.args(arguments.split(' ')).current_dir(self.dir.path()).env("CARGO_TARGET_DIR", target);
        command.env_remove("FANOUT_WORKERS").env("RUSTDOCFLAGS", "-D warnings").stdin(Stdio::null()).output().unwrap()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn assert_success(output: &Output) {
    assert!(output.status.success(), "{}\n{}", stdout(output), stderr(output));
}

#[test]
fn a_new_strategy_is_whole_from_the_start() {
    let tree = Tree::copy();
    let before = tree.sources();
    // The first name of all, the last, and the longest: formatting must depend on none.
    let longest = "m".repeat(LONGEST);
    let names = ["a", "born-4-testing", "zz-top", &longest];
    for name in names {
        let output = tree.new_strategy(&[name.as_ref()]);
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
        rules::the_files_of_the_worker_look_one_way,
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
    const KEBAB: &str = "is not kebab-case: a name is lowercase letters, digits and single hyphens between them, and \
                         starts with a letter";
    let tree = Tree::copy();
    tree.write("impls/left-over", "Not a strategy.");
    let before = tree.sources();
    let too_long = "m".repeat(LONGEST + 1);
    for (name, reason) in [
        ("sequential", "impls/sequential exists already"),
        ("left-over", "impls/left-over exists already"),
        ("rayon_iter", "`rayon_iter` differs from the strategy `rayon-iter` by `-` and `_` alone"),
        ("rayoniter", "`rayoniter` differs from the strategy `rayon-iter` by `-` and `_` alone"),
        ("kernel", "`kernel` is a crate of this workspace already"),
        ("worker", "`worker` is a crate of this workspace already"),
        ("harness", "`harness` is a crate of this workspace already"),
        ("bench", "`bench` is a crate of this workspace already"),
        ("compare", "`compare` is a program of the crate `bench`"),
        ("new-strategy", "`new-strategy` is a program of the crate `bench`"),
        ("", "`` KEBAB"),
        (" ", "` ` KEBAB"),
        ("-", "`-` KEBAB"),
        ("-a", "`-a` KEBAB"),
        ("--a", "`--a` KEBAB"),
        ("a-", "`a-` KEBAB"),
        ("a--b", "`a--b` KEBAB"),
        ("a_b", "`a_b` KEBAB"),
        ("A", "`A` KEBAB"),
        ("RayonIter", "`RayonIter` KEBAB"),
        ("4a", "`4a` KEBAB"),
        ("a b", "`a b` KEBAB"),
        ("a/b", "`a/b` KEBAB"),
        ("..", "`..` KEBAB"),
        ("a\nb", "`a\\nb` KEBAB"),
        ("straße", "`straße` KEBAB"),
        ("fn", "`fn` is a Rust keyword, and would be what `fn` is called in Rust"),
        ("crate", "`crate` is a Rust keyword, and would be what `crate` is called in Rust"),
        ("self", "`self` is a Rust keyword, and would be what `self` is called in Rust"),
        ("async", "`async` is a Rust keyword, and would be what `async` is called in Rust"),
        ("try", "`try` is a Rust keyword, and would be what `try` is called in Rust"),
        ("yield", "`yield` is a Rust keyword, and would be what `yield` is called in Rust"),
        ("gen", "`gen` is a Rust keyword, and would be what `gen` is called in Rust"),
        ("rayon", "`rayon` is taken by the dependency `rayon` in Cargo.lock"),
        ("rand-xoshiro", "`rand-xoshiro` is taken by the dependency `rand_xoshiro` in Cargo.lock"),
        ("xxhash-rust", "`xxhash-rust` is taken by the dependency `xxhash-rust` in Cargo.lock"),
        ("std", "`std` is a crate of Rust's own"),
        ("core", "`core` is a crate of Rust's own"),
        ("alloc", "`alloc` is a crate of Rust's own"),
        ("test", "`test` is a crate of Rust's own"),
        ("proc-macro", "`proc-macro` is a crate of Rust's own"),
        ("plain", "`plain` is a module of every strategy's tests"),
        ("deps", "`deps` is a folder of cargo's, which it keeps beside the programs that it builds"),
        ("vec", "the type of `vec` would be `Vec`, which means something else in its file already"),
        ("drop", "the type of `drop` would be `Drop`, which means something else in its file already"),
        ("exit-code", "the type of `exit-code` would be `ExitCode`, which means something else in its file already"),
        ("w", "the type of `w` would be `W`, which means something else in its file already"),
        (&too_long, "the name has 33 characters, and 32 are the most: it is a column of every table"),
    ] {
        let output = tree.new_strategy(&[name.as_ref()]);
        assert_eq!(stderr(&output), format!("error: {}\n", reason.replace("KEBAB", KEBAB)), "{name}");
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{name}");
    }
    assert!(tree.sources() == before);
}

#[test]
fn what_fails_half_way_leaves_nothing() {
    let tree = Tree { dir: tempfile::tempdir().unwrap() };
    let manifest = "[package]\nname = \"sequential\"\ndescription = \"Template\"\n\n\
                    [[example]]\nname = \"plain-sequential\"\npath = \"examples/plain.rs\"\n";
    let missing = "[dependencies]\nrayon = \"=999999.0.0\"\n";
    tree.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"impls/*\"]\n");
    tree.write("Cargo.lock", "version = 4\n\n[[package]]\nname = \"sequential\"\nversion = \"0.0.0\"\n");
    tree.write("impls/sequential/Cargo.toml", format!("{manifest}\n{missing}"));
    tree.write("impls/sequential/src/lib.rs", "//! Template.\n");
    tree.write("impls/sequential/examples/plain.rs", "fn main() {}\n");
    let before = tree.sources();
    let output = tree.new_strategy(&["sound-name".as_ref()]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).starts_with("error: cargo could not add it to Cargo.lock: "), "{}", stderr(&output));
    assert!(!tree.path("impls/sound-name").exists());
    assert!(tree.sources() == before);

    tree.write("impls/sequential/Cargo.toml", manifest);
    assert_success(&tree.new_strategy(&["sound-name".as_ref()]));
    assert!(tree.path("impls/sound-name/src/lib.rs").exists());
}

#[test]
fn a_name_that_crates_io_has_too_is_taken_with_a_note() {
    let tree = Tree::copy();
    for (name, noted) in [("of-both", true), ("of-one", false)] {
        let output = tree.new_strategy_beside("of-both", name);
        assert_success(&output);
        assert_eq!(stderr(&output).contains("such as `of-both-keys`"), noted, "{}", stderr(&output));
        assert!(tree.path("impls").join(name).is_dir() && stdout(&output).contains("cargo test -p "));
    }
}

#[test]
fn help_has_an_example_and_wrong_usage_says_what_is_wrong() {
    use std::os::unix::ffi::OsStrExt;
    let tree = Tree { dir: tempfile::tempdir().unwrap() };
    let help = tree.new_strategy(&["--help".as_ref()]);
    assert_success(&help);
    let nothing = tree.new_strategy(&[]);
    assert_eq!(nothing.status.code(), Some(2));
    for text in [stdout(&help), stderr(&nothing)] {
        for part in ["Usage: scripts/new-strategy.sh <NAME>", "Example:\n  scripts/new-strategy.sh work-stealing "] {
            assert!(text.contains(part), "{text}");
        }
    }
    for arguments in [[OsStr::new("a"), OsStr::new("b")], [OsStr::from_bytes(b"\xff"), OsStr::new("a")]] {
        let output = tree.new_strategy(&arguments);
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
