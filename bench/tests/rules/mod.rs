//! The repository's rules that no compiler checks. Each is a function of the folder that the repository is in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::iter;
use std::path::{Path, PathBuf};
use std::process::Command;

use bench::entrants::lines;
use bench::entrants::manifest::{Manifest, Needs};
use bench::entrants::name::Name;
use bench::text::splice::{self, Part};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// What a dependency may be licensed under: licences that ask for no more than a notice. One of an `OR` is enough, all
/// of an `AND` are needed.
const LICENCES: [&str; 9] = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Zlib",
];

/// Which of the workspace's crates each may use, by folder: dependencies run one way.
const LAYERS: [(&str, &[&str]); 9] = [
    ("shared/kernel", &[]),
    // It is a library of its own, and knows nothing of jobs and strategies.
    ("shared/fanout-pool", &["fanout-pool"]),
    ("shared/fanout-derive", &[]),
    ("shared/fanout", &["kernel", "fanout-pool", "fanout-derive"]),
    ("shared/workloads", &["fanout"]),
    ("shared/harness", &["kernel", "fanout", "fanout-pool", "workloads"]),
    ("impls", &["kernel", "fanout", "harness"]),
    ("bench/statistics", &[]),
    // A strategy is measured as a process. Only the kernel's own speed is measured from inside; of the harness it takes how
    // flags are read and output is written.
    ("bench", &["kernel", "fanout-pool", "workloads", "harness", "statistics"]),
];

/// Bounds a strategy's `src/lib.rs`, in lines of code: it is read in one sitting, and copied. A strategy that must be
/// longer says why in its own manifest, as `package.metadata.fanout.longer-because`.
const LINES_OF_CODE: usize = 80;

/// Bounds what is taken home of a strategy's `examples/plain.rs`, in lines of code: it is read at a glance, and stands
/// whole in the README. What does not fit is left to `src/lib.rs`; the manifest's reason counts here too.
const PLAIN_LINES: usize = 25;

/// What may become of the process in which a key aborts. A strategy's README says which, in these words.
const DEATHS: [&str; 3] = ["The whole process dies", "Only its process dies", "Its worker dies"];

fn metadata(root: &Path) -> Metadata {
    MetadataCommand::new().manifest_path(root.join("Cargo.toml")).other_options(["--locked".into()]).exec().unwrap()
}

fn folder(package: &Package) -> PathBuf {
    package.manifest_path.parent().unwrap().as_std_path().to_owned()
}

fn strategies<'a>(root: &Path, metadata: &'a Metadata) -> Vec<&'a Package> {
    let packages = metadata.workspace_packages().into_iter();
    let strategies: Vec<_> = packages.filter(|package| folder(package).starts_with(root.join("impls"))).collect();
    assert!(strategies.len() >= 10, "{}", strategies.len());
    strategies
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// Every file of the project with one of these endings.
pub(crate) fn files(root: &Path, endings: &[&str]) -> Vec<PathBuf> {
    fn walk(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                if name != "target" && name != ".git" && name != "results" {
                    walk(&path, endings, found);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(root, endings, &mut found);
    assert!(!found.is_empty(), "{endings:?}");
    found
}

pub(crate) fn dependencies_are_licensed_from_the_list(root: &Path) {
    let allowed = |licence: &str| LICENCES.contains(&licence.trim_matches(['(', ')', ' ']));
    for package in &metadata(root).packages {
        let licence = package.license.as_deref().unwrap_or_else(|| panic!("{} has no licence", package.name));
        // Some crates still write the old `/` for OR.
        let licence = licence.replace('/', " OR ");
        let fine = licence.split(" AND ").all(|part| part.split(" OR ").any(allowed));
        assert!(fine, "{} is licensed under {licence}", package.name);
    }
}

pub(crate) fn dependencies_come_from_the_registry(root: &Path) {
    for package in &metadata(root).packages {
        match &package.source {
            Some(source) => assert!(source.is_crates_io(), "{} comes from {source}", package.name),
            None => assert!(folder(package).starts_with(root), "{} lies outside the project", package.name),
        }
    }
}

pub(crate) fn dependencies_run_one_way(root: &Path) {
    let metadata = metadata(root);
    let members: BTreeSet<_> = metadata.workspace_packages().iter().map(|package| package.name.to_string()).collect();
    for package in metadata.workspace_packages() {
        let place = folder(package);
        let (_, allowed) = LAYERS.iter().find(|(layer, _)| place.starts_with(root.join(layer))).unwrap();
        for dependency in &package.dependencies {
            let known = !members.contains(&dependency.name) || allowed.contains(&dependency.name.as_str());
            assert!(known, "{} must not depend on {}", package.name, dependency.name);
        }
    }
}

/// The crates below `[workspace.dependencies]` that come from elsewhere.
fn shared_dependencies(root: &Path) -> BTreeSet<String> {
    let manifest: toml::Table = read(root.join("Cargo.toml")).parse().unwrap();
    let dependencies = manifest["workspace"]["dependencies"].as_table().unwrap();
    dependencies.iter().filter(|(_, what)| what.get("path").is_none()).map(|(name, _)| name.clone()).collect()
}

pub(crate) fn every_crate_takes_the_workspaces_versions_and_lints(root: &Path) {
    let shared_dependencies = shared_dependencies(root);
    for package in metadata(root).workspace_packages() {
        let is_strategy = folder(package).starts_with(root.join("impls"));
        let manifest: toml::Table = read(&package.manifest_path).parse().unwrap();
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{}", package.name);
        // What is published has a version of its own, and says from which compiler on it can be built.
        let is_published = package.publish.is_none();
        let keys = ["edition", "license", "version", "rust-version", "publish"];
        for key in &keys[..if is_published { 2 } else { 5 }] {
            assert_eq!(manifest["package"][key]["workspace"].as_bool(), Some(true), "{}: {key}", package.name);
        }
        assert!(package.description.is_some(), "{} has no description", package.name);
        for dependency in &package.dependencies {
            // Its own tests may ask for another feature of it.
            if dependency.name == package.name.as_str() {
                continue;
            }
            if is_strategy && dependency.path.is_none() && !shared_dependencies.contains(&dependency.name) {
                continue;
            }
            let table = match dependency.kind {
                DependencyKind::Development => "dev-dependencies",
                DependencyKind::Build => "build-dependencies",
                _ => "dependencies",
            };
            let for_targets = manifest.get("target").and_then(toml::Value::as_table);
            let for_targets =
                for_targets.into_iter().flat_map(|targets| targets.values().filter_map(toml::Value::as_table));
            let tables = iter::once(&manifest).chain(for_targets);
            let shared = tables
                .filter_map(|tables| tables.get(table)?.get(&dependency.name)?.get("workspace")?.as_bool())
                .any(|shared| shared);
            assert!(shared, "{} does not take {} from the workspace", package.name, dependency.name);
        }
    }
}

/// So a strategy comes and goes with its folder.
pub(crate) fn what_one_strategy_alone_depends_on_stands_in_its_manifest(root: &Path) {
    let metadata = metadata(root);
    let members = metadata.workspace_packages();
    for name in shared_dependencies(root) {
        let uses = |package: &&&Package| package.dependencies.iter().any(|dependency| dependency.name == name);
        let users: Vec<_> = members.iter().filter(uses).collect();
        let lone_strategy = users.len() == 1 && folder(users[0]).starts_with(root.join("impls"));
        assert!(!lone_strategy, "{} alone depends on {name}: its version belongs in that Cargo.toml", users[0].name);
        assert!(!users.is_empty(), "nobody depends on {name}");
    }
}

/// Else the workspace would build two versions of one crate, and compare them.
pub(crate) fn strategies_that_share_a_dependency_ask_for_one_version(root: &Path) {
    let metadata = metadata(root);
    let mut asked = BTreeMap::new();
    for package in strategies(root, &metadata) {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_none()) {
            let (first, version) = asked.entry(&dependency.name).or_insert((&package.name, &dependency.req));
            assert_eq!(
                &dependency.req, *version,
                "{} asks for another version of {} than {first}",
                package.name, dependency.name
            );
        }
    }
}

pub(crate) fn every_strategy_is_its_folder(root: &Path) {
    for package in strategies(root, &metadata(root)) {
        let folder = folder(package);
        assert_eq!(folder.file_name().unwrap(), package.name.as_str());
        let binaries: Vec<_> = package.targets.iter().filter(|target| target.is_bin()).map(|bin| &*bin.name).collect();
        assert_eq!(binaries, [package.name.as_str()]);
        let laws = read(folder.join("tests/laws.rs"));
        assert!(laws.contains("harness::laws!("), "{} does not run the laws", package.name);
        // By these, a program around a job of the reader's finds it.
        let name = Name::new(&package.name).unwrap_or_else(|error| panic!("{}: {error}", package.name));
        let its_type = format!("pub struct {}", name.camel());
        assert!(read(folder.join("src/lib.rs")).contains(&its_type), "{}: no `{its_type}`", package.name);
        let is_optional = package.features.get("command-line").is_some_and(|brought| brought == &["dep:harness"]);
        assert!(is_optional, "{}: its library needs the harness; see impls/sequential/Cargo.toml", package.name);
    }
}

pub(crate) fn every_strategy_explains_itself(root: &Path) {
    for package in strategies(root, &metadata(root)) {
        let folder = folder(package);
        let readme = read(folder.join("README.md"));
        assert!(readme.starts_with(&format!("# {}\n", package.name)), "{}: its README's title", package.name);
        for heading in ["Decisions", "Pick it when", "Not when", "What it costs", "When things go wrong"] {
            assert!(readme.contains(&format!("\n## {heading}\n")), "{}: no `{heading}` in its README", package.name);
        }
        let told = DEATHS.iter().any(|death| readme.contains(death));
        assert!(told, "{}: its README does not say what a key does that ends its process: {DEATHS:?}", package.name);
        let marks = read(folder.join("tests/laws.rs")).matches("does_not_balance").count();
        let balances = marks == 0;
        assert!(balances || marks == 2, "{}: one of its two lines of laws alone says `does_not_balance`", package.name);
        assert!(
            balances || readme.contains("balance"),
            "{}: its tests/laws.rs says `does_not_balance`, and its README does not have the word `balance`",
            package.name
        );
        let manifest = Manifest::read(&root.join("impls"), &package.name).unwrap_or_else(|error| panic!("{error}"));
        if let Some(Needs { program, install }) = manifest.package.metadata.fanout.needs {
            let is_name = !program.is_empty() && !program.contains('/');
            assert!(is_name && !install.is_empty(), "{}: `needs` names a program, and how to have it", package.name);
            assert!(readme.contains(&program), "{}: its README does not say that it needs {program}", package.name);
        }
        let source = read(folder.join("src/lib.rs"));
        let documentation: Vec<_> = source.lines().take_while(|line| line.starts_with("//!")).collect();
        let decided = documentation.iter().any(|line| line.starts_with("//! Decisions: "));
        assert!(decided, "{}: src/lib.rs does not open with its decisions", package.name);
    }
}

pub(crate) fn every_strategy_is_short(root: &Path) {
    let said = format!("at most {LINES_OF_CODE} lines of code");
    assert!(read(root.join("CONTRIBUTING.md")).contains(&said), "CONTRIBUTING.md does not say: {said}");
    for package in strategies(root, &metadata(root)) {
        if package.metadata["fanout"]["longer-because"].is_string() {
            continue;
        }
        let code = lines::of_strategy(&folder(package)).unwrap();
        assert!(code <= LINES_OF_CODE, "{}: {code} lines of code in src/lib.rs", package.name);
    }
}

pub(crate) fn every_strategy_can_be_taken_home(root: &Path) {
    let said = format!("at most {PLAIN_LINES} lines of code");
    assert!(read(root.join("CONTRIBUTING.md")).contains(&said), "CONTRIBUTING.md does not say: {said}");
    let metadata = metadata(root);
    let ours: Vec<_> =
        metadata.workspace_packages().iter().map(|it| format!("{}::", it.name.replace('-', "_"))).collect();
    let is_inner = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    for package in strategies(root, &metadata) {
        let (name, folder) = (&package.name, folder(package));
        let source = read(folder.join(splice::PLAIN));
        let lines = lines::to_take_home(&source).unwrap();
        let is_longer = package.metadata["fanout"]["longer-because"].is_string();
        assert!(
            lines <= PLAIN_LINES || is_longer,
            "{name}: {lines} lines of code in {}, beside its main",
            splice::PLAIN
        );
        let names = |path: &&String| source.match_indices(*path).any(|(at, _)| !source[..at].ends_with(is_inner));
        let named = ours.iter().find(names);
        assert!(named.is_none(), "{name}: {} is taken home without {named:?}", splice::PLAIN);

        let manifest: toml::Table = read(&package.manifest_path).parse().unwrap();
        let examples = manifest.get("example").and_then(toml::Value::as_array).into_iter().flatten();
        let mut plain =
            examples.filter(|example| example.get("path").and_then(toml::Value::as_str) == Some(splice::PLAIN));
        let wanted = format!("name = \"plain-{name}\"\npath = \"{}\"\ntest = true\nharness = false\n", splice::PLAIN);
        let declared = plain.next().is_some_and(|example| *example == wanted.parse::<toml::Table>().unwrap().into());
        assert!(declared, "{name}: its Cargo.toml does not run its example as a test:\n[[example]]\n{wanted}");
        let laws = read(folder.join("tests/laws.rs"));
        assert!(laws.contains("harness::plain_laws!("), "{name}: {} is held to no laws", splice::PLAIN);

        let readme = read(folder.join("README.md"));
        let (opening, _) = readme.split_once("\n## ").unwrap_or((&readme, ""));
        let shown = splice::parts(opening).iter().any(|spliced| spliced.part == Part::Plain);
        assert!(shown, "{name}: its README does not open with `<!-- fanout:begin plain -->`");
    }
}

/// The rooms of bench/src, each with those that it may look into: data goes one way through them.
const ROOMS: [(&str, &[&str]); 9] = [
    ("process", &[]),
    ("run", &[]),
    ("entrants", &["process", "run"]),
    ("numbers", &["run", "entrants"]),
    ("sampling", &["process", "run", "entrants", "numbers"]),
    ("text", &["run", "entrants", "numbers"]),
    ("picture", &["run", "numbers", "text"]),
    ("html", &["run", "numbers", "text", "picture"]),
    ("advice", &["process", "run", "entrants", "numbers", "sampling"]),
];

pub(crate) fn the_rooms_of_bench_look_one_way(root: &Path) {
    for (room, allowed) in ROOMS {
        for source in files(&root.join("bench/src").join(room), &[".rs"]) {
            let text = read(&source);
            for (other, _) in ROOMS.iter().filter(|(other, _)| *other != room && !allowed.contains(other)) {
                assert!(!text.contains(&format!("crate::{other}::")), "{} looks into {other}", source.display());
            }
        }
    }
}

/// No file of shared/fanout-pool/src needs another that needs it, by however many steps; a file's tests may.
pub(crate) fn the_files_of_the_pool_look_one_way(root: &Path) {
    let needs = |source: &PathBuf| {
        let text = read(source);
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
        (source.file_stem().expect("a source's name").to_string_lossy().into_owned(), code)
    };
    let sources = files(&root.join("shared/fanout-pool/src"), &[".rs"]);
    let mut left: Vec<_> = sources.iter().map(needs).filter(|(name, _)| name != "lib").collect();
    assert!(!left.is_empty());
    // What needs none of those that are left is no part of a circle.
    loop {
        let names: Vec<_> = left.iter().map(|(name, _)| format!("crate::{name}::")).collect();
        let before = left.len();
        left.retain(|(_, code)| names.iter().any(|name| code.contains(name)));
        if left.len() == before {
            break;
        }
    }
    let circle: Vec<_> = left.into_iter().map(|(name, _)| name).collect();
    assert!(circle.is_empty(), "files that need each other are among {circle:?}");
}

/// Bounds what a user of the pool compiles beside it, in crates.
const POOLS_DEPENDENCIES: usize = 15;

pub(crate) fn the_pool_is_ready_to_be_published(root: &Path) {
    let metadata = metadata(root);
    let pool = metadata.workspace_packages().into_iter().find(|package| package.name == "fanout-pool").unwrap();
    let place = folder(pool);
    for file in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(!read(place.join(file)).is_empty(), "{file}");
    }
    assert!(!pool.categories.is_empty() && !pool.keywords.is_empty() && pool.rust_version.is_some());
    // As cargo resolves them for this machine, without what its tests alone need.
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--package", "fanout-pool", "--edges", "normal", "--prefix", "none", "--no-dedupe"])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let crates: BTreeSet<_> = tree.lines().filter(|line| !line.starts_with("fanout-pool ")).collect();
    assert!((10..=POOLS_DEPENDENCIES).contains(&crates.len()), "{crates:?}");
}

pub(crate) fn scripts_are_thin_doors(root: &Path) {
    for script in files(root, &[".sh"]) {
        let lines = read(&script).lines().count();
        assert!(lines < 40, "{}: {lines} lines", script.display());
    }
}

pub(crate) fn no_test_is_skipped_and_every_exception_says_why(root: &Path) {
    for source in files(root, &[".rs"]) {
        let text = read(&source);
        // Spelled so that this file does not find itself.
        for (forbidden, why) in
            [(concat!("#[", "ignore"), "a test is run or removed"), (concat!("#![", "allow"), "use expect")]
        {
            assert!(!text.contains(forbidden), "{}: {forbidden}: {why}", source.display());
        }
    }
}
