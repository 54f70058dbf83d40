//! Tests that could not run. They tell it in a file, because cargo has no word for it.

use crate::project::Project;
use anyhow::{Context as _, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

/// The environment variable that names the file to the tests.
pub const VARIABLE: &str = "DROPWATCH_SKIPS";

/// The list of tests that may be skipped in continuous integration, relative to the root.
pub const EXPECTED: &str = "tests/expected-skips.txt";

/// The skipped tests of one run.
#[derive(Debug)]
pub struct Skips {
    file: PathBuf,
    expected: PathBuf,
}

/// The file that the tests append to.
pub fn path(project: &Project) -> PathBuf {
    project.target.join("skipped-tests.txt")
}

impl Skips {
    /// Starts with an empty file.
    pub fn start(project: &Project) -> Result<Self> {
        let file = path(project);
        fs::write(&file, "").with_context(|| format!("cannot empty {}", file.display()))?;
        Ok(Self { file, expected: project.root.join(EXPECTED) })
    }

    /// The skipped tests and the reasons.
    pub fn read(&self) -> Result<BTreeMap<String, String>> {
        let text = fs::read_to_string(&self.file)
            .with_context(|| format!("cannot read {}", self.file.display()))?;
        Ok(parse_skipped(&text))
    }

    /// Of the skipped tests those that are not listed as expected.
    pub fn unexpected<'a>(&self, skipped: &'a BTreeMap<String, String>) -> Result<Vec<&'a str>> {
        let text = read_expected(&self.expected)?;
        let expected: BTreeSet<_> = parse_expected(&text).map(|(test, _)| test).collect();
        Ok(skipped.keys().map(String::as_str).filter(|test| !expected.contains(test)).collect())
    }
}

/// The text of a list of expected skips. Where there is no list none is expected.
pub fn read_expected(path: &Path) -> Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        text => text.with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Lines `<test name>\t<reason>`.
pub fn parse_skipped(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.split_once('\t').unwrap_or((line, "no reason given")))
        .map(|(test, reason)| (test.trim().to_owned(), reason.trim().to_owned()))
        .collect()
}

/// Names and reasons in lines `<test name> — <reason>`, without comments after `#`.
pub fn parse_expected(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        let (test, reason) = line.split_once(" — ").unwrap_or((line, ""));
        (test.trim_end(), reason.trim_start())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_counts_once() {
        let skipped =
            parse_skipped("ipv6\tno IPv6 here\n\nnft::drop\tno nft\nipv6\tno IPv6 here\n");
        assert_eq!(
            skipped,
            BTreeMap::from([
                ("ipv6".into(), "no IPv6 here".into()),
                ("nft::drop".into(), "no nft".into())
            ])
        );
        assert_eq!(parse_skipped("bare")["bare"], "no reason given");
    }

    #[test]
    fn comments_and_reasons_are_no_names() {
        let text = "# Kernel 6.1 only\n\nipv6 — the runner has no IPv6\n  nft::drop\n";
        let expected = [("ipv6", "the runner has no IPv6"), ("nft::drop", "")];
        assert_eq!(parse_expected(text).collect::<Vec<_>>(), expected);
        assert_eq!(parse_expected("").next(), None);
    }

    #[test]
    fn unexpected_skips_are_named() -> Result<()> {
        let nowhere = Skips { file: PathBuf::new(), expected: "/nonexistent/skips.txt".into() };
        let skipped = parse_skipped("a\tx\nb\ty\n");
        assert_eq!(nowhere.unexpected(&skipped)?, ["a", "b"]);
        Ok(())
    }
}
