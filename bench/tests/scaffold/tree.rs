//! A copy of this repository.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::SystemTime;

use tempfile::TempDir;

use crate::scaffold::{built_in, root, sources};

/// A repository that a test may change.
pub(crate) struct Tree {
    pub(crate) dir: TempDir,
}

impl Tree {
    pub(crate) fn empty() -> Tree {
        Tree { dir: tempfile::tempdir().unwrap() }
    }

    /// A copy of this one.
    pub(crate) fn copy() -> Tree {
        let tree = Tree::empty();
        for (path, content) in sources(root()) {
            tree.write(&path, content);
            // What an earlier test has built from the same source is not built again.
            tree.set_modified(&path, root().join(&path).metadata().unwrap().modified().unwrap());
        }
        tree
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(&name).parent().unwrap()).unwrap();
        fs::write(self.path(&name), content).unwrap();
    }

    pub(crate) fn set_modified(&self, name: impl AsRef<Path>, time: SystemTime) {
        File::options().write(true).open(self.path(name)).unwrap().set_modified(time).unwrap();
    }

    pub(crate) fn sources(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        sources(self.dir.path())
    }

    /// Runs cargo here. Its programs have a folder of their own. What it compiles is where the outer cargo has what it compiles:
    /// crates from elsewhere are there already.
    pub(crate) fn cargo(&self, arguments: &str) -> Output {
        let mut command = Command::new(env!("CARGO"));
        command
            .args(arguments.split(' '))
            .current_dir(self.dir.path())
            .env("CARGO_TARGET_DIR", built_in("new-strategy"))
            .env("CARGO_BUILD_BUILD_DIR", built_in("."));
        command.env_remove("FANOUT_WORKERS").env("RUSTDOCFLAGS", "-D warnings").stdin(Stdio::null()).output().unwrap()
    }
}
