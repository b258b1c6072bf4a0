//! A folder that is made whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{ScaffoldError, cargo};

/// Makes `folder` with these files, and lets `finish` do the rest. If anything fails, the folder is removed.
///
/// # Errors
///
/// What failed. A folder that is there already is left as it is.
pub(super) fn make<T>(
    folder: &Path,
    files: &[(PathBuf, String)],
    finish: impl FnOnce() -> Result<T, ScaffoldError>,
) -> Result<T, ScaffoldError> {
    // Outside of what is undone: a folder that somebody else has made in the meantime is theirs.
    fs::create_dir(folder).map_err(ScaffoldError::io(folder))?;
    write(folder, files).and_then(|()| finish()).map_err(|failure| match fs::remove_dir_all(folder) {
        Ok(()) => failure,
        Err(source) => ScaffoldError::Left { failure: Box::new(failure), folder: folder.to_owned(), source },
    })
}

fn write(folder: &Path, files: &[(PathBuf, String)]) -> Result<(), ScaffoldError> {
    for (path, text) in files {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(ScaffoldError::io(parent))?;
        fs::write(&path, text).map_err(ScaffoldError::io(&path))?;
    }
    Ok(())
}

/// Enters what is new in the workspace in Cargo.lock, and leaves every version as it is. A template brings no dependency that
/// is not there already, so nothing has to be downloaded. cargo writes the file whole or not at all.
pub(super) fn lock(root: &Path) -> Result<(), ScaffoldError> {
    let mut command = Command::new(cargo());
    command.args(["update", "--workspace", "--offline", "--quiet"]).current_dir(root).stdin(Stdio::null());
    let output = command.output().map_err(|error| ScaffoldError::Update(error.to_string()))?;
    if !output.status.success() {
        return Err(ScaffoldError::Update(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(())
}
