//! How a run ends: with the status that scripts look at.

use std::process::ExitCode;

use crate::{
    baseline::Baseline, config::Config, counts::Snapshot, render::sources::Sources, stop::Stop,
};

/// Status where something happened that `--fail-on` names.
const FAILED_ON: u8 = 3;

/// What is to be said of a run that went well, and its status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The status of the program that ran, where there was one.
    command: u8,
    failed_on: bool,
    /// Drops that are usual, and were taken off.
    pub usual: u64,
}

impl Verdict {
    /// Takes what is usual off the counts, says what must not happen and did, and remembers the
    /// status of the program that ran.
    pub fn of(
        config: &Config,
        baseline: Option<&Baseline>,
        snapshot: &mut Snapshot,
        sources: &mut Sources,
        stop: &Stop,
    ) -> Self {
        let usual = baseline.map_or(0, |baseline| baseline.take_off(snapshot, sources));
        let mut failed_on = false;
        for said in config.fail_on.iter().filter_map(|it| it.verdict(snapshot, &sources.reasons)) {
            eprintln!("dropwatch: {said}");
            failed_on = true;
        }
        let command = stop.command().map_or(0, |command| command.status());
        Self { command, failed_on, usual }
    }

    /// The status: that of the program, where it failed itself.
    pub fn status(self) -> ExitCode {
        match self.command {
            0 if self.failed_on => ExitCode::from(FAILED_ON),
            status => ExitCode::from(status),
        }
    }
}
