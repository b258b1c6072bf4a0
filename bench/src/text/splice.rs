//! Generated parts in a text that people write.
//!
//! A part stands between two comments, the first of which says what it is and from which runs:
//!
//! ```text
//! <!-- fanout:begin strategies results/2026-11-24T00-59-22Z -->
//! …
//! <!-- fanout:end strategies -->
//! ```
//!
//! A part that names no run is made from a file beside the document.

use std::path::Path;
use std::{fs, iter};

use clap::ValueEnum;

use crate::numbers::curves::Figure;
use crate::numbers::difference::{self, Incomparable};
use crate::numbers::views::figures;
use crate::run::Run;
use crate::run::folder::FileError;
use crate::run::full::Full;
use crate::text::{difference as difference_text, guide, own, porting, strategies, sweep, views};

/// What can be spliced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The strategies among themselves, of one run
    Strategies,
    /// The notebook's cells beside their strategies, of one run
    Notebook,
    /// What one lock does to threads, in Rust and in Python, of one run
    Gil,
    /// The questions of a sweep, or allocators beside each other, of one run
    Sweep,
    /// Which strategy to pick, each line with its figure, of one full run
    Guide,
    /// The pictures that say most, of one full run
    Pictures,
    /// Predictions of the advice beside what was measured, of one full run that was checked
    Advice,
    /// One run against another
    Cmp,
    /// Jobs of one's own beside each other, of a run of each
    Jobs,
    /// The code to take home, of the strategy that the document is in; of no run
    Plain,
}

/// The file of a run in which predictions stand beside what was measured.
pub const ADVICE: &str = "advice.md";

/// Where the code to take home is, below a strategy's folder.
pub const PLAIN: &str = "examples/plain.rs";

/// Why a part cannot be made or put in its place.
#[derive(Debug, thiserror::Error)]
pub enum SpliceError {
    /// There is no one place for it.
    #[error("there must be one line `<!-- fanout:begin {0} … -->`, and one line `<!-- fanout:end {0} -->` below it")]
    NoMarkers(&'static str),
    /// A run cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Two runs cannot be compared.
    #[error(transparent)]
    Incomparable(#[from] Incomparable),
    /// The run was for another question.
    #[error("{run} has nothing for the part {part}: {}", match *part {
        "sweep" => "it is of one job and one allocator",
        "jobs" => "each of its runs is of a job of one's own",
        _ => "it is a sweep, whose part is called sweep",
    })]
    NotOf {
        /// The run.
        run: String,
        /// The part.
        part: &'static str,
    },
    /// Too few, or too many.
    #[error("{part} takes {}, not {given}", match wanted { 0 => "no run", 1 => "1 run", _ => "2 runs" })]
    Runs {
        /// The part.
        part: &'static str,
        /// How many it takes.
        wanted: usize,
        /// How many were given.
        given: usize,
    },
}

/// A part as a text has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spliced {
    /// What it is.
    pub part: Part,
    /// The runs it names, below the root.
    pub runs: Vec<String>,
}

impl Part {
    /// As it stands in a marker.
    pub fn name(self) -> &'static str {
        match self {
            Part::Strategies => "strategies",
            Part::Notebook => "notebook",
            Part::Gil => "gil",
            Part::Sweep => "sweep",
            Part::Guide => "guide",
            Part::Pictures => "pictures",
            Part::Advice => "advice",
            Part::Cmp => "cmp",
            Part::Jobs => "jobs",
            Part::Plain => "plain",
        }
    }

    /// Makes it from these runs, which are folders below `root`, for a document in the folder `within` below `root`.
    pub fn render(self, root: &Path, runs: &[String], within: &Path) -> Result<String, SpliceError> {
        let wanted = match self {
            Part::Plain => 0,
            Part::Cmp => 2,
            Part::Jobs => runs.len().max(1),
            _ => 1,
        };
        if runs.len() != wanted {
            return Err(SpliceError::Runs { part: self.name(), wanted, given: runs.len() });
        }
        let read = runs.iter().map(|run| Run::read(&root.join(run))).collect::<Result<Vec<Run>, _>>()?;
        let up = "../".repeat(within.components().count());
        let pages: Vec<String> = runs.iter().map(|run| format!("{up}{run}/README.md")).collect();
        let links: Vec<String> =
            pages.iter().map(|page| format!("[All columns, intervals and samples]({page})")).collect();
        let is_swept = |run: &Run| run.plan.has_several_jobs();
        let table = match (self, &read[..]) {
            (Part::Plain, _) => {
                let path = root.join(within).join(PLAIN);
                let source = fs::read_to_string(&path).map_err(|why| FileError::Io { path, why })?;
                return Ok(plain(&source));
            }
            (Part::Cmp, [first, second]) => {
                let stamps = [first, second].map(|run| run.plan.stamp.as_str());
                difference_text::table(&difference::between(first, second)?, stamps)
            }
            (Part::Jobs, runs) if runs.iter().all(|run| run.plan.own.is_some() && !is_swept(run)) => {
                // Each line has its link.
                return Ok(own::side_by_side(runs, &pages));
            }
            (Part::Guide, [_]) => guide::table(&Full::read(&root.join(&runs[0]))?, &up, &runs[0]),
            (Part::Pictures, [_]) => pictures(&Full::read(&root.join(&runs[0]))?, &format!("{up}{}/", runs[0])),
            (Part::Advice, [_]) => {
                let path = root.join(&runs[0]).join(ADVICE);
                let text = fs::read_to_string(&path).map_err(|why| FileError::Io { path, why })?;
                text.replace("](", &format!("]({up}{}/", runs[0]))
            }
            (Part::Sweep, [run]) if is_swept(run) || run.plan.has_allocators() => sweep::part(run),
            (Part::Strategies, [run]) if !is_swept(run) => strategies::table(run),
            (Part::Notebook, [run]) if !is_swept(run) => porting::short_table(run),
            (Part::Gil, [run]) if !is_swept(run) => strategies::lock_table(run),
            _ => return Err(SpliceError::NotOf { run: runs.join(" "), part: self.name() }),
        };
        Ok(format!("{table}{}\n", links.join(" · ")))
    }
}

/// The pictures of a run that say most: of each sweep one at most, since the others are in its page.
fn pictures(full: &Full, dir: &str) -> String {
    let sweeps = full.sweeps.iter().filter_map(|run| Some((run, format!("{dir}{}/", run.plan.sweep.as_ref()?))));
    let runs = iter::once((&full.run, dir.to_owned())).chain(sweeps);
    let is_shown = |figure: &Figure| SHOWN.contains(&figure.name.as_str()) || figure.name.starts_with(BLOCKING);
    let pictures = runs.filter_map(|(run, dir)| {
        let figure = figures(run).into_iter().rfind(is_shown)?;
        Some(format!("{}\n\n", views::picture(&figure, &dir)))
    });
    pictures.collect()
}

/// The names of those.
const SHOWN: [&str; 3] = ["headline", "grain-warm", "skew-one-huge-last"];

/// And what the names of those begin with of which there is one for each number of workers: the most are shown.
const BLOCKING: &str = "blocking-";

/// The code of [`PLAIN`]. What it opens with is left out: the document says what it is, and what this repository's lints
/// are told is no use elsewhere.
fn plain(source: &str) -> String {
    let opens = |line: &&str| line.is_empty() || line.starts_with("//!") || line.starts_with("#![");
    let code: String = source.lines().skip_while(opens).flat_map(|line| [line, "\n"]).collect();
    format!("To take home, from [{PLAIN}]({PLAIN}):\n\n```rust\n{code}```\n")
}

/// `text` with the part in its place.
pub fn splice(text: &str, part: Part, runs: &[String], body: &str) -> Result<String, SpliceError> {
    let (before, _, after) = around(text, part)?;
    let name = part.name();
    let begin = [&[name.to_owned()], runs].concat().join(" ");
    Ok(format!("{before}<!-- fanout:begin {begin} -->\n\n{}\n\n<!-- fanout:end {name} -->{after}", body.trim()))
}

/// The parts that `text` has.
pub fn parts(text: &str) -> Vec<Spliced> {
    let all = Part::value_variants().iter();
    let found = all.filter_map(|&part| {
        let (_, runs, _) = around(text, part).ok()?;
        Some(Spliced { part, runs: runs.split_whitespace().map(str::to_owned).collect() })
    });
    found.collect()
}

/// What is before the markers of a part, the runs that they name, and what is after them.
fn around(text: &str, part: Part) -> Result<(&str, &str, &str), SpliceError> {
    let name = part.name();
    let (begin, end) = (format!("<!-- fanout:begin {name} "), format!("<!-- fanout:end {name} -->"));
    let found = || {
        let once = |marker: &str| text.matches(marker).count() == 1;
        let (before, rest) = text.split_once(&begin).filter(|_| once(&begin) && once(&end))?;
        let (runs, rest) = rest.split_once("-->")?;
        let (_, after) = rest.split_once(&end)?;
        Some((before, runs.trim(), after))
    };
    found().ok_or(SpliceError::NoMarkers(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let text = "# Title\n\n<!-- fanout:begin strategies -->\nold\n<!-- fanout:end strategies -->\n\nThe end.\n";
        let runs = ["results/x".to_owned()];
        let new = splice(text, Part::Strategies, &runs, "| new |\n").unwrap();
        let expected = "# Title\n\n<!-- fanout:begin strategies results/x -->\n\n| new |\n\n<!-- fanout:end strategies -->\n\n\
                        The end.\n";
        assert_eq!(new, expected);
        assert_eq!(splice(&new, Part::Strategies, &runs, "| new |\n").unwrap(), new);
        assert_eq!(parts(&new), [Spliced { part: Part::Strategies, runs: runs.to_vec() }]);
    }

    #[test]
    fn missing_doubled_or_crossed_markers_are_refused() {
        let (begin, end) = ("<!-- fanout:begin cmp a b -->", "<!-- fanout:end cmp -->");
        for text in ["", begin, end, &format!("{end}{begin}"), &format!("{begin}{begin}{end}")] {
            assert!(matches!(splice(text, Part::Cmp, &[], "new"), Err(SpliceError::NoMarkers("cmp"))), "{text}");
            assert!(parts(text).is_empty());
        }
    }

    #[test]
    fn a_part_takes_its_number_of_runs() {
        let error = Part::Cmp.render(Path::new("."), &["one".to_owned()], Path::new("")).unwrap_err();
        assert_eq!(error.to_string(), "cmp takes 2 runs, not 1");
        let error = Part::Plain.render(Path::new("."), &["one".to_owned()], Path::new("")).unwrap_err();
        assert_eq!(error.to_string(), "plain takes no run, not 1");
    }

    #[test]
    fn the_code_to_take_home_comes_from_beside_the_document() {
        let dir = tempfile::tempdir().unwrap();
        let render = || Part::Plain.render(dir.path(), &[], Path::new("impls/a"));
        assert!(matches!(render(), Err(SpliceError::File(FileError::Io { .. }))));
        fs::create_dir_all(dir.path().join("impls/a/examples")).unwrap();
        let source =
            "//! About.\n//! More.\n#![expect(lint, reason = \"…\")]\n\nuse std::iter;\n\n/// Maps.\nfn f() {}\n";
        fs::write(dir.path().join("impls/a").join(PLAIN), source).unwrap();
        let body = "To take home, from [examples/plain.rs](examples/plain.rs):\n\n\
                    ```rust\nuse std::iter;\n\n/// Maps.\nfn f() {}\n```\n";
        assert_eq!(render().unwrap(), body);
        let text = "<!-- fanout:begin plain -->\n<!-- fanout:end plain -->";
        assert_eq!(parts(text), [Spliced { part: Part::Plain, runs: Vec::new() }]);
        let new = format!("<!-- fanout:begin plain -->\n\n{body}\n<!-- fanout:end plain -->");
        assert_eq!(splice(text, Part::Plain, &[], body).unwrap(), new);
    }
}
