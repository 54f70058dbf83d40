//! `dropwatch doctor`: whether this machine has what dropwatch needs, and what to do where it has
//! not. It asks the same code that tracing asks, and loads the program as tracing does.

mod finding;
mod kernel;
mod path;
mod rights;
mod symbols;

use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use crate::{
    cli::DoctorArgs,
    config,
    output::print,
    wrap::{terminal_width, wrap},
};
use finding::{Finding, State};

/// Where the text begins: behind the state and the name.
const INDENT: usize = 26;

/// Checks everything, and prints what it found. The exit status tells whether dropwatch can
/// trace here.
///
/// # Errors
/// When it cannot be printed.
pub fn run(args: &DoctorArgs) -> Result<ExitCode> {
    let findings = examine();
    let report = if args.json {
        json(&findings)?
    } else {
        text(&findings, terminal_width(), config::color(args.color))
    };
    print(report.as_bytes())?;
    Ok(if fit(&findings) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is needed first, then what makes it nicer.
fn examine() -> Vec<Finding> {
    let (mut findings, kernel) = kernel::examine();
    findings.extend(rights::examine(kernel));
    findings.extend(symbols::examine());
    findings.push(path::examine());
    findings
}

/// Whether all that is needed is there.
fn fit(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.state != State::Failure)
}

fn text(findings: &[Finding], width: usize, color: bool) -> String {
    let width = width.saturating_sub(INDENT);
    let mut text = String::new();
    for Finding { name, state, detail, remedy } in findings {
        let style = state.style(color);
        let mut begin =
            format!("{style}{:<7}{style:#} {name:<width$}", state.word(), width = INDENT - 8);
        let remedy = remedy.as_ref().map(|remedy| format!("remedy: {remedy}"));
        for paragraph in [Some(detail), remedy.as_ref()].into_iter().flatten() {
            for line in wrap(paragraph, width) {
                text += &format!("{begin}{line}\n");
                begin = " ".repeat(INDENT);
            }
        }
    }
    text + "\n" + &verdict(findings) + "\n"
}

fn verdict(findings: &[Finding]) -> String {
    let named = |state| -> Vec<_> {
        findings.iter().filter(|it| it.state == state).map(|it| it.name).collect()
    };
    let (failures, warnings) = (named(State::Failure), named(State::Warning));
    match (failures.is_empty(), warnings.is_empty()) {
        (true, true) => "dropwatch can trace here, and everything is as it should be".to_owned(),
        (true, false) => format!("dropwatch can trace here, but see {}", warnings.join(", ")),
        (false, _) => format!("dropwatch cannot trace here: see {}", failures.join(", ")),
    }
}

fn json(findings: &[Finding]) -> Result<String> {
    #[derive(Serialize)]
    struct Report<'a> {
        fit: bool,
        checks: &'a [Finding],
    }
    Ok(serde_json::to_string_pretty(&Report { fit: fit(findings), checks: findings })? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Finding> {
        vec![
            Finding::fine("kernel", "Linux 6.18 tells why it drops packets"),
            Finding::warning("JIT", "off", "turn it on"),
            Finding::note("debug information", "none", "install it"),
        ]
    }

    #[test]
    fn only_failures_make_it_unfit() {
        let mut findings = findings();
        assert!(fit(&findings));
        assert_eq!(verdict(&findings), "dropwatch can trace here, but see JIT");
        findings.push(Finding::skipped("program", "not tried"));
        assert!(fit(&findings));
        findings.push(Finding::of_error("capabilities", &anyhow::anyhow!("missing; be root")));
        assert!(!fit(&findings));
        assert_eq!(verdict(&findings), "dropwatch cannot trace here: see capabilities");
        assert!(verdict(&findings[..1]).ends_with("as it should be"));
    }

    #[test]
    fn each_finding_has_its_remedy_below() {
        let text = text(&findings(), 60, false);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "ok      kernel            Linux 6.18 tells why it drops");
        assert_eq!(lines[1], format!("{:26}packets", ""));
        assert_eq!(lines[2], "warning JIT               off");
        assert_eq!(lines[3], format!("{:26}remedy: turn it on", ""));
        assert_eq!(lines[4], "note    debug information none");
        assert!(lines.iter().all(|line| line.chars().count() <= 60), "{text}");
    }
}
