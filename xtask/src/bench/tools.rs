//! The tools that are measured, and how each is started.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// One thing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name in tables and in [`super::limits`].
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it shows.
    pub shows: Shows,
}

/// What to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: for comparison.
    Untraced,
    /// The empty program.
    Floor,
    /// Dropwatch with these arguments.
    Dropwatch(&'static [&'static str]),
    /// Bpftrace with this program.
    Bpftrace(&'static str),
    /// `perf record`.
    Perf,
}

/// What a tool shows of drops, which is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// Each, in the form of the tool.
    Each,
    /// Each, as a stack.
    Stacks,
    /// Counts.
    Counts,
    /// None.
    None,
}

/// [`Tool::name`] of that for comparison.
pub const UNTRACED: &str = "nothing attached";
/// [`Tool::name`] of the empty program.
pub const FLOOR: &str = "an empty program";
/// [`Tool::name`] of dropwatch as it is.
pub const TEXT: &str = "dropwatch";
/// [`Tool::name`] of dropwatch with all context.
pub const VERBOSE: &str = "dropwatch --verbose-packet";
/// [`Tool::name`] of dropwatch with JSON.
pub const JSON: &str = "dropwatch --json";
/// [`Tool::name`] of dropwatch with stacks.
pub const STACK: &str = "dropwatch --stack";
/// [`Tool::name`] of dropwatch that counts in the kernel, and prints the counts each second.
pub const TOP: &str = "dropwatch top --batch";
/// [`Tool::name`] of dropwatch that counts in the kernel, and prints the counts in the end.
pub const SUMMARY: &str = "dropwatch --summary";
/// [`Tool::name`] of dropwatch that filters all drops out.
pub const FILTERED: &str = "dropwatch --reason (no drop's)";
/// [`Tool::name`] of bpftrace with a line a drop.
pub const PRINTF: &str = "bpftrace printf";
/// [`Tool::name`] of bpftrace with stacks.
pub const KSTACK: &str = "bpftrace print(kstack)";
/// [`Tool::name`] of bpftrace with counts.
pub const COUNT: &str = "bpftrace count()";
/// [`Tool::name`] of perf.
pub const PERF: &str = "perf record";

/// All of them.
pub const TOOLS: [Tool; 13] = [
    Tool { name: UNTRACED, kind: Kind::Untraced, shows: Shows::None },
    Tool { name: FLOOR, kind: Kind::Floor, shows: Shows::None },
    Tool { name: TEXT, kind: Kind::Dropwatch(&[]), shows: Shows::Each },
    Tool { name: VERBOSE, kind: Kind::Dropwatch(&["--verbose-packet"]), shows: Shows::Each },
    Tool { name: JSON, kind: Kind::Dropwatch(&["--json"]), shows: Shows::Each },
    Tool { name: STACK, kind: Kind::Dropwatch(&["--stack"]), shows: Shows::Each },
    Tool { name: TOP, kind: Kind::Dropwatch(&["top", "--batch"]), shows: Shows::Counts },
    Tool { name: SUMMARY, kind: Kind::Dropwatch(&["--summary"]), shows: Shows::Counts },
    // All kernels that have reasons have this one, and loopback makes no checksum wrong.
    Tool { name: FILTERED, kind: Kind::Dropwatch(&["--reason", "UDP_CSUM"]), shows: Shows::None },
    Tool {
        name: PRINTF,
        kind: Kind::Bpftrace(r#"{ printf("%-18s %d\n", comm, args->reason); }"#),
        shows: Shows::Each,
    },
    Tool { name: KSTACK, kind: Kind::Bpftrace("{ print(kstack); }"), shows: Shows::Stacks },
    Tool {
        name: COUNT,
        kind: Kind::Bpftrace("{ @[args->reason, args->location] = count(); }"),
        shows: Shows::Counts,
    },
    Tool { name: PERF, kind: Kind::Perf, shows: Shows::Each },
];

/// Where the programs are; bpftrace and perf may be missing.
#[derive(Clone, Debug)]
pub struct Tools {
    /// Dropwatch.
    pub dropwatch: PathBuf,
    /// Bpftrace.
    pub bpftrace: Option<PathBuf>,
    /// Perf.
    pub perf: Option<PathBuf>,
}

impl Tools {
    /// The command line of a tool that is a program; none where it is missing. Perf writes its
    /// data to a file in this folder.
    pub fn command(&self, kind: Kind, folder: &Path) -> Option<Vec<OsString>> {
        let line = |program: &Path, args: &[&str]| {
            let args = args.iter().map(OsString::from);
            std::iter::once(program.into()).chain(args).collect::<Vec<OsString>>()
        };
        match kind {
            Kind::Untraced | Kind::Floor => None,
            Kind::Dropwatch(args) => Some(line(&self.dropwatch, args)),
            Kind::Bpftrace(action) => {
                let program = format!("tracepoint:skb:kfree_skb {action}");
                Some(line(self.bpftrace.as_deref()?, &["-e", &program]))
            }
            // It starts the command when it has enabled the event, which tells us so.
            Kind::Perf => {
                let perf = self.perf.as_deref()?;
                let mut line = line(perf, &["record", "-a", "-e", "skb:kfree_skb", "-o"]);
                line.push(folder.join("perf.data").into());
                line.extend(["--", "sleep", "1000"].map(OsString::from));
                Some(line)
            }
        }
    }

    /// Whether a tool can be measured.
    pub fn has(&self, kind: Kind) -> bool {
        match kind {
            Kind::Untraced | Kind::Floor | Kind::Dropwatch(_) => true,
            Kind::Bpftrace(_) => self.bpftrace.is_some(),
            Kind::Perf => self.perf.is_some(),
        }
    }
}
