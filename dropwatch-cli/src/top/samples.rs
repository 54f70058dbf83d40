//! Drops that are kept to be shown as samples.

use std::collections::HashMap;

use crate::{counts::key::Key, drop::Drop};

/// So many are kept.
pub const MAX_SAMPLES: usize = 1024;

/// The last drop of each key, of the keys of which one came last.
#[derive(Debug, Default)]
pub struct Samples {
    drops: HashMap<Key, (u64, Drop)>,
    next: u64,
}

impl Samples {
    /// Keeps a drop.
    pub fn add(&mut self, key: Key, drop: Drop) {
        if self.drops.len() >= MAX_SAMPLES && !self.drops.contains_key(&key) {
            let oldest = self.drops.iter().min_by_key(|(_, (age, _))| *age).map(|(key, _)| *key);
            oldest.and_then(|key| self.drops.remove(&key));
        }
        self.drops.insert(key, (self.next, drop));
        self.next += 1;
    }

    /// The last one with such a key.
    pub fn last(&self, is_wanted: impl Fn(&Key) -> bool) -> Option<&Drop> {
        let samples = self.drops.iter().filter(|(key, _)| is_wanted(key));
        samples.max_by_key(|(_, (age, _))| *age).map(|(_, (_, drop))| drop)
    }
}
