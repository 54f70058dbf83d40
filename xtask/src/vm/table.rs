//! The account of all kernels.

use super::outcome::Outcome;
use std::{collections::BTreeMap, fmt};

/// A line a kernel; below the lines, why tests were skipped and what failed.
#[derive(Debug)]
pub struct Table<'a>(pub &'a [Outcome]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |outcome: &Outcome| format!("{} {}", outcome.kernel, outcome.release);
        let width = self.0.iter().map(|outcome| name(outcome).len()).max().unwrap_or(0);
        writeln!(f, "{:width$}  passed  skipped  failed  seconds", "kernel")?;
        for outcome in self.0 {
            writeln!(
                f,
                "{:width$}  {:6}  {:7}  {:6}  {:7}",
                name(outcome),
                outcome.tally.passed,
                outcome.tally.skipped,
                outcome.tally.failed,
                outcome.took.as_secs()
            )?;
        }
        // A test that is skipped on many kernels takes one line.
        let mut skips = BTreeMap::<_, Vec<_>>::new();
        for outcome in self.0 {
            for skip in &outcome.skipped {
                skips.entry(skip).or_default().push(outcome.kernel.to_string());
            }
        }
        for ((test, reason), kernels) in skips {
            writeln!(f, "skipped: {test}: {reason} ({})", kernels.join(", "))?;
        }
        for outcome in self.0 {
            for test in &outcome.again {
                writeln!(f, "tried again: {}: {test}", outcome.kernel)?;
            }
        }
        for outcome in self.0 {
            for failure in &outcome.failures {
                writeln!(f, "failed: {}: {failure}", outcome.kernel)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::kernels::KERNELS, *};
    use crate::suite::results::Tally;
    use std::time::Duration;

    #[test]
    fn kernels_are_lined_up() {
        let skipped = BTreeMap::from([("a::b".to_owned(), "no nft".to_owned())]);
        let outcomes = [("5.10.0-46", 0), ("6.1.0-56", 1)].map(|(release, index)| Outcome {
            kernel: KERNELS[index],
            release: release.to_owned(),
            tally: Tally { passed: 10, failed: 1, skipped: 1 },
            skipped: skipped.clone(),
            again: vec![format!("a::c{index}")],
            failures: vec![format!("a::c{index} failed")],
            took: Duration::from_millis(12_900),
        });
        let expected = "\
kernel                passed  skipped  failed  seconds
5.10-cloud 5.10.0-46      10        1       1       12
6.1-cloud 6.1.0-56        10        1       1       12
skipped: a::b: no nft (5.10-cloud, 6.1-cloud)
tried again: 5.10-cloud: a::c0
tried again: 6.1-cloud: a::c1
failed: 5.10-cloud: a::c0 failed
failed: 6.1-cloud: a::c1 failed
";
        assert_eq!(Table(&outcomes).to_string(), expected);
    }
}
