//! The developer's commands of dropwatch: run it, build its BPF program, test it on this kernel and
//! others, measure it, package it, install it.

pub mod bench;
pub mod cli;
pub mod dist;
pub mod ebpf;
pub mod install;
pub mod pages;
pub mod process;
pub mod project;
pub mod run;
pub mod suite;
pub mod vm;

use anyhow::Result;
use clap::Parser as _;
use cli::{Cli, Command, EbpfCommand};
use project::Project;
use std::process::ExitCode;

/// Runs the command line; an error goes to stderr.
pub fn main() -> ExitCode {
    let outcome =
        if ebpf::rustc::is_asked_for() { ebpf::rustc::stand_in() } else { dispatch(Cli::parse()) };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn dispatch(cli: Cli) -> Result<ExitCode> {
    let project = Project::find;
    match cli.command {
        Command::Run { args } => run::run(&project()?, &args),
        Command::Test(args) => suite::run(&project()?, &args),
        Command::Ebpf { command: EbpfCommand::Build { toolchain } } => {
            ebpf::build(&project()?, toolchain).map(|()| ExitCode::SUCCESS)
        }
        Command::Ebpf { command: EbpfCommand::Check { toolchain } } => {
            ebpf::check::check(&project()?, toolchain).map(|_| ExitCode::SUCCESS)
        }
        Command::Vm(args) => vm::run(&project()?, &args),
        // Through sudo, where cargo may be missing.
        Command::Bench(args) => bench::run(&args),
        Command::Dist(args) => dist::run(&project()?, &args),
        Command::Install { prefix } => {
            install::install(&project()?, &prefix).map(|()| ExitCode::SUCCESS)
        }
    }
}
