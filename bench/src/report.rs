//! All that people read of a run, made from its other files: pictures, `README.md`, `report.html`, and
//! `advice.md` if its advice was checked.

use std::path::Path;

use crate::advice::check::{CHECK, Check};
use crate::html::{self, Page, REPORT, Shown};
use crate::numbers::curves::Figure;
use crate::picture;
use crate::process::tell;
use crate::run::Run;
use crate::run::folder::{FileError, write_whole};
use crate::text::page;
use crate::text::splice::ADVICE;

/// Remakes it, below the run too if it has sweeps, and returns the run.
///
/// # Errors
///
/// If the run cannot be read, or one of the files cannot be written. A sweep that cannot be read is said in `report.html`: it
/// must not take the others with it.
pub fn write(dir: &Path) -> Result<Run, FileError> {
    let shown = Shown::read(dir)?;
    for sweep in &shown.sweeps {
        write_one(&dir.join(sweep.run.plan.sweep.as_deref().unwrap_or_default()), sweep)?;
    }
    write_one(dir, &shown)?;
    let run = shown.run;
    match Check::read(dir) {
        Ok(Some(check)) if check.stamp == run.plan.stamp => {
            for figure in check.figures() {
                picture::write(dir, &figure, &picture::svg(&figure))?;
            }
            write_whole(&dir.join(ADVICE), check.page().as_bytes())?;
        }
        Ok(Some(check)) => tell::warn(format_args!("{CHECK} is of the run {}, so it is not shown", check.stamp)),
        Ok(None) => {}
        Err(error) => tell::warn(format_args!("the check of the advice is not shown: {error}")),
    }
    Ok(run)
}

fn write_one(dir: &Path, shown: &Shown) -> Result<(), FileError> {
    for (figure, svg) in &shown.figures {
        picture::write(dir, figure, svg)?;
    }
    let sweeps: Vec<(&Run, Vec<&Figure>)> = shown.sweeps.iter().map(|sweep| (&sweep.run, figures(sweep))).collect();
    let readme = page::with_pictures(&shown.run, &figures(shown), &sweeps);
    write_whole(&dir.join("README.md"), readme.as_bytes())?;
    write_whole(&dir.join(REPORT), html::render(&Page::of(shown, dir)).as_bytes())
}

fn figures(shown: &Shown) -> Vec<&Figure> {
    shown.figures.iter().map(|(figure, _)| figure).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::run::folder::{MACHINE, PLAN, SAMPLES};

    /// A folder with a copy of a recorded run.
    fn copy(run: &str, to: &Path) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(run);
        fs::create_dir_all(to).unwrap();
        for file in [PLAN, MACHINE, SAMPLES] {
            fs::copy(from.join(file), to.join(file)).unwrap();
        }
    }

    #[test]
    fn a_sweep_that_cannot_be_read_does_not_take_the_others_with_it() {
        let dir = tempfile::tempdir().unwrap();
        copy("run", dir.path());
        copy("sweep", &dir.path().join("allocators"));
        copy("sweep", &dir.path().join("size"));
        fs::write(dir.path().join("size").join(MACHINE), "<b>").unwrap();
        fs::create_dir(dir.path().join("skew")).unwrap();
        fs::write(dir.path().join("skew").join(PLAN), "{\"format\": 99}").unwrap();
        write(dir.path()).unwrap();
        let html = fs::read_to_string(dir.path().join(REPORT)).unwrap();
        assert!(html.contains("The sweep size cannot be read: size/machine.json: expected value at line 1 column 1."));
        assert!(html.contains("The sweep skew cannot be read: skew/run.json: its format is 99"));
        assert!(html.contains("<h2 id=\"sweep-allocators\">Sweep allocators: fill, "));
        assert!(!html.contains("href=\"#sweep-size\"") && html.contains("href=\"allocators/samples.jsonl\""));
        let here = dir.path().to_str().unwrap();
        assert!(!html.contains(here), "where the run was read from is nobody's business");
    }

    #[test]
    fn a_run_that_cannot_be_read_has_no_page() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(write(dir.path()), Err(FileError::Io { .. })));
        fs::write(dir.path().join(PLAN), "[").unwrap();
        assert!(matches!(write(dir.path()), Err(FileError::Json { .. })));
        assert!(!dir.path().join(REPORT).exists());
    }
}
