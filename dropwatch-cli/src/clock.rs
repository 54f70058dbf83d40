//! From the kernel's clock to wall-clock time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::{Timestamp, tz::TimeZone};

const NANOS: i64 = 1_000_000_000;

/// Converts `CLOCK_BOOTTIME`, in which drops are stamped, to local time of day.
#[derive(Debug)]
pub struct Clock {
    /// Nanoseconds from boot time to Unix time.
    offset: i64,
    zone: TimeZone,
    /// The Unix second last formatted, and how it reads: most drops share theirs.
    second: Option<(i64, [u8; 8])>,
    /// Likewise the Unix second in UTC, with its date.
    utc_second: Option<(i64, Box<str>)>,
}

impl Clock {
    /// A clock in the system's time zone.
    pub fn system() -> Self {
        Self { offset: boot_to_unix(), zone: TimeZone::system(), second: None, utc_second: None }
    }

    /// A clock in the system's time zone for stamps that are Unix time already, as in recordings.
    pub fn of_unix_time() -> Self {
        Self { offset: 0, ..Self::system() }
    }

    /// A clock in UTC whose boot time began at this Unix time in nanoseconds.
    pub fn fixed(offset: i64) -> Self {
        Self { offset, zone: TimeZone::UTC, second: None, utc_second: None }
    }

    /// Follows the wall clock where it was set meanwhile.
    pub fn adjust(&mut self) {
        self.offset = boot_to_unix();
    }

    /// Unix time in nanoseconds; 0 for what is before 1970.
    pub fn unix_ns(&self, boot_ns: u64) -> u64 {
        (boot_ns as i64).wrapping_add(self.offset).try_into().unwrap_or(0)
    }

    /// Appends the time of day with microseconds, 15 bytes: `14:03:12.123456`.
    pub fn write_time_of_day(&mut self, boot_ns: u64, out: &mut Vec<u8>) {
        let unix = (boot_ns as i64).wrapping_add(self.offset);
        let (second, nanos) = (unix.div_euclid(NANOS), unix.rem_euclid(NANOS));
        let text = match self.second {
            Some((cached, text)) if cached == second => text,
            _ => {
                let text = self.time_of_day(second);
                self.second = Some((second, text));
                text
            }
        };
        out.extend(text);
        out.push(b'.');
        write_digits::<6>(nanos / 1_000, out);
    }

    /// Appends the local time of day that it is now.
    pub fn write_now(&mut self, out: &mut Vec<u8>) {
        let now = boot_now().as_nanos() as u64;
        self.write_time_of_day(now, out);
        // Tables take a moment to be made, so less than a millisecond says nothing.
        out.truncate(out.len() - 3);
    }

    /// Appends date and time in UTC with nanoseconds, 30 bytes: `2026-11-23T14:03:12.123456789Z`.
    pub fn write_rfc3339(&mut self, boot_ns: u64, out: &mut Vec<u8>) {
        let unix = (boot_ns as i64).wrapping_add(self.offset);
        let (second, nanos) = (unix.div_euclid(NANOS), unix.rem_euclid(NANOS));
        if self.utc_second.as_ref().is_none_or(|(cached, _)| *cached != second) {
            let time = Timestamp::from_second(second).unwrap_or_default().to_string();
            self.utc_second = Some((second, time.trim_end_matches('Z').into()));
        }
        out.extend(self.utc_second.iter().flat_map(|(_, text)| text.bytes()));
        out.push(b'.');
        write_digits::<9>(nanos, out);
        out.push(b'Z');
    }

    fn time_of_day(&self, second: i64) -> [u8; 8] {
        let local = Timestamp::from_second(second).unwrap_or_default().to_zoned(self.zone.clone());
        let pair = |number: i8| [b'0' + number as u8 / 10, b'0' + number as u8 % 10];
        let ([h1, h2], [m1, m2], [s1, s2]) =
            (pair(local.hour()), pair(local.minute()), pair(local.second()));
        [h1, h2, b':', m1, m2, b':', s1, s2]
    }
}

/// So many digits, the first of them zeros where the number is small.
fn write_digits<const N: usize>(mut number: i64, out: &mut Vec<u8>) {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    out.extend(digits);
}

fn boot_to_unix() -> i64 {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    unix.as_nanos() as i64 - boot_now().as_nanos() as i64
}

fn boot_now() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the struct is valid and outlives the call, which cannot fail for this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(clock: &mut Clock, boot_ns: u64) -> String {
        let mut out = Vec::new();
        clock.write_time_of_day(boot_ns, &mut out);
        String::from_utf8(out).expect("digits")
    }

    #[test]
    fn time_of_day_has_microseconds() {
        // 2026-11-23T15:04:05Z
        let mut clock = Clock::fixed(1_795_446_245 * NANOS);
        assert_eq!(text(&mut clock, 0), "15:04:05.000000");
        assert_eq!(text(&mut clock, 1_999), "15:04:05.000001");
        assert_eq!(text(&mut clock, 999_999_999), "15:04:05.999999");
        assert_eq!(text(&mut clock, 1_000_000_000), "15:04:06.000000");
        assert_eq!(text(&mut clock, 0), "15:04:05.000000");
    }

    #[test]
    fn timestamps_have_nanoseconds() {
        let mut clock = Clock::fixed(1_795_446_245 * NANOS);
        let mut out = Vec::new();
        clock.write_rfc3339(120_000_000, &mut out);
        assert_eq!(out, b"2026-11-23T15:04:05.120000000Z");
    }

    #[test]
    fn any_stamp_has_a_time() {
        let mut clock = Clock::fixed(0);
        for stamp in [0, 1, u64::MAX, u64::MAX / 2, 1 << 63] {
            assert_eq!(text(&mut clock, stamp).len(), 15);
        }
    }

    #[test]
    fn now_is_now() {
        let mut clock = Clock::system();
        clock.adjust();
        let unix = clock.offset + boot_now().as_nanos() as i64;
        let now =
            SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as i64;
        assert!((now - unix).abs() < NANOS / 10);
    }
}
