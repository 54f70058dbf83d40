//! What runs in the guest: init, dropwatch and its end-to-end tests, built for this machine.

use crate::{process, project::Project};
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::path::PathBuf;

/// Programs that have been built.
#[derive(Debug)]
pub struct Payload {
    /// The guest's first process.
    pub init: PathBuf,
    /// The dropwatch to test.
    pub dropwatch: PathBuf,
    /// The test programs.
    pub tests: Vec<Test>,
}

/// A test program.
#[derive(Debug)]
pub struct Test {
    /// Its name in the source.
    pub name: String,
    /// Its file.
    pub program: PathBuf,
}

impl Payload {
    /// Builds it, with these test programs; where none is named, with those of which the outcome
    /// may depend on the kernel.
    pub fn build(project: &Project, names: &[String]) -> Result<Self> {
        project.build_release()?;
        let mut tests = project.cargo();
        // An emulated machine is so slow that optimized tests end in a fraction of the time.
        tests.args(["test", "--profile=guest", "--no-run", "--package", "dropwatch-tests"]);
        let all = ["*".to_owned()];
        for name in if names.is_empty() { &all } else { names } {
            tests.args(["--test", name]);
        }
        tests.arg(MESSAGES);
        let mut tests = executables(&process::output(&mut tests)?);
        if names.is_empty() {
            tests.retain(|test| !NOT_IN_GUESTS.contains(&test.name.as_str()));
        }
        if tests.is_empty() {
            bail!("there are no end-to-end tests in tests/tests");
        }
        let mut init = project.cargo();
        init.args(["rustc", "--package", "xtask", "--bin", "vm-init"]);
        // Linked statically it does not depend on what the guest has.
        init.args([MESSAGES, "--", "-C", "target-feature=+crt-static", "-C", "strip=symbols"]);
        let init = executables(&process::output(&mut init)?).pop().context("no init was built")?;
        Ok(Self { init: init.program, dropwatch: project.release_binary(), tests })
    }
}

/// Tests that say nothing about a kernel: of what is printed how and what can be made of it, of what
/// happens when nobody reads it or a program runs meanwhile, what is seen on a terminal, and of how
/// long it takes, which in an emulated machine is many times as long. The oracles need bpftrace and
/// perf, and so all of LLVM.
const NOT_IN_GUESTS: &[&str] = &[
    "columns",
    "command",
    "json_stream",
    "latency",
    "losses",
    "openmetrics",
    "oracle",
    "planted_faults",
    "report",
    "stream",
    "top_terminal",
];

const MESSAGES: &str = "--message-format=json-render-diagnostics";

/// The executables in cargo's messages, a JSON object a line.
fn executables(messages: &str) -> Vec<Test> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?.to_owned();
            let program = message["executable"].as_str()?.into();
            Some(Test { name, program })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_found_among_messages() {
        let messages = "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"libc\"},\"executable\":null}\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"drops\"},\"executable\":\"/t/drops-1\"}\n\
            {\"reason\":\"build-finished\",\"success\":true}\n";
        let found = executables(messages);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name, "drops");
        assert_eq!(found[0].program, PathBuf::from("/t/drops-1"));
    }
}
