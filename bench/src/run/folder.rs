//! The folder of a run, for writing.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::run::machine::Machine;
use crate::run::plan::{FORMAT, Plan};
use crate::run::sample::Line;

/// The plan's file.
pub const PLAN: &str = "run.json";

/// The machine's file.
pub const MACHINE: &str = "machine.json";

/// The samples' file.
pub const SAMPLES: &str = "samples.jsonl";

/// What begins the name of a file in which a timer leaves its export until it is read.
const EXPORT: &str = ".export-";

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// By the operating system's word.
    #[error("{}: {why}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// It does not hold what it should.
    #[error("{}: {why}", .path.display())]
    Json {
        /// Which.
        path: PathBuf,
        /// Why.
        why: serde_json::Error,
    },
    /// Another process is measuring it.
    #[error("{}: this run is still going on", .path.display())]
    GoesOn {
        /// Its folder.
        path: PathBuf,
    },
    /// It was written by another version of this tool.
    #[error("{}: its format is {format}, and this compare reads and writes format {FORMAT}", .path.display())]
    Format {
        /// Which.
        path: PathBuf,
        /// What it says.
        format: u32,
    },
}

impl FileError {
    /// Of the file at `path`.
    pub fn io(path: &Path) -> impl FnOnce(io::Error) -> FileError {
        move |why| FileError::Io { path: path.to_owned(), why }
    }

    /// The same, where its JSON is not what it should be.
    pub fn json(path: &Path) -> impl FnOnce(serde_json::Error) -> FileError {
        move |why| FileError::Json { path: path.to_owned(), why }
    }
}

/// The folder of a run, for writing.
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    samples: File,
}

/// Whether the folder of a run could be made in `parent`, which need not be there itself. Leaves nothing.
pub fn check_writable(parent: &Path) -> Result<(), FileError> {
    let there = parent.ancestors().find(|dir| dir.symlink_metadata().is_ok()).unwrap_or(parent);
    tempfile::tempfile_in(there).map(drop).map_err(FileError::io(there))
}

/// Where the folders of runs are, below the root of the repository.
pub const RESULTS: [&str; 2] = ["results/local", "results"];

/// The newest run below `root` that is `wanted`, by its folder. Runs are named by the second in which they began.
pub fn newest(root: &Path, wanted: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let entries = RESULTS.iter().flat_map(|results| fs::read_dir(root.join(results))).flatten().flatten();
    let runs = entries.map(|entry| entry.path()).filter(|dir| wanted(dir));
    runs.max_by(|one, other| one.file_name().cmp(&other.file_name()))
}

impl Folder {
    /// Makes the folder of a new run in `parent`. What was measured is never overwritten: if the stamp is taken, the folder is
    /// called `STAMP-2`, and so on.
    pub fn create(parent: &Path, stamp: &str) -> Result<(Folder, String), FileError> {
        fs::create_dir_all(parent).map_err(FileError::io(parent))?;
        let names = std::iter::once(stamp.to_owned()).chain((2u32..).map(|again| format!("{stamp}-{again}")));
        for name in names {
            let dir = parent.join(&name);
            match fs::create_dir(&dir) {
                Ok(()) => return Ok((Folder::open(&dir)?, name)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(why) => return Err(FileError::Io { path: dir, why }),
            }
        }
        unreachable!("the names do not end")
    }

    /// Opens the folder of a run that is to go on, and keeps others from doing so meanwhile. Half a line at the end of the samples
    /// is cut off, and so is what a killed timer has left.
    pub fn open(dir: &Path) -> Result<Folder, FileError> {
        let path = dir.join(SAMPLES);
        let open = || {
            let samples = OpenOptions::new().create(true).append(true).open(&path)?;
            if matches!(samples.try_lock(), Err(TryLockError::WouldBlock)) {
                return Ok(None);
            }
            let bytes = fs::read(&path)?;
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            samples.set_len(whole as u64)?;
            Ok(Some(samples))
        };
        let samples =
            open().map_err(FileError::io(&path))?.ok_or_else(|| FileError::GoesOn { path: dir.to_owned() })?;
        let folder = Folder { samples, dir: dir.to_owned() };
        folder.tidy();
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Whether there is room for one more file.
    pub fn check_room(&self) -> Result<(), FileError> {
        let file = || tempfile::tempfile_in(&self.dir)?.write_all(&[0; 4096]);
        file().map_err(FileError::io(&self.dir))
    }

    /// Takes away what a stopped timer has left.
    pub fn tidy(&self) {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(EXPORT)) {
            let _in_nobodys_way = fs::remove_file(entry.path());
        }
    }

    /// Takes the folder away, with all that is in it.
    pub fn remove(self) -> Result<(), FileError> {
        fs::remove_dir_all(&self.dir).map_err(FileError::io(&self.dir))
    }

    /// Writes the plan, again when the run has ended.
    pub fn write_plan(&self, plan: &Plan) -> Result<(), FileError> {
        write_json(&self.dir.join(PLAN), plan)
    }

    /// Writes the machine, again when the run has ended.
    pub fn write_machine(&self, machine: &Machine) -> Result<(), FileError> {
        write_json(&self.dir.join(MACHINE), machine)
    }

    /// Appends a sample. Where there is no room for all of it, there is none of it afterwards.
    pub fn append(&mut self, line: &Line) -> Result<(), FileError> {
        let path = self.dir.join(SAMPLES);
        let mut bytes = serde_json::to_vec(line).map_err(FileError::json(&path))?;
        bytes.push(b'\n');
        let before = self.samples.metadata().map_err(FileError::io(&path))?.len();
        self.samples.write_all(&bytes).map_err(|why| {
            // Half a line does not count, but the next one would be glued to it.
            let _cut_off_when_it_is_read = self.samples.set_len(before);
            FileError::io(&path)(why)
        })
    }

    /// Where a timer that this process starts is to leave its export. One that a killed compare has started and that still
    /// runs has another place.
    pub fn export(&self) -> PathBuf {
        self.dir.join(format!("{EXPORT}{}.json", std::process::id()))
    }
}

/// Writes a file as JSON for people too, whole or not at all.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), FileError> {
    let mut json = serde_json::to_vec_pretty(value).map_err(FileError::json(path))?;
    json.push(b'\n');
    write_whole(path, &json)
}

/// Writes a file so that it is either there with all of `bytes` or as it was before.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let part = path.with_extension("part");
    let written = File::create(&part).and_then(|mut file| file.write_all(bytes)).and_then(|()| fs::rename(&part, path));
    written.map_err(|why| {
        // On a full disk the half of a file is what the next one has no room for.
        let _not_even_begun = fs::remove_file(&part);
        FileError::Io { path: path.to_owned(), why }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::sample::Survival;

    #[test]
    fn a_run_is_never_overwritten() {
        let results = tempfile::tempdir().unwrap();
        let parent = results.path().join("results");
        let names: Vec<String> = (0..3).map(|_| Folder::create(&parent, "2026-11-22T15-30-00Z").unwrap().1).collect();
        assert_eq!(names, ["2026-11-22T15-30-00Z", "2026-11-22T15-30-00Z-2", "2026-11-22T15-30-00Z-3"]);
    }

    #[test]
    fn where_a_run_could_be_made_is_told_without_making_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        check_writable(&dir.path().join("new/and/below")).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        for parent in [&file, &file.join("below")] {
            let error = check_writable(parent).unwrap_err().to_string();
            assert_eq!(error, format!("{}: Not a directory (os error 20)", file.display()));
        }
    }

    #[test]
    fn half_a_line_is_cut_off_and_so_is_what_a_timer_left() {
        let dir = tempfile::tempdir().unwrap();
        let survival = Survival { panic: true, abort: false, hang: false };
        let line = Line::Survival { row: "a".into(), survival };
        let mut folder = Folder::open(dir.path()).unwrap();
        assert!(matches!(Folder::open(dir.path()), Err(FileError::GoesOn { .. })));
        folder.append(&line).unwrap();
        drop(folder);
        let whole = fs::read(dir.path().join(SAMPLES)).unwrap();
        fs::write(dir.path().join(SAMPLES), [&whole[..], b"{\"kind\": \"co"].concat()).unwrap();
        fs::write(dir.path().join(".export-1.json"), "").unwrap();
        let mut folder = Folder::open(dir.path()).unwrap();
        folder.append(&line).unwrap();
        assert_eq!(fs::read(dir.path().join(SAMPLES)).unwrap(), [&whole[..], &whole[..]].concat());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
