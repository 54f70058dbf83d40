//! Numbers and ranges of them, as the kernel compares them.

use anyhow::Result;
use dropwatch_common::filter::{Choice, MAX_ALTERNATIVES, Ranges};

use super::list::{Wishes, number};
use crate::config::UsageError;

/// First and last number.
pub type Range = [u64; 2];

/// One number, up to `max`.
pub fn single(text: &str, max: u64) -> Option<Range> {
    number(text, max).map(|number| [number; 2])
}

/// One number, or first and last with `-` between, up to `max`.
pub fn range(text: &str, max: u64) -> Option<Range> {
    let Some((first, last)) = text.split_once('-') else { return single(text, max) };
    let (first, last) = (number(first.trim(), max)?, number(last.trim(), max)?);
    (first <= last).then_some([first, last])
}

/// What the kernel is to compare with.
///
/// # Errors
/// A [`UsageError`] where there is more than it can compare with, or nothing is left.
pub fn choice(flag: &str, wishes: &Wishes<Range>) -> Result<Choice<Ranges>> {
    let (wanted, excluded) = (merged(&wishes.wanted), merged(&wishes.excluded));
    let is_excluded =
        |range: &Range| excluded.iter().any(|whole| whole[0] <= range[0] && range[1] <= whole[1]);
    if !wanted.is_empty() && wanted.iter().all(is_excluded) {
        return Err(UsageError(format!("{flag} excludes everything that it includes")).into());
    }
    Ok(Choice { wanted: ranges(flag, &wanted)?, excluded: ranges(flag, &excluded)? })
}

fn ranges(flag: &str, merged: &[Range]) -> Result<Ranges> {
    let mut ranges = Ranges { len: merged.len() as u64, ..Ranges::NONE };
    let places =
        ranges.bounds.get_mut(..merged.len()).ok_or_else(|| too_many(flag, merged.len()))?;
    places.copy_from_slice(merged);
    Ok(ranges)
}

/// The error for more alternatives than the kernel can compare with.
pub fn too_many(flag: &str, count: usize) -> UsageError {
    UsageError(format!(
        "{flag} has {count} alternatives, and {MAX_ALTERNATIVES} are the most of one kind; leave some \
         out, or put them together"
    ))
}

/// The same numbers in as few ranges as can be, in order.
fn merged(ranges: &[Range]) -> Vec<Range> {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable();
    let mut merged: Vec<Range> = Vec::new();
    for [first, last] in sorted {
        match merged.last_mut() {
            Some(before) if first <= before[1].saturating_add(1) => before[1] = before[1].max(last),
            _ => merged.push([first, last]),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(wanted: &[Range], excluded: &[Range]) -> Wishes<Range> {
        Wishes { wanted: wanted.to_vec(), excluded: excluded.to_vec() }
    }

    #[test]
    fn ranges_have_a_first_and_a_last() {
        assert_eq!(range("80", 0xffff), Some([80, 80]));
        assert_eq!(range("8000-8100", 0xffff), Some([8000, 8100]));
        assert_eq!(range("0x10 - 0x20", 0xffff), Some([16, 32]));
        for text in ["", "-", "1-", "-1", "2-1", "1-2-3", "1-65536", "http-alt"] {
            assert_eq!(range(text, 0xffff), None, "{text}");
        }
    }

    #[test]
    fn what_touches_is_merged() -> Result<()> {
        let choice =
            choice("--port", &wishes(&[[5, 9], [1, 2], [3, 3], [7, 20], [30, 30]], &[[8, 8]]))?;
        assert_eq!((choice.wanted.len, choice.excluded.len), (3, 1));
        assert_eq!(choice.wanted.bounds[..4], [[1, 3], [5, 20], [30, 30], [0, 0]]);
        assert_eq!(merged(&[[0, u64::MAX], [5, 5]]), [[0, u64::MAX]]);
        Ok(())
    }

    #[test]
    fn there_are_limits() -> Result<()> {
        let apart: Vec<_> = (0..=MAX_ALTERNATIVES as u64).map(|number| [number * 2; 2]).collect();
        assert_eq!(choice("--pid", &wishes(&apart[1..], &[]))?.wanted.len, 32);
        for wishes in [wishes(&apart, &[]), wishes(&[], &apart)] {
            let error = choice("--pid", &wishes).expect_err("too many");
            assert!(error.is::<UsageError>(), "{error}");
            assert!(error.to_string().starts_with("--pid has 33 alternatives"), "{error}");
        }
        Ok(())
    }

    #[test]
    fn something_has_to_be_left() {
        let error = choice("--port", &wishes(&[[5, 9]], &[[5, 7], [8, 9]])).expect_err("nothing");
        assert!(error.is::<UsageError>() && error.to_string().contains("excludes everything"));
        assert!(choice("--port", &wishes(&[[5, 9]], &[[6, 9]])).is_ok());
    }
}
