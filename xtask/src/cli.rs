//! The command line, as types.

use clap::{Parser, Subcommand, ValueEnum};
use std::{ffi::OsString, path::PathBuf};

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
    Test {
        /// Arguments for `cargo test`, for instance a test's name
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Build or check the BPF object that dropwatch embeds
    Ebpf {
        /// Build or check.
        #[command(subcommand)]
        command: EbpfCommand,
    },
    /// Build dropwatch and install it as PREFIX/bin/dropwatch
    Install {
        /// Where to install
        #[arg(long, value_name = "DIR", default_value = "/usr/local")]
        prefix: PathBuf,
    },
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
