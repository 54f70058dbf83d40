//! What is compared with what, and how much dropwatch may cost: the tables of limits.

use super::summary::Summary;
use crate::bench::tools::{
    COUNT, FILTERED, FLOOR, JSON, KSTACK, PRINTF, STACK, SUMMARY, TEXT, TOP, VERBOSE,
};

/// A tool's cost in the kernel beside another's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// The tool.
    pub tool: &'static str,
    /// The other.
    pub against: &'static str,
    /// What must hold.
    pub limit: Option<Limit>,
}

/// How much a tool may cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// Less than this share of the other.
    Below(f64),
    /// At most this share of the other.
    AtMost(f64),
    /// At most so many nanoseconds more than the other.
    Above(f64),
}

/// The comparisons that matter.
pub const COMPARISONS: [Comparison; 10] = [
    Comparison { tool: TEXT, against: PRINTF, limit: Some(Limit::AtMost(1.0 / 25.0)) },
    Comparison { tool: TEXT, against: COUNT, limit: None },
    Comparison { tool: VERBOSE, against: PRINTF, limit: Some(Limit::Below(1.0 / 10.0)) },
    Comparison { tool: JSON, against: PRINTF, limit: None },
    Comparison { tool: STACK, against: KSTACK, limit: Some(Limit::AtMost(0.5)) },
    Comparison { tool: STACK, against: PRINTF, limit: None },
    Comparison { tool: TOP, against: COUNT, limit: Some(Limit::AtMost(0.6)) },
    Comparison { tool: SUMMARY, against: COUNT, limit: None },
    Comparison { tool: FILTERED, against: FLOOR, limit: Some(Limit::Above(60.0)) },
    Comparison { tool: FILTERED, against: COUNT, limit: None },
];

/// How much a tool may use, whatever others do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The tool.
    pub tool: &'static str,
    /// Of what.
    pub quantity: Quantity,
    /// What must hold.
    pub limit: f64,
}

/// What there is a limit for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// The share of its speed that the sender keeps: at least.
    Speed,
    /// Milliseconds from its start until it is attached: at most.
    Attaching,
    /// The most memory, in megabytes: at most.
    Memory,
}

impl Quantity {
    /// What was measured.
    pub fn of(self, summary: &Summary) -> Option<f64> {
        match self {
            Self::Speed => summary.speed,
            Self::Attaching => summary.attach_ms,
            Self::Memory => summary.memory_mb,
        }
    }
}

const STREAM_MB: f64 = 30.0;
const COUNTS_MB: f64 = 20.0;
const ATTACH_MS: f64 = 40.0;

const fn at(tool: &'static str, quantity: Quantity, limit: f64) -> Bound {
    Bound { tool, quantity, limit }
}

/// Those of each tool.
pub const BOUNDS: [Bound; 12] = [
    at(TEXT, Quantity::Speed, 0.9),
    at(TEXT, Quantity::Attaching, ATTACH_MS),
    at(TEXT, Quantity::Memory, STREAM_MB),
    at(VERBOSE, Quantity::Memory, STREAM_MB),
    at(JSON, Quantity::Attaching, ATTACH_MS),
    at(JSON, Quantity::Memory, STREAM_MB),
    at(STACK, Quantity::Attaching, ATTACH_MS),
    at(STACK, Quantity::Memory, STREAM_MB),
    at(TOP, Quantity::Attaching, ATTACH_MS),
    at(TOP, Quantity::Memory, COUNTS_MB),
    at(SUMMARY, Quantity::Attaching, ATTACH_MS),
    at(SUMMARY, Quantity::Memory, COUNTS_MB),
];

/// What was measured of what there is a limit for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checked {
    /// The limit.
    pub bound: Bound,
    /// None if it was not measured.
    pub measured: Option<f64>,
}

impl Checked {
    /// Whether the limit can be said to hold.
    pub fn holds(&self) -> bool {
        self.measured.is_some_and(|measured| match self.bound.quantity {
            Quantity::Speed => measured >= self.bound.limit,
            Quantity::Attaching | Quantity::Memory => measured <= self.bound.limit,
        })
    }
}

/// Holds what was measured against the limits.
pub fn check(summaries: &[Summary]) -> Vec<Checked> {
    let of = |tool| summaries.iter().find(|summary| summary.tool == tool);
    BOUNDS
        .iter()
        .map(|&bound| {
            let measured = of(bound.tool).and_then(|summary| bound.quantity.of(summary));
            Checked { bound, measured }
        })
        .collect()
}

/// What a comparison gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// What was compared.
    pub comparison: Comparison,
    /// The two costs in nanoseconds; none if one was not measured.
    pub costs: Option<(f64, f64)>,
}

impl Outcome {
    /// Whether the limit holds; none where there is no limit, or nothing was measured.
    pub fn holds(&self) -> Option<bool> {
        let (cost, other) = self.costs?;
        Some(match self.comparison.limit? {
            Limit::Below(share) => cost < share * other,
            Limit::AtMost(share) => cost <= share * other,
            Limit::Above(ns) => cost <= other + ns,
        })
    }

    /// Whether there is a limit that cannot be said to hold.
    pub fn fails(&self) -> bool {
        self.comparison.limit.is_some() && self.holds() != Some(true)
    }
}

/// Compares what was measured.
pub fn compare(summaries: &[Summary]) -> Vec<Outcome> {
    let cost = |tool| summaries.iter().find(|summary| summary.tool == tool)?.kernel_ns;
    COMPARISONS
        .iter()
        .map(|&comparison| Outcome {
            comparison,
            costs: cost(comparison.tool).zip(cost(comparison.against)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(limit: Option<Limit>, costs: Option<(f64, f64)>) -> Outcome {
        Outcome { comparison: Comparison { tool: TEXT, against: PRINTF, limit }, costs }
    }

    #[test]
    fn limits_hold_or_not() {
        for (limit, costs, holds) in [
            (Limit::Below(0.1), (99.0, 1000.0), true),
            (Limit::Below(0.1), (100.0, 1000.0), false),
            (Limit::AtMost(0.5), (500.0, 1000.0), true),
            (Limit::AtMost(0.5), (501.0, 1000.0), false),
            (Limit::Above(60.0), (150.0, 90.0), true),
            (Limit::Above(60.0), (151.0, 90.0), false),
        ] {
            let outcome = outcome(Some(limit), Some(costs));
            assert_eq!(outcome.holds(), Some(holds), "{outcome:?}");
            assert_eq!(outcome.fails(), !holds, "{outcome:?}");
        }
    }

    #[test]
    fn what_was_not_measured_does_not_pass() {
        let outcome_without = outcome(Some(Limit::AtMost(0.5)), None);
        assert_eq!(outcome_without.holds(), None);
        assert!(outcome_without.fails());
        assert!(!outcome(None, None).fails());
        assert!(!outcome(None, Some((9.0, 1.0))).fails());
    }

    #[test]
    fn costs_are_found_by_name() {
        let of = |tool, ns| Summary { tool, kernel_ns: Some(ns), ..Summary::default() };
        let outcomes = compare(&[of(TEXT, 400.0), of(PRINTF, 11_500.0)]);
        assert_eq!(outcomes.len(), COMPARISONS.len());
        assert_eq!(outcomes[0].costs, Some((400.0, 11_500.0)));
        assert_eq!(outcomes[0].holds(), Some(true));
        assert!(outcomes[1..].iter().all(|outcome| outcome.costs.is_none()));
    }

    #[test]
    fn bounds_are_kept_or_not() {
        let text = Summary {
            tool: TEXT,
            speed: Some(0.91),
            attach_ms: Some(40.5),
            memory_mb: Some(30.0),
            ..Summary::default()
        };
        let checked = check(&[text]);
        assert_eq!(checked.len(), BOUNDS.len());
        let kept: Vec<_> = checked.iter().map(Checked::holds).collect();
        assert_eq!(kept[..3], [true, false, true]);
        let slow = check(&[Summary { speed: Some(0.89), ..text }]);
        assert!(!slow[0].holds());
        // What was not measured is not kept.
        assert!(kept[3..].iter().all(|kept| !kept));
    }
}
