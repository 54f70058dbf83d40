//! Reading what a test program prints about its tests.

use std::process::ExitStatus;
use xtask::{suite::results::Tally, vm::report::Report};

/// Adds to the report what a program has printed. Without a status it was killed.
pub fn add(report: &mut Report, program: &str, output: &str, status: Option<ExitStatus>) {
    let last = output.lines().next_back().unwrap_or_default();
    match (output.lines().find_map(Tally::parse), status) {
        (_, None) => report.errors.push(format!("{program} took too long and was killed: {last}")),
        (None, Some(status)) => report.errors.push(format!("{program} crashed ({status}): {last}")),
        (Some(tally), Some(_)) => {
            report.tally += tally;
            report.failed.extend(failed(output).map(|test| format!("{program}::{test}")));
        }
    }
}

/// The tests in the list at the end, which is the last of two parts with this heading.
pub fn failed(output: &str) -> impl Iterator<Item = &str> {
    let list = output.rsplit_once("\nfailures:\n").map_or("", |(_, list)| list);
    list.lines().map_while(|line| line.strip_prefix("    "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;

    #[test]
    fn failed_tests_are_named() {
        let output = "\nrunning 3 tests\ntest a ... ok\ntest b::c ... FAILED\ntest d ... FAILED\n\n\
            failures:\n\n---- b::c stdout ----\n    why\n\n\nfailures:\n    b::c\n    d\n\n\
            test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n";
        let mut report = Report::default();
        add(&mut report, "drops", output, Some(ExitStatus::from_raw(101 << 8)));
        assert_eq!(report.tally, Tally { passed: 1, failed: 2, skipped: 0 });
        assert_eq!(report.failed, ["drops::b::c", "drops::d"]);
        assert_eq!(report.errors, [""; 0]);
    }

    #[test]
    fn a_program_without_results_is_an_error() {
        let mut report = Report::default();
        add(&mut report, "drops", "running\ntest a ... ", None);
        add(&mut report, "losses", "cannot load\n", Some(ExitStatus::from_raw(127 << 8)));
        assert_eq!(report.tally, Tally::default());
        assert_eq!(report.errors.len(), 2);
        assert!(report.errors[0].ends_with("killed: test a ... "));
        assert!(report.errors[1].ends_with("127): cannot load"));
    }
}
