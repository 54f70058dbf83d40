//! The account of a run: what was seen, and what became of it.

use std::{
    fmt,
    time::{Duration, Instant},
};

use dropwatch_common::counters::Counters;

/// How often at most losses are reported while streaming.
const NOTICE_INTERVAL: Duration = Duration::from_secs(1);

/// What happened to the drops of a run. Shown and unread together with lost are matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// What the BPF program counted.
    pub counters: Counters,
    /// Drops that were written to standard output.
    pub shown: u64,
    /// Records that were no records.
    pub malformed: u64,
    /// Drops that the program could not see, since it was running on that processor already.
    pub missed: u64,
    /// How long drops were traced.
    pub elapsed: Duration,
}

impl Account {
    /// Matched drops that were neither shown nor lost: those beyond `--count`, or that nobody
    /// read any more.
    fn unread(&self) -> u64 {
        self.counters.matched.saturating_sub(self.counters.lost + self.shown + self.malformed)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counters { seen, matched, lost, stack_failed } = self.counters;
        let seconds = self.elapsed.as_secs_f64();
        write!(formatter, "seen {seen}, matched {matched}, shown {}, lost {lost}, in {seconds:.3} s", self.shown)?;
        let exceptional = [
            (self.unread(), "not shown (came after the last one shown)"),
            (stack_failed, "without a stack (the kernel gave none)"),
            (self.missed, "missed (dropped while dropwatch handled another on the same processor)"),
            (self.malformed, "damaged in the ring"),
        ];
        for (count, what) in exceptional.into_iter().filter(|(count, _)| *count > 0) {
            write!(formatter, "; {count} {what}")?;
        }
        Ok(())
    }
}

/// Decides when to say that records are being lost.
#[derive(Debug)]
pub struct LossNotices {
    reported: u64,
    last: Instant,
}

impl LossNotices {
    /// Nothing lost so far.
    pub fn new() -> Self {
        Self { reported: 0, last: Instant::now() }
    }

    /// Whether it is time to ask for the counters again.
    pub fn due(&self) -> bool {
        self.last.elapsed() >= NOTICE_INTERVAL
    }

    /// The notice for these losses since the last one, where there were any.
    pub fn notice(&mut self, lost: u64) -> Option<String> {
        self.last = Instant::now();
        let new = lost.saturating_sub(self.reported);
        self.reported = lost;
        (new > 0).then(|| {
            format!("{new} drops lost, the buffer was full: narrow down with --reason, or give a larger --buffer-size")
        })
    }
}

impl Default for LossNotices {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_run_has_a_plain_account() {
        let counters = Counters { seen: 9, matched: 5, lost: 1, stack_failed: 0 };
        let account = Account { counters, shown: 4, elapsed: Duration::from_millis(1234), ..Account::default() };
        assert_eq!(account.to_string(), "seen 9, matched 5, shown 4, lost 1, in 1.234 s");
    }

    #[test]
    fn what_went_wrong_is_told() {
        let counters = Counters { seen: 9, matched: 9, lost: 1, stack_failed: 2 };
        let account = Account { counters, shown: 3, missed: 7, malformed: 1, elapsed: Duration::ZERO };
        let text = account.to_string();
        for part in ["4 not shown", "2 without a stack", "7 missed", "1 damaged"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn losses_are_reported_once() {
        let mut notices = LossNotices::new();
        assert!(!notices.due());
        assert_eq!(notices.notice(0), None);
        assert!(notices.notice(10).expect("new losses").starts_with("10 drops lost"));
        assert_eq!(notices.notice(10), None);
        assert!(notices.notice(15).expect("new losses").starts_with("5 drops lost"));
    }
}
