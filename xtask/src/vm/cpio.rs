//! Archives of the kind that Linux unpacks at boot: cpio, format "newc".

use anyhow::{Context as _, Result};
use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// An archive in memory. Folders come by themselves.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    directories: BTreeSet<PathBuf>,
    entries: u32,
}

impl Archive {
    /// Adds an empty folder.
    pub fn directory(&mut self, path: &Path) -> Result<()> {
        self.parents(path)?;
        if self.directories.insert(path.to_owned()) {
            self.entry(path, DIRECTORY | 0o755, &[])?;
        }
        Ok(())
    }

    /// Adds a file that everybody may read and execute.
    pub fn file(&mut self, path: &Path, data: &[u8]) -> Result<()> {
        self.parents(path)?;
        self.entry(path, REGULAR | 0o755, data)
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &Path, target: &str) -> Result<()> {
        self.parents(path)?;
        self.entry(path, LINK | 0o777, target.as_bytes())
    }

    /// The complete archive. Several in a row are as good as one.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        self.entry(Path::new("TRAILER!!!"), 0, &[])?;
        Ok(self.bytes)
    }

    fn parents(&mut self, path: &Path) -> Result<()> {
        match path.parent() {
            Some(parent)
                if parent.components().any(|part| matches!(part, Component::Normal(_))) =>
            {
                self.directory(parent)
            }
            _ => Ok(()),
        }
    }

    fn entry(&mut self, path: &Path, mode: u32, data: &[u8]) -> Result<()> {
        let name = path.to_str().context("a name in an archive is not UTF-8")?;
        let name = name.trim_start_matches('/');
        let size = u32::try_from(data.len())
            .with_context(|| format!("{name} is too large for an archive"))?;
        self.entries += 1;
        let links = 1;
        let name_size = name.len() as u32 + 1;
        // Owner, group, time and devices are 0, and there is no checksum.
        let fields = [self.entries, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name_size, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(data);
        self.pad();
        Ok(())
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_laid_out_as_the_kernel_reads_it() -> Result<()> {
        let mut archive = Archive::default();
        archive.file(Path::new("/a/b"), b"12345")?;
        archive.link(Path::new("/a/c"), "b")?;
        let bytes = archive.finish()?;
        let zeros = "0".repeat(16);
        let tail = |size: u32, name_size: u32| {
            format!("{size:08x}{}{}{name_size:08x}00000000", &zeros, &zeros)
        };
        let head =
            |number: u32, mode: &str| format!("070701{number:08x}{mode}{zeros}0000000100000000");
        let expected = [
            head(1, "000041ed"),
            tail(0, 2),
            "a\0".into(),
            head(2, "000081ed"),
            tail(5, 4),
            "a/b\0\0\x0012345\0\0\0".into(),
            head(3, "0000a1ff"),
            tail(1, 4),
            "a/c\0\0\0b\0\0\0".into(),
            head(4, "00000000"),
            tail(0, 11),
            "TRAILER!!!\0\0\0\0".into(),
        ]
        .concat();
        assert_eq!(String::from_utf8(bytes)?, expected);
        Ok(())
    }
}
