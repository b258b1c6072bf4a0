//! The index of all runs.

use std::path::Path;
use std::{fs, io};

use crate::numbers::standings::Standings;
use crate::run::Run;
use crate::run::folder::{FileError, PLAN, write_whole};
use crate::run::plan::Ended;
use crate::text::table::{Align, markdown};
use crate::text::{number, title};

/// A folder of a run by its name, or why it cannot be read.
pub type Entry = (String, Result<Run, String>);

/// Remakes `README.md` in `results` from the folders of runs found there, the newest first. A folder that cannot be read is
/// a line that says why: it must not take the others with it.
pub fn write(results: &Path) -> Result<(), FileError> {
    let names = folders(results).map_err(FileError::io(results))?;
    let read = |name: String| {
        let run = Run::read(&results.join(&name)).map_err(|error| within(results, &error));
        (name, run)
    };
    let entries: Vec<Entry> = names.into_iter().map(read).collect();
    write_whole(&results.join("README.md"), render(&entries).as_bytes())
}

/// An error as the index may show it: with paths below `results`, since an index is published.
fn within(results: &Path, error: &FileError) -> String {
    error.to_string().replace(&format!("{}/", results.display()), "")
}

/// Names of the folders that hold a plan, the newest first.
fn folders(results: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(results)? {
        let entry = entry?;
        if entry.path().join(PLAN).is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort_by(|a, b| b.cmp(a));
    Ok(names)
}

/// The index.
pub fn render(entries: &[Entry]) -> String {
    let columns = [
        ("run", Align::Left),
        ("job", Align::Left),
        ("machine", Align::Left),
        ("rounds", Align::Right),
        ("fastest", Align::Left),
    ];
    let row = |(name, run): &Entry| {
        let run = match run {
            Ok(run) => run,
            Err(why) => {
                let nothing = number::NOTHING.to_owned();
                return vec![name.clone(), format!("unreadable: {why}"), nothing.clone(), nothing.clone(), nothing];
            }
        };
        let standings = Standings::of(run);
        let fastest = standings.rows.iter().find(|row| row.is_among_strategies);
        let fastest = fastest.map(|row| format!("{}, {}", row.name, number::time(row.cold)));
        let rounds = run.rounds.len();
        let rounds = match (run.plan.ended, run.plan.stop.rounds) {
            (Some(Ended::Complete), _) => rounds.to_string(),
            (_, Some(planned)) => format!("{rounds} of {planned}"),
            _ => format!("{rounds}, stopped"),
        };
        let mut job = title(&run.plan);
        if run.plan.has_notebook() {
            job += ", with the notebook";
        }
        if !run.plan.condition {
            job += ", not conditioned";
        }
        vec![
            format!("[{name}]({name}/README.md)"),
            job,
            run.machine.short_line(),
            rounds,
            fastest.unwrap_or_else(|| number::NOTHING.to_owned()),
        ]
    };
    let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
    format!(
        "# Results\n\nOne folder per run, never overwritten. This index is made by `compare` from the folders.\n\n{}",
        markdown(&columns, &rows)
    )
}
