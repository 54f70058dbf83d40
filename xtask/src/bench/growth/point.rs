//! One measurement: a tool, and drops of so many different keys.

use super::source::{Dimension, Source};
use crate::bench::{
    attach::Attaching,
    bpf::Stats,
    child::{Child, nameless},
    compare::summary::median,
    interrupt, said,
    tools::{Kind, Tools},
};
use anyhow::{Context as _, Result, ensure};
use std::{
    io::{BufRead as _, BufReader, Seek as _},
    time::Duration,
};

/// What new keys cost is told from so many on: fewer are too few to measure.
const MANY: u64 = 100;
/// How often `top` reads, and how many readings are measured.
const INTERVAL: Duration = Duration::from_millis(200);
const READINGS: u32 = 10;

/// A way to trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A line for each.
    Text,
    /// With stacks.
    Stack,
    /// Counts.
    Top,
}

impl Mode {
    /// Those for which it matters how many there are.
    pub fn of(dimension: Dimension) -> &'static [Self] {
        match dimension {
            Dimension::Kinds | Dimension::Flows | Dimension::Namespaces => {
                &[Self::Text, Self::Stack, Self::Top]
            }
            Dimension::Stacks => &[Self::Stack],
        }
    }

    /// The arguments of dropwatch.
    pub fn args(self, dimension: Dimension) -> &'static [&'static str] {
        macro_rules! top {
            ($by:literal) => {
                &["top", "--by", $by, "--max-keys", "131072", "--interval", "200ms", "--rows", "20"]
            };
        }
        match (self, dimension) {
            (Self::Text, _) => &[],
            (Self::Stack, _) => &["--stack"],
            (Self::Top, Dimension::Flows) => top!("reason,flow"),
            (Self::Top, Dimension::Namespaces) => top!("reason,netns"),
            (Self::Top, Dimension::Kinds | Dimension::Stacks) => top!("reason,location"),
        }
    }

    /// Its name in tables.
    pub fn name(self, dimension: Dimension) -> String {
        match self {
            Self::Text => "dropwatch".to_owned(),
            Self::Stack => "dropwatch --stack".to_owned(),
            Self::Top => format!("dropwatch {}", self.args(dimension)[..3].join(" ")),
        }
    }
}

/// What was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Costs {
    /// Nanoseconds in the kernel for a drop of a key that is new.
    pub new_ns: Option<f64>,
    /// And of one that was there before.
    pub known_ns: Option<f64>,
    /// Microseconds of the tool for each drop.
    pub user_us: Option<f64>,
    /// Microseconds of the tool for each key, whenever it reads the counts.
    pub reading_us: Option<f64>,
    /// Drops that were lost.
    pub lost: Option<f64>,
    /// The most memory, in megabytes.
    pub memory_mb: Option<f64>,
}

impl Costs {
    /// The medians.
    pub fn median(all: &[Self]) -> Self {
        let of = |value: fn(&Self) -> Option<f64>| median(all.iter().filter_map(value).collect());
        Self {
            new_ns: of(|it| it.new_ns),
            known_ns: of(|it| it.known_ns),
            user_us: of(|it| it.user_us),
            reading_us: of(|it| it.reading_us),
            lost: of(|it| it.lost),
            memory_mb: of(|it| it.memory_mb),
        }
    }
}

/// Measures.
pub fn measure(
    tools: &Tools,
    (dimension, source): (Dimension, &Source),
    mode: Mode,
    (keys, packets): (u64, u64),
) -> Result<Costs> {
    let line = tools.command(Kind::Dropwatch(mode.args(dimension)), "".as_ref());
    let (attaching, _stats) = (Attaching::begin(), Stats::enable()?);
    let mut stdout = nameless()?;
    let mut child = Child::start(&line.context("there is no dropwatch")?, stdout.try_clone()?)?;
    attaching.wait(&mut child, || source.drop(1, 1))?;
    child.wait_until_quiet()?;

    let mut costs = Costs::default();
    let kernel_ns = |child: &Child, packets| -> Result<f64> {
        let before = child.programs()?;
        source.drop(keys, packets)?;
        let work = child.programs()?.since(&before);
        ensure!(work.runs >= packets, "of {packets} packets, {} were dropped", work.runs);
        Ok(work.run_ns as f64 / work.runs as f64)
    };
    let new_ns = kernel_ns(&child, keys)?;
    costs.new_ns = (keys >= MANY).then_some(new_ns);
    let before = child.wait_until_quiet()?;
    costs.known_ns = Some(kernel_ns(&child, packets)?);
    let after = child.wait_until_quiet()?;
    if mode == Mode::Top {
        let before = child.cpu()?;
        interrupt::pause(INTERVAL * READINGS)?;
        let reading = (child.cpu()? - before) / f64::from(READINGS);
        costs.reading_us = Some(reading * 1e6 / keys as f64);
    } else {
        costs.user_us = Some((after - before) * 1e6 / packets as f64);
    }
    costs.memory_mb = Some(child.peak_memory()? as f64 * 1024.0 / 1e6);

    let left = child.finish()?;
    let said = said::dropwatch(&left.stderr).context("it gives no account")?;
    ensure!(said.shown + said.lost >= keys + packets, "it accounts for too few: {said:?}");
    costs.lost = Some(said.lost as f64);
    if dimension == Dimension::Stacks {
        let mut stacks = 0;
        stdout.rewind()?;
        for line in BufReader::new(&stdout).lines() {
            let line = line?;
            let line = line.trim_start();
            stacks += u64::from(line.starts_with("stack #") && line.ends_with(':'));
        }
        // Those of lost drops are not there.
        ensure!(stacks + said.lost >= keys, "of {keys} different stacks there were {stacks}");
    }
    Ok(costs)
}
