//! Reads many small files, as a build tool or a backup does.
//!
//! A key is one file: it is dropped from the page cache, read from the disk, and hashed. The constructor makes the files
//! below the folder for temporary files, once: later runs find them there. A key waits for the disk, so the job shows what more
//! workers than CPUs bring.

use std::error::Error;
use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fanout::{Deserialize, Serialize, Workload};
use fastrand::Rng;
use xxhash_rust::xxh3::xxh3_64;

/// A folder with files that are named by their index.
#[derive(Serialize, Deserialize)]
pub struct SmallFiles {
    folder: PathBuf,
    files: usize,
    bytes: usize,
}

impl SmallFiles {
    fn path(&self, index: usize) -> PathBuf {
        path(&self.folder, index)
    }

    fn read(&self, index: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.path(index))?;
        drop_from_cache(&file)?;
        let mut bytes = Vec::with_capacity(self.bytes);
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl Workload for SmallFiles {
    /// The XXH3 hash of the file.
    type Output = u64;

    fn keys(&self) -> usize {
        self.files
    }

    fn expand(&self, index: usize) -> u64 {
        let bytes = self.read(index).unwrap_or_else(|error| panic!("{}: {error}", self.path(index).display()));
        xxh3_64(&bytes)
    }
}

fanout::job!(SmallFiles, |arguments: &[String]| new(&std::env::temp_dir(), arguments));

/// The job that the arguments ask for, how many files and how many bytes each, with its files below `parent`.
fn new(parent: &Path, arguments: &[String]) -> Result<SmallFiles, Box<dyn Error + Send + Sync>> {
    if arguments.len() > 2 {
        return Err(format!("expected at most 2 arguments, files and bytes, not {}", arguments.len()).into());
    }
    let files = number("how many files", arguments.first(), 2_000, 1..=1_000_000)?;
    let bytes = number("bytes each", arguments.get(1), 16_384, 1..=1_000_000_000)?;
    let folder = parent.join(format!("fanout-small-files-{files}x{bytes}"));
    if !folder.exists() {
        make(&folder, files, bytes).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    }
    let is_whole = |index| fs::metadata(path(&folder, index)).is_ok_and(|file| file.len() == bytes as u64);
    match (0..files).find(|&index| !is_whole(index)) {
        None => Ok(SmallFiles { folder, files, bytes }),
        Some(index) => {
            Err(format!("{} is not what this job made: remove {}", path(&folder, index).display(), folder.display())
                .into())
        }
    }
}

fn path(folder: &Path, index: usize) -> PathBuf {
    folder.join(index.to_string())
}

/// Makes the folder, whole or not at all.
fn make(folder: &Path, files: usize, bytes: usize) -> io::Result<()> {
    let parent = folder.parent().expect("it was joined to one");
    let readable = Permissions::from_mode(0o755);
    let made = tempfile::Builder::new().prefix(".fanout-small-files-").permissions(readable).tempdir_in(parent)?;
    for index in 0..files {
        let mut content = vec![0; bytes];
        Rng::with_seed(index as u64).fill(&mut content);
        fs::write(path(made.path(), index), content)?;
    }
    write_to_disk(made.path())?;
    match fs::rename(made.path(), folder) {
        // Somebody else was faster, and has made the same.
        Err(_) if folder.exists() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => {
            let _renamed = made.keep();
            Ok(())
        }
    }
}

/// What is not on the disk yet cannot be dropped from the cache. One call for all files: one for each takes seconds.
#[cfg(target_os = "linux")]
fn write_to_disk(folder: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(folder)?)?)
}

#[cfg(target_os = "linux")]
fn drop_from_cache(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)?)
}

#[cfg(not(target_os = "linux"))]
fn write_to_disk(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Other systems have no such call: files that were read before come from memory.
#[cfg(not(target_os = "linux"))]
fn drop_from_cache(_: &File) -> io::Result<()> {
    Ok(())
}

fn number(what: &str, given: Option<&String>, default: usize, range: RangeInclusive<usize>) -> Result<usize, String> {
    let Some(given) = given else { return Ok(default) };
    let (least, most) = range.clone().into_inner();
    let wrong = || format!("{what}: expected a number from {least} to {most}, not {given}");
    given.parse().ok().filter(|number| range.contains(number)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn made(parent: &TempDir, arguments: &[&str]) -> Result<SmallFiles, String> {
        let arguments: Vec<_> = arguments.iter().map(|argument| argument.to_string()).collect();
        new(parent.path(), &arguments).map_err(|error| error.to_string())
    }

    /// Of the three files with 100 bytes.
    const KNOWN: [u64; 3] = [0xf845_8e73_858a_b884, 0x3f71_d6fc_90ee_bca8, 0x4108_1382_947b_9d41];

    fn hashes(job: &SmallFiles) -> Vec<u64> {
        (0..job.keys()).map(|index| job.expand(index)).collect()
    }

    #[test]
    fn files_have_the_same_content_wherever_they_are_made() {
        let (here, there) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let job = made(&here, &["3", "100"]).unwrap();
        assert_eq!(hashes(&job), KNOWN);
        assert_eq!(hashes(&made(&there, &["3", "100"]).unwrap()), KNOWN);
        assert!((0..3).all(|index| job.read(index).unwrap().len() == 100));
    }

    #[test]
    fn files_are_made_once_and_nothing_else_is_left() {
        let parent = TempDir::new().unwrap();
        let job = made(&parent, &["2", "10"]).unwrap();
        let written = || fs::metadata(job.path(1)).unwrap().modified().unwrap();
        let before = written();
        made(&parent, &["2", "10"]).unwrap();
        assert_eq!(written(), before);
        make(&job.folder, 2, 10).unwrap();
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_whole_is_refused() {
        let parent = TempDir::new().unwrap();
        let job = made(&parent, &["2", "10"]).unwrap();
        fs::write(job.path(1), "short").unwrap();
        let (file, folder) = (job.path(1), &job.folder);
        let told = format!("{} is not what this job made: remove {}", file.display(), folder.display());
        assert_eq!(made(&parent, &["2", "10"]).err().unwrap(), told);
    }

    #[test]
    fn wrong_arguments_are_told() {
        let parent = TempDir::new().unwrap();
        let told = |arguments: &[&str]| made(&parent, arguments).err().unwrap();
        assert_eq!(told(&["x"]), "how many files: expected a number from 1 to 1000000, not x");
        assert_eq!(told(&["1", "0"]), "bytes each: expected a number from 1 to 1000000000, not 0");
        assert_eq!(told(&["1", "2", "3"]), "expected at most 2 arguments, files and bytes, not 3");
    }
}
