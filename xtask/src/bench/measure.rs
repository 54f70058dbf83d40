//! One measurement of one tool: start it, have packets dropped, end it.

use super::{
    arena::Arena,
    bpf::Floor,
    child::Child,
    interrupt,
    programs::{self, Work},
    said::{self, Said},
    tools::{Kind, Programs, Shows, Tool},
};
use anyhow::{Context as _, Result, anyhow, ensure};
use std::{
    fs,
    io::BufReader,
    path::Path,
    time::{Duration, Instant},
};

/// How long a tool may take to attach.
const LIMIT: Duration = Duration::from_secs(60);

/// What was measured of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// [`Tool::name`].
    pub tool: &'static str,
    /// The floods, in their order.
    pub floods: Vec<FloodMeasured>,
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
    /// How long sending took.
    pub sending: Duration,
    /// What the tool's BPF programs did; none if it has none.
    pub work: Option<Work>,
}

/// What was measured of a tool that is a process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcessMeasured {
    /// From its start to the first drop that it noticed.
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
    /// The programs.
    pub programs: &'a Programs,
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
        match tool.kind {
            Kind::Untraced => {
                let floods = self.floods(|| Ok(None))?;
                Ok(Measurement { tool: tool.name, floods, process: None })
            }
            Kind::Floor => {
                let _floor = Floor::attach()?;
                let floods = self.floods(|| programs::Programs::of_process("self").map(Some))?;
                self.check_runs(&floods)?;
                Ok(Measurement { tool: tool.name, floods, process: None })
            }
            Kind::Dropwatch(_) | Kind::Bpftrace(_) | Kind::Perf => self.process(tool),
        }
    }

    fn process(&self, tool: Tool) -> Result<Measurement> {
        let line = self.programs.command(tool.kind, self.folder).context("it is missing")?;
        let has_programs = tool.kind != Kind::Perf;
        let begin = Instant::now();
        let mut child = Child::start(&line)?;
        self.wait_until_attached(&mut child, has_programs)?;
        let attached_after = begin.elapsed();

        // What a tool does once, after it has attached, is not what a drop costs.
        let start_cpu = child.wait_until_quiet()?;
        let floods = self.floods(|| has_programs.then(|| child.programs()).transpose())?;
        if has_programs {
            self.check_runs(&floods)?;
        }
        child.wait_until_quiet()?;
        let peak_kib = child.peak_memory()?;
        let left = child.finish()?;

        let sent = self.packets * floods.len() as u64;
        let (stdout, stderr) = (BufReader::new(&left.stdout), left.stderr.as_str());
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
        Ok(Measurement { tool: tool.name, floods, process: Some(process) })
    }

    /// Drops packets until one is noticed: by the run counter of the tool's program, or, for
    /// perf, by the command that it starts once it has enabled the event.
    fn wait_until_attached(&self, child: &mut Child, has_programs: bool) -> Result<()> {
        let begin = Instant::now();
        loop {
            child.check()?;
            if has_programs {
                self.arena.drop_one()?;
                if child.programs()?.have_run() {
                    return Ok(());
                }
            } else if child.has_started("sleep")? {
                return Ok(());
            }
            ensure!(begin.elapsed() < LIMIT, "it has noticed no drop for {LIMIT:?}");
            interrupt::pause(Duration::from_millis(1))?;
        }
    }

    fn floods(
        &self,
        programs: impl Fn() -> Result<Option<programs::Programs>>,
    ) -> Result<Vec<FloodMeasured>> {
        let mut floods = Vec::new();
        for &flood in &self.arena.floods {
            interrupt::check()?;
            let before = programs()?;
            let sending = self.arena.flood(flood, self.packets)?;
            let after = programs()?;
            let work = before.zip(after).map(|(before, after)| after.since(&before));
            let (name, packets) = (flood.name, self.packets);
            floods.push(FloodMeasured { name, packets, sending, work });
        }
        Ok(floods)
    }

    /// Fails unless a program ran for each packet.
    fn check_runs(&self, floods: &[FloodMeasured]) -> Result<()> {
        for flood in floods {
            let work = flood.work.unwrap_or_default();
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
