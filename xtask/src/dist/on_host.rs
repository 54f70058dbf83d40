//! What is tried on this machine: whether the shells and man accept what is made for them.

use super::check::Outcome;
use crate::{
    pages::{COMPLETIONS, MAN},
    process::{self, find_program},
    vm::cache,
};
use anyhow::{Context as _, Result, ensure};
use clap_complete::Shell;
use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A check of what is below a prefix.
type Check = fn(&Path) -> Result<Outcome>;

/// The checks and their names.
pub const CHECKS: &[(&str, Check)] = &[
    ("bash_completes", bash_completes),
    ("zsh_completes", zsh_completes),
    ("fish_completes", fish_completes),
    ("man_shows_each_page", man_shows_each_page),
];

fn bash_completes(prefix: &Path) -> Result<Outcome> {
    if find_program("bash").is_none() {
        return Ok(Outcome::Skipped("bash is not installed"));
    }
    let file = completion(prefix, Shell::Bash)?;
    accepts("bash", "-n", &file)?;
    let script = ". \"$1\"; COMP_WORDS=(dropwatch do); COMP_CWORD=1; \
         _dropwatch dropwatch do dropwatch; echo \"${COMPREPLY[@]}\"";
    let said = printed(Command::new("bash").args(["--norc", "-c", script, "bash"]).arg(&file))?;
    ensure!(said == "doctor\n", "`dropwatch do` is completed to {said:?}");
    Ok(Outcome::Passed)
}

fn zsh_completes(prefix: &Path) -> Result<Outcome> {
    if find_program("zsh").is_none() {
        return Ok(Outcome::Skipped("zsh is not installed"));
    }
    let file = completion(prefix, Shell::Zsh)?;
    accepts("zsh", "-n", &file)?;
    // The completion system finds the function by the file's first line.
    let script = "fpath=(\"$1\"); fpath+=(/usr/share/zsh/functions/*(/)); autoload -U compinit; \
         compinit -u -D; print $_comps[dropwatch]";
    let folder = file.parent().context("the completion is in no folder")?;
    let said = printed(Command::new("zsh").args(["-f", "-c", script, "zsh"]).arg(folder))?;
    ensure!(said == "_dropwatch\n", "dropwatch is completed by {said:?}");
    Ok(Outcome::Passed)
}

fn fish_completes(prefix: &Path) -> Result<Outcome> {
    if find_program("fish").is_none() {
        return Ok(Outcome::Skipped("fish is not installed"));
    }
    let file = completion(prefix, Shell::Fish)?;
    accepts("fish", "--no-execute", &file)?;
    let script = "source $argv[1]; complete --do-complete $argv[2]";
    for (line, completed) in [
        ("dropwatch do", "doctor\t"),
        ("dropwatch --color al", "always\t"),
        ("dropwatch --stack --recon", "--reconcile\t"),
        ("dropwatch --stack --reason X --recon", "--reconcile\t"),
        ("dropwatch top --bat", "--batch\t"),
    ] {
        let mut fish = Command::new("fish");
        let said = printed(fish.args(["--no-config", "-c", script]).arg(&file).arg(line))?;
        ensure!(said.starts_with(completed), "`{line}` is completed to {said:?}");
    }
    Ok(Outcome::Passed)
}

fn man_shows_each_page(prefix: &Path) -> Result<Outcome> {
    if find_program("man").is_none() {
        return Ok(Outcome::Skipped("man is not installed"));
    }
    let mut pages = cache::entries(&prefix.join(MAN))?;
    pages.sort();
    ensure!(!pages.is_empty(), "there are no pages");
    for page in pages {
        let mut man = Command::new("man");
        man.args(["--warnings=w", "--local-file", "--encoding=UTF-8"]).arg(&page);
        man.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80").env("MANROFFSEQ", "");
        let shown = printed(&mut man)?;
        for section in ["NAME", "SYNOPSIS", "OPTIONS", "EXIT STATUS", "SEE ALSO"] {
            let is_there = shown.lines().any(|line| line == section);
            ensure!(is_there, "{} has no section {section}", page.display());
        }
    }
    Ok(Outcome::Passed)
}

fn completion(prefix: &Path, wanted: Shell) -> Result<PathBuf> {
    let mut all = COMPLETIONS.iter();
    let (_, path) =
        all.find(|(shell, _)| *shell == wanted).with_context(|| format!("nothing for {wanted}"))?;
    Ok(prefix.join(path))
}

/// Lets a shell read a file without executing it.
fn accepts(shell: &str, option: &str, file: &Path) -> Result<()> {
    printed(Command::new(shell).arg(option).arg(file)).map(drop)
}

/// What a program prints; that it complains is an error.
fn printed(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().with_context(|| process::cannot_start(command))?;
    let complaint = String::from_utf8_lossy(&stderr);
    ensure!(
        status.success() && complaint.is_empty(),
        "{}: {status}: {complaint}",
        command.get_program().display()
    );
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}
