//! One measurement of one tool: start it, have packets dropped, end it.

use crate::bench::{
    arena::{Arena, CLOSED_PORT},
    attach::{self, Attaching},
    bpf::{Floor, Stats},
    child::{Child, nameless},
    programs::{Programs, Work},
    said::{self, Said},
    tools::{Kind, Shows, Tool, Tools},
};
use anyhow::{Context as _, Result, anyhow, ensure};
use std::{
    fs,
    io::{BufReader, Seek as _},
    path::Path,
    time::{Duration, Instant},
};

/// What was measured of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// [`Tool::name`].
    pub tool: &'static str,
    /// The floods, in their order.
    pub floods: Vec<FloodMeasured>,
    /// How fast packets could be sent.
    pub speed: Speed,
    /// What only a process has.
    pub process: Option<ProcessMeasured>,
}

/// What was measured during a flood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FloodMeasured {
    /// Its name.
    pub name: &'static str,
    /// How many packets were sent.
    pub packets: u64,
    /// What the tool's BPF programs did; none if it has none.
    pub work: Option<Work>,
}

/// How long it took to send the same packets to a closed port with the tool and without, while
/// the kernel timed no program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// How many packets.
    pub packets: u64,
    /// Right before the tool was started.
    pub before: Duration,
    /// With the tool attached.
    pub traced: Duration,
    /// Right after its end.
    pub after: Duration,
}

/// What was measured of a tool that is a process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcessMeasured {
    /// From its start until it was attached.
    pub attached_after: Duration,
    /// Processor seconds until it was ready for the floods.
    pub start_cpu: f64,
    /// Processor seconds from then to its end.
    pub flood_cpu: f64,
    /// The most memory that it had before its end, in KiB.
    pub peak_kib: u64,
    /// What it says.
    pub said: Said,
}

/// Where and with what it is measured.
#[derive(Debug)]
pub struct Bench<'a> {
    /// Where packets are dropped.
    pub arena: &'a Arena,
    /// The tools.
    pub tools: &'a Tools,
    /// A folder for what a tool must write to a file with a name.
    pub folder: &'a Path,
    /// How many packets a flood has.
    pub packets: u64,
}

impl Bench<'_> {
    /// Measures a tool.
    pub fn measure(&self, tool: Tool) -> Result<Measurement> {
        self.any(tool).with_context(|| format!("cannot measure {}", tool.name))
    }

    fn any(&self, tool: Tool) -> Result<Measurement> {
        let before = self.flood_untimed()?;
        let mut measurement = match tool.kind {
            Kind::Untraced => self.without_process(tool, || Ok(None))?,
            Kind::Floor => {
                let _floor = Floor::attach()?;
                self.without_process(tool, || Programs::of_process("self").map(Some))?
            }
            Kind::Dropwatch(_) | Kind::Bpftrace(_) | Kind::Perf => self.process(tool)?,
        };
        measurement.speed.before = before;
        measurement.speed.after = self.flood_untimed()?;
        Ok(measurement)
    }

    fn without_process(
        &self,
        tool: Tool,
        programs: impl Fn() -> Result<Option<Programs>>,
    ) -> Result<Measurement> {
        let stats = Stats::enable()?;
        let floods = self.floods(programs)?;
        drop(stats);
        self.check_runs(&floods)?;
        let speed = self.speed(self.flood_untimed()?);
        Ok(Measurement { tool: tool.name, floods, speed, process: None })
    }

    fn process(&self, tool: Tool) -> Result<Measurement> {
        let line = self.tools.command(tool.kind, self.folder).context("it is missing")?;
        let has_programs = tool.kind != Kind::Perf;
        let mut stdout = nameless()?;
        let (attaching, stats) = (Attaching::begin(), Stats::enable()?);
        let begin = Instant::now();
        let mut child = Child::start(&line, stdout.try_clone()?)?;
        let attached_after = if has_programs {
            attaching.wait(&mut child, || self.arena.drop_one())?
        } else {
            attach::wait_for_command(&mut child, "sleep")?
        };
        let attached_after = attached_after - begin;

        // What a tool does once, after it has attached, is not what a drop costs.
        let start_cpu = child.wait_until_quiet()?;
        let floods = self.floods(|| has_programs.then(|| child.programs()).transpose())?;
        self.check_runs(&floods)?;
        child.wait_until_quiet()?;
        drop(stats);
        let speed = self.speed(self.flood_untimed()?);
        child.wait_until_quiet()?;
        let peak_kib = child.peak_memory()?;
        let left = child.finish()?;

        let sent = self.packets * (floods.len() as u64 + 1);
        stdout.rewind()?;
        let (stdout, stderr) = (BufReader::new(&stdout), left.stderr.as_str());
        let said = match (tool.kind, tool.shows) {
            (Kind::Perf, _) => said::perf(stderr, sent),
            (Kind::Bpftrace(_), Shows::Stacks) => Some(said::bpftrace_stacks(stdout, stderr)?),
            (Kind::Bpftrace(_), Shows::Counts) => Some(said::bpftrace_counts(stdout, stderr)?),
            (Kind::Bpftrace(_), _) => Some(said::bpftrace_lines(stdout, stderr)?),
            _ => said::dropwatch(stderr),
        };
        let said =
            said.ok_or_else(|| anyhow!("it does not say what it has shown: {}", stderr.trim()))?;
        check_said(tool.shows, said, sent)?;
        if tool.kind == Kind::Perf {
            // The next would keep it.
            fs::remove_file(self.folder.join("perf.data"))?;
        }
        let flood_cpu = (left.cpu - start_cpu).max(0.0);
        let process = ProcessMeasured { attached_after, start_cpu, flood_cpu, peak_kib, said };
        Ok(Measurement { tool: tool.name, floods, speed, process: Some(process) })
    }

    fn floods(
        &self,
        programs: impl Fn() -> Result<Option<Programs>>,
    ) -> Result<Vec<FloodMeasured>> {
        let mut floods = Vec::new();
        for &flood in &self.arena.floods {
            let before = programs()?;
            self.arena.flood(flood, self.packets)?;
            let after = programs()?;
            let work = before.zip(after).map(|(before, after)| after.since(&before));
            floods.push(FloodMeasured { name: flood.name, packets: self.packets, work });
        }
        Ok(floods)
    }

    fn flood_untimed(&self) -> Result<Duration> {
        self.arena.flood(CLOSED_PORT, self.packets)
    }

    /// With what was measured without the tool still to come.
    fn speed(&self, traced: Duration) -> Speed {
        Speed { packets: self.packets, before: Duration::ZERO, traced, after: Duration::ZERO }
    }

    /// Fails unless a program ran for each packet.
    fn check_runs(&self, floods: &[FloodMeasured]) -> Result<()> {
        for flood in floods {
            let Some(work) = flood.work else { continue };
            ensure!(
                work.runs + work.missed >= flood.packets,
                "of {} packets of the {} flood, its BPF program has noticed {} (and missed {}): \
                 were they not dropped, or does the kernel not count?",
                flood.packets,
                flood.name,
                work.runs,
                work.missed
            );
        }
        Ok(())
    }
}

/// Fails unless a tool accounts for each packet.
fn check_said(shows: Shows, said: Said, sent: u64) -> Result<()> {
    ensure!(said.seen >= sent, "of {sent} packets, it says to have noticed {}", said.seen);
    match shows {
        Shows::None => {
            // Others may drop packets meanwhile, so a few may pass any filter.
            ensure!(said.shown < sent / 100, "it has shown {} of no drops", said.shown);
        }
        Shows::Each | Shows::Stacks | Shows::Counts => {
            let Said { shown, lost, .. } = said;
            ensure!(shown > 0, "it has shown none of {sent} drops");
            ensure!(shown + lost >= sent, "of {sent} drops, it shows {shown} and lost {lost}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_must_account_for_each_packet() {
        let said = |seen, shown, lost| Said { seen, shown, lost };
        for (shows, said, good) in [
            (Shows::Each, said(1001, 900, 101), true),
            (Shows::Stacks, said(1000, 1, 999), true),
            (Shows::Counts, said(2000, 2000, 0), true),
            (Shows::None, said(1000, 9, 0), true),
            // Not all of them arrived, were shown, or were filtered out.
            (Shows::Each, said(999, 999, 0), false),
            (Shows::Each, said(1000, 900, 99), false),
            (Shows::Each, said(1000, 0, 1000), false),
            (Shows::None, said(999, 0, 0), false),
            (Shows::None, said(1000, 10, 0), false),
        ] {
            assert_eq!(check_said(shows, said, 1000).is_ok(), good, "{shows:?} {said:?}");
        }
    }
}
