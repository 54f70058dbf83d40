//! What the guest tells the host at the end, as lines on its serial port.

use crate::suite::results::Tally;
use std::{collections::BTreeMap, fmt};

const BEGIN: &str = "=== dropwatch-vm report";
const END: &str = "=== dropwatch-vm end";

/// How the tests ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The sum of what the test programs report, to which skipped tests have passed.
    pub tally: Tally,
    /// The tests that failed.
    pub failed: Vec<String>,
    /// The tests that failed the first time, and were tried again.
    pub again: Vec<String>,
    /// The tests that were skipped, and the reasons.
    pub skipped: BTreeMap<String, String>,
    /// What went wrong besides.
    pub errors: Vec<String>,
}

impl Report {
    /// Finds a complete report in all that the guest wrote.
    pub fn find(log: &str) -> Option<Self> {
        let (_, text) = log.rsplit_once(BEGIN)?;
        let (text, _) = text.split_once(END)?;
        let mut report = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (word, rest) = line.split_once(' ')?;
            match word {
                "passed" => report.tally.passed = rest.parse().ok()?,
                "failed" => report.tally.failed = rest.parse().ok()?,
                "ignored" => report.tally.skipped = rest.parse().ok()?,
                "failure" => report.failed.push(rest.to_owned()),
                "again" => report.again.push(rest.to_owned()),
                "skip" => {
                    let (test, reason) = rest.split_once('\t')?;
                    report.skipped.insert(test.to_owned(), reason.to_owned());
                }
                "error" => report.errors.push(rest.to_owned()),
                _ => return None,
            }
        }
        Some(report)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { passed, failed, skipped } = self.tally;
        writeln!(f, "{BEGIN}\npassed {passed}\nfailed {failed}\nignored {skipped}")?;
        for test in &self.failed {
            writeln!(f, "failure {test}")?;
        }
        for test in &self.again {
            writeln!(f, "again {test}")?;
        }
        for (test, reason) in &self.skipped {
            writeln!(f, "skip {test}\t{reason}")?;
        }
        for error in &self.errors {
            writeln!(f, "error {}", error.replace('\n', " "))?;
        }
        writeln!(f, "{END}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            tally: Tally { passed: 3, failed: 1, skipped: 2 },
            failed: vec!["drops::a".into()],
            again: vec!["drops::a".into(), "drops::c".into()],
            skipped: BTreeMap::from([("drops::b".into(), "no reason X".into())]),
            errors: vec!["losses took too long".into()],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let log = format!("test a ... ok\r\n{}\r\n", report().to_string().replace('\n', "\r\n"));
        assert_eq!(Report::find(&log), Some(report()));
    }

    #[test]
    fn half_a_report_is_none() {
        let log = report().to_string();
        let (half, _) = log.split_at(log.len() / 2);
        assert_eq!(Report::find(half), None);
        assert_eq!(Report::find(""), None);
    }
}
