//! Checking printed times of day.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;

use crate::need::patience;

const DAY: i64 = 24 * 60 * 60 * 1_000_000;
/// dropwatch learns how far two of the kernel's clocks are apart by reading one after the
/// other, and on a busy machine time passes in between.
const SLACK: Duration = Duration::from_millis(20);

/// The time zone in which times are printed.
#[derive(Clone, Copy, Debug)]
pub enum Zone {
    /// That of this machine.
    Local,
    /// So many seconds ahead of UTC.
    Ahead(i64),
}

/// A span of time.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    begin: SystemTime,
    end: SystemTime,
}

impl Window {
    /// The time that something takes.
    ///
    /// # Errors
    /// When it fails.
    pub fn around<T>(action: impl FnOnce() -> Result<T>) -> Result<(Self, T)> {
        let begin = SystemTime::now();
        let result = action()?;
        Ok((Self { begin, end: SystemTime::now() }, result))
    }

    /// Whether a time of day, in microseconds since midnight, is in it.
    pub fn contains(&self, time_of_day: u64, zone: Zone) -> bool {
        let (begin, end) = (unix_micros(self.begin), unix_micros(self.end));
        let ahead = match zone {
            Zone::Local => local_offset(begin / 1_000_000),
            Zone::Ahead(seconds) => seconds,
        };
        let since_begin = time_of_day as i64 - (begin + ahead * 1_000_000).rem_euclid(DAY);
        // The nearer way round midnight.
        let since_begin = (since_begin + DAY / 2).rem_euclid(DAY) - DAY / 2;
        let slack = patience(SLACK).as_micros() as i64;
        (-slack..=end - begin + slack).contains(&since_begin)
    }
}

fn unix_micros(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as i64
}

fn local_offset(unix_seconds: i64) -> i64 {
    // SAFETY: a tm of zeros is valid, and both pointers outlive the call.
    unsafe {
        let mut local: libc::tm = std::mem::zeroed();
        libc::localtime_r(&raw const unix_seconds, &raw mut local);
        local.tm_gmtoff
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn midnight_is_no_border() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let window = Window { begin: at(86_399), end: at(86_401) };
        let utc = |seconds: u64| window.contains(seconds * 1_000_000, Zone::Ahead(0));
        assert!(utc(86_399) && utc(0) && utc(1));
        assert!(!utc(86_398) && !utc(2) && !utc(43_200));
        assert!(window.contains(3_600_000_000, Zone::Ahead(3_600)));
        assert!(!window.contains(0, Zone::Ahead(3_600)));
    }
}
