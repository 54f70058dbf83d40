//! `cargo xtask run`: build dropwatch and become it.

use crate::{
    process::{cannot_start, find_program, is_root},
    project::Project,
};
use anyhow::{Context as _, Result};
use std::{
    ffi::OsString,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

/// Builds dropwatch and replaces this process by it.
pub fn run(project: &Project, args: &[OsString]) -> Result<ExitCode> {
    let mut dropwatch = if is_root() {
        Command::new(project.release_binary())
    } else {
        let sudo = find_program("sudo").context(
            "dropwatch needs root to load its BPF program, and there is no sudo; \
             run `cargo xtask run` as root",
        )?;
        let mut sudo = Command::new(sudo);
        sudo.arg("--").arg(project.release_binary());
        sudo
    };
    project.build_release()?;
    let error = dropwatch.args(args).exec();
    Err(error).with_context(|| cannot_start(&dropwatch))
}
