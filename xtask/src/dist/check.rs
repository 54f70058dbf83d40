//! Trying the packages: on bare Debian systems, and the pages with the programs that read them.

use super::{
    Packages, folder, on_host, on_root, pack,
    roots::{self, RELEASES, Root},
    staging::Contents,
};
use crate::{
    process::in_ci,
    project::Project,
    suite::{results::Tally, skips},
};
use anyhow::{Error, Result, ensure};
use std::{collections::BTreeSet, fs};

/// How a check ended, unless it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Passed,
    /// It could not run; the reason.
    Skipped(&'static str),
}

/// What is told, and added up.
#[derive(Debug)]
struct Report {
    tally: Tally,
    /// Names of what may be skipped; unless all may.
    expected: Option<BTreeSet<String>>,
}

/// Tries the packages, and tells of each check.
pub fn check(project: &Project, contents: &Contents, packages: &Packages) -> Result<Tally> {
    let text = skips::read_expected(&project.root.join(skips::EXPECTED))?;
    let expected = skips::parse_expected(&text).map(|(name, _)| name.to_owned()).collect();
    let mut report = Report { tally: Tally::default(), expected: in_ci().then_some(expected) };

    let again = folder(project).join("again");
    report.add("dist::packages_are_reproducible", same(contents, packages, &again));
    let staged = folder(project).join("tarball").join(super::tarball::name(&contents.version));
    for (name, check) in on_host::CHECKS {
        report.add(&format!("dist::{name}"), check(&staged));
    }
    for &release in RELEASES {
        let names = on_root::CHECKS.iter().map(|(name, _)| format!("dist::{release}::{name}"));
        let root = match roots::missing() {
            Some(reason) => Err(reason),
            None => Ok(Root::new(release)),
        };
        for ((_, check), name) in on_root::CHECKS.iter().zip(names) {
            report.add(
                &name,
                match &root {
                    Err(reason) => Ok(Outcome::Skipped(reason)),
                    Ok(Err(error)) => Err(Error::msg(format!("{error:#}"))),
                    Ok(Ok(root)) => check(root, packages).map(|()| Outcome::Passed),
                },
            );
        }
    }
    Ok(report.tally)
}

impl Report {
    fn add(&mut self, name: &str, outcome: Result<Outcome>) {
        match outcome {
            Ok(Outcome::Passed) => {
                println!("test {name} ... ok");
                self.tally.passed += 1;
            }
            Ok(Outcome::Skipped(reason)) => {
                println!("skipped: {name}: {reason}");
                if self.expected.as_ref().is_none_or(|expected| expected.contains(name)) {
                    self.tally.skipped += 1;
                } else {
                    eprintln!(
                        "error: {name} was skipped; make it run here, or list it in {}",
                        skips::EXPECTED
                    );
                    self.tally.failed += 1;
                }
            }
            Err(error) => {
                println!("test {name} ... FAILED");
                eprintln!("error: {name}: {error:#}");
                self.tally.failed += 1;
            }
        }
    }
}

/// The same contents must give the same packages.
fn same(contents: &Contents, packages: &Packages, dir: &std::path::Path) -> Result<Outcome> {
    let others = pack(contents, dir)?;
    for (one, other) in [(&packages.tarball, &others.tarball), (&packages.deb, &others.deb)] {
        ensure!(fs::read(one)? == fs::read(other)?, "{} is not the same again", one.display());
    }
    fs::remove_dir_all(dir)?;
    Ok(Outcome::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn what_is_skipped_unexpectedly_has_failed() {
        for (expected, skipped, failed) in
            [(None, 2, 1), (Some(BTreeSet::from(["a".to_owned()])), 1, 2)]
        {
            let mut report = Report { tally: Tally::default(), expected };
            report.add("a", Ok(Outcome::Skipped("no root")));
            report.add("b", Ok(Outcome::Skipped("no root")));
            report.add("c", Ok(Outcome::Passed));
            report.add("d", Err(anyhow!("bad")));
            assert_eq!(report.tally, Tally { passed: 1, failed, skipped });
        }
    }
}
