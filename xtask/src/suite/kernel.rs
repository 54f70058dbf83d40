//! How tests that need the kernel get the rights for it.

use crate::{
    process::{find_program, is_root, output},
    project::Project,
    suite::skips,
};
use anyhow::{Context as _, Result};
use std::process::Command;

/// The environment variable that tells the tests which dropwatch to test.
pub const BINARY_VARIABLE: &str = "DROPWATCH_BIN";

/// How tests become root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelAccess {
    /// They are root.
    Root,
    /// Cargo runs each test program through sudo, which this variable tells it.
    Sudo {
        /// The variable's name, which depends on this machine.
        variable: String,
    },
    /// They cannot.
    None,
}

impl KernelAccess {
    /// What is possible here.
    pub fn find() -> Result<Self> {
        if is_root() {
            return Ok(Self::Root);
        }
        if find_program("sudo").is_none() {
            return Ok(Self::None);
        }
        let version = output(Command::new("rustc").arg("-vV"))?;
        let host = version
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .context("`rustc -vV` names no host")?;
        Ok(Self::Sudo { variable: runner_variable(host) })
    }

    /// What the user should know before the tests start.
    pub fn warning(&self) -> Option<&'static str> {
        (*self == Self::None).then_some(
            "tests that need the kernel will be skipped: they need root, and there is no sudo",
        )
    }

    /// `cargo test`, with what the tests need to know.
    pub fn cargo_test(&self, project: &Project) -> Command {
        let mut cargo = project.cargo();
        cargo
            .arg("test")
            .env(BINARY_VARIABLE, project.release_binary())
            .env(skips::VARIABLE, skips::path(project));
        if let Self::Sudo { variable } = self {
            cargo.env(variable, "sudo -E");
        }
        cargo
    }
}

fn runner_variable(host: &str) -> String {
    format!("CARGO_TARGET_{}_RUNNER", host.to_uppercase().replace(['-', '.'], "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_the_one_cargo_reads() {
        assert_eq!(
            runner_variable("x86_64-unknown-linux-gnu"),
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER"
        );
    }
}
