//! What is compared with what, and how much dropwatch may cost: the one table of limits.

use super::{
    summary::Summary,
    tools::{COUNT, FILTERED, FLOOR, JSON, KSTACK, PRINTF, STACK, TEXT, VERBOSE},
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
pub const COMPARISONS: [Comparison; 8] = [
    Comparison { tool: TEXT, against: PRINTF, limit: Some(Limit::AtMost(1.0 / 25.0)) },
    Comparison { tool: TEXT, against: COUNT, limit: None },
    Comparison { tool: VERBOSE, against: PRINTF, limit: Some(Limit::Below(1.0 / 10.0)) },
    Comparison { tool: JSON, against: PRINTF, limit: None },
    Comparison { tool: STACK, against: KSTACK, limit: Some(Limit::AtMost(0.5)) },
    Comparison { tool: STACK, against: PRINTF, limit: None },
    Comparison { tool: FILTERED, against: FLOOR, limit: Some(Limit::Above(60.0)) },
    Comparison { tool: FILTERED, against: COUNT, limit: None },
];

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
}
