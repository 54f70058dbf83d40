//! The command line, as types.

use crate::vm::TIMEOUT;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{ffi::OsString, num::NonZeroUsize, path::PathBuf, time::Duration};

/// The developer's commands of dropwatch
#[derive(Parser, Debug)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// One command.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Build dropwatch and run it, through sudo when you are not root
    Run {
        /// Arguments for dropwatch
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Run all tests, those that need the kernel through sudo, and check the BPF object
    Test(TestArgs),
    /// Build or check the BPF object that dropwatch embeds
    Ebpf {
        /// Build or check.
        #[command(subcommand)]
        command: EbpfCommand,
    },
    /// Run the end-to-end tests on other kernels, in emulated machines
    Vm(VmArgs),
    /// Measure what dropwatch and other tools cost, side by side, as root or through sudo
    Bench(BenchArgs),
    /// Make a tarball and a Debian package with a binary that needs no library
    Dist(DistArgs),
    /// Build dropwatch and install it as PREFIX/bin/dropwatch, with man pages and completions
    Install {
        /// Where to install
        #[arg(long, value_name = "DIR", default_value = "/usr/local")]
        prefix: PathBuf,
    },
}

/// Arguments of `test`.
#[derive(Args, Debug)]
pub struct TestArgs {
    /// Then run the end-to-end tests on other kernels too, as `vm` does; that is the default in
    /// continuous integration (where CI is set)
    #[arg(long, conflicts_with = "no_vm")]
    pub vm: bool,
    /// Do not run them on other kernels; that is the default elsewhere
    #[arg(long)]
    pub no_vm: bool,
    /// Then make the packages and try them on bare Debian roots too, as `dist --test` does; that is
    /// the default in continuous integration
    #[arg(long, conflicts_with = "no_dist")]
    pub dist: bool,
    /// Do not try the packages; that is the default elsewhere
    #[arg(long)]
    pub no_dist: bool,
    /// Arguments for `cargo test`, for instance a test's name
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<OsString>,
}

impl TestArgs {
    /// Whether the tests are to run on other kernels too.
    pub fn wants_vm(&self, in_ci: bool) -> bool {
        self.vm || in_ci && !self.no_vm
    }

    /// Whether the packages are to be tried too.
    pub fn wants_dist(&self, in_ci: bool) -> bool {
        self.dist || in_ci && !self.no_dist
    }
}

/// Arguments of `dist`.
#[derive(Args, Debug)]
pub struct DistArgs {
    /// Then try both on bare Debian 12 and 13 roots, as root
    #[arg(long)]
    pub test: bool,
}

/// Arguments of `vm`.
#[derive(Args, Debug)]
pub struct VmArgs {
    /// The kernels: a series, like 6.12, or a name that --list shows; all when not given
    #[arg(value_name = "KERNEL")]
    pub kernels: Vec<String>,
    /// Only list the kernels, and which of them have been fetched
    #[arg(long)]
    pub list: bool,
    /// Run only this test program, a file of tests/tests, like drops; repeatable
    #[arg(long = "test", value_name = "NAME")]
    pub tests: Vec<String>,
    /// How many seconds a kernel may take
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT)]
    pub timeout: u64,
    /// How many kernels to run at a time; by default as many as there are processors, for each
    /// uses one
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}

/// Arguments of `bench`.
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// How many rounds; in each, every tool is started anew [default: 10]
    #[arg(long, value_name = "N")]
    rounds: Option<NonZeroUsize>,
    /// Three rounds with small floods: to see whether it works, or at a limit's order of
    /// magnitude
    #[arg(long)]
    pub quick: bool,
    /// Instead: how what dropwatch costs grows with the number of different flows, namespaces,
    /// stacks and kinds of drops
    #[arg(long, conflicts_with = "json")]
    pub growth: bool,
    /// Instead: flood dropwatch for this time in each way to trace, and see whether its memory
    /// grows and its account is exact; 90s, 5m, 1h
    #[arg(
        long, value_name = "TIME", num_args = 0..=1, default_missing_value = "1m",
        value_parser = duration, conflicts_with_all = ["growth", "json", "rounds"]
    )]
    pub long: Option<Duration>,
    /// Fail when dropwatch costs more than it may, or that cannot be told
    #[arg(long)]
    pub check: bool,
    /// Write what was measured in each round to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Measure this program, and build none
    #[arg(long, value_name = "FILE")]
    pub dropwatch: Option<PathBuf>,
}

impl BenchArgs {
    /// How many rounds there are to be.
    pub fn rounds(&self) -> usize {
        self.rounds.map_or(if self.quick { 3 } else { 10 }, NonZeroUsize::get)
    }

    /// How many rounds there are to be of what grows.
    pub fn growth_rounds(&self) -> usize {
        self.rounds.map_or(if self.quick { 1 } else { 3 }, NonZeroUsize::get)
    }

    /// How many packets are to be dropped in each way.
    pub fn packets(&self) -> u64 {
        if self.quick { 20_000 } else { 100_000 }
    }
}

/// A number with its unit: s, m or h.
fn duration(text: &str) -> Result<Duration, String> {
    let seconds = [("s", 1), ("m", 60), ("h", 3600)].into_iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(seconds)
    });
    match seconds {
        None | Some(0) => Err("it is no time; write 90s, 5m or 1h".to_owned()),
        Some(seconds) => Ok(Duration::from_secs(seconds)),
    }
}

/// One command about the BPF object.
#[derive(Subcommand, Debug)]
pub enum EbpfCommand {
    /// Compile the BPF program and write dropwatch-cli/bpf/dropwatch.bpf.o
    Build {
        /// The compiler to take; the first that is installed when not given
        #[arg(long, value_enum)]
        toolchain: Option<ToolchainKind>,
    },
    /// Check that the committed object is what the sources give
    Check {
        /// The compiler to take; the first that is installed when not given
        #[arg(long, value_enum)]
        toolchain: Option<ToolchainKind>,
    },
}

/// A compiler for the BPF program.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolchainKind {
    /// Debian's rustc-web, which makes the committed object
    Debian,
    /// A nightly of rustup with rust-src
    Nightly,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test_args(line: &str) -> Option<TestArgs> {
        let words = ["xtask", "test"].into_iter().chain(line.split_whitespace());
        match Cli::try_parse_from(words).ok()?.command {
            Command::Test(args) => Some(args),
            _ => None,
        }
    }

    #[test]
    fn other_kernels_are_tested_where_it_is_wanted() {
        for (line, here, in_ci) in
            [("", false, true), ("--vm", true, true), ("--no-vm", false, false)]
        {
            let args = test_args(line);
            assert_eq!(args.as_ref().map(|args| args.wants_vm(false)), Some(here), "{line}");
            assert_eq!(args.as_ref().map(|args| args.wants_vm(true)), Some(in_ci), "{line}");
        }
        assert!(test_args("--vm --no-vm").is_none());
    }

    #[test]
    fn packages_are_tried_where_it_is_wanted() {
        for (line, here, in_ci) in
            [("", false, true), ("--dist", true, true), ("--no-dist", false, false)]
        {
            let args = test_args(line);
            assert_eq!(args.as_ref().map(|args| args.wants_dist(false)), Some(here), "{line}");
            assert_eq!(args.as_ref().map(|args| args.wants_dist(true)), Some(in_ci), "{line}");
        }
        assert!(test_args("--dist --no-dist").is_none());
    }

    #[test]
    fn a_quick_benchmark_is_small() {
        let parse = |line: &str| match Cli::try_parse_from(line.split(' ')).ok()?.command {
            Command::Bench(args) => Some((args.rounds(), args.packets())),
            _ => None,
        };
        assert_eq!(parse("xtask bench"), Some((10, 100_000)));
        assert_eq!(parse("xtask bench --quick"), Some((3, 20_000)));
        assert_eq!(parse("xtask bench --quick --rounds 1"), Some((1, 20_000)));
        assert_eq!(parse("xtask bench --rounds 0"), None);
    }

    #[test]
    fn a_long_benchmark_takes_a_time() {
        let parse = |line: &str| match Cli::try_parse_from(line.split(' ')).ok()?.command {
            Command::Bench(args) => args.long.map(|long| long.as_secs()),
            _ => None,
        };
        for (line, expected) in [
            ("xtask bench", None),
            ("xtask bench --long", Some(60)),
            ("xtask bench --long 90s --check", Some(90)),
            ("xtask bench --long 1h", Some(3600)),
            ("xtask bench --long 0m", None),
            ("xtask bench --long 10", None),
            ("xtask bench --long 1h --growth", None),
        ] {
            assert_eq!(parse(line), expected, "{line}");
        }
    }

    #[test]
    fn the_rest_is_for_cargo_test() {
        for (line, expected) in [
            ("drops", "drops"),
            ("--no-vm --test drops -- --nocapture", "--test drops -- --nocapture"),
            ("--test drops --vm", "--test drops --vm"),
        ] {
            let args = test_args(line).map(|args| args.args);
            let expected: Vec<_> = expected.split(' ').map(OsString::from).collect();
            assert_eq!(args, Some(expected), "{line}");
        }
    }
}
