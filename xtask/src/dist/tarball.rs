//! The tarball: unpacked over a prefix like /usr/local, it is installed.

use super::staging::{Contents, Staging};
use crate::process;
use anyhow::{Context as _, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Makes the tarball in this folder. The same contents give the same bytes.
pub fn make(contents: &Contents, dir: &Path) -> Result<PathBuf> {
    let name = name(&contents.version);
    let staging = Staging::start(dir.join("tarball").join(&name))?;
    let binary = fs::read(&contents.binary)
        .with_context(|| format!("cannot read {}", contents.binary.display()))?;
    staging.put("bin/dropwatch", 0o755, &binary)?;
    for page in &contents.pages {
        staging.put(&page.path, 0o644, &page.text)?;
    }
    for (document, text) in &contents.documents {
        staging.put(Path::new("share/doc/dropwatch").join(document), 0o644, text)?;
    }

    let tar = dir.join(format!("{name}.tar"));
    let mut command = Command::new("tar");
    command
        .args(["--create", "--sort=name", "--format=ustar", "--numeric-owner"])
        .args(["--owner=0", "--group=0"])
        .arg(format!("--mtime=@{}", contents.time))
        .args([Path::new("--directory"), &dir.join("tarball"), Path::new("--file"), &tar])
        .arg(&name);
    process::run(&mut command)?;
    // Without the file's name and time.
    process::run(Command::new("gzip").args(["--force", "--no-name", "--best", "--"]).arg(&tar))?;
    Ok(dir.join(format!("{name}.tar.gz")))
}

/// What the folder in it is called.
pub fn name(version: &str) -> String {
    format!("dropwatch-{version}-x86_64-linux")
}
