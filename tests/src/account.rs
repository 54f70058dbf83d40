//! The account that dropwatch gives on standard error when it ends.

use anyhow::{Context, Result, bail};

const BEGIN: &str = "dropwatch: seen ";

/// `dropwatch: seen 5, matched 5, shown 5, lost 0, in 2.958 s[; 3 not shown …]`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Account {
    /// Drops that the BPF program ran for.
    pub seen: u64,
    /// Of these, those that passed the filters.
    pub matched: u64,
    /// Of these, those on standard output.
    pub shown: u64,
    /// Of the matched, those in the table, where drops are counted and not shown.
    pub counted: u64,
    /// Of the matched, those for whose key the table had no room.
    pub other: u64,
    /// Of the matched, those for which the buffer had no room.
    pub lost: u64,
    /// Of the counted or shown, those that are usual.
    pub usual: u64,
    /// Of the matched, those that `--sample` left out.
    pub sampled_out: u64,
    /// Of the matched, those that `--rate-limit` left out.
    pub rate_limited: u64,
    /// Of the matched, those that came after the last one shown.
    pub not_shown: u64,
    /// Of the matched, those without a stack although one was asked for.
    pub without_stack: u64,
    /// Drops that the program could not run for.
    pub missed: u64,
    /// How long dropwatch was attached.
    pub seconds: f64,
}

impl Account {
    /// Finds the account in what was printed on standard error.
    ///
    /// # Errors
    /// When there is not exactly one, or it does not read as it should.
    pub fn find(stderr: &str) -> Result<Self> {
        let mut lines = stderr.lines().filter(|line| line.starts_with(BEGIN));
        match (lines.next(), lines.next()) {
            (Some(line), None) => {
                Self::parse(line).with_context(|| format!("cannot read the account: {line}"))
            }
            (None, _) => bail!("there is no account on standard error: {stderr:?}"),
            _ => bail!("there is more than one account on standard error: {stderr:?}"),
        }
    }

    fn parse(line: &str) -> Result<Self> {
        let mut parts = line.split("; ");
        let mut plain = parts.next().unwrap_or_default();
        let mut take = |begin: &str, end: &str| -> Result<&str> {
            let rest = plain.strip_prefix(begin).with_context(|| format!("no {begin:?}"))?;
            let (value, rest) = rest.split_once(end).with_context(|| format!("no {end:?}"))?;
            plain = rest;
            Ok(value)
        };
        let mut account = Self {
            seen: take(BEGIN, ", ")?.parse()?,
            matched: take("matched ", ", ")?.parse()?,
            ..Self::default()
        };
        match take("counted ", ", ") {
            Ok(counted) => account.counted = counted.parse()?,
            Err(_) => {
                account.shown = take("shown ", ", ")?.parse()?;
                account.lost = take("lost ", ", ")?.parse()?;
            }
        }
        account.seconds = take("in ", " s")?.parse()?;
        if !plain.is_empty() {
            bail!("{plain:?} at the end");
        }
        for part in parts {
            let (count, what) = part.split_once(' ').context("no number")?;
            let count = count.parse()?;
            match what {
                "left out by --sample" => account.sampled_out = count,
                "left out by --rate-limit" => account.rate_limited = count,
                what if what.starts_with("counted as other (") => account.other = count,
                what if what.starts_with("usual (") => account.usual = count,
                what if what.starts_with("not shown (") => account.not_shown = count,
                what if what.starts_with("without a stack (") => account.without_stack = count,
                what if what.starts_with("missed (") => account.missed = count,
                other => bail!("{count} {other}"),
            }
        }
        Ok(account)
    }

    /// Whether every matched drop is accounted for.
    pub fn adds_up(&self) -> bool {
        let left_out = self.sampled_out + self.rate_limited;
        self.matched <= self.seen
            && self.shown + self.lost + self.not_shown + self.counted + self.other + left_out
                == self.matched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_found_among_notices() -> Result<()> {
        let stderr = "dropwatch: 7 drops lost, the buffer was full: narrow down\n\
            dropwatch: seen 9, matched 8, shown 4, lost 1, in 2.958 s; 3 not shown (came after); 2 missed (dropped)\n";
        let account = Account::find(stderr)?;
        let expected = Account {
            seen: 9,
            matched: 8,
            shown: 4,
            lost: 1,
            not_shown: 3,
            missed: 2,
            seconds: 2.958,
            ..Account::default()
        };
        assert_eq!(account, expected);
        assert!(account.adds_up());
        assert!(!Account { lost: 2, ..account }.adds_up());
        let stderr = "dropwatch: seen 9, matched 8, shown 1, lost 0, in 1 s; 5 left out by --sample; 2 left out by --rate-limit\n";
        let account = Account::find(stderr)?;
        assert_eq!((account.sampled_out, account.rate_limited), (5, 2));
        assert!(account.adds_up());
        let stderr = "dropwatch: seen 9, matched 8, counted 5, in 1.000 s; 3 counted as other (the table is full: --max-keys)\n";
        let account = Account::find(stderr)?;
        assert_eq!((account.counted, account.other), (5, 3));
        assert!(account.adds_up());
        Ok(())
    }

    #[test]
    fn other_lines_are_no_account() {
        for stderr in [
            "",
            "seen 1",
            "dropwatch: seen 1, matched 1",
            "dropwatch: seen 1, matched 1, shown 1, lost 0, in 1 s.",
            "dropwatch: seen 1, matched 1, shown 1, lost 0, in 1 s; 3 damaged in the ring",
            "dropwatch: seen 1, matched 1, shown 1, lost 0, in 1 s\ndropwatch: seen 1, matched 1, shown 1, lost 0, in 1 s",
        ] {
            assert!(Account::find(stderr).is_err(), "{stderr}");
        }
    }
}
