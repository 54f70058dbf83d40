//! The account of a run: what was seen, and what became of it.

use std::{fmt, time::Duration};

use dropwatch_common::counters::Counters;

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
    /// Drops that `--baseline` has as usual, and that the table leaves out.
    pub usual: u64,
    /// How long drops were traced.
    pub elapsed: Duration,
}

impl Account {
    /// Matched drops that were neither shown nor lost: those beyond `--count`, or that could not
    /// be written any more.
    fn unread(&self) -> u64 {
        let Counters { matched, sampled_out, rate_limited, lost, .. } = self.counters;
        matched.saturating_sub(sampled_out + rate_limited + lost + self.shown + self.malformed)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counters { seen, matched, sampled_out, rate_limited, lost, stack_failed, .. } =
            self.counters;
        let seconds = self.elapsed.as_secs_f64();
        write!(
            formatter,
            "seen {seen}, matched {matched}, shown {}, lost {lost}, in {seconds:.3} s",
            self.shown
        )?;
        write_exceptional(
            formatter,
            &[
                (sampled_out, SAMPLED_OUT),
                (rate_limited, RATE_LIMITED),
                (self.unread(), "not shown (in the buffer when dropwatch stopped)"),
                (stack_failed, "without a stack (the kernel gave none)"),
                (self.missed, MISSED),
                (self.usual, USUAL),
                (self.malformed, "damaged in the ring"),
            ],
        )
    }
}

/// The account of a run that counted in the kernel. Counted and other are matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CountAccount {
    /// What the BPF program counted.
    pub counters: Counters,
    /// Drops that the program could not see, since it was running on that processor already.
    pub missed: u64,
    /// Drops that `--baseline` has as usual, and that the table leaves out.
    pub usual: u64,
    /// How long drops were traced.
    pub elapsed: Duration,
}

impl fmt::Display for CountAccount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counters { seen, matched, sampled_out, rate_limited, other, .. } = self.counters;
        let counted = matched.saturating_sub(sampled_out + rate_limited + other);
        let seconds = self.elapsed.as_secs_f64();
        write!(formatter, "seen {seen}, matched {matched}, counted {counted}, in {seconds:.3} s")?;
        write_exceptional(
            formatter,
            &[
                (other, "counted as other (the table is full: --max-keys)"),
                (sampled_out, SAMPLED_OUT),
                (rate_limited, RATE_LIMITED),
                (self.missed, MISSED),
                (self.usual, USUAL),
            ],
        )
    }
}

const SAMPLED_OUT: &str = "left out by --sample";
const RATE_LIMITED: &str = "left out by --rate-limit";
const USUAL: &str = "usual (--baseline), and left out of the table";
const MISSED: &str = "missed (dropped while dropwatch handled another on the same processor)";

/// What there is only now and then.
fn write_exceptional(formatter: &mut fmt::Formatter<'_>, parts: &[(u64, &str)]) -> fmt::Result {
    for (count, what) in parts.iter().filter(|(count, _)| *count > 0) {
        write!(formatter, "; {count} {what}")?;
    }
    Ok(())
}

/// What has been said of losses so far.
#[derive(Debug, Default)]
pub struct LossNotices {
    reported: u64,
}

impl LossNotices {
    /// What to say of the losses since the last notice, where there were any; `lost` counts all.
    pub fn notice(&mut self, lost: u64) -> Option<String> {
        let new = lost.saturating_sub(self.reported);
        self.reported = lost;
        (new > 0).then(|| {
            format!(
                "{new} drops lost, the buffer was full: narrow down with filters, give a larger \
                 --buffer-size, or let --sample leave some out"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_run_has_a_plain_account() {
        let counters = Counters { seen: 9, matched: 5, lost: 1, ..Counters::default() };
        let account = Account {
            counters,
            shown: 4,
            elapsed: Duration::from_millis(1234),
            ..Account::default()
        };
        assert_eq!(account.to_string(), "seen 9, matched 5, shown 4, lost 1, in 1.234 s");
    }

    #[test]
    fn what_went_wrong_is_told() {
        let counters = Counters {
            seen: 99,
            matched: 29,
            sampled_out: 15,
            rate_limited: 5,
            lost: 1,
            stack_failed: 2,
            other: 0,
        };
        let account = Account { counters, shown: 3, missed: 7, malformed: 1, ..Account::default() };
        let text = account.to_string();
        for part in [
            "15 left out by --sample",
            "5 left out by --rate-limit",
            "4 not shown",
            "2 without a stack",
            "7 missed",
            "1 damaged",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn losses_are_reported_once() {
        let mut notices = LossNotices::default();
        assert_eq!(notices.notice(0), None);
        assert!(notices.notice(10).expect("new losses").starts_with("10 drops lost"));
        assert_eq!(notices.notice(10), None);
        assert!(notices.notice(15).expect("new losses").starts_with("5 drops lost"));
    }
}
