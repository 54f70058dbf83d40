//! How often something that takes time may be done.

use std::time::{Duration, Instant};

/// The clock, which tests set.
pub type Now = Box<dyn Fn() -> Instant>;

/// Between two times there is at least so much time,
const MIN_GAP: Duration = Duration::from_millis(50);
/// and so many times what the last one took.
const GAP_FACTOR: u32 = 10;

/// Keeps something below a tenth of the time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    not_before: Option<Instant>,
}

impl Pace {
    /// Whether it may be done now.
    pub fn permits(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|time| now >= time)
    }

    /// It was done from one time to the other.
    pub fn spent(&mut self, begin: Instant, end: Instant) {
        let gap = (end.saturating_duration_since(begin) * GAP_FACTOR).max(MIN_GAP);
        self.not_before = Some(end + gap);
    }
}

/// A clock for tests, which stands still until it is set forward.
#[cfg(test)]
#[derive(Clone)]
pub(crate) struct TestClock(std::rc::Rc<std::cell::Cell<Instant>>);

#[cfg(test)]
impl TestClock {
    /// It is now.
    pub fn new() -> Self {
        Self(std::rc::Rc::new(std::cell::Cell::new(Instant::now())))
    }

    /// Sets it forward.
    pub fn pass(&self, millis: u64) {
        self.0.set(self.0.get() + Duration::from_millis(millis));
    }

    /// What reads it.
    pub fn now(&self) -> Now {
        let time = std::rc::Rc::clone(&self.0);
        Box::new(move || time.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_work_is_done_rarely() {
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let mut pace = Pace::default();
        assert!(pace.permits(begin));
        pace.spent(begin, at(1));
        assert!(!pace.permits(at(50)));
        assert!(pace.permits(at(51)));
        pace.spent(at(100), at(200));
        assert!(!pace.permits(at(1199)));
        assert!(pace.permits(at(1200)));
    }
}
