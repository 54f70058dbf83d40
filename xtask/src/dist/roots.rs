//! Bare Debian systems in folders, and running programs in them.

use crate::{
    process::{self, find_program},
    vm::{apt, cache},
};
use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// The releases on which the packages are tried: Debian 12 and 13.
pub const RELEASES: &[&str] = &["bookworm", "trixie"];

/// Mounts what programs expect, in a mount namespace that goes away with the program: nothing is
/// ever left mounted, whatever happens.
const ENTER: &str = "mount --rbind /proc \"$1/proc\" && mount --rbind /sys \"$1/sys\" && \
     exec chroot \"$@\"";

/// A copy of a bare system; it is removed at the end.
#[derive(Debug)]
pub struct Root {
    /// The release.
    pub release: &'static str,
    /// The folder that stands for `/`.
    pub path: PathBuf,
}

impl Root {
    /// A fresh copy of the system that was fetched before, or now.
    pub fn new(release: &'static str) -> Result<Self> {
        let cache = cache::user_folder()?.join("dropwatch-dist");
        let bare = cache.join(release);
        if !bare.exists() {
            fetch(release, &bare)?;
        }
        remove_left(&cache)?;
        let path = cache.join(format!("{release}.{}", std::process::id()));
        let root = Self { release, path };
        // The copy is removed even when it is not complete.
        process::run(
            Command::new("cp").args(["-a", "--reflink=auto", "-T", "--"]).args([&bare, &root.path]),
        )?;
        Ok(root)
    }

    /// Runs a program in it, and gives what it printed.
    pub fn run(&self, line: &[&str]) -> Result<Output> {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--propagation", "private", "sh", "-c", ENTER, "sh"])
            .arg(&self.path)
            .args(line)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null());
        command.output().with_context(|| process::cannot_start(&command))
    }

    /// As [`Self::run`]; gives both outputs as text. A bad exit status is an error.
    pub fn succeed(&self, line: &[&str]) -> Result<String> {
        let output = self.run(line)?;
        let text = text(&output);
        if !output.status.success() {
            bail!("`{}` failed ({}): {}", line.join(" "), output.status, text.trim());
        }
        Ok(text)
    }

    /// Puts a file into its /root.
    pub fn copy(&self, file: &Path) -> Result<String> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        fs::copy(file, self.path.join("root").join(&*name))
            .with_context(|| format!("cannot copy {}", file.display()))?;
        Ok(format!("/root/{name}"))
    }

    /// Whether there is such a file, given without the leading slash.
    pub fn has(&self, path: &str) -> bool {
        self.path.join(path).symlink_metadata().is_ok()
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("warning: cannot remove {}: {error}", self.path.display());
        }
    }
}

/// Both outputs.
pub fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

/// What is missing to have such roots.
pub fn missing() -> Option<&'static str> {
    if !process::is_root() {
        return Some("it takes root to make and enter another system's root");
    }
    let system = Path::new("/usr/sbin/debootstrap");
    (find_program("debootstrap").is_none() && !system.exists())
        .then_some("debootstrap is not installed")
}

/// Removes copies whose process has been killed; nothing is mounted in them.
fn remove_left(cache: &Path) -> Result<()> {
    for path in cache::entries(cache)? {
        let owner = path.extension().and_then(|owner| owner.to_str()?.parse::<u32>().ok());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner.to_string()).exists()) {
            fs::remove_dir_all(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Fetches a bare system from the mirror that this machine uses.
fn fetch(release: &str, bare: &Path) -> Result<()> {
    let mirror = apt::mirror()?;
    let new = bare.with_extension("new");
    if new.exists() {
        // What an interrupted run has left.
        fs::remove_dir_all(&new).with_context(|| format!("cannot remove {}", new.display()))?;
    }
    if let Some(parent) = new.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    println!("fetching a bare {release} from {mirror}");
    let mut debootstrap = Command::new("unshare");
    debootstrap
        // It mounts /proc, and on a failure may leave it.
        .args(["--mount", "--propagation", "private"])
        .args(["debootstrap", "--variant=minbase"])
        .arg(format!("--keyring={}", apt::KEYRING))
        .arg(release)
        .arg(&new)
        .arg(mirror)
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .stdout(Stdio::null());
    apt::with_patience(|| process::run(&mut debootstrap))?;
    // Fetched packages are not needed any more. Only a complete system has this name.
    let archives = new.join("var/cache/apt/archives");
    fs::remove_dir_all(&archives)
        .with_context(|| format!("cannot empty {}", archives.display()))?;
    fs::rename(&new, bare).with_context(|| format!("cannot make {}", bare.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{env, process};

    #[test]
    fn what_killed_runs_have_left_is_removed() -> Result<()> {
        let cache = env::temp_dir().join(format!("dropwatch-roots-{}", process::id()));
        let own = format!("trixie.{}", process::id());
        // No process has a number as high as the last.
        for name in ["trixie", "trixie.new", &own, "trixie.4294967295"] {
            fs::create_dir_all(cache.join(name))?;
        }
        remove_left(&cache)?;
        let left = |name: &str| cache.join(name).exists();
        assert!(left("trixie") && left("trixie.new") && left(&own));
        assert!(!left("trixie.4294967295"));
        fs::remove_dir_all(&cache)?;
        Ok(())
    }
}
