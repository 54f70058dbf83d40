//! Adding up what the test programs report.

use crate::process::cannot_start;
use anyhow::{Context as _, Result};
use std::{
    fmt,
    io::{self, BufRead as _, BufReader},
    ops::AddAssign,
    process::{Command, Stdio},
};

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests that did not run.
    pub skipped: u64,
}

/// Runs `cargo test`, shows what it prints, and adds up its results. Also tells whether cargo
/// was content.
pub fn stream(cargo_test: &mut Command) -> Result<(Tally, bool)> {
    stream_to(cargo_test, &mut io::stdout())
}

fn stream_to(cargo_test: &mut Command, out: &mut impl io::Write) -> Result<(Tally, bool)> {
    let mut child =
        cargo_test.stdout(Stdio::piped()).spawn().with_context(|| cannot_start(cargo_test))?;
    let mut tally = Tally::default();
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).context("cannot read from cargo test")? > 0 {
            out.write_all(&line).context("cannot print what cargo test prints")?;
            if let Some(results) = Tally::parse(&String::from_utf8_lossy(&line)) {
                tally += results;
            }
            line.clear();
        }
    }
    let status = child.wait().context("cannot wait for cargo test")?;
    Ok((tally, status.success()))
}

impl Tally {
    /// Tests that could not run have told cargo that they passed; those of them that should
    /// have run count as failed.
    pub fn correct(&mut self, skipped: u64, unexpected: u64) {
        self.passed = self.passed.saturating_sub(skipped);
        self.skipped += skipped - unexpected;
        self.failed += unexpected;
    }

    /// Reads a line like `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; …`.
    pub fn parse(line: &str) -> Option<Self> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let count = |name: &str| {
            counts.split(';').find_map(|part| part.trim().strip_suffix(name)?.trim().parse().ok())
        };
        Some(Self {
            passed: count("passed")?,
            failed: count("failed")?,
            skipped: count("ignored")?,
        })
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_read() {
        let line = "test result: ok. 30 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        assert_eq!(Tally::parse(line), Some(Tally { passed: 30, failed: 0, skipped: 2 }));
        let line = "test result: FAILED. 1 passed; 12 failed; 0 ignored; 0 measured; 3 filtered out; finished in 1.20s";
        assert_eq!(Tally::parse(line), Some(Tally { passed: 1, failed: 12, skipped: 0 }));
    }

    #[test]
    fn other_lines_are_not() {
        for line in [
            "",
            "running 3 tests",
            "test a ... ok",
            "test result: ok",
            "x test result: ok. 1 passed; 0 failed; 0 ignored;",
        ] {
            assert_eq!(Tally::parse(line), None, "{line}");
        }
    }

    #[test]
    fn a_skipped_test_has_not_passed() {
        let mut tally = Tally { passed: 10, failed: 0, skipped: 1 };
        tally.correct(3, 1);
        assert_eq!(tally, Tally { passed: 7, failed: 1, skipped: 3 });
    }

    #[test]
    fn all_that_is_printed_is_added_up() -> Result<()> {
        let mut cargo_test = Command::new("sh");
        cargo_test.args([
            "-c",
            "echo 'test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured'
             echo 'test result: FAILED. 1 passed; 2 failed; 1 ignored; 0 measured'
             exit 101",
        ]);
        let (tally, passed) = stream_to(&mut cargo_test, &mut Vec::new())?;
        assert_eq!(tally.to_string(), "4 passed, 2 failed, 1 skipped");
        assert!(!passed);
        Ok(())
    }
}
