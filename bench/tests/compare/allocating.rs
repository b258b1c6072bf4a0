//! Strategies with several allocators, and the sweep that compares them at several sizes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bench::run::Run;
use bench::run::allocator::Allocator;
use bench::run::plan::{Ended, Plan};
use bench::run::sample::Stage;

use crate::tree::{Tree, assert_status, row, stderr};

/// `sequential` and `twice` with every allocator.
const CARRIED: [&str; 6] =
    ["sequential", "twice", "sequential.mimalloc", "twice.mimalloc", "sequential.jemalloc", "twice.jemalloc"];

/// Values of which there are two sizes of at least ten keys: 1,000 and 10,000.
const SIZES: [&str; 4] = ["--keys", "100", "--count", "1000"];

fn rows(plan: &Plan) -> Vec<(&str, Allocator)> {
    plan.rows.iter().map(|row| (row.name.as_str(), row.allocator)).collect()
}

fn sweep(tree: &Tree, arguments: &[&str]) -> Output {
    let sweep = ["sweep", "allocators", "--bin-dir", "programs", "--workers", "2"];
    tree.compare(&[&sweep, &SIZES[..], arguments].concat()).output().unwrap()
}

#[test]
fn each_allocator_is_a_row_of_its_own() {
    use Allocator::{Jemalloc, Mimalloc, System};
    let tree = Tree::new(&CARRIED);
    assert_status(&tree.measure(&["--rounds", "6", "--allocator", "system,mimalloc,jemalloc"]), 0);
    let run = tree.run();
    let expected = [
        ("sequential", System),
        ("twice", System),
        ("sequential.mimalloc", Mimalloc),
        ("twice.mimalloc", Mimalloc),
        ("sequential.jemalloc", Jemalloc),
        ("twice.jemalloc", Jemalloc),
        ("sequential.control", System),
    ];
    assert_eq!(rows(&run.plan), expected);
    for (cell, measured) in run.plan.cells.iter().zip(&run.measured) {
        assert_eq!((measured.cold.len(), measured.warm.len()), (6, 6), "{}", cell.name);
    }
    let page = tree.page();
    // 0.125 s, and 0.5 s with the system's allocator on one thread.
    assert_eq!(row(&page, "twice.mimalloc")[2..4], ["125 ms ± 0", "4.00× [4.00, 4.00]"]);
    let allocators = page.split("## Allocators").nth(1).unwrap();
    assert!(allocators.contains("| twice.jemalloc "), "{page}");
}

#[test]
fn sequential_has_the_systems_allocator_whatever_is_asked_for() {
    let tree = Tree::new(&CARRIED);
    assert_status(&tree.measure(&["--rounds", "1", "--allocator", "mimalloc"]), 0);
    let run = tree.run();
    let names: Vec<&str> = run.plan.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["sequential", "sequential.mimalloc", "twice.mimalloc", "sequential.control"]);
}

#[test]
fn programs_with_another_allocator_are_not_measured_unless_asked_for() {
    let tree = Tree::new(&CARRIED);
    assert_status(&tree.measure(&["--rounds", "1"]), 0);
    let names: Vec<String> = tree.run().plan.rows.into_iter().map(|row| row.name).collect();
    assert_eq!(names, ["sequential", "twice", "sequential.control"]);
}

/// However fast they are: the front page compares strategies.
#[test]
fn no_other_allocator_is_in_the_short_table_nor_moves_a_rank_in_it() {
    let tree = Tree::new(&CARRIED);
    let output = tree.measure(&["--rounds", "6", "--allocator", "mimalloc,system"]);
    assert_status(&output, 0);
    let readme = tree.path("README.md");
    fs::write(&readme, "<!-- fanout:begin strategies x -->\n<!-- fanout:end strategies -->\n").unwrap();
    let dir = tree.run_dir();
    let splice = |part: &str| tree.compare(&["splice", part, dir.to_str().unwrap(), "--force"]).output().unwrap();
    assert_status(&splice("strategies"), 0);
    let text = fs::read_to_string(&readme).unwrap();
    let table: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    assert!(!table.concat().contains("malloc"), "{text}");
    assert_eq!((row(&text, "twice")[0], row(&text, "sequential")[0]), ("1", "2"));
    let index = fs::read_to_string(tree.path("results/local/README.md")).unwrap();
    assert!(index.contains("| twice, 250 ms"), "{index}");
    // The terminal shows them, in a table of their own.
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("| twice.mimalloc "), "{said}");
    let part = "<!-- fanout:begin sweep x -->\n<!-- fanout:end sweep -->\n";
    fs::write(&readme, part).unwrap();
    assert_status(&splice("sweep"), 0);
    assert!(fs::read_to_string(&readme).unwrap().contains("| twice.mimalloc "));
}

#[test]
fn a_program_that_is_not_what_its_row_says_is_a_failed_row() {
    let tree = Tree::new(&["sequential", "cheat", "sequential.mimalloc", "cheat.mimalloc"]);
    assert_status(&tree.measure(&["--rounds", "1", "--allocator", "system,mimalloc"]), 1);
    let run = tree.run();
    let failure = |name: &str| run.measured(name).unwrap().failure.clone();
    let cheat = failure("cheat.mimalloc").unwrap();
    assert_eq!(cheat.message, "it was built with the allocator system, and its row is for mimalloc");
    assert_eq!(cheat.stage, Stage::Verify);
    assert_eq!((failure("cheat"), failure("sequential.mimalloc")), (None, None));

    // A program with another allocator, under the name of the plain one.
    let tree = Tree::new(&["sequential"]);
    let mut compare = tree.compare(&["--bin-dir", "programs", "--rounds", "1"]);
    let output = compare.env("FAKE_NAME", "sequential.jemalloc").output().unwrap();
    assert_status(&output, 1);
    let said = stderr(&output);
    assert!(said.contains("it was built with the allocator jemalloc, and its row is for system"), "{said}");
}

#[test]
fn what_cannot_be_had_is_refused_in_one_line() {
    let tree = Tree::new(&["sequential", "twice", "sequential.mimalloc"]);
    let swept = ["sweep", "allocators", "--bin-dir", "programs"];
    for (arguments, told) in [
        (&["--allocator", "mimaloc"][..], "a similar value exists: 'mimalloc'"),
        (&["--allocator", "nothing-like-it"], "[possible values: system, mimalloc, jemalloc]"),
        (
            &["--allocator", "mimalloc"],
            "there is no twice.mimalloc; `cargo build --release --features harness/mimalloc --bin twice --target-dir target/",
        ),
        (&["--only", "twice.mimalloc"], "--only: there is no strategy `twice.mimalloc`; did you mean `twice`?"),
        (&["--python", "--allocator", "mimalloc"], "--python needs system among the names of --allocator"),
        (&["sweep", "allocator"], "there is no such sweep; did you mean `allocators`?"),
        (&[&swept[..], &["--workload", "sum"]].concat(), "sweep allocators needs --workload fill, not sum"),
        (&[&swept[..], &["--keys", "1"]].concat(), "there is no strategy `std-counter`"),
        (
            &[&swept[..], &["--keys", "1", "--count", "9"]].concat(),
            "sweep allocators needs --keys × --count to be 10000 or more",
        ),
    ] {
        let bin_dir = if arguments[0] == "sweep" { &[][..] } else { &["--bin-dir", "programs"] };
        let output = tree.compare(&[bin_dir, arguments].concat()).output().unwrap();
        assert_status(&output, 2);
        let said = stderr(&output);
        let is_one_line = said.starts_with("error: ") && said.lines().count() == 1;
        assert!(is_one_line && said.contains(told), "{arguments:?}: {said}");
    }
    assert!(!tree.path("state/calls").exists() && !tree.path("results").exists());
}

#[test]
fn a_sweep_measures_each_row_at_each_size() {
    let tree = Tree::new(&[&CARRIED[..], &["machine-limit"]].concat());
    let output = sweep(&tree, &["--only", "twice", "--rounds", "6"]);
    assert_status(&output, 0);
    let run = tree.run();
    assert_eq!((run.plan.sweep.as_deref(), run.plan.ended), (Some("allocators"), Some(Ended::Complete)));
    let cells: Vec<&str> = run.plan.cells.iter().map(|cell| cell.name.as_str()).collect();
    let at = |number: u32| -> Vec<String> {
        ["sequential", "twice"]
            .map(|name| ["", ".mimalloc", ".jemalloc"].map(|of| format!("{name}{of}#{number}")))
            .concat()
    };
    let mut sorted = cells.clone();
    sorted.sort_unstable();
    let mut expected =
        [at(1), at(2), ["sequential.control#1", "sequential.control#2"].map(str::to_owned).to_vec()].concat();
    expected.sort_unstable();
    assert_eq!(sorted, expected, "the limit is no row of a sweep");
    for (cell, measured) in run.plan.cells.iter().zip(&run.measured) {
        let warm = if cell.row == "sequential.control" { 0 } else { 6 };
        assert_eq!((measured.cold.len(), measured.warm.len()), (6, warm), "{}", cell.name);
        let job = (cell.job.keys, cell.job.count);
        assert_eq!(job, if cell.at == 0 { (100, 1_000) } else { (10, 10_000) }, "{}", cell.name);
    }
    // What a sweep does not show is not tried.
    let calls = tree.calls();
    let of_twice = |what: &str| calls.iter().filter(|call| call.starts_with("twice ") && call.contains(what)).count();
    assert_eq!((of_twice("--workload wait"), of_twice("1:panic")), (0, 0));
    assert_eq!(
        of_twice("--keys 10 --count 10000 --skew uniform --rng xoshiro --seed 42 --workers 2 --format json --digest"),
        1,
        "so little memory is not watched"
    );

    let page = tree.page();
    assert!(page.starts_with("# allocators: fill, 100,000 values in blocks of 8 kB to 80 kB, 2 workers\n"), "{page}");
    // 0.125 s over 100,000 values, and 0.2 s of the strategy's own clock.
    let cells = |question: &str, name: &str| {
        let table = page.split(question).nth(1).unwrap();
        let line = table.lines().find(|line| line.starts_with(&format!("| {name} "))).unwrap();
        line.trim_matches('|').split('|').skip(1).map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(cells("Warm: ", "twice.mimalloc"), ["2.00 µs ± 0.00", "2.00 µs ± 0.00"]);
    assert_eq!(cells("Warm: ", "sequential"), ["4.00 µs ± 0.00", "4.00 µs ± 0.00"]);
    assert_eq!(cells("How many times faster a warm", "twice.jemalloc"), ["1.00× [1.00, 1.00]"; 2]);
    assert_eq!(cells("Cold: ", "twice.mimalloc"), ["1.25 µs ± 0.00"; 2]);
    assert_eq!(cells("Drop: ", "twice.mimalloc"), ["10.00 ns"; 2]);
    assert!(page.contains("The second takes 1.00× [1.00, 1.00] the time of the first"), "{page}");
    assert!(page.contains("- `#2`: 10 keys × 10,000, uniform, 2 workers\n"), "{page}");
    let first: String = page.chars().take_while(|letter| *letter != '|').collect();
    assert!(first.contains("Warm: the time per value"), "the first table is the one that is asked for most: {page}");

    assert_status(&tree.compare(&["report", tree.run_dir().to_str().unwrap()]).output().unwrap(), 0);
    assert_eq!(tree.page(), page);
    let index = fs::read_to_string(tree.path("results/local/README.md")).unwrap();
    assert!(index.contains("| allocators: fill, 100,000 values in blocks of 8 kB to 80 kB, 2 workers "), "{index}");
}

#[test]
fn the_jobs_of_a_sweep_are_called_by_what_they_differ_in() {
    let tree = Tree::new(&["sequential", "twice"]);
    let job = ["--keys", "100", "--count", "5000", "--workers", "2", "--rounds", "6"];
    let arguments = [&["sweep", "skew", "--bin-dir", "programs", "--only", "twice"], &job[..]].concat();
    assert_status(&tree.compare(&arguments).output().unwrap(), 0);
    let page = tree.page();
    let title = "# skew: fill, uniform, zipf, one-huge, one-huge-last at 1,000 values a key on average, 2 workers\n";
    assert!(page.starts_with(title) && page.contains("- `#3`: 100 keys × 1,000, one-huge, 2 workers\n"), "{page}");
    let columns = page.lines().find(|line| line.starts_with("| strategy ")).unwrap();
    let columns: Vec<&str> = columns.trim_matches('|').split('|').map(str::trim).collect();
    assert_eq!(columns[1..], ["uniform", "zipf", "one-huge", "one-huge-last"]);
}

#[test]
fn a_sweep_is_compared_with_itself_and_shown_as_what_it_is() {
    let tree = Tree::new(&CARRIED);
    assert_status(&sweep(&tree, &["--only", "twice", "--rounds", "13"]), 0);
    let dir = tree.run_dir();
    let dir = dir.to_str().unwrap();
    let output = tree.compare(&["cmp", dir, dir]).output().unwrap();
    assert_status(&output, 0);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("| twice.mimalloc#2 ") && said.contains("Of 12 rows, 0 faster, 0 slower, 12 without"),
        "{said}"
    );
    fs::create_dir(tree.path("docs")).unwrap();
    let document = tree.path("docs/page.md");
    fs::write(&document, "<!-- fanout:begin sweep x -->\n<!-- fanout:end sweep -->\n").unwrap();
    let into = ["--into", document.to_str().unwrap(), "--force"];
    assert_status(&tree.compare(&[&["splice", "sweep", dir], &into[..]].concat()).output().unwrap(), 0);
    let text = fs::read_to_string(&document).unwrap();
    assert!(text.contains("](../results/local/") && text.contains("| twice.jemalloc "), "{text}");
    fs::write(&document, "<!-- fanout:begin strategies x -->\n<!-- fanout:end strategies -->\n").unwrap();
    let refused = tree.compare(&[&["splice", "strategies", dir], &into[..]].concat()).output().unwrap();
    assert_status(&refused, 1);
    assert!(stderr(&refused).contains("it is a sweep, whose part is called sweep"), "{}", stderr(&refused));
}

/// As if it had been killed after so many samples.
fn stopped_after(dir: &Path, samples: usize) {
    let plan = fs::read_to_string(dir.join("run.json")).unwrap();
    fs::write(dir.join("run.json"), plan.replace("\"ended\": \"complete\"", "\"ended\": null")).unwrap();
    let lines = fs::read_to_string(dir.join("samples.jsonl")).unwrap();
    let kept: Vec<&str> = lines.split_inclusive('\n').take(samples).collect();
    assert_eq!(kept.len(), samples);
    fs::write(dir.join("samples.jsonl"), kept.concat()).unwrap();
}

#[test]
fn a_run_with_allocators_goes_on_with_the_same_rows() {
    for only_others in [false, true] {
        let tree = Tree::new(&CARRIED);
        let allocators = if only_others { "jemalloc" } else { "system,mimalloc" };
        assert_status(&tree.measure(&["--rounds", "2", "--allocator", allocators]), 0);
        let (dir, before) = (tree.run_dir(), tree.run());
        stopped_after(&dir, 12);
        let output = tree.compare(&["--bin-dir", "programs", "--resume", dir.to_str().unwrap()]).output().unwrap();
        assert_status(&output, 0);
        assert_resumed(&tree.run(), &before);
    }
}

#[test]
fn a_sweep_goes_on_where_it_was() {
    let tree = Tree::new(&CARRIED);
    assert_status(&sweep(&tree, &["--only", "twice", "--rounds", "2"]), 0);
    let (dir, before) = (tree.run_dir(), tree.run());
    for samples in [5, 40] {
        stopped_after(&dir, samples);
        let output = tree.compare(&["--bin-dir", "programs", "--resume", dir.to_str().unwrap()]).output().unwrap();
        assert_status(&output, 0);
        assert_resumed(&tree.run(), &before);
    }
}

#[track_caller]
fn assert_resumed(run: &Run, before: &Run) {
    assert_eq!(run.plan, before.plan);
    assert_eq!(run.dropped, 0);
    for (one, other) in run.measured.iter().zip(&before.measured) {
        assert_eq!((one.cold.len(), one.warm.len()), (other.cold.len(), other.warm.len()));
    }
    let (one, other) = (run.rounds.len(), before.rounds.len());
    assert_eq!((one, run.survival.len()), (other, before.survival.len()));
}

/// A workspace whose strategies report the feature that their harness was built with.
fn workspace(tree: &Tree) -> PathBuf {
    let root = tree.path("built");
    let write = |path: &str, content: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"impls/*\", \"harness\"]\n");
    write(
        "harness/Cargo.toml",
        "[package]\nname = \"harness\"\nedition = \"2024\"\n\n[features]\nmimalloc = []\njemalloc = []\n",
    );
    let harness = r#"#[cfg(feature = "jemalloc")]
compile_error!("there is no C compiler");
pub const ALLOCATOR: &str = if cfg!(feature = "mimalloc") { "mimalloc" } else { "system" };
"#;
    write("harness/src/lib.rs", harness);
    let main = r##"fn main() {
    println!(r#"{{"strategy":"any","workload":"fill","keys":1,"count":100,"skew":"uniform","rng":"xoshiro","seed":42,
        "profile":"release","allocator":"{}","workers":2,"start_ns":1,"run_ns":[3,2,2],"drop_ns":[1,1,1],"stop_ns":1,
        "output_bytes":800,"failed":[],"digest":"0123456789abcdef"}}"#, harness::ALLOCATOR);
}
"##;
    for name in ["sequential", "twice"] {
        let manifest = format!(
            "[package]\nname = \"{name}\"\nedition = \"2024\"\n\n[dependencies]\nharness = {{ path = \"../../harness\" }}\n"
        );
        write(&format!("impls/{name}/Cargo.toml"), &manifest);
        write(&format!("impls/{name}/src/main.rs"), main);
    }
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let lock = Command::new(cargo).args(["generate-lockfile", "--offline"]).current_dir(&root).output().unwrap();
    assert_status(&lock, 0);
    root
}

#[test]
fn programs_with_another_allocator_are_built_beside_the_others() {
    let tree = Tree::new(&[]);
    let root = workspace(&tree);
    let measure = |allocators: &str| {
        let mut compare = tree.compare(&["--rounds", "1", "--allocator", allocators]);
        compare.current_dir(&root).env_remove("CARGO_TARGET_DIR").env_remove("CARGO_BUILD_BUILD_DIR").output().unwrap()
    };
    assert_status(&measure("system,mimalloc"), 0);
    let programs = ["target/release/twice", "target/allocators/mimalloc/release/twice"].map(|path| root.join(path));
    let made = || programs.clone().map(|path| path.metadata().unwrap().modified().unwrap());
    let first = made();
    let says = |program: &Path| String::from_utf8(Command::new(program).output().unwrap().stdout).unwrap();
    assert!(says(&programs[0]).contains("\"allocator\":\"system\""));
    assert!(says(&programs[1]).contains("\"allocator\":\"mimalloc\""));

    let runs = || fs::read_dir(root.join("results/local")).unwrap().map(|entry| entry.unwrap().path());
    let run = Run::read(&runs().find(|path| path.is_dir()).unwrap()).unwrap();
    let cell = run.plan.cells.iter().find(|cell| cell.name == "twice.mimalloc").unwrap();
    assert!(cell.command.starts_with("target/allocators/mimalloc/release/twice --workload fill "), "{}", cell.command);
    assert!(run.plan.row("twice.mimalloc").unwrap().lines.is_some());

    // None is built again, in whichever order they are asked for.
    assert_status(&measure("system"), 0);
    assert_status(&measure("mimalloc"), 0);
    assert_eq!(made(), first);

    // An allocator that does not build takes nothing with it.
    let output = measure("system,jemalloc");
    assert_status(&output, 1);
    assert!(stderr(&output).contains("there is no C compiler"), "{}", stderr(&output));
    let last = runs().filter(|path| path.is_dir()).max().unwrap();
    let run = Run::read(&last).unwrap();
    for (name, stage) in
        [("twice", None), ("twice.jemalloc", Some(Stage::Build)), ("sequential.jemalloc", Some(Stage::Build))]
    {
        assert_eq!(run.measured(name).unwrap().failure.as_ref().map(|failure| failure.stage), stage, "{name}");
    }
}
