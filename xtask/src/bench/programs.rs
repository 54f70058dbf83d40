//! What the kernel tells of the BPF programs that a process holds open.
//!
//! `/proc/PID/fdinfo` has the numbers that `bpftool prog show` prints, and reading it runs no BPF
//! program, as bpftool does to find the process of each.

use super::bpf;
use anyhow::{Context as _, Result};
use std::{collections::BTreeMap, fs, io::ErrorKind};

/// What the kernel has counted for programs, by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Programs(BTreeMap<u32, Counts>);

/// What the kernel has counted for one program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    run_ns: u64,
    runs: u64,
    missed: u64,
}

/// What programs did between two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// How long all of them ran, in nanoseconds.
    pub run_ns: u64,
    /// How often the one ran that ran most: that of the tracepoint.
    pub runs: u64,
    /// How often that one could not run.
    pub missed: u64,
}

impl Programs {
    /// Those of a process: `self`, or an id.
    pub fn of_process(pid: &str) -> Result<Self> {
        let folder = format!("/proc/{pid}/fdinfo");
        let mut programs = Self::default();
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
            match fs::read_to_string(entry?.path()) {
                Ok(info) => programs.0.extend(parse(&info)),
                // It was closed meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error).with_context(|| format!("cannot read {folder}")),
            }
        }
        Ok(programs)
    }

    /// Whether one has run.
    pub fn have_run(&self) -> bool {
        self.0.values().any(|counts| counts.runs > 0)
    }

    /// What they have done since.
    pub fn since(&self, before: &Self) -> Work {
        let differences = self.0.iter().map(|(id, now)| {
            let before = before.0.get(id).copied().unwrap_or_default();
            Work {
                run_ns: now.run_ns.saturating_sub(before.run_ns),
                runs: now.runs.saturating_sub(before.runs),
                missed: now.missed.saturating_sub(before.missed),
            }
        });
        differences.fold(Work::default(), |sum, one| {
            let most = if one.runs > sum.runs { one } else { sum };
            Work { run_ns: sum.run_ns + one.run_ns, ..most }
        })
    }
}

/// Whether a process has attached a program to anything: by a link, or to an event of perf.
pub fn is_attached(pid: u32) -> Result<bool> {
    let folder = format!("/proc/{pid}/fdinfo");
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
        let entry = entry?;
        let fd = entry.file_name().to_str().and_then(|name| name.parse().ok());
        // A file may have been closed meanwhile.
        let is_link = fs::read_to_string(entry.path()).is_ok_and(|info| info.contains("link_id:"));
        if is_link || fd.is_some_and(|fd| bpf::has_program(pid, fd)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads the `fdinfo` of one file; none if it is no BPF program.
fn parse(info: &str) -> Option<(u32, Counts)> {
    let field = |name: &str| -> Option<u64> {
        let mut lines = info.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(label, _)| *label == name)?.1.trim().parse().ok()
    };
    // A link names its program too, but has no counts.
    let counts = Counts {
        run_ns: field("run_time_ns")?,
        runs: field("run_cnt")?,
        // Older kernels do not count these.
        missed: field("recursion_misses").unwrap_or(0),
    };
    Some((field("prog_id")?.try_into().ok()?, counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = "pos:\t0\nflags:\t02000002\nmnt_id:\t16\nino:\t8276\nprog_type:\t5\n\
        prog_jited:\t1\nprog_tag:\t2fc93c9ed5807d1e\nmemlock:\t4096\nprog_id:\t1645\n\
        run_time_ns:\t9000\nrun_cnt:\t30\nrecursion_misses:\t2\nverified_insns:\t24\n";
    const LINK: &str =
        "pos:\t0\nlink_type:\traw_tracepoint\nlink_id:\t4\nprog_tag:\t2fc9\nprog_id:\t1645\n";

    #[test]
    fn a_program_is_read() {
        let counts = Counts { run_ns: 9000, runs: 30, missed: 2 };
        assert_eq!(parse(PROGRAM), Some((1645, counts)));
        let older = PROGRAM.replace("recursion_misses:\t2\n", "");
        assert_eq!(parse(&older), Some((1645, Counts { missed: 0, ..counts })));
    }

    #[test]
    fn other_files_are_no_programs() {
        for info in ["", "pos:\t0\nflags:\t02\n", LINK, "map_type:\t27\nmap_id:\t9\n"] {
            assert_eq!(parse(info), None, "{info}");
        }
    }

    #[test]
    fn all_time_counts_and_the_runs_of_the_busiest() {
        let programs = |all: &[(u32, [u64; 3])]| {
            let counts = |&(id, [run_ns, runs, missed]): &(u32, [u64; 3])| {
                (id, Counts { run_ns, runs, missed })
            };
            Programs(all.iter().map(counts).collect())
        };
        let before = programs(&[(1, [100, 10, 1])]);
        let after = programs(&[(1, [1100, 20, 3]), (2, [50, 1, 0])]);
        assert_eq!(after.since(&before), Work { run_ns: 1050, runs: 10, missed: 2 });
        assert_eq!(before.since(&before), Work::default());
        assert!(after.have_run() && !programs(&[(1, [0, 0, 0])]).have_run());
    }
}
