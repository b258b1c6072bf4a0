//! The page of a run: `report.html`, one file that a browser shows without asking anybody for anything.
//!
//! It says what the run's README says, in the same words, with the pictures in it and with tables that can be sorted. All of
//! it is there without its script too.

use std::path::Path;

use maud::PreEscaped;
use xxhash_rust::xxh3::xxh3_128;

use crate::numbers::curves::Figure;
use crate::numbers::standings::Standings;
use crate::numbers::views;
use crate::picture;
use crate::run::Run;
use crate::run::folder::{FileError, MACHINE, PLAN, SAMPLES};
use crate::run::full;
use crate::run::plan::SEQUENTIAL;
use crate::text::{number, page, title};

mod document;
mod glossary;
mod layout;
mod table;

/// The page's file, in the folder of its run.
pub const REPORT: &str = "report.html";

/// What the page shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The job in words.
    pub title: String,
    /// What to know first, in one or two sentences.
    pub headline: String,
    /// What to know before believing the rest, besides the warnings of the README: what failed, and what is not there. In
    /// markdown.
    pub notes: Vec<String>,
    /// The run's README.
    pub readme: String,
    /// Pictures with their SVG.
    pub figures: Vec<(Figure, String)>,
    /// The sweeps, each with its name and its README.
    pub sweeps: Vec<(String, String)>,
    /// The files that the page is made from, as paths below the run's folder.
    pub files: Vec<String>,
}

/// A run as it is shown, each part worked out once, and its sweeps likewise.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The run.
    pub run: Run,
    /// Its page in markdown, without pictures.
    pub readme: String,
    /// Its pictures with their SVG.
    pub figures: Vec<(Figure, String)>,
    /// Its sweeps that can be read.
    pub sweeps: Vec<Shown>,
    /// Those that cannot be: each with its name and why.
    pub unreadable: Vec<(&'static str, String)>,
}

impl Shown {
    /// Of the run in `dir`. A sweep that cannot be read must not take the others with it.
    ///
    /// # Errors
    ///
    /// As [`Run::read`], for the run itself.
    pub fn read(dir: &Path) -> Result<Shown, FileError> {
        let mut shown = Shown::of(Run::read(dir)?);
        for (name, sweep) in full::sweeps(dir) {
            match sweep {
                Ok(sweep) => shown.sweeps.push(Shown::of(sweep)),
                Err(why) => {
                    let why = why.to_string().replace(&format!("{}/", dir.display()), "");
                    shown.unreadable.push((name, why));
                }
            }
        }
        Ok(shown)
    }

    /// Of a run alone.
    fn of(run: Run) -> Shown {
        let figures = views::figures(&run).into_iter();
        let figures = figures.map(|figure| (figure.clone(), picture::svg(&figure))).collect();
        Shown { readme: page::render(&run), run, figures, sweeps: Vec::new(), unreadable: Vec::new() }
    }

    /// Its name as a sweep, which is that of its folder.
    fn name(&self) -> &str {
        self.run.plan.sweep.as_deref().unwrap_or_default()
    }
}

/// The page. It is the same for the same content.
pub fn render(page: &Page) -> String {
    let content = layout::content(page);
    // Only a style and a script with this number count. It depends on all that the page says, and so nothing in it knows it.
    let nonce = format!("{:032x}", xxh3_128(content.0.as_bytes()));
    layout::whole(page, &nonce, &PreEscaped(content.0)).0
}

impl Page {
    /// What there is to show of `shown`, which is in `dir`. A sweep that cannot be read is a note.
    pub fn of(shown: &Shown, dir: &Path) -> Page {
        let Shown { run, readme, figures, sweeps, unreadable } = shown;
        let mut notes = notes(run);
        notes.extend(
            unreadable
                .iter()
                .map(|(name, why)| format!("The sweep {} cannot be read: {why}.", literal(name)).replace("\n", " ")),
        );
        if sweeps.is_empty() && run.plan.sweep.is_none() {
            notes.push(
                "This run has no sweeps, and so no pictures of them: `compare --full` measures those.".to_owned(),
            );
        }
        Page {
            title: title(&run.plan),
            headline: headline(run),
            notes,
            readme: readme.clone(),
            figures: figures.iter().chain(sweeps.iter().flat_map(|sweep| &sweep.figures)).cloned().collect(),
            sweeps: sweeps.iter().map(|sweep| (sweep.name().to_owned(), sweep.readme.clone())).collect(),
            files: files(dir, sweeps.iter().map(Shown::name)),
        }
    }
}

/// The files that are there, of the run and of these sweeps.
fn files<'a>(dir: &Path, sweeps: impl Iterator<Item = &'a str>) -> Vec<String> {
    let folders = std::iter::once(String::new()).chain(sweeps.map(|sweep| format!("{sweep}/")));
    let all = folders.flat_map(|folder| [SAMPLES, PLAN, MACHINE, "README.md"].map(|file| format!("{folder}{file}")));
    all.filter(|file| dir.join(file).is_file()).collect()
}

/// Which strategy is the fastest.
fn headline(run: &Run) -> String {
    if !run.is_timed() {
        return "Nothing was timed.".to_owned();
    }
    if run.plan.has_several_jobs() {
        let rows = run.plan.rows.iter().filter(|row| row.not_measured.is_none()).count();
        let jobs = run.plan.jobs().count();
        let table = match run.plan.sweep.as_deref() {
            Some("cases") => "The table has a row for each job.",
            _ => "Each table has a column for each job.",
        };
        return format!("A sweep: {rows} rows at {jobs} jobs. {table}");
    }
    let standings = Standings::of(run);
    let mut strategies = standings.rows.iter().filter(|row| row.is_among_strategies);
    let Some(first) = strategies.next() else { return "No strategy was timed.".to_owned() };
    let time = number::time(first.cold);
    let against = match first.speed_up {
        _ if first.name == SEQUENTIAL => ", the plain loop".to_owned(),
        Some(ratio) => format!(", {} as fast as sequential", number::ratio(ratio)),
        None => String::new(),
    };
    let equal: Vec<&str> = strategies.filter(|row| row.rank == Some(1)).map(|row| row.name.as_str()).collect();
    let equal = if equal.is_empty() { String::new() } else { format!(" Not clearly slower: {}.", equal.join(", ")) };
    format!("Fastest: {}, {time}{against}.{equal}", first.name)
}

/// What failed, and what was not measured.
fn notes(run: &Run) -> Vec<String> {
    let cells = run.plan.cells.iter().zip(&run.measured);
    let failed: Vec<String> =
        cells.filter(|(_, it)| it.failure.is_some()).map(|(cell, _)| literal(&cell.name)).collect();
    let mut notes = Vec::new();
    if !failed.is_empty() {
        notes.push(format!("Failed: {}. The section “Failed” says why.", failed.join(", ")));
    }
    let left_out: Vec<String> =
        run.plan.rows.iter().filter(|row| row.not_measured.is_some()).map(|row| literal(&row.name)).collect();
    if !left_out.is_empty() {
        notes.push(format!("Not measured: {}. The section “Not measured” says why.", left_out.join(", ")));
    }
    if !run.is_timed() {
        notes.push("Nothing was timed in this run: there are no times to show.".to_owned());
    }
    notes
}

/// A name as markdown that shows it as it is.
fn literal(name: &str) -> String {
    let escape = |next: char| if next.is_ascii_punctuation() { format!("\\{next}") } else { next.to_string() };
    name.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A folder with a copy of a recorded run.
    fn copy(run: &str, to: &Path) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(run);
        fs::create_dir_all(to).unwrap();
        for file in [PLAN, MACHINE, SAMPLES] {
            fs::copy(from.join(file), to.join(file)).unwrap();
        }
    }

    fn read(dir: &Path) -> Page {
        Page::of(&Shown::read(dir).unwrap(), dir)
    }

    #[test]
    fn a_run_without_sweeps_says_so_and_names_what_failed() {
        let dir = tempfile::tempdir().unwrap();
        copy("run", dir.path());
        let page = read(dir.path());
        assert_eq!(page.headline, "Fastest: sequential, 2.98 ms ± 0.14, the plain loop.");
        assert_eq!(
            page.notes,
            [
                "Failed: process\\-pool. The section “Failed” says why.",
                "This run has no sweeps, and so no pictures of them: `compare --full` measures those.",
            ]
        );
        assert_eq!(page.files, ["samples.jsonl", "run.json", "machine.json"]);
        let html = render(&page);
        assert!(html.contains("Failed: process-pool. The section “Failed” says why."));
        assert!(html.contains("<th scope=\"row\">process-pool</th><td>before timing</td>"));
        assert_eq!(html, render(&page), "the same content gives the same page");
    }

    #[test]
    fn a_sweep_of_its_own_lacks_nothing() {
        let dir = tempfile::tempdir().unwrap();
        copy("sweep", dir.path());
        let page = read(dir.path());
        assert_eq!(page.notes, Vec::<String>::new());
        assert!(page.headline.starts_with("A sweep: "), "{}", page.headline);
    }

    #[test]
    fn a_run_without_samples_says_that_nothing_was_timed() {
        let dir = tempfile::tempdir().unwrap();
        copy("run", dir.path());
        fs::remove_file(dir.path().join(SAMPLES)).unwrap();
        let page = read(dir.path());
        assert_eq!(page.headline, "Nothing was timed.");
        assert!(page.notes.iter().any(|note| note.contains("there are no times to show")), "{:?}", page.notes);
        assert_eq!(page.files, ["run.json", "machine.json"]);
        assert!(render(&page).contains("Nothing was timed."));
    }

    #[test]
    fn nothing_in_a_run_is_markup() {
        let dir = tempfile::tempdir().unwrap();
        copy("run", dir.path());
        let hostile =
            "</style></script><script>alert(1)</script><a href=javascript:alert(1)>`*[x](javascript:alert(1))|";
        let mut run = Run::read(dir.path()).unwrap();
        for cell in &mut run.plan.cells {
            cell.command = format!("```\n{hostile}");
        }
        run.plan.command = hostile.to_owned();
        run.machine.rustc = Some(hostile.to_owned());
        fs::write(dir.path().join(PLAN), serde_json::to_vec(&run.plan).unwrap()).unwrap();
        fs::write(dir.path().join(MACHINE), serde_json::to_vec(&run.machine).unwrap()).unwrap();
        let samples = fs::read_to_string(dir.path().join(SAMPLES)).unwrap();
        let said = samples.replace("its process was ended by signal 9", &hostile.replace('"', "'"));
        assert_ne!(said, samples);
        fs::write(dir.path().join(SAMPLES), said).unwrap();
        let html = render(&read(dir.path()));
        assert_eq!(html.matches("<script").count(), 1);
        assert_eq!(html.matches("</style>").count(), 1);
        assert_eq!(html.matches("javascript:").count(), html.matches("javascript:alert(1)").count());
        assert!(!html.contains("href=\"javascript") && !html.contains("<a href=javascript"));
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    }
}
