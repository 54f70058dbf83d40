//! What was measured on, and with what.

use super::tools::Tools;
use crate::process;
use anyhow::{Context as _, Result};
use std::{fmt, fs, path::Path, process::Command, thread};

/// The machine, and the versions of the tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The processor's model.
    pub processor: String,
    /// How many of them there are.
    pub processors: usize,
    /// The kernel's release.
    pub kernel: String,
    /// How many tasks were running in the minute before: on a machine with other things to do,
    /// times mean little.
    pub load: String,
    /// The tools, as each says.
    pub versions: Vec<String>,
    /// How it was measured.
    pub method: String,
}

impl Machine {
    /// This one.
    pub fn this(tools: &Tools, method: String) -> Result<Self> {
        let read = |path: &str| fs::read_to_string(path).with_context(|| format!("no {path}"));
        let mut versions = vec![version(&tools.dropwatch)?];
        for program in [&tools.bpftrace, &tools.perf].into_iter().flatten() {
            versions.push(version(program)?);
        }
        Ok(Self {
            processor: model(&read("/proc/cpuinfo")?).unwrap_or("unknown processor").to_owned(),
            processors: thread::available_parallelism()?.get(),
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            load: read("/proc/loadavg")?.split(' ').next().unwrap_or_default().to_owned(),
            versions,
            method,
        })
    }

    /// The begin of a report: this, and what could not be measured.
    pub fn write_head(&self, f: &mut fmt::Formatter<'_>, notes: &[String]) -> fmt::Result {
        writeln!(f, "{self}")?;
        for note in notes {
            writeln!(f, "- left out: {note}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, processors, kernel, load, .. } = self;
        writeln!(
            f,
            "- machine: {processor}, {processors} processors, load {load}; kernel {kernel}\n- {}",
            self.versions.join("; ")
        )?;
        write!(f, "- {}", self.method)
    }
}

fn version(program: &Path) -> Result<String> {
    let printed = process::output(Command::new(program).arg("--version"))?;
    Ok(printed.lines().next().unwrap_or_default().trim().to_owned())
}

/// The model in `/proc/cpuinfo`, which has no such line on each architecture.
fn model(cpuinfo: &str) -> Option<&str> {
    let mut fields = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(name, _)| name.trim() == "model name").map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_found_where_there_is_one() {
        assert_eq!(
            model("processor\t: 0\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n"),
            Some("AMD EPYC")
        );
        assert_eq!(model("processor\t: 0\nCPU part\t: 0xd0c\n"), None);
    }
}
