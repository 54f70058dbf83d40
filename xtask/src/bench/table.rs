//! The results, as Markdown.

use super::{
    limits::{Limit, Outcome},
    machine::Machine,
    summary::Summary,
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
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        for note in self.notes {
            writeln!(f, "- left out: {note}")?;
        }
        write_rows(f, &SUMMARY_HEADING, self.summaries.iter().map(summary_row))?;
        write_rows(f, &OUTCOME_HEADING, self.outcomes.iter().map(outcome_row))?;
        write!(f, "\n{LEGEND}")
    }
}

const LEGEND: &str = "\
Kernel: time in the tool's BPF programs, as the kernel accounts it, for each run of them. An empty
program: one that returns at once, at the raw tracepoint kfree_skb. Sending takes: as long as with
nothing attached, in the same round. Own CPU: of the tool's process, user and system, after its
start. Lost: as the tool says; of perf, packets without a sample. Memory: VmHWM. Attached after:
until its program had run for a drop; of perf, until it started its command.
";

const SUMMARY_HEADING: [&str; 8] = [
    "tool",
    "kernel, ns a drop",
    "sending takes",
    "own CPU, µs a drop",
    "lost",
    "memory, MiB",
    "attached after, ms",
    "CPU to start, ms",
];

const OUTCOME_HEADING: [&str; 5] = ["cost in the kernel", "of", "is", "limit", ""];

fn write_rows<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    heading: &[&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> fmt::Result {
    writeln!(f, "\n| {} |", heading.join(" | "))?;
    writeln!(f, "|{}", " --- |".repeat(N))?;
    for row in rows {
        writeln!(f, "| {} |", row.join(" | "))?;
    }
    Ok(())
}

fn summary_row(summary: &Summary) -> [String; 8] {
    let cell = |value: Option<f64>, show: &dyn Fn(f64) -> String| {
        value.map_or_else(|| "–".to_owned(), show)
    };
    [
        summary.tool.to_owned(),
        cell(summary.kernel_ns, &|ns| grouped(ns)),
        cell(summary.slowdown, &|times| format!("{times:.2}×")),
        cell(summary.user_us, &|us| format!("{us:.2}")),
        cell(summary.lost, &|share| percent(share)),
        cell(summary.memory_mib, &|mib| format!("{mib:.1}")),
        cell(summary.attach_ms, &|ms| grouped(ms)),
        cell(summary.start_ms, &|ms| grouped(ms)),
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
    let verdict = match (comparison.limit, outcome.holds()) {
        (None, _) => "",
        (Some(_), Some(true)) => "holds",
        (Some(_), Some(false)) => "**missed**",
        (Some(_), None) => "**not checked**",
    };
    let [tool, against] = [comparison.tool, comparison.against].map(str::to_owned);
    [tool, against, is, limit, verdict.to_owned()]
}

/// A small share as one of so many, a larger one as a number.
fn ratio(share: f64) -> String {
    if share <= 0.5 { format!("1/{}", decimal(1.0 / share)) } else { format!("{share:.2}×") }
}

/// With one digit behind the point, unless that is none.
fn decimal(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0".to_owned(),
        percent if percent < 0.1 => "< 0.1 %".to_owned(),
        percent => format!("{percent:.1} %"),
    }
}

/// A whole number with commas.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            limits::compare,
            tools::{COUNT, FILTERED, FLOOR, PERF, PRINTF, TEXT, UNTRACED},
        },
        *,
    };

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
            slowdown: Some(1.234),
            user_us: Some(0.9),
            lost: Some(0.000_1),
            memory_mib: Some(12.34),
            attach_ms: Some(70.0),
            start_ms: Some(1234.0),
        };
        let summaries = [
            Summary { slowdown: Some(1.0), ..tool(UNTRACED, None) },
            tool(FLOOR, Some(90.0)),
            text,
            tool(FILTERED, Some(170.0)),
            Summary { lost: Some(0.14), ..tool(PRINTF, Some(11_500.0)) },
            Summary { lost: Some(0.0), ..tool(COUNT, Some(285.0)) },
            tool(PERF, None),
        ];
        let outcomes = compare(&summaries);
        let notes = ["no nft flood: no nft".to_owned()];
        let report =
            Report { machine: &machine, notes: &notes, summaries: &summaries, outcomes: &outcomes };
        let expected = "\
- machine: AMD EPYC, 2 processors, load 0.05; kernel 6.18.44
- dropwatch 0.1.0; perf version 6.1
- 10 rounds
- left out: no nft flood: no nft

| tool | kernel, ns a drop | sending takes | own CPU, µs a drop | lost | memory, MiB | attached after, ms | CPU to start, ms |
| --- | --- | --- | --- | --- | --- | --- | --- |
| nothing attached | – | 1.00× | – | – | – | – | – |
| an empty program | 90 | – | – | – | – | – | – |
| dropwatch | 407 | 1.23× | 0.90 | < 0.1 % | 12.3 | 70 | 1,234 |
| dropwatch --reason (no drop's) | 170 | – | – | – | – | – | – |
| bpftrace printf | 11,500 | – | – | 14.0 % | – | – | – |
| bpftrace count() | 285 | – | – | 0 | – | – | – |
| perf record | – | – | – | – | – | – | – |

| cost in the kernel | of | is | limit |  |
| --- | --- | --- | --- | --- |
| dropwatch | bpftrace printf | 1/28.3 | at most 1/25 | holds |
| dropwatch | bpftrace count() | 1.43× |  |  |
| dropwatch --verbose-packet | bpftrace printf | not measured | below 1/10 | **not checked** |
| dropwatch --json | bpftrace printf | not measured |  |  |
| dropwatch --stack | bpftrace print(kstack) | not measured | at most 1/2 | **not checked** |
| dropwatch --stack | bpftrace printf | not measured |  |  |
| dropwatch --reason (no drop's) | an empty program | +80 ns | at most +60 ns | **missed** |
| dropwatch --reason (no drop's) | bpftrace count() | 0.60× |  |  |

";
        assert_eq!(report.to_string(), format!("{expected}{LEGEND}"));
    }

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(
            [0.4, 999.0, 1000.0, 1_234_567.0].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [0.04, 0.1, 0.5, 0.51, 2.0].map(ratio),
            ["1/25", "1/10", "1/2", "0.51×", "2.00×"]
        );
        assert_eq!([0.0, 0.000_5, 0.001, 1.0].map(percent), ["0", "< 0.1 %", "0.1 %", "100.0 %"]);
    }
}
