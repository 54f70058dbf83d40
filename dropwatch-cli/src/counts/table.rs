//! Counts as a table: grouped, sorted, with rates and shares and what happened lately.

use std::{
    cmp::Ordering,
    collections::{HashMap, VecDeque},
    time::Instant,
};

use super::{
    Snapshot,
    key::{By, Key},
};

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Drops since the start.
    Total,
    /// Drops per second, of late.
    Rate,
    /// A part of the key, by its number.
    Key(By),
}

/// A row: drops that are counted together.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What they have in common.
    pub key: Key,
    /// Drops since the start; it never decreases.
    pub total: u64,
    /// Drops per second between the last two snapshots.
    pub rate: f64,
    /// The part of all drops, from 0 to 1.
    pub share: f64,
}

/// Counts that are fed with snapshots.
#[derive(Clone, Debug)]
pub struct Table {
    by: Vec<By>,
    entries: Vec<Entry>,
    /// Where each key's entry is.
    index: HashMap<Key, u32>,
    groups: Vec<Key>,
    group_index: HashMap<Key, u32>,
    other: Count,
    /// The last intervals, oldest first, at most so many.
    intervals: VecDeque<Interval>,
    history_len: usize,
    /// When the last snapshot was taken, and how many seconds after the one before.
    at: Option<Instant>,
    seconds: f64,
}

/// What was counted for one key of the snapshots.
#[derive(Clone, Debug)]
struct Entry {
    key: Key,
    group: u32,
    count: Count,
    /// What the snapshot says that is being read.
    fresh: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    total: u64,
    /// Of these, those of the last interval.
    new: u64,
}

/// What happened between two snapshots: only what changed takes memory.
#[derive(Clone, Debug, Default)]
struct Interval {
    /// Index of the entry, and drops.
    changes: Vec<(u32, u32)>,
    other: u64,
}

impl Count {
    /// A snapshot may miss what is just being moved in the kernel: the next one has it.
    fn update(&mut self, total: u64) {
        self.new = total.saturating_sub(self.total);
        self.total += self.new;
    }

    fn add(&mut self, count: Self) {
        self.total += count.total;
        self.new += count.new;
    }
}

impl Table {
    /// An empty table that is grouped by these parts and remembers so many intervals.
    pub fn new(by: Vec<By>, history_len: usize) -> Self {
        Self {
            by,
            entries: Vec::new(),
            index: HashMap::new(),
            groups: Vec::new(),
            group_index: HashMap::new(),
            other: Count::default(),
            intervals: VecDeque::new(),
            history_len,
            at: None,
            seconds: 0.0,
        }
    }

    /// Takes over a snapshot. Rates and history come from the difference to the one before, so
    /// there are none after the first.
    pub fn feed(&mut self, snapshot: &Snapshot) {
        for (key, total) in &snapshot.rows {
            let entry = self.entry(key);
            self.entries[entry].fresh += total;
        }
        let mut interval = Interval::default();
        for (index, entry) in self.entries.iter_mut().enumerate() {
            entry.count.update(entry.fresh);
            entry.fresh = 0;
            if entry.count.new > 0 {
                // More than that in one interval is out of any scale.
                let new = u32::try_from(entry.count.new).unwrap_or(u32::MAX);
                interval.changes.push((index as u32, new));
            }
        }
        self.other.update(snapshot.other);
        interval.other = self.other.new;

        let before = self.at.replace(snapshot.at);
        self.seconds =
            before.map_or(0.0, |at| snapshot.at.saturating_duration_since(at).as_secs_f64());
        if before.is_some() && self.history_len > 0 {
            if self.intervals.len() == self.history_len {
                self.intervals.pop_front();
            }
            interval.changes.shrink_to_fit();
            self.intervals.push_back(interval);
        }
    }

    /// The index of a key's entry, which is made where there is none.
    fn entry(&mut self, key: &Key) -> usize {
        let identity = key.identity();
        if let Some(&index) = self.index.get(&identity) {
            let index = index as usize;
            let learns_name = |known: &Key| known.interface.is_some_and(|it| it.name.is_none());
            if self.entries[index].key != *key && learns_name(&self.entries[index].key) {
                self.entries[index].key = *key;
                self.entries[index].group = self.group(key);
            }
            return index;
        }
        let index = self.entries.len();
        let group = self.group(key);
        self.entries.push(Entry { key: *key, group, count: Count::default(), fresh: 0 });
        self.index.insert(identity, index as u32);
        index
    }

    fn group(&mut self, key: &Key) -> u32 {
        let group = key.project(&self.by);
        *self.group_index.entry(group).or_insert_with(|| {
            self.groups.push(group);
            (self.groups.len() - 1) as u32
        })
    }

    /// The parts that it is grouped by.
    pub fn by(&self) -> &[By] {
        &self.by
    }

    /// Groups by other parts.
    pub fn set_by(&mut self, by: Vec<By>) {
        self.by = by;
        self.groups.clear();
        self.group_index.clear();
        for index in 0..self.entries.len() {
            let key = self.entries[index].key;
            self.entries[index].group = self.group(&key);
        }
    }

    /// The groups that have drops, without [`Table::other`]. What is equal stands in an order
    /// that does not change from one time to the next.
    pub fn rows(&self, sort: Sort, descending: bool) -> Vec<Row> {
        let mut counts = vec![Count::default(); self.groups.len()];
        for entry in &self.entries {
            counts[entry.group as usize].add(entry.count);
        }
        let all = self.all().total;
        let mut rows: Vec<Row> = self
            .groups
            .iter()
            .zip(counts)
            .filter(|(_, count)| count.total > 0)
            .map(|(key, count)| self.row(*key, count, all))
            .collect();
        rows.sort_unstable_by(|left, right| {
            let order = sort.compare(left, right);
            let order = if descending { order.reverse() } else { order };
            order.then(right.total.cmp(&left.total)).then(left.key.cmp(&right.key))
        });
        rows
    }

    /// How many groups have drops.
    pub fn rows_len(&self) -> usize {
        let mut has_drops = vec![false; self.groups.len()];
        for entry in self.entries.iter().filter(|entry| entry.count.total > 0) {
            has_drops[entry.group as usize] = true;
        }
        has_drops.into_iter().filter(|has| *has).count()
    }

    /// All drops together.
    pub fn sum(&self) -> Row {
        let all = self.all();
        self.row(Key::default(), all, all.total)
    }

    /// The drops for whose key there was no room.
    pub fn other(&self) -> Row {
        self.row(Key::default(), self.other, self.all().total)
    }

    fn all(&self) -> Count {
        let mut all = self.other;
        self.entries.iter().for_each(|entry| all.add(entry.count));
        all
    }

    fn row(&self, key: Key, count: Count, all: u64) -> Row {
        let rate = if self.seconds > 0.0 { count.new as f64 / self.seconds } else { 0.0 };
        let share = if all > 0 { count.total as f64 / all as f64 } else { 0.0 };
        Row { key, total: count.total, rate, share }
    }

    /// Drops in each of the last intervals, oldest first, for each of these groups.
    pub fn history(&self, keys: &[Key]) -> Vec<Vec<u64>> {
        let mut histories = vec![vec![0; self.intervals.len()]; keys.len()];
        let mut wanted = vec![None; self.groups.len()];
        for (place, key) in keys.iter().enumerate() {
            if let Some(&group) = self.group_index.get(key) {
                wanted[group as usize] = Some(place);
            }
        }
        for (age, interval) in self.intervals.iter().enumerate() {
            for &(entry, drops) in &interval.changes {
                let group = self.entries[entry as usize].group;
                if let Some(place) = wanted[group as usize] {
                    histories[place][age] += u64::from(drops);
                }
            }
        }
        histories
    }

    /// The same for [`Table::sum`].
    pub fn history_of_sum(&self) -> Vec<u64> {
        let sum = |interval: &Interval| {
            interval.changes.iter().map(|(_, drops)| u64::from(*drops)).sum::<u64>()
                + interval.other
        };
        self.intervals.iter().map(sum).collect()
    }

    /// The same for [`Table::other`].
    pub fn history_of_other(&self) -> Vec<u64> {
        self.intervals.iter().map(|interval| interval.other).collect()
    }

    /// The keys of the snapshots that are counted in a group.
    pub fn keys_of(&self, group: &Key) -> impl Iterator<Item = (&Key, u64)> {
        let group = self.group_index.get(group).copied();
        let entries = self.entries.iter().filter(move |entry| Some(entry.group) == group);
        entries.map(|entry| (&entry.key, entry.count.total))
    }
}

impl Sort {
    /// The order from the least to the greatest. What is not known comes first.
    fn compare(self, left: &Row, right: &Row) -> Ordering {
        let (a, b) = (&left.key, &right.key);
        match self {
            Self::Total => left.total.cmp(&right.total),
            Self::Rate => left.rate.total_cmp(&right.rate),
            Self::Key(By::Reason) => a.reason.cmp(&b.reason),
            Self::Key(By::Location) => a.location.cmp(&b.location),
            Self::Key(By::Protocol) => a.protocol.cmp(&b.protocol),
            Self::Key(By::Interface) => a.interface.cmp(&b.interface),
            Self::Key(By::Netns) => a.netns.cmp(&b.netns),
            Self::Key(By::Flow) => a.flow.cmp(&b.flow),
        }
    }
}

#[cfg(test)]
mod tests;
