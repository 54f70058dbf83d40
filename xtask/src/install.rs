//! `cargo xtask install`: put the release build where `sudo dropwatch` finds it, with its man pages
//! and shell completions.

use crate::{
    pages,
    process::{self, find_program, is_root},
    project::Project,
};
use anyhow::{Context as _, Result};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf, absolute},
    process::Command,
};

/// Where sudo and root's shell look for programs on the usual distributions.
const SECURE_PATH: &[&str] =
    &["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Builds dropwatch and installs it as `prefix`/bin/dropwatch, and its pages below `prefix`/share.
pub fn install(project: &Project, prefix: &Path) -> Result<()> {
    let prefix = absolute(prefix).context("the prefix is not a folder's name")?;
    let bin = prefix.join("bin");
    let sudo = if is_root() || is_writable(&bin)? {
        None
    } else {
        Some(find_program("sudo").with_context(|| {
            format!(
                "{} is not writable for you, and there is no sudo; \
                 run `cargo xtask install` as root or choose another --prefix",
                bin.display()
            )
        })?)
    };
    project.build_release()?;

    let program = bin.join("dropwatch");
    put(sudo.as_deref(), "755", &project.release_binary(), &program)?;
    println!("installed {}", program.display());
    let made = project.target.join("pages");
    fs::create_dir_all(&made).with_context(|| format!("cannot make {}", made.display()))?;
    for page in pages::all()? {
        let source = made.join("page");
        fs::write(&source, &page.text)
            .with_context(|| format!("cannot write {}", source.display()))?;
        put(sudo.as_deref(), "644", &source, &prefix.join(&page.path))?;
    }
    println!("installed man pages and shell completions below {}", prefix.join("share").display());
    for warning in warnings(&bin, Path::is_file) {
        println!("warning: {warning}");
    }
    Ok(())
}

/// Installs a file. The new one gets its name only when it is complete, so a running or interrupted
/// installation never leaves half a program.
fn put(sudo: Option<&Path>, mode: &str, source: &Path, target: &Path) -> Result<()> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let new = target.with_file_name(format!(".{name}.new"));
    process::run(command(sudo, "install").args(["-D", "-m", mode, "--"]).args([source, &new]))?;
    process::run(command(sudo, "mv").args(["-f", "-T", "--"]).args([&*new, target]))
}

fn command(sudo: Option<&Path>, program: &str) -> Command {
    match sudo {
        None => Command::new(program),
        Some(sudo) => {
            let mut command = Command::new(sudo);
            command.args(["--", program]);
            command
        }
    }
}

/// Whether this user can write to the folder, or create it.
fn is_writable(dir: &Path) -> Result<bool> {
    let existing = dir.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    let mut test = Command::new("test");
    test.args([OsStr::new("-w"), existing.as_os_str()]);
    Ok(test.status().with_context(|| process::cannot_start(&test))?.success())
}

/// Why `sudo dropwatch` may not start the program that is now in `bin`.
fn warnings(bin: &Path, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut warnings = Vec::new();
    let place = SECURE_PATH.iter().position(|dir| Path::new(dir) == bin);
    if place.is_none() {
        warnings.push(format!(
            "sudo does not look into {0}; start it as `sudo {0}/dropwatch`",
            bin.display()
        ));
    }
    let others = SECURE_PATH
        .iter()
        .take(place.unwrap_or(SECURE_PATH.len()))
        .map(|dir| PathBuf::from(dir).join("dropwatch"));
    if let Some(other) = others.into_iter().find(|other| exists(other)) {
        warnings.push(format!(
            "`sudo dropwatch` starts another program, {0}; start this one as \
             `sudo {1}/dropwatch`, or remove the other (see `dpkg -S {0}` or `rpm -qf {0}`)",
            other.display(),
            bin.display()
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings_with(bin: &str, others: &[&str]) -> Vec<String> {
        warnings(Path::new(bin), |path| others.iter().any(|other| Path::new(other) == path))
    }

    #[test]
    fn the_default_place_needs_no_warning() {
        assert_eq!(warnings_with("/usr/local/bin", &[]), [""; 0]);
        // Another program of that name comes later in the path.
        assert_eq!(warnings_with("/usr/local/bin", &["/usr/bin/dropwatch"]), [""; 0]);
    }

    #[test]
    fn a_folder_outside_the_path_is_told() {
        let told = warnings_with("/opt/bin", &[]);
        assert_eq!(
            told,
            ["sudo does not look into /opt/bin; start it as `sudo /opt/bin/dropwatch`"]
        );
    }

    #[test]
    fn a_program_that_comes_first_is_told() {
        let told = warnings_with("/usr/local/bin", &["/usr/local/sbin/dropwatch"]);
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("another program, /usr/local/sbin/dropwatch;"), "{told:?}");

        let told = warnings_with("/opt/bin", &["/usr/bin/dropwatch"]);
        assert_eq!(told.len(), 2);
        assert!(told[1].contains("/usr/bin/dropwatch"), "{told:?}");
    }
}
