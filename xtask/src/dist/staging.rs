//! The files of a package, laid out in a folder.

use crate::pages::Page;
use anyhow::{Context as _, Result};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// What the packages are made of.
#[derive(Debug)]
pub struct Contents {
    /// The version of dropwatch.
    pub version: String,
    /// The time that all files get, in seconds since 1970.
    pub time: u64,
    /// The program.
    pub binary: PathBuf,
    /// Man pages and completions, relative to the prefix.
    pub pages: Vec<Page>,
    /// Licences and what is to be read, by file names.
    pub documents: Vec<(String, Vec<u8>)>,
}

/// A folder that is filled from the start.
#[derive(Debug)]
pub struct Staging {
    /// The folder.
    pub root: PathBuf,
}

impl Staging {
    /// An empty folder; what was in it is removed.
    pub fn start(root: PathBuf) -> Result<Self> {
        if root.exists() {
            fs::remove_dir_all(&root)
                .with_context(|| format!("cannot remove {}", root.display()))?;
        }
        let staging = Self { root };
        staging.folder(Path::new(""))?;
        Ok(staging)
    }

    /// Puts a file there.
    pub fn put(&self, path: impl AsRef<Path>, mode: u32, bytes: &[u8]) -> Result<()> {
        let path = path.as_ref();
        self.folder(path.parent().unwrap_or(Path::new("")))?;
        let file = self.root.join(path);
        fs::write(&file, bytes).with_context(|| format!("cannot write {}", file.display()))?;
        set_mode(&file, mode)
    }

    /// Makes a folder and those above it, whatever this user's umask is.
    fn folder(&self, path: &Path) -> Result<()> {
        let folder = self.root.join(path);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        path.ancestors().try_for_each(|folder| set_mode(&self.root.join(folder), 0o755))
    }
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("cannot set the mode of {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{env, process};

    #[test]
    fn files_have_their_modes_and_old_ones_are_gone() -> Result<()> {
        let root = env::temp_dir().join(format!("dropwatch-staging-{}", process::id()));
        Staging::start(root.clone())?.put("old", 0o644, b"")?;
        let staging = Staging::start(root)?;
        staging.put("bin/dropwatch", 0o755, b"x")?;
        let mode = |path: &str| -> Result<u32> {
            Ok(fs::metadata(staging.root.join(path))?.permissions().mode() & 0o7777)
        };
        assert_eq!((mode("bin")?, mode("bin/dropwatch")?), (0o755, 0o755));
        assert!(!staging.root.join("old").exists());
        fs::remove_dir_all(&staging.root)?;
        Ok(())
    }
}
