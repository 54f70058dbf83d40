//! How what dropwatch costs grows with the number of different things that are dropped.

pub mod frames;
pub mod paths;
pub mod point;
pub mod source;
pub mod table;

use super::{interrupt, machine::Machine, tools::Tools};
use crate::cli::BenchArgs;
use anyhow::{Context as _, Result};
use point::{Costs, Mode};
use source::{Dimension, Source};
use table::{Point, Report, cliffs};

/// How many different keys there are, as far as the machine gives them, and as many as it gives.
const SIZES: [u64; 6] = [1, 10, 100, 1_000, 10_000, 100_000];
/// The most of them, where it is only to be seen whether it works.
const QUICK: u64 = 1_000;

/// Measures, prints the result, and tells whether there is no cliff.
pub fn run(args: &BenchArgs, tools: &Tools) -> Result<bool> {
    let (mut sources, mut notes) = (Vec::new(), Vec::new());
    for dimension in Dimension::ALL {
        interrupt::check()?;
        match Source::new(dimension) {
            Ok(source) => sources.push((dimension, source)),
            Err(error) => notes.push(format!("different {}: {error:#}", dimension.name())),
        }
    }
    let (rounds, packets) = (args.growth_rounds(), args.packets());
    let method = format!(
        "medians of {rounds} rounds, each with {packets} packets, or each key twice where that is more"
    );
    let machine = Machine::this(&Tools { bpftrace: None, perf: None, ..tools.clone() }, method)?;

    let mut plan = Vec::new();
    for (dimension, source) in &sources {
        for keys in sizes(source.most(), args.quick) {
            plan.extend(Mode::of(*dimension).iter().map(|&mode| (*dimension, source, mode, keys)));
        }
    }
    let mut measured = vec![Vec::new(); plan.len()];
    for round in 1..=rounds {
        for (&(dimension, source, mode, keys), costs) in plan.iter().zip(&mut measured) {
            let name = format!("{} with {keys} {}", mode.name(dimension), dimension.name());
            eprintln!("round {round} of {rounds}: {name}");
            let size = (keys, packets.max(2 * keys));
            let point = point::measure(tools, (dimension, source), mode, size);
            costs.push(point.with_context(|| format!("cannot measure {name}"))?);
        }
    }
    let points: Vec<_> = plan
        .iter()
        .zip(&measured)
        .map(|(&(dimension, _, mode, keys), costs)| Point {
            dimension,
            mode,
            keys,
            costs: Costs::median(costs),
        })
        .collect();
    let cliffs = cliffs(&points);
    print!("{}", Report { machine: &machine, notes: &notes, points: &points, cliffs: &cliffs });
    Ok(cliffs.is_empty())
}

/// Those that there can be, and the most where that is none of them.
fn sizes(most: u64, quick: bool) -> Vec<u64> {
    let most = if quick { most.min(QUICK) } else { most };
    let mut sizes: Vec<_> = SIZES.into_iter().filter(|&size| size <= most).collect();
    if most < SIZES[SIZES.len() - 1] && sizes.last() != Some(&most) {
        sizes.push(most);
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_go_as_far_as_there_are_keys() {
        assert_eq!(sizes(14, false), [1, 10, 14]);
        assert_eq!(sizes(400, false), [1, 10, 100, 400]);
        assert_eq!(sizes(100_000, false), SIZES);
        assert_eq!(sizes(102_400, false), SIZES);
        assert_eq!(sizes(102_400, true), [1, 10, 100, 1_000]);
    }
}
