//! `cargo xtask install`: put the release build where `sudo dropwatch` finds it.

use crate::{
    process::{self, find_program, is_root},
    project::Project,
};
use anyhow::{Context as _, Result};
use std::{
    ffi::OsStr,
    path::{Path, PathBuf, absolute},
    process::Command,
};

/// Where sudo and root's shell look for programs on the usual distributions.
const SECURE_PATH: &[&str] =
    &["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Builds dropwatch and installs it as `prefix`/bin/dropwatch.
pub fn install(project: &Project, prefix: &Path) -> Result<()> {
    let bin = absolute(prefix).context("the prefix is not a folder's name")?.join("bin");
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
    // The new file gets its name only when it is complete, so a running or interrupted
    // installation never leaves half a program.
    let new = bin.join(".dropwatch.new");
    process::run(
        command(sudo.as_deref(), "install")
            .args(["-D", "-m", "755", "--"])
            .args([&project.release_binary(), &new]),
    )?;
    process::run(command(sudo.as_deref(), "mv").args(["-f", "-T", "--"]).args([&new, &program]))?;

    println!("installed {}", program.display());
    for warning in warnings(&bin, Path::is_file) {
        println!("warning: {warning}");
    }
    Ok(())
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
