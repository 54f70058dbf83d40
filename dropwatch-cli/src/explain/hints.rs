//! The meaning of a reason, in a line, the first time that it is shown: `--hints`.

use std::collections::HashSet;

use anyhow::Result;

use super::{Entries, summary};
use crate::kernel::reasons::Reasons;

/// Tells what reasons mean, each once.
#[derive(Debug, Default)]
pub struct Hints {
    entries: Entries,
    told: HashSet<u32>,
    told_tags: HashSet<&'static str>,
    /// The network namespace of who reads.
    home: Option<u32>,
}

impl Hints {
    /// Has told nothing yet.
    pub fn new(entries: Entries) -> Self {
        Self { entries, ..Self::default() }
    }

    /// Those that are wanted, if so.
    ///
    /// # Errors
    /// When the data is damaged.
    pub fn wanted(wanted: bool) -> Result<Option<Self>> {
        wanted.then(|| Entries::load().map(Self::new)).transpose()
    }

    /// For somebody who is in this network namespace (an inode number).
    pub fn seen_from(self, home: Option<u32>) -> Self {
        Self { home, ..self }
    }

    /// Whether commands have to be run in this other network namespace to see what the drop is
    /// about.
    pub fn is_elsewhere(&self, netns: u32) -> bool {
        self.home.is_some_and(|home| home != netns)
    }

    /// What a reason means, whenever it is asked for.
    pub fn meaning(&self, raw: u32, reasons: &Reasons) -> Option<&str> {
        summary(&self.entries, reasons, raw)
    }

    /// Whether this tag comes for the first time.
    pub fn is_first_of_tag(&mut self, tag: &'static str) -> bool {
        self.told_tags.insert(tag)
    }

    /// What a reason means, the first time that it is asked for and where it is known.
    pub fn first(&mut self, raw: u32, reasons: &Reasons) -> Option<&str> {
        if !self.told.insert(raw) {
            return None;
        }
        self.meaning(raw, reasons)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_told_once() {
        let reasons = Reasons::of_trace_event(&[(3, "NO_SOCKET".to_owned())]);
        let mut hints = Hints::new(Entries::load().expect("the data"));
        let first = hints.first(3, &reasons).expect("a known reason").to_owned();
        assert_eq!(hints.first(3, &reasons), None);
        assert_eq!(hints.meaning(3, &reasons), Some(first.as_str()));
        assert_eq!(hints.first(99, &reasons), None);
        assert!(hints.is_first_of_tag("unix-socket") && !hints.is_first_of_tag("unix-socket"));
        assert!(!hints.is_elsewhere(1), "it is not known where the reader is");
        let hints = hints.seen_from(Some(1));
        assert!(!hints.is_elsewhere(1) && hints.is_elsewhere(2));
    }
}
