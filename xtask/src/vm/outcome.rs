//! What a run of the tests on one kernel means.

use super::{expected::ExpectedSkips, kernels::Kernel, qemu::Stop, report::Report};
use crate::suite::results::Tally;
use std::{collections::BTreeMap, time::Duration};

/// How the tests went on one kernel.
#[derive(Debug)]
pub struct Outcome {
    /// The one of the list.
    pub kernel: Kernel,
    /// Its version, when it is known.
    pub release: String,
    /// How many tests ended how.
    pub tally: Tally,
    /// The tests that were skipped, and the reasons.
    pub skipped: BTreeMap<String, String>,
    /// The tests that failed the first time, and were tried again.
    pub again: Vec<String>,
    /// What went wrong, a line each.
    pub failures: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// What the kernel says when it is in trouble, and how we call it.
const TROUBLE: &[(&str, &str)] = &[
    ("Kernel panic", "the kernel panicked"),
    ("self-detected stall", "the kernel stalled"),
    ("detected stalls", "the kernel stalled"),
    ("blocked for more than", "a process hung in the kernel"),
];

impl Outcome {
    /// What a machine's end and its log tell.
    pub fn of(stop: Stop, log: &str, kernel: Kernel, expected: &ExpectedSkips) -> Self {
        let report = Report::find(log);
        let complete = report.is_some() && stop == Stop::Orderly;
        let Report { mut tally, failed, again, skipped, errors } = report.unwrap_or_default();
        let unexpected = expected.unexpected(kernel, &skipped);
        tally.correct(skipped.len() as u64, unexpected.len() as u64);

        let mut failures: Vec<_> = failed.iter().map(|test| format!("{test} failed")).collect();
        failures.extend(unexpected.iter().map(|test| {
            format!("{test} was skipped; make it run there, or list it in {}", ExpectedSkips::FILE)
        }));
        let others = errors.len() + usize::from(!complete);
        tally.failed += others as u64;
        failures.extend(errors);
        if !complete {
            failures.push(trouble(stop, log));
        }
        Self { skipped, again, ..Self::new(kernel, tally, failures) }
    }

    /// A kernel that could not even be started.
    pub fn failure(kernel: Kernel, message: String) -> Self {
        Self::new(kernel, Tally { failed: 1, ..Tally::default() }, vec![message])
    }

    /// With nothing to tell beside these.
    fn new(kernel: Kernel, tally: Tally, failures: Vec<String>) -> Self {
        Self {
            kernel,
            release: String::new(),
            tally,
            skipped: BTreeMap::new(),
            again: Vec::new(),
            failures,
            took: Duration::ZERO,
        }
    }
}

/// Why there is no complete report.
fn trouble(stop: Stop, log: &str) -> String {
    let line = |sign: &str| log.lines().find(|line| line.contains(sign)).map(str::trim);
    let known = TROUBLE.iter().find_map(|(sign, name)| line(sign).map(|line| (name, line)));
    match (known, stop) {
        (Some((name, line)), _) => format!("{name}: {line}"),
        (None, Stop::Killed) => "the tests did not end in time; see --timeout".to_owned(),
        (None, Stop::Otherwise(status)) => format!("the machine stopped early ({status})"),
        (None, Stop::Orderly) => "the machine ended without a report of the tests".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::kernels::KERNELS, *};
    use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus};

    fn outcome(stop: Stop, log: &str) -> Outcome {
        Outcome::of(stop, log, KERNELS[0], &ExpectedSkips::none())
    }

    #[test]
    fn a_complete_report_counts() {
        let report = Report {
            tally: Tally { passed: 5, failed: 1, skipped: 0 },
            failed: vec!["drops::a".into()],
            again: vec!["drops::a".into()],
            skipped: BTreeMap::from([("drops::b".into(), "no nft".into())]),
            errors: vec!["losses was killed".into()],
        };
        let outcome = outcome(Stop::Orderly, &report.to_string());
        assert_eq!(outcome.tally, Tally { passed: 4, failed: 2, skipped: 1 });
        assert_eq!(outcome.failures, ["drops::a failed", "losses was killed"]);
    }

    #[test]
    fn without_a_report_it_has_failed() {
        let exited = Stop::Otherwise(ExitStatus::from_raw(0));
        for (stop, log, expected) in [
            (exited, "x\n[ 1.2] Kernel panic - not syncing: y\n", "panicked: [ 1.2] Kernel panic"),
            (Stop::Killed, "[ 9.1] rcu: INFO: rcu_preempt self-detected stall on CPU\n", "stalled"),
            (Stop::Killed, "", "in time"),
            (exited, "", "stopped early"),
            (Stop::Orderly, "", "without a report"),
            (Stop::Killed, &Report::default().to_string(), "in time"),
        ] {
            let outcome = outcome(stop, log);
            assert_eq!(outcome.tally.failed, 1);
            assert!(outcome.failures[0].contains(expected), "{:?}", outcome.failures);
        }
    }
}
