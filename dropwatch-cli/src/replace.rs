//! Files that others read while they are written anew time and again.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::config::UsageError;

/// A file that is replaced as a whole: who reads it has the old text or the new one, and never a
/// part.
#[derive(Clone, Debug)]
pub struct Replaced {
    path: PathBuf,
    /// What becomes the file; it has to be in the same file system.
    beside: PathBuf,
}

impl Replaced {
    /// A file at this path, which need not exist.
    ///
    /// # Errors
    /// A [`UsageError`] where something else is there that must not be replaced, as a device.
    pub fn new(path: &Path) -> Result<Self> {
        if let Ok(metadata) = fs::symlink_metadata(path)
            && !metadata.is_file()
        {
            let message = format!(
                "{} is not a regular file, and would be replaced by one; leave out the name for \
                 standard output, or give that of a file",
                path.display()
            );
            return Err(UsageError(message).into());
        }
        let mut beside = OsString::from(path);
        beside.push(".tmp");
        Ok(Self { path: path.to_owned(), beside: beside.into() })
    }

    /// Replaces what is in the file.
    ///
    /// # Errors
    /// When that cannot be written; the file is then as before.
    pub fn put(&self, text: &[u8]) -> Result<()> {
        self.write_beside(text).with_context(|| {
            format!(
                "cannot write {}: dropwatch keeps no right to write where its user may not, so \
                 the folder has to exist and be that user's",
                self.beside.display()
            )
        })?;
        fs::rename(&self.beside, &self.path)
            .with_context(|| format!("cannot replace {}", self.path.display()))
    }

    fn write_beside(&self, text: &[u8]) -> io::Result<()> {
        // One that was left behind is in the way, and a link that somebody else has put there is
        // not to be followed.
        match fs::remove_file(&self.beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        OpenOptions::new().write(true).create_new(true).open(&self.beside)?.write_all(text)
    }
}

#[cfg(test)]
mod tests {
    use std::{env, os::unix::fs::symlink, process};

    use super::*;

    #[test]
    fn files_are_replaced_and_nothing_else_is() {
        let folder = env::temp_dir().join(format!("dropwatch-replace-{}", process::id()));
        fs::create_dir(&folder).expect("a folder");
        let (path, beside) = (folder.join("a.prom"), folder.join("a.prom.tmp"));
        let file = Replaced::new(&path).expect("a path");
        // What is left behind, and a trap.
        let victim = folder.join("victim");
        fs::write(&victim, "old").expect("a file");
        symlink(&victim, &beside).expect("a link");
        for text in ["one\n", "two\n"] {
            file.put(text.as_bytes()).expect("written");
            assert_eq!(fs::read_to_string(&path).expect("a file"), text);
            assert!(!beside.exists());
        }
        assert_eq!(fs::read_to_string(&victim).expect("a file"), "old");

        let link = folder.join("link");
        symlink(&victim, &link).expect("a link");
        for other in [&folder, &link, Path::new("/dev/null")] {
            assert!(Replaced::new(other).expect_err("no file").is::<UsageError>());
        }
        let nowhere = Replaced::new(&folder.join("none/a.prom")).expect("a path");
        let error = format!("{:#}", nowhere.put(b"").expect_err("no folder"));
        assert!(error.contains("a.prom.tmp") && error.contains("No such file"), "{error}");
        fs::remove_dir_all(&folder).expect("a folder");
    }
}
