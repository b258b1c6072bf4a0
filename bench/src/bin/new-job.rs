//! `new-job`: makes the crate of a new job, which every strategy can run before a line of it is written.

#![warn(clippy::print_stdout, clippy::print_stderr, reason = "they panic once nobody reads; see tell.rs")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bench::process::tell;
use bench::scaffold::job::{self, Job, Standing, TEMPLATE};
use bench::scaffold::{FILL_IN, door, workspace};
use clap::Parser;

const EXAMPLE: &str = "\
Examples:
  scripts/new-job.sh word-counts          makes word-counts in this folder, with the type word_counts::WordCounts
  scripts/new-job.sh word-counts ~/code   makes ~/code/word-counts

Exit status:
  0 it is made; 1 it could not be, and nothing is left of it; 2 wrong usage, or a name that cannot be";

/// What the job is given in the command that measures it: an argument that the template takes, and that gives each key some
/// milliseconds to do.
const ARGUMENTS: &str = "100000";

/// Makes DIR/NAME, a crate with a job of your own, from examples/jobs/primes.
///
/// It passes its tests and can be measured on every strategy from the start. It may lie anywhere: its manifest has the path
/// of this repository. Nothing but DIR/NAME is touched.
#[derive(Debug, Parser)]
#[command(bin_name = "scripts/new-job.sh", after_help = EXAMPLE, max_term_width = 120)]
#[command(arg_required_else_help = true)]
struct Options {
    /// The job's name, in kebab-case: of its folder and its package.
    #[arg(allow_hyphen_values = true)]
    name: String,
    /// The folder to make it in [default: the one that you are in]
    dir: Option<PathBuf>,
}

fn main() -> ExitCode {
    door::run(|options: &Options| {
        let workspace = workspace::read(Path::new("."))?;
        let here = door::called_from()?;
        let dir = options.dir.as_deref().unwrap_or(Path::new(""));
        let job = job::add(&workspace, &here, dir, &options.name)?;
        // Whoever does not listen has the job all the same.
        let _unread = tell::print(&next_steps(&job, dir, &workspace.seen_from(&here)));
        Ok(())
    })
}

/// `root` is where the repository is for the user.
fn next_steps(job: &Job, dir: &Path, root: &Path) -> String {
    let folder = dir.join(job.name.kebab());
    let files: Vec<_> = job.files.iter().map(|file| (folder.join(file).display().to_string(), what(file))).collect();
    let width = files.iter().map(|(file, _)| file.chars().count()).max().unwrap_or_default();
    let files: String = files.iter().map(|(file, what)| format!("  {file:width$}   {what}\n")).collect();
    format!(
        "\
Made {made}. It does what {TEMPLATE} does until you write it:

{files}
Then:

  grep -rn '{FILL_IN}' {shell}
  cargo test --manifest-path {manifest}
  {compare} --job {shell} -- {ARGUMENTS}

{page} says what a job may be.{standing}
",
        made = folder.display(),
        shell = quoted(&folder),
        manifest = quoted(&folder.join("Cargo.toml")),
        compare = quoted(&root.join("scripts/compare.sh")),
        page = root.join("docs/your-own-job.md").display(),
        standing = standing(&job.standing),
    )
}

fn what(file: &Path) -> &'static str {
    match file.to_str() {
        Some("src/lib.rs") => "the job: its keys, what each of them gives, and its arguments",
        Some("README.md") => "what it does, and what its arguments are",
        Some("Cargo.toml") => "its description, and what it depends on",
        _ if file.starts_with("tests") => "whether strategies give the same",
        _ => "",
    }
}

/// What there is to know about other workspaces.
fn standing(standing: &Standing) -> String {
    match standing {
        Standing::Alone => String::new(),
        Standing::Apart => {
            "\nIts Cargo.toml has a [workspace] of its own, since it is in the folder of a workspace that does \
                            not list it. To make it a member, list it there and remove that."
                .to_owned()
        }
        Standing::Member(root) => format!("\nIt is a member of the workspace in {}.", root.display()),
    }
}

/// A path as a shell takes it for one.
fn quoted(path: &Path) -> String {
    let path = path.to_string_lossy();
    let is_flag = path.starts_with('-');
    shell_words::quote(&format!("{}{path}", if is_flag { "./" } else { "" })).into_owned()
}
