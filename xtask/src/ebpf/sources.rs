//! The hash over all files that the BPF object is made of.

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// Files and folders that the object depends on; a folder may be missing.
const PARTS: &[&str] = &[
    "dropwatch-common/Cargo.toml",
    "dropwatch-common/src",
    "dropwatch-ebpf/.cargo",
    "dropwatch-ebpf/Cargo.lock",
    "dropwatch-ebpf/Cargo.toml",
    "dropwatch-ebpf/src",
];

/// The hash of the files, as `sha256:<hex>`.
pub fn hash(root: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    for path in files(root)? {
        let content = read(root, &path)?;
        // With its length before it, no content can pass for another file's name.
        let name = path.to_string_lossy();
        for part in [name.as_bytes(), &content] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    let mut text = String::from("sha256:");
    for byte in hasher.finalize() {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}

/// The files, relative to the root.
pub fn files(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    for part in PARTS {
        collect(root, Path::new(part), &mut files)
            .with_context(|| format!("cannot list {part} in {}", root.display()))?;
    }
    Ok(files)
}

fn collect(root: &Path, path: &Path, files: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    let full = root.join(path);
    if full.is_dir() {
        for entry in fs::read_dir(full)? {
            collect(root, &path.join(entry?.file_name()), files)?;
        }
    } else if full.is_file() {
        files.insert(path.to_path_buf());
    }
    Ok(())
}

fn read(root: &Path, path: &Path) -> Result<Vec<u8>> {
    let full = root.join(path);
    fs::read(&full).with_context(|| format!("cannot read {}", full.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::env;

    /// A small tree in a folder that is removed afterwards.
    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str) -> Result<Self> {
            let tree = Self(env::temp_dir().join(format!("xtask-{}-{name}", std::process::id())));
            tree.put("dropwatch-common/Cargo.toml", "common")?;
            tree.put("dropwatch-common/src/lib.rs", "//! Types")?;
            tree.put("dropwatch-ebpf/Cargo.toml", "ebpf")?;
            tree.put("dropwatch-ebpf/Cargo.lock", "lock")?;
            tree.put("dropwatch-ebpf/src/main.rs", "//! Program")?;
            Ok(tree)
        }

        fn put(&self, path: &str, content: &str) -> Result<()> {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().context("no parent")?)?;
            Ok(fs::write(path, content)?)
        }

        fn hash(&self) -> Result<String> {
            hash(&self.0)
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            // What is left in the temporary folder harms nobody.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn every_source_counts() -> Result<()> {
        let tree = Tree::new("counts")?;
        let mut seen = BTreeSet::from([tree.hash()?]);
        for path in [
            "dropwatch-common/Cargo.toml",
            "dropwatch-common/src/lib.rs",
            "dropwatch-common/src/new.rs",
            "dropwatch-ebpf/.cargo/config.toml",
            "dropwatch-ebpf/Cargo.lock",
            "dropwatch-ebpf/Cargo.toml",
            "dropwatch-ebpf/src/deep/new.rs",
            "dropwatch-ebpf/src/main.rs",
        ] {
            tree.put(path, "changed")?;
            assert!(seen.insert(tree.hash()?), "{path} does not change the hash");
        }
        Ok(())
    }

    #[test]
    fn other_files_and_the_folder_do_not_count() -> Result<()> {
        let tree = Tree::new("one")?;
        let before = tree.hash()?;
        assert!(before.starts_with("sha256:") && before.len() == 7 + 64, "{before}");
        tree.put("dropwatch-ebpf/target/out", "built")?;
        tree.put("dropwatch-ebpf/README.md", "text")?;
        tree.put("Cargo.toml", "workspace")?;
        assert_eq!(tree.hash()?, before);
        assert_eq!(Tree::new("another")?.hash()?, before);
        Ok(())
    }

    #[test]
    fn a_line_cannot_move_between_files_unseen() -> Result<()> {
        let tree = Tree::new("moves")?;
        tree.put("dropwatch-ebpf/src/a.rs", "12")?;
        tree.put("dropwatch-ebpf/src/b.rs", "3")?;
        let before = tree.hash()?;
        tree.put("dropwatch-ebpf/src/a.rs", "1")?;
        tree.put("dropwatch-ebpf/src/b.rs", "23")?;
        assert_ne!(tree.hash()?, before);
        Ok(())
    }
}
