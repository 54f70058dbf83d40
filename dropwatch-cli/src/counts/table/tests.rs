use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use dropwatch_common::counters::Counters;

use super::*;
use crate::{
    counts::key::{Flow, Interface},
    drop::Name,
    random,
};

fn snapshot(at: Instant, rows: &[(Key, u64)], other: u64) -> Snapshot {
    Snapshot { at, rows: rows.to_vec(), other, counters: Counters::default() }
}

fn key(reason: u32, location: u64) -> Key {
    Key { reason: Some(reason), location: Some(location), ..Key::default() }
}

fn named(key: Key, index: u32, name: Option<&[u8; 4]>) -> Key {
    let name = name.map(|name| {
        let mut field = [0; 16];
        field[..4].copy_from_slice(name);
        Name::of_field(field)
    });
    Key { interface: Some(Interface { index, name }), netns: Some(1), ..key }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn rates_and_history_come_from_differences() {
    let start = Instant::now();
    let mut table = Table::new(vec![By::Reason], 3);
    let group = Key { reason: Some(2), ..Key::default() };
    table.feed(&snapshot(start, &[(key(2, 1), 100)], 0));
    assert_eq!(
        table.rows(Sort::Total, true),
        [Row { key: group, total: 100, rate: 0.0, share: 1.0 }],
        "there is nothing to compare with"
    );
    table.feed(&snapshot(start + 2 * SECOND, &[(key(2, 1), 110), (key(2, 9), 20)], 10));
    let row = Row { key: group, total: 130, rate: 15.0, share: 130.0 / 140.0 };
    assert_eq!(table.rows(Sort::Total, true), [row]);
    assert_eq!(table.other(), Row { total: 10, rate: 5.0, share: 10.0 / 140.0, ..Row::nothing() });
    assert_eq!(table.sum(), Row { total: 140, rate: 20.0, share: 1.0, ..Row::nothing() });
    for second in 3..6 {
        let rows = [(key(2, 1), 110 + u64::from(second)), (key(2, 9), 20)];
        table.feed(&snapshot(start + second * SECOND, &rows, 10));
    }
    assert_eq!(table.history(&[group]), [[3, 1, 1]], "older intervals are forgotten");
    assert_eq!(table.history(&[key(9, 9)]), [[0, 0, 0]], "of no group");
}

impl Row {
    fn nothing() -> Self {
        Self { key: Key::default(), total: 0, rate: 0.0, share: 0.0 }
    }
}

#[test]
fn an_empty_table_has_no_rows_and_sums_of_nothing() {
    let mut table = Table::new(vec![By::Reason], 3);
    for _ in 0..2 {
        assert_eq!(table.rows(Sort::Rate, true), []);
        assert_eq!(table.sum(), Row::nothing());
        table.feed(&snapshot(Instant::now(), &[], 0));
    }
}

#[test]
fn rows_are_sorted_and_equal_ones_stay_where_they_are() {
    let start = Instant::now();
    let mut table = Table::new(vec![By::Reason, By::Location], 0);
    let rows = [(key(1, 7), 5), (key(2, 5), 50), (key(3, 6), 5)];
    table.feed(&snapshot(start, &rows, 0));
    let rows = [(key(3, 6), 8), (key(2, 5), 50), (key(1, 7), 8)];
    table.feed(&snapshot(start + SECOND, &rows, 0));
    let reasons = |sort, descending| -> Vec<u32> {
        table.rows(sort, descending).iter().filter_map(|row| row.key.reason).collect()
    };
    assert_eq!(reasons(Sort::Total, true), [2, 1, 3]);
    assert_eq!(reasons(Sort::Total, false), [1, 3, 2]);
    assert_eq!(reasons(Sort::Rate, true), [1, 3, 2]);
    assert_eq!(reasons(Sort::Key(By::Reason), true), [3, 2, 1]);
    assert_eq!(reasons(Sort::Key(By::Location), false), [2, 3, 1]);
    assert_eq!(reasons(Sort::Key(By::Netns), false), [2, 1, 3], "all equal: the most first");
}

#[test]
fn what_a_snapshot_misses_is_neither_lost_nor_counted_twice() {
    let start = Instant::now();
    let mut table = Table::new(vec![By::Reason], 9);
    for (second, total) in [(0, Some(10)), (1, Some(12)), (2, None), (3, Some(11)), (4, Some(15))] {
        let rows: Vec<_> = total.map(|total| (key(2, 1), total)).into_iter().collect();
        table.feed(&snapshot(start + second * SECOND, &rows, u64::from(total.is_some())));
        let expected = [10, 12, 12, 12, 15][second as usize];
        assert_eq!(table.sum().total, expected + 1);
    }
    assert_eq!(table.history_of_sum(), [2, 0, 0, 3]);
}

#[test]
fn a_name_that_becomes_known_takes_its_counts_along() {
    let start = Instant::now();
    let mut table = Table::new(vec![By::Interface], 9);
    let (before, after) = (named(key(2, 1), 5, None), named(key(2, 1), 5, Some(b"eth0")));
    table.feed(&snapshot(start, &[(before, 10)], 0));
    table.feed(&snapshot(start + SECOND, &[(before, 13)], 0));
    table.feed(&snapshot(start + 2 * SECOND, &[(after, 14)], 0));
    let rows = table.rows(Sort::Total, true);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!((rows[0].total, rows[0].rate), (14, 1.0));
    assert_eq!(
        rows[0].key.interface.and_then(|it| it.name),
        after.interface.and_then(|it| it.name)
    );
    assert_eq!(table.history(&[rows[0].key]), [[3, 1]]);
    assert_eq!(table.keys_of(&rows[0].key).collect::<Vec<_>>(), [(&after, 14)]);
    assert_eq!(table.group_of(&before), Some(&rows[0].key));
}

#[test]
fn no_number_of_drops_is_too_large() {
    let start = Instant::now();
    let mut table = Table::new(vec![By::Reason], 9);
    table.feed(&snapshot(start, &[], 0));
    table.feed(&snapshot(start, &[(key(1, 1), 1 << 62)], 1 << 62));
    assert_eq!((table.sum().total, table.sum().rate), (1 << 63, 0.0), "no time has passed");
    assert_eq!(
        table.history(&[Key { reason: Some(1), ..Key::default() }]),
        [[u64::from(u32::MAX)]]
    );
}

/// Keys and numbers that look random.
struct Random<F>(F);

impl<F: FnMut() -> u64> Random<F> {
    fn next(&mut self, below: u64) -> u64 {
        (self.0)() % below
    }

    fn key(&mut self) -> Key {
        let name = match self.next(3) {
            0 => None,
            1 => Some(b"eth0"),
            _ => Some(b"eth1"),
        };
        let address = |byte: u64| IpAddr::from([192, 0, 2, byte as u8]);
        let flow = Flow {
            source: address(self.next(3)),
            destination: address(self.next(3)),
            ports: (self.next(2) == 0).then_some((1, 2)),
            l4: Some(17),
        };
        Key {
            reason: (self.next(5) > 0).then_some(self.next(4) as u32),
            location: Some(self.next(3)),
            protocol: (self.next(5) > 0).then_some(self.next(2) as u16),
            flow: (self.next(2) > 0).then_some(flow),
            ..named(Key::default(), self.next(2) as u32, name)
        }
    }

    fn by(&mut self) -> Vec<By> {
        By::ALL.into_iter().filter(|_| self.next(2) == 0).collect()
    }
}

/// Totals by group and their sum, as one would count by hand.
fn count(totals: &HashMap<Key, u64>, by: &[By]) -> HashMap<Key, u64> {
    let mut groups = HashMap::new();
    for (key, total) in totals {
        *groups.entry(key.project(by)).or_default() += total;
    }
    groups
}

#[test]
fn nothing_gets_lost_under_any_grouping() {
    let mut random = Random(random::numbers());
    for _ in 0..200 {
        let start = Instant::now();
        let mut table = Table::new(random.by(), 50);
        // A device keeps its name here, so that the groups can be counted by hand.
        let mut known: HashMap<Key, Key> = HashMap::new();
        let mut totals: HashMap<Key, u64> = HashMap::new();
        let (mut other, mut last) = (0, HashMap::new());
        table.feed(&snapshot(start, &[], 0));
        for second in 1..=random.next(8) as u32 {
            last.clear();
            for _ in 0..random.next(40) {
                let key = random.key();
                let key = *known.entry(key.identity()).or_insert(key);
                let drops = random.next(1000);
                *totals.entry(key).or_default() += drops;
                *last.entry(key).or_default() += drops;
            }
            let new_other = random.next(10);
            other += new_other;
            let rows: Vec<_> = totals.iter().map(|(key, total)| (*key, *total)).collect();
            table.feed(&snapshot(start + second * SECOND, &rows, other));
            if random.next(2) == 0 {
                table.set_by(random.by());
            }

            let by = table.by().to_vec();
            let sort = [Sort::Total, Sort::Rate, Sort::Key(By::Flow)][random.next(3) as usize];
            let rows = table.rows(sort, random.next(2) == 0);
            let mut expected = count(&totals, &by);
            expected.retain(|_, total| *total > 0);
            let found: HashMap<_, _> = rows.iter().map(|row| (row.key, row.total)).collect();
            assert_eq!(found, expected, "{by:?}");
            assert_eq!(found.len(), rows.len(), "each group stands there once");

            let sum = table.sum();
            assert_eq!(sum.total, totals.values().sum::<u64>() + other);
            assert_eq!(rows.iter().map(|row| row.total).sum::<u64>() + other, sum.total);
            let shares = rows.iter().map(|row| row.share).sum::<f64>() + table.other().share;
            assert!((shares - 1.0).abs() < 1e-9 || sum.total == 0, "{shares}");
            let rates = count(&last, &by);
            let keys: Vec<_> = rows.iter().map(|row| row.key).collect();
            let histories = table.history(&keys);
            for (row, history) in rows.iter().zip(&histories) {
                assert_eq!(row.rate, rates.get(&row.key).copied().unwrap_or(0) as f64);
                assert_eq!(history.len(), second as usize);
                assert_eq!(history.iter().sum::<u64>(), row.total);
                let keys = table.keys_of(&row.key);
                assert_eq!(keys.map(|(_, total)| total).sum::<u64>(), row.total);
            }
            let of_all: u64 = table.history_of_sum().iter().sum();
            assert_eq!(of_all, sum.total);
            assert_eq!(table.history_of_other().last(), Some(&new_other));
        }
    }
}
