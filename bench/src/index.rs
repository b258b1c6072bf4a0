//! The index of all runs.

use std::path::Path;
use std::{fs, io};

use crate::number;
use crate::page;
use crate::record::{Ended, RecordError, Run, write_whole};
use crate::standings::Standings;
use crate::table::{Align, markdown};

/// Remakes `README.md` in `results` from the folders of runs found there, the newest first.
pub fn write(results: &Path) -> Result<(), RecordError> {
    let mut runs = Vec::new();
    for name in folders(results).map_err(|source| RecordError::Io { path: results.to_owned(), source })? {
        runs.push((Run::read(&results.join(&name))?, name));
    }
    write_whole(&results.join("README.md"), render(&runs).as_bytes())
}

/// Names of the folders that hold a plan, the newest first.
fn folders(results: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(results)? {
        let entry = entry?;
        if entry.path().join("run.json").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort_by(|a, b| b.cmp(a));
    Ok(names)
}

/// The index.
pub fn render(runs: &[(Run, String)]) -> String {
    let columns = [
        ("run", Align::Left),
        ("job", Align::Left),
        ("machine", Align::Left),
        ("commit", Align::Left),
        ("rounds", Align::Right),
        ("fastest", Align::Left),
    ];
    let row = |(run, name): &(Run, String)| {
        let fastest = Standings::of(run).rows.first().map(|row| format!("{}, {}", row.name, number::time(row.cold)));
        let planned = run.plan.rounds;
        let rounds = match run.plan.ended {
            Some(Ended::Complete) => planned.to_string(),
            _ => format!("{} of {planned}", run.complete.len()),
        };
        vec![
            format!("[{name}]({name}/README.md)"),
            page::title(&run.plan),
            run.machine.line(),
            run.machine.commit_line(),
            rounds,
            fastest.unwrap_or_else(|| number::NOTHING.to_owned()),
        ]
    };
    let rows: Vec<Vec<String>> = runs.iter().map(row).collect();
    format!(
        "# Results\n\nOne folder per run, never overwritten. This index is made by `compare` from the folders.\n\n{}",
        markdown(&columns, &rows)
    )
}
