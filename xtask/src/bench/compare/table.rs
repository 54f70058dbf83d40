//! The results, as Markdown.

use super::{
    limits::{Checked, Limit, Outcome, Quantity},
    summary::Summary,
};
use crate::bench::{
    machine::Machine,
    markdown::{cell, grouped, percent, ratio, write_rows},
};
use std::fmt;

/// All that is reported.
#[derive(Debug)]
pub struct Report<'a> {
    /// What it was measured on, and how.
    pub machine: &'a Machine,
    /// What could not be measured.
    pub notes: &'a [String],
    /// The tools.
    pub summaries: &'a [Summary],
    /// The comparisons.
    pub outcomes: &'a [Outcome],
    /// What has limits of its own.
    pub bounds: &'a [Checked],
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.machine.write_head(f, self.notes)?;
        write_rows(f, &SUMMARY_HEADING, self.summaries.iter().map(summary_row))?;
        write_rows(f, &OUTCOME_HEADING, self.outcomes.iter().map(outcome_row))?;
        write_rows(f, &BOUND_HEADING, self.bounds.iter().map(bound_row))?;
        write!(f, "\n{LEGEND}")
    }
}

const LEGEND: &str = "\
Kernel: time in the tool's BPF programs, as the kernel accounts it, for each run of them. An empty
program: one that returns at once, at the raw tracepoint kfree_skb. Sender keeps: of its speed
right before the tool's start and after its end, to a closed port, while the kernel times no
program. Own CPU: of the tool's process, user and system, in a round; a drop's without its start.
Lost: as the tool says, in a round; of perf, packets without a sample. Memory: VmHWM. Exec to
attached: until its program was attached; of perf, until it started its command.
";

const SUMMARY_HEADING: [&str; 9] = [
    "tool",
    "kernel, ns a drop",
    "sender keeps",
    "own CPU, s",
    "own CPU, µs a drop",
    "drops lost",
    "memory, MB",
    "exec to attached, ms",
    "CPU to start, ms",
];

const OUTCOME_HEADING: [&str; 5] = ["cost in the kernel", "of", "is", "limit", ""];

const BOUND_HEADING: [&str; 5] = ["tool", "", "is", "limit", ""];

fn summary_row(summary: &Summary) -> [String; 9] {
    let lost = summary.lost.zip(summary.lost_share);
    [
        summary.tool.to_owned(),
        cell(summary.kernel_ns, grouped),
        cell(summary.speed, percent),
        cell(summary.cpu_s, |seconds| format!("{seconds:.2}")),
        cell(summary.user_us, |us| format!("{us:.2}")),
        lost.map_or_else(
            || cell(None, grouped),
            |(lost, share)| match lost {
                0.0 => grouped(lost),
                lost => format!("{} ({})", grouped(lost), percent(share)),
            },
        ),
        cell(summary.memory_mb, |mb| format!("{mb:.1}")),
        cell(summary.attach_ms, grouped),
        cell(summary.start_ms, grouped),
    ]
}

fn outcome_row(outcome: &Outcome) -> [String; 5] {
    let comparison = outcome.comparison;
    let is = match (outcome.costs, comparison.limit) {
        (None, _) => "not measured".to_owned(),
        (Some((cost, other)), Some(Limit::Above(_))) => format!("{:+.0} ns", cost - other),
        (Some((cost, other)), _) => ratio(cost / other),
    };
    let limit = match comparison.limit {
        None => String::new(),
        Some(Limit::Below(share)) => format!("below {}", ratio(share)),
        Some(Limit::AtMost(share)) => format!("at most {}", ratio(share)),
        Some(Limit::Above(ns)) => format!("at most {ns:+.0} ns"),
    };
    let verdict = if comparison.limit.is_some() { verdict(outcome.holds()) } else { "" };
    let [tool, against] = [comparison.tool, comparison.against].map(str::to_owned);
    [tool, against, is, limit, verdict.to_owned()]
}

fn bound_row(checked: &Checked) -> [String; 5] {
    let bound = checked.bound;
    let (what, side) = match bound.quantity {
        Quantity::Speed => ("the sender keeps", "at least"),
        Quantity::Attaching => ("exec to attached", "at most"),
        Quantity::Memory => ("memory", "at most"),
    };
    let show = |value: f64| match bound.quantity {
        Quantity::Speed => percent(value),
        Quantity::Attaching => format!("{value:.0} ms"),
        Quantity::Memory => format!("{value:.1} MB"),
    };
    [
        bound.tool.to_owned(),
        what.to_owned(),
        checked.measured.map_or_else(|| "not measured".to_owned(), show),
        format!("{side} {}", show(bound.limit)),
        verdict(checked.measured.map(|_| checked.holds())).to_owned(),
    ]
}

/// Whether a limit holds.
fn verdict(holds: Option<bool>) -> &'static str {
    match holds {
        Some(true) => "holds",
        Some(false) => "**missed**",
        None => "**not checked**",
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::limits::{check, compare},
        *,
    };
    use crate::bench::tools::{COUNT, FILTERED, FLOOR, PERF, PRINTF, TEXT, UNTRACED};

    #[test]
    fn the_report_is_markdown() {
        let machine = Machine {
            processor: "AMD EPYC".to_owned(),
            processors: 2,
            kernel: "6.18.44".to_owned(),
            load: "0.05".to_owned(),
            versions: vec!["dropwatch 0.1.0".to_owned(), "perf version 6.1".to_owned()],
            method: "10 rounds".to_owned(),
        };
        let tool = |tool, ns| Summary { tool, kernel_ns: ns, ..Summary::default() };
        let text = Summary {
            tool: TEXT,
            kernel_ns: Some(406.6),
            speed: Some(0.912),
            cpu_s: Some(0.345),
            user_us: Some(0.9),
            lost: Some(12.0),
            lost_share: Some(0.000_1),
            memory_mb: Some(12.34),
            attach_ms: Some(70.0),
            start_ms: Some(1234.0),
        };
        let summaries = [
            Summary { speed: Some(1.0), ..tool(UNTRACED, None) },
            tool(FLOOR, Some(90.0)),
            text,
            tool(FILTERED, Some(170.0)),
            Summary {
                lost: Some(42_000.0),
                lost_share: Some(0.14),
                ..tool(PRINTF, Some(11_500.0))
            },
            Summary { lost: Some(0.0), lost_share: Some(0.0), ..tool(COUNT, Some(285.0)) },
            tool(PERF, None),
        ];
        let (outcomes, bounds) = (compare(&summaries), check(&summaries)[..4].to_vec());
        let notes = ["no nft flood: no nft".to_owned()];
        let report = Report {
            machine: &machine,
            notes: &notes,
            summaries: &summaries,
            outcomes: &outcomes,
            bounds: &bounds,
        };
        let expected = "\
- machine: AMD EPYC, 2 processors, load 0.05; kernel 6.18.44
- dropwatch 0.1.0; perf version 6.1
- 10 rounds
- left out: no nft flood: no nft

| tool | kernel, ns a drop | sender keeps | own CPU, s | own CPU, µs a drop | drops lost | memory, MB | exec to attached, ms | CPU to start, ms |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
| nothing attached | – | 100.0 % | – | – | – | – | – | – |
| an empty program | 90 | – | – | – | – | – | – | – |
| dropwatch | 407 | 91.2 % | 0.34 | 0.90 | 12 (< 0.1 %) | 12.3 | 70 | 1,234 |
| dropwatch --reason (no drop's) | 170 | – | – | – | – | – | – | – |
| bpftrace printf | 11,500 | – | – | – | 42,000 (14.0 %) | – | – | – |
| bpftrace count() | 285 | – | – | – | 0 | – | – | – |
| perf record | – | – | – | – | – | – | – | – |

| cost in the kernel | of | is | limit |  |
| --- | --- | --- | --- | --- |
| dropwatch | bpftrace printf | 1/28.3 | at most 1/25 | holds |
| dropwatch | bpftrace count() | 1.43× |  |  |
| dropwatch --verbose-packet | bpftrace printf | not measured | below 1/10 | **not checked** |
| dropwatch --json | bpftrace printf | not measured |  |  |
| dropwatch --stack | bpftrace print(kstack) | not measured | at most 1/2 | **not checked** |
| dropwatch --stack | bpftrace printf | not measured |  |  |
| dropwatch top --batch | bpftrace count() | not measured | at most 0.60× | **not checked** |
| dropwatch --summary | bpftrace count() | not measured |  |  |
| dropwatch --reason (no drop's) | an empty program | +80 ns | at most +60 ns | **missed** |
| dropwatch --reason (no drop's) | bpftrace count() | 0.60× |  |  |

| tool |  | is | limit |  |
| --- | --- | --- | --- | --- |
| dropwatch | the sender keeps | 91.2 % | at least 90.0 % | holds |
| dropwatch | exec to attached | 70 ms | at most 40 ms | **missed** |
| dropwatch | memory | 12.3 MB | at most 30.0 MB | holds |
| dropwatch --verbose-packet | memory | not measured | at most 30.0 MB | **not checked** |

";
        assert_eq!(report.to_string(), format!("{expected}{LEGEND}"));
    }
}
