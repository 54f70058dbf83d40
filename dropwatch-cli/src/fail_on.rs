//! `--fail-on`: drops that make the run a failure, for scripts and continuous integration.

use anyhow::Result;
use dropwatch_common::filter::ReasonFilter;

use crate::{
    config::UsageError,
    counts::Snapshot,
    filter::reason::{self, ReasonPattern},
    kernel::reasons::Reasons,
};

/// A reason, and how often it may happen.
#[derive(Clone, Debug, PartialEq)]
pub struct FailOn {
    text: String,
    pattern: ReasonPattern,
    allowed: u64,
}

impl FailOn {
    /// Reads `REASON` or `REASON:N`, where the reason is as for `--reason`.
    ///
    /// # Errors
    /// A [`UsageError`] that says what is wrong.
    pub fn parse(text: &str) -> Result<Self> {
        let usage = |wrong: &str| UsageError(format!("--fail-on '{text}' {wrong}"));
        let (reason, allowed) = match text.rsplit_once(':') {
            Some((reason, number)) => {
                let allowed = number.trim().parse();
                (reason, allowed.map_err(|_| usage("has no number behind the colon"))?)
            }
            None => (text, 0),
        };
        let reason = reason.trim();
        if reason.is_empty() || reason.starts_with('!') {
            return Err(usage("is no reason; write one as for --reason, and :N behind it").into());
        }
        if reason.contains(',') {
            return Err(usage("has several reasons; give --fail-on for each of them").into());
        }
        Ok(Self { text: reason.to_owned(), pattern: ReasonPattern::parse(reason)?, allowed })
    }

    /// Makes sure that the kernel has such a reason, and that the filter by reason, where there is
    /// one, does not leave it out: then it would never be seen to happen.
    ///
    /// # Errors
    /// A [`UsageError`] that names the nearest, or the filter.
    pub fn check(&self, reasons: &mut Reasons, filter: Option<&ReasonFilter>) -> Result<()> {
        reason::resolve(std::slice::from_ref(&self.pattern), reasons)?;
        let Some(filter) = filter else { return Ok(()) };
        let mut meant =
            reasons.iter().filter(|reason| self.pattern.matches(reason, reasons)).peekable();
        if meant.peek().is_some() && !meant.any(|reason| filter.passes(reason.raw)) {
            let message = format!(
                "--fail-on {} could never happen: --reason leaves it out; name it there too",
                self.text
            );
            return Err(UsageError(message).into());
        }
        Ok(())
    }

    /// What is to be said where this happened more often than it may.
    pub fn verdict(&self, snapshot: &Snapshot, reasons: &Reasons) -> Option<String> {
        let is_meant = |raw: u32| {
            reasons.get(raw).is_some_and(|reason| self.pattern.matches(reason, reasons))
                || self.pattern.is_raw(raw)
        };
        let meant = snapshot.rows.iter().filter(|(key, _)| key.reason.is_some_and(is_meant));
        let found: u64 = meant.map(|(_, drops)| drops).sum();
        let Self { text, allowed, .. } = self;
        let times = if found == 1 { "time" } else { "times" };
        (found > *allowed).then(|| match allowed {
            0 => format!("--fail-on {text}: happened {found} {times}"),
            _ => format!("--fail-on {text}: happened {found} {times}, more than {allowed}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use dropwatch_common::counters::Counters;

    use super::*;
    use crate::counts::key::Key;

    fn reasons() -> Reasons {
        let names = [(2, "NO_SOCKET"), (5, "TCP_CSUM"), (6, "TCP_RESET")];
        Reasons::of_trace_event(&names.map(|(raw, name)| (raw, name.to_owned())))
    }

    fn verdict(text: &str, rows: &[(u32, u64)]) -> Option<String> {
        let key = |reason| Key { reason: Some(reason), ..Key::default() };
        let snapshot = Snapshot {
            at: Instant::now(),
            rows: rows.iter().map(|(reason, drops)| (key(*reason), *drops)).collect(),
            other: 0,
            counters: Counters::default(),
        };
        FailOn::parse(text).expect(text).verdict(&snapshot, &reasons())
    }

    #[test]
    fn what_happens_too_often_fails() {
        let rows = [(2, 10), (5, 1), (6, 2), (6, 1)];
        for (text, fails) in [
            ("NO_SOCKET", true),
            ("no_socket:9", true),
            ("NO_SOCKET:10", false),
            ("TCP_*:3", true),
            ("TCP_*:4", false),
            ("2", true),
            ("7", false),
            ("SKB_DROP_REASON_TCP_CSUM", true),
        ] {
            assert_eq!(verdict(text, &rows).is_some(), fails, "{text}");
        }
        let said = verdict("TCP_*:3", &rows).expect("it fails");
        assert_eq!(said, "--fail-on TCP_*: happened 4 times, more than 3");
        assert_eq!(verdict("NO_SOCKET", &[]), None);
    }

    #[test]
    fn mistakes_are_named() {
        for text in ["", ":3", "!NO_SOCKET", "NO_SOCKET:", "NO_SOCKET:x", "NO_SOCKET:-1", "A,B:3"] {
            let error = FailOn::parse(text).expect_err(text);
            assert!(error.is::<UsageError>(), "{error}");
            assert!(error.to_string().starts_with("--fail-on"), "{error}");
        }
    }

    #[test]
    fn the_kernel_has_to_have_the_reason() {
        let mut reasons = reasons();
        assert!(FailOn::parse("NO_SOCKET:3").expect("one").check(&mut reasons, None).is_ok());
        assert!(FailOn::parse("NO_SOCKETS").expect("one").check(&mut reasons, None).is_err());
    }

    #[test]
    fn the_filter_has_to_let_it_through() {
        let mut filter = ReasonFilter::new(false);
        filter.set(6, true);
        for (text, can_happen) in [("TCP_RESET", true), ("TCP_*:3", true), ("NO_SOCKET", false)] {
            let checked = FailOn::parse(text).expect(text).check(&mut reasons(), Some(&filter));
            assert_eq!(checked.is_ok(), can_happen, "{text}");
        }
    }
}
