//! `new-strategy`: makes the folder of a new strategy, which runs and keeps the laws before a line of it is written.

#![warn(clippy::print_stdout, clippy::print_stderr, reason = "they panic once nobody reads; see tell.rs")]

use std::path::Path;
use std::process::ExitCode;

use bench::entrants::name::Name;
use bench::process::tell;
use bench::scaffold::strategy::{self, TEMPLATE};
use bench::scaffold::{FILL_IN, crates_io, door, workspace};
use clap::Parser;

const EXAMPLE: &str = "\
Example:
  scripts/new-strategy.sh work-stealing   makes impls/work-stealing, with the type work_stealing::WorkStealing

Exit status:
  0 it is made; 1 it could not be, and nothing is left of it; 2 wrong usage, or a name that cannot be";

/// Makes impls/NAME, a new strategy, from impls/sequential.
///
/// It builds, keeps every law and is a row of the next table from the start. Nothing but impls/NAME and Cargo.lock is
/// touched. A note tells if crates.io has a crate of the same name, where crates.io can be reached.
#[derive(Debug, Parser)]
#[command(bin_name = "scripts/new-strategy.sh", after_help = EXAMPLE, max_term_width = 120)]
#[command(arg_required_else_help = true)]
struct Options {
    /// The strategy's name, in kebab-case: of its folder, its package, its program, and its row in every table.
    #[arg(allow_hyphen_values = true)]
    name: String,
}

fn main() -> ExitCode {
    door::run(|options: &Options| {
        let name = strategy::add(&workspace::read(Path::new("."))?, &options.name)?;
        // Whoever does not listen has the strategy all the same.
        let _unread = tell::print(&next_steps(&name));
        tell::say(format_args!("asking crates.io whether it has a crate `{name}` …"));
        if crates_io::has(&name) {
            tell::say(taken(&name));
        }
        Ok(())
    })
}

/// A crate of crates.io has the name, which matters only to a strategy that is to depend on it.
fn taken(name: &Name) -> String {
    format!(
        "
note: crates.io has a crate `{name}` too. If your strategy is to depend on it, remove impls/{name} and make it under
      another name, such as `{name}-keys`: in its own program, `{name}` is the strategy."
    )
}

fn next_steps(name: &Name) -> String {
    format!(
        "\
Made impls/{name}, and entered it in Cargo.lock. It does what {TEMPLATE} does until you write it:

  impls/{name}/src/lib.rs          the strategy: what it keeps between batches, `start`, `run`
  impls/{name}/examples/plain.rs   the same to take home: at most 25 lines, and nothing of fanout
  impls/{name}/README.md           when to pick it, what it costs, what happens when things go wrong
  impls/{name}/tests/laws.rs       whether a free worker takes the next key, and how many keys run at once
  impls/{name}/Cargo.toml          its description, and what it depends on

Then:

  grep -rn '{FILL_IN}' impls/{name}       what only you can say
  scripts/compare.sh splice plain --into impls/{name}/README.md
  cargo test -p {name}                  the laws that every strategy keeps
  cargo run --release -p {name}         the notebook's job on it
  scripts/compare.sh --only {name}      its row beside {TEMPLATE}'s

It is a row of every table from now on; nothing else has to be edited. CONTRIBUTING.md says more.
"
    )
}
