//! Medians over the rounds.

use super::measure::{FloodMeasured, Measurement, Speed};
use crate::bench::tools::TOOLS;

/// What a tool costs: medians over the rounds, each over all floods of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// The tool's name.
    pub tool: &'static str,
    /// Nanoseconds in its BPF programs, for each drop.
    pub kernel_ns: Option<f64>,
    /// The share of its untraced speed that the sender keeps.
    pub speed: Option<f64>,
    /// Processor seconds of its process in a round.
    pub cpu_s: Option<f64>,
    /// Of these, microseconds for each packet, without its start.
    pub user_us: Option<f64>,
    /// Drops that it lost in a round.
    pub lost: Option<f64>,
    /// These as a share of the packets.
    pub lost_share: Option<f64>,
    /// The most memory, in megabytes.
    pub memory_mb: Option<f64>,
    /// Milliseconds from its start until it was attached.
    pub attach_ms: Option<f64>,
    /// Milliseconds of processor time until it was ready.
    pub start_ms: Option<f64>,
}

/// Sums up rounds, a tool after the other; those that were not measured are left out.
pub fn summarize(rounds: &[Vec<Measurement>]) -> Vec<Summary> {
    let names = TOOLS.iter().map(|tool| tool.name);
    let measured = names.filter(|name| rounds.iter().any(|round| find(round, name).is_some()));
    measured.map(|name| summary(name, rounds)).collect()
}

fn summary(tool: &'static str, rounds: &[Vec<Measurement>]) -> Summary {
    let over_rounds = |value: &dyn Fn(&Measurement) -> Option<f64>| {
        median(rounds.iter().filter_map(|round| value(find(round, tool)?)).collect())
    };
    Summary {
        tool,
        kernel_ns: over_rounds(&|it| kernel_ns(&it.floods)),
        speed: over_rounds(&|it| Some(kept(it.speed))),
        cpu_s: over_rounds(&|it| it.process.map(|process| process.start_cpu + process.flood_cpu)),
        user_us: over_rounds(&|it| Some(it.process?.flood_cpu * 1e6 / packets(it))),
        lost: over_rounds(&|it| Some(it.process?.said.lost as f64)),
        lost_share: over_rounds(&|it| Some(it.process?.said.lost as f64 / packets(it))),
        memory_mb: over_rounds(&|it| Some(it.process?.peak_kib as f64 * 1024.0 / 1e6)),
        attach_ms: over_rounds(&|it| Some(it.process?.attached_after.as_secs_f64() * 1e3)),
        start_ms: over_rounds(&|it| Some(it.process?.start_cpu * 1e3)),
    }
}

fn find<'a>(round: &'a [Measurement], tool: &str) -> Option<&'a Measurement> {
    round.iter().find(|measurement| measurement.tool == tool)
}

/// Against right before and after, since a machine is not always equally fast.
fn kept(speed: Speed) -> f64 {
    (speed.before + speed.after).div_duration_f64(speed.traced) / 2.0
}

/// How many packets the tool has met.
fn packets(measurement: &Measurement) -> f64 {
    let floods: u64 = measurement.floods.iter().map(|flood| flood.packets).sum();
    (floods + measurement.speed.packets) as f64
}

/// Nanoseconds for each drop that the programs ran for, whoever caused it.
fn kernel_ns(floods: &[FloodMeasured]) -> Option<f64> {
    let (mut run_ns, mut runs) = (0, 0);
    for flood in floods {
        let work = flood.work?;
        run_ns += work.run_ns;
        runs += work.runs;
    }
    (runs > 0).then(|| run_ns as f64 / runs as f64)
}

/// The middle one, or what is between the two middle ones.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { (values[middle - 1] + upper) / 2.0 })
}

#[cfg(test)]
mod tests {
    use super::{super::measure::ProcessMeasured, *};
    use crate::bench::{
        programs::Work,
        said::Said,
        tools::{FLOOR, TEXT, UNTRACED},
    };
    use std::time::Duration;

    #[test]
    fn the_median_is_in_the_middle() {
        for (values, expected) in [
            (&[][..], None),
            (&[3.0], Some(3.0)),
            (&[9.0, 1.0], Some(5.0)),
            (&[1000.0, 2.0, 1.0], Some(2.0)),
            (&[4.0, 1000.0, 2.0, 1.0], Some(3.0)),
        ] {
            assert_eq!(median(values.to_vec()), expected, "{values:?}");
        }
    }

    fn measured(tool: &'static str, ms: u64, run_ns: Option<[u64; 2]>) -> Measurement {
        let flood = |name, index: usize| FloodMeasured {
            name,
            packets: 400,
            work: run_ns.map(|run_ns| Work { run_ns: run_ns[index], runs: 600, missed: 0 }),
        };
        let [before, traced, after] = [90, ms, 110].map(Duration::from_millis);
        let speed = Speed { packets: 200, before, traced, after };
        Measurement { tool, floods: vec![flood("a", 0), flood("b", 1)], speed, process: None }
    }

    #[test]
    fn rounds_are_summed_up() {
        let process = |flood_cpu, lost| ProcessMeasured {
            attached_after: Duration::from_millis(70),
            start_cpu: 0.05,
            flood_cpu,
            peak_kib: 10_000,
            said: Said { seen: 1200, shown: 1200 - lost, lost },
        };
        let round = |ms, run_ns, cpu, lost| {
            let text = measured(TEXT, ms, Some(run_ns));
            vec![
                Measurement { process: Some(process(cpu, lost)), ..text },
                measured(UNTRACED, 100, None),
            ]
        };
        let rounds = [
            round(125, [120_000, 240_000], 0.002, 0),
            round(1000, [120_000, 120_000], 0.001, 10),
            round(100, [900_000, 900_000], 0.009, 500),
        ];
        let summaries = summarize(&rounds);
        let [untraced, text] = summaries[..] else { panic!("{summaries:?}") };
        let nothing = Summary { tool: UNTRACED, speed: Some(1.0), ..Summary::default() };
        assert_eq!(untraced, nothing);
        let expected = Summary {
            tool: TEXT,
            kernel_ns: Some(300.0),
            speed: Some(0.8),
            cpu_s: Some(0.05 + 0.002),
            user_us: Some(2.0),
            lost: Some(10.0),
            lost_share: Some(0.01),
            memory_mb: Some(10.24),
            attach_ms: Some(70.0),
            start_ms: Some(50.0),
        };
        assert_eq!(text, expected);
        assert!(!summaries.iter().any(|summary| summary.tool == FLOOR));
    }
}
