//! Fetching packages of all of Debian's releases, without telling the machine's own apt.

use crate::process;
use anyhow::{Context as _, Result};
use std::{
    fs, iter,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::Duration,
};

/// Where the packages of kernels are.
const SUITES: &[&str] =
    &["bullseye", "bookworm", "bookworm-backports", "trixie", "trixie-backports"];
const SECURITY_SUITES: &[&str] = &["bullseye-security", "bookworm-security", "trixie-security"];
/// The keys by which Debian's releases are signed.
pub const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// How long to wait before a further attempt: a mirror may be down for a moment.
const PAUSES: &[Duration] = &[Duration::from_secs(10), Duration::from_secs(30)];

/// An apt with a configuration of its own.
#[derive(Debug)]
pub struct Apt {
    dir: PathBuf,
}

impl Apt {
    /// Fetches what there is from the mirrors that this machine uses.
    pub fn update(dir: &Path) -> Result<Self> {
        let apt = Self { dir: dir.to_owned() };
        for part in ["lists/partial", "cache/archives/partial"] {
            let part = dir.join(part);
            fs::create_dir_all(&part).with_context(|| format!("cannot make {}", part.display()))?;
        }
        apt.write("sources.list", &sources(&targets()?)?)?;
        // Nothing is installed here.
        apt.write("status", "")?;
        let update = || process::run(apt.command("apt-get").args(["--quiet=2", "update"]));
        if let Err(error) = with_patience(update) {
            // Old releases leave the mirrors one day; the kernels of others are still there.
            eprintln!("warning: {error:#}; going on with the lists of packages that there are");
        }
        Ok(apt)
    }

    /// The names of all packages that begin like this.
    pub fn names(&self, prefix: &str) -> Result<String> {
        process::output(self.command("apt-cache").args(["pkgnames", prefix]))
    }

    /// Fetches packages into a folder.
    pub fn download(&self, packages: &[String], into: &Path) -> Result<()> {
        let mut download = self.command("apt-get");
        download.args(["--quiet=2", "download"]).args(packages).current_dir(into);
        with_patience(|| process::run(&mut download))
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.dir.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (setting, file) in [
            ("Dir::Etc::sourcelist", "sources.list"),
            ("Dir::State::lists", "lists"),
            ("Dir::State::status", "status"),
            ("Dir::Cache", "cache"),
        ] {
            command.arg("-o").arg(format!("{setting}={}", self.dir.join(file).display()));
        }
        for setting in [
            "Dir::Etc::sourceparts=/dev/null",
            // Root's folders are closed to the user that apt would take.
            "APT::Sandbox::User=root",
            "Acquire::Languages=none",
            "Acquire::Retries=3",
            // Otherwise old lists would do, or none at all.
            "APT::Update::Error-Mode=any",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
        ] {
            command.args(["-o", setting]);
        }
        command
    }
}

/// What this machine fetches packages from, in lines `<URI> <component>`.
fn targets() -> Result<String> {
    process::output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(REPO_URI) $(COMPONENT)",
        "Created-By: Packages",
    ]))
}

/// The mirror of Debian that this machine uses.
pub fn mirror() -> Result<String> {
    Ok(main_mirror(&targets()?)?.to_owned())
}

/// Does something that may fail at first, as what depends on a mirror.
pub fn with_patience(attempt: impl FnMut() -> Result<()>) -> Result<()> {
    repeat(PAUSES, attempt)
}

fn repeat(pauses: &[Duration], mut attempt: impl FnMut() -> Result<()>) -> Result<()> {
    for pause in pauses {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(error) => eprintln!("{error:#}; trying again in {} s", pause.as_secs()),
        }
        sleep(*pause);
    }
    attempt()
}

/// Our sources.list, with the mirrors in lines `<URI> <component>`.
fn sources(targets: &str) -> Result<String> {
    let main = main_mirror(targets)?;
    let security = mirror_named(targets, "/debian-security").map(|uri| (uri, SECURITY_SUITES));
    let lines = iter::once((main, SUITES)).chain(security).flat_map(|(uri, suites)| {
        suites.iter().map(move |suite| format!("deb [signed-by={KEYRING}] {uri} {suite} main\n"))
    });
    Ok(lines.collect())
}

fn main_mirror(targets: &str) -> Result<&str> {
    mirror_named(targets, "/debian").context(
        "the apt sources of this machine name no mirror of Debian, from which to fetch packages; \
         add one whose address ends in /debian, component main",
    )
}

fn mirror_named<'a>(targets: &'a str, name: &str) -> Option<&'a str> {
    let mut mirrors = targets.lines().filter_map(|line| line.strip_suffix(" main"));
    mirrors.find(|uri| uri.trim_end_matches('/').ends_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirrors_of_this_machine_are_taken() -> Result<()> {
        let targets = "https://other.example/tools/ main\nhttp://mirror.example/debian/ contrib\n\
            http://mirror.example/debian/ main\nhttp://mirror.example/debian-security/ main\n";
        let sources = sources(targets)?;
        let line = |uri, suite| format!("deb [signed-by={KEYRING}] {uri} {suite} main\n");
        assert!(sources.starts_with(&line("http://mirror.example/debian/", "bullseye")));
        assert!(
            sources.ends_with(&line("http://mirror.example/debian-security/", "trixie-security"))
        );
        assert_eq!(sources.lines().count(), SUITES.len() + SECURITY_SUITES.len());
        Ok(())
    }

    #[test]
    fn a_mirror_may_be_down_for_a_moment() {
        let pauses = [Duration::ZERO; 2];
        for (failures, works) in [(0, true), (2, true), (3, false)] {
            let mut left = failures;
            let outcome = repeat(&pauses, || {
                let works = left == 0;
                left -= i32::from(!works);
                works.then_some(()).context("down")
            });
            assert_eq!((outcome.is_ok(), left), (works, 0), "{failures} failures");
        }
    }

    #[test]
    fn a_machine_without_one_is_told() {
        let error = sources("http://mirror.example/ubuntu/ main\n").map_err(|e| e.to_string());
        assert!(error.is_err_and(|error| error.contains("no mirror of Debian")));
    }
}
