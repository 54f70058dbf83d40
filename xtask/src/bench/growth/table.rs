//! How costs grow, as Markdown, and where they grow too fast.

use super::{
    point::{Costs, Mode},
    source::Dimension,
};
use crate::bench::{
    machine::Machine,
    markdown::{cell, grouped, write_rows},
};
use std::fmt;

/// So many times as much a drop may cost at one size as at the one before. What is looked up in
/// ten times as much memory misses the caches, which makes it two or three times as dear; what
/// searches or is full makes it ten times as dear, or worse.
const CLIFF: f64 = 4.0;
/// Below so many keys all is in the caches, and fixed costs are most of what is measured.
const SMALL: u64 = 100;

/// The medians of a size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// What differs.
    pub dimension: Dimension,
    /// How it was traced.
    pub mode: Mode,
    /// How many different keys there were.
    pub keys: u64,
    /// What it costs.
    pub costs: Costs,
}

/// What grows too fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cliff {
    before: Point,
    after: Point,
    what: &'static str,
    times: f64,
}

/// A quantity's name, and how much it is.
type Quantity = (&'static str, fn(&Costs) -> Option<f64>);

/// What must not have a cliff.
const QUANTITIES: [Quantity; 4] = [
    ("a drop in the kernel", |costs| costs.known_ns),
    ("a new key in the kernel", |costs| costs.new_ns),
    ("a drop in the tool", |costs| costs.user_us),
    ("a key in a reading", |costs| costs.reading_us),
];

/// Looks at neighbouring sizes: points of a series stand in the order of their sizes.
pub fn cliffs(points: &[Point]) -> Vec<Cliff> {
    let mut cliffs = Vec::new();
    for (index, &before) in points.iter().enumerate() {
        let is_next =
            |after: &&Point| (after.dimension, after.mode) == (before.dimension, before.mode);
        let Some(&after) = points[index + 1..].iter().find(is_next) else { continue };
        if before.keys < SMALL {
            continue;
        }
        for (what, value) in QUANTITIES {
            let Some((low, high)) = value(&before.costs).zip(value(&after.costs)) else { continue };
            if high > CLIFF * low {
                cliffs.push(Cliff { before, after, what, times: high / low });
            }
        }
    }
    cliffs
}

/// All that is reported.
#[derive(Debug)]
pub struct Report<'a> {
    /// What it was measured on, and how.
    pub machine: &'a Machine,
    /// What could not be measured.
    pub notes: &'a [String],
    /// What was measured.
    pub points: &'a [Point],
    /// Where it grows too fast.
    pub cliffs: &'a [Cliff],
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.machine.write_head(f, self.notes)?;
        for dimension in Dimension::ALL {
            let points = || self.points.iter().filter(|point| point.dimension == dimension);
            if points().next().is_some() {
                let [keys, rest @ ..] = HEADING;
                let [tool, new, known, user, reading, lost, memory] = rest;
                let keys = format!("{keys} {}", dimension.name());
                let heading = [keys.as_str(), tool, new, known, user, reading, lost, memory];
                write_rows(f, &heading, points().map(row))?;
            }
        }
        writeln!(f)?;
        for Cliff { before, after, what, times } in self.cliffs {
            writeln!(
                f,
                "**Cliff**: {what} costs {times:.1} times as much with {} {} as with {}: {}",
                grouped(after.keys as f64),
                after.dimension.name(),
                grouped(before.keys as f64),
                after.mode.name(after.dimension)
            )?;
        }
        if self.cliffs.is_empty() {
            writeln!(
                f,
                "No cliff: from {SMALL} keys on, nothing costs more than {CLIFF} times what it costs with \
                 the number before."
            )?;
        }
        write!(f, "\n{LEGEND}")
    }
}

const LEGEND: &str = "\
Each packet has another key than the one before. Kernel: time in the BPF programs for a drop, of a
key that comes for the first time, and of one that has come before. Own CPU: of dropwatch's
process, user and system, for a drop of a known key. A reading: the same, each time that `top`
reads the counts and prints its table, for each key.
";

const HEADING: [&str; 8] = [
    "different",
    "tool",
    "kernel, ns a new key",
    "kernel, ns a drop",
    "own CPU, µs a drop",
    "a reading, µs a key",
    "drops lost",
    "memory, MB",
];

fn row(point: &Point) -> [String; 8] {
    let costs = &point.costs;
    [
        grouped(point.keys as f64),
        point.mode.name(point.dimension),
        cell(costs.new_ns, grouped),
        cell(costs.known_ns, grouped),
        cell(costs.user_us, |us| format!("{us:.2}")),
        cell(costs.reading_us, |us| format!("{us:.2}")),
        cell(costs.lost, grouped),
        cell(costs.memory_mb, |mb| format!("{mb:.1}")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(mode: Mode, keys: u64, known_ns: f64) -> Point {
        let costs = Costs { known_ns: Some(known_ns), ..Costs::default() };
        Point { dimension: Dimension::Flows, mode, keys, costs }
    }

    #[test]
    fn a_cliff_is_between_neighbours() {
        let points = [
            point(Mode::Text, 10, 1.0),
            point(Mode::Top, 10, 1.0),
            // What is small does not count.
            point(Mode::Text, 100, 100.0),
            point(Mode::Top, 100, 100.0),
            point(Mode::Text, 1_000, 399.0),
            point(Mode::Top, 1_000, 401.0),
            // Nor what grows slowly, however far.
            point(Mode::Text, 10_000, 1_500.0),
        ];
        let cliffs = cliffs(&points);
        let [cliff] = cliffs[..] else { panic!("{cliffs:?}") };
        assert_eq!((cliff.before, cliff.after), (points[3], points[5]));
        assert_eq!(cliff.what, "a drop in the kernel");
    }

    #[test]
    fn the_report_is_markdown() {
        let machine = Machine {
            processor: "AMD EPYC".to_owned(),
            processors: 2,
            kernel: "6.18.44".to_owned(),
            load: "0.05".to_owned(),
            versions: vec!["dropwatch 0.1.0".to_owned()],
            method: "3 rounds".to_owned(),
        };
        let points = [point(Mode::Top, 1_000, 90.0), point(Mode::Top, 10_000, 900.0)];
        let cliffs = cliffs(&points);
        let report = Report { machine: &machine, notes: &[], points: &points, cliffs: &cliffs };
        let expected = "\
- machine: AMD EPYC, 2 processors, load 0.05; kernel 6.18.44
- dropwatch 0.1.0
- 3 rounds

| different flows | tool | kernel, ns a new key | kernel, ns a drop | own CPU, µs a drop | a reading, µs a key | drops lost | memory, MB |
| --- | --- | --- | --- | --- | --- | --- | --- |
| 1,000 | dropwatch top --by reason,flow | – | 90 | – | – | – | – |
| 10,000 | dropwatch top --by reason,flow | – | 900 | – | – | – | – |

**Cliff**: a drop in the kernel costs 10.0 times as much with 10,000 flows as with 1,000: dropwatch top --by reason,flow

";
        assert_eq!(report.to_string(), format!("{expected}{LEGEND}"));
    }
}
