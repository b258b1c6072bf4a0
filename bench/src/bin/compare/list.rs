//! What there is to measure, and what a shell can complete.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use bench::entrants::listing;
use bench::process::tell::{self, Usage};
use clap::Command;
use clap_complete::Shell;

use crate::options;

/// Prints each strategy with its description.
pub(crate) fn strategies(root: &Path) -> Result<()> {
    let impls = root.join("impls");
    if !impls.is_dir() {
        return Err(Usage(format!("list: there is no {}: be in a folder of the repository", impls.display())).into());
    }
    let listed = listing::strategies(&impls)?;
    let width = listed.iter().map(|listed| listed.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for listing::Listed { name, description, lacks } in &listed {
        let lacks = lacks.as_ref().map(|needs| format!(" ({needs})")).unwrap_or_default();
        let _ = writeln!(text, "{}", format!("{name:width$}  {description}{lacks}").trim_end());
    }
    tell::print(&text).context("standard output")
}

/// Prints the script by which `shell` completes the command called `name`.
pub(crate) fn completions(shell: Shell, name: &str) -> Result<()> {
    // Hidden subcommands are for this program itself, and a shell would offer them.
    let all = options::command();
    let shown = all.get_subcommands().filter(|subcommand| !subcommand.is_hide_set());
    let mut command = Command::new("compare").args(all.get_arguments()).groups(all.get_groups()).subcommands(shown);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    tell::print(&String::from_utf8(script)?).context("standard output")
}
