//! What is tried in a bare system, in this order.

use super::{
    Packages,
    deb::PACKAGE,
    roots::{Root, text},
    staging::Staging,
};
use crate::process;
use anyhow::{Context as _, Result, ensure};
use std::{fs, path::PathBuf, process::Command};

/// A check; what it leaves is there for the next.
type Check = fn(&Root, &Packages) -> Result<()>;

/// The checks and their names.
pub const CHECKS: &[(&str, Check)] = &[
    ("the_other_dropwatch_is_not_replaced", the_other_is_not_replaced),
    ("the_package_installs", the_package_installs),
    ("the_program_runs", |root, _| the_program_runs(root, PROGRAM)),
    ("drops_are_traced", |root, _| drops_are_traced(root, PROGRAM)),
    ("removal_leaves_nothing", removal_leaves_nothing),
    ("the_tarball_installs_and_traces", the_tarball_installs_and_traces),
];

const PROGRAM: &str = "/usr/bin/dropwatch";
const LOCAL_PROGRAM: &str = "/usr/local/bin/dropwatch";

/// Files without which something would be missing.
const FILES: &[&str] = &[
    "usr/share/man/man1/dropwatch.1.gz",
    "usr/share/man/man1/dropwatch-top.1.gz",
    "usr/share/bash-completion/completions/dropwatch",
    "usr/share/zsh/vendor-completions/_dropwatch",
    "usr/share/fish/vendor_completions.d/dropwatch.fish",
    "usr/share/doc/dropwatch-bpf/copyright",
    "usr/share/doc/dropwatch-bpf/changelog.gz",
    "usr/share/doc/dropwatch-bpf/README.md.gz",
    "usr/share/doc/dropwatch-bpf/THIRD-PARTY.txt.gz",
];

/// A port at which nobody listens.
const PORT: u16 = 4711;

/// The status that --fail-on gives.
const HAPPENED: i32 = 3;

fn the_other_is_not_replaced(root: &Root, packages: &Packages) -> Result<()> {
    let other = root.copy(&other_dropwatch(packages)?)?;
    let own = root.copy(&packages.deb)?;
    root.succeed(&["dpkg", "-i", &other])?;
    refuses(root, &own)?;
    let said = root.succeed(&[PROGRAM])?;
    ensure!(said == "the other\n", "the other program is gone: {said}");
    root.succeed(&["dpkg", "--purge", "dropwatch"]).map(drop)
}

fn the_package_installs(root: &Root, packages: &Packages) -> Result<()> {
    let own = root.copy(&packages.deb)?;
    let said = root.succeed(&["dpkg", "-i", &own])?;
    ensure!(!said.contains("warning"), "{said}");
    let status = root.succeed(&["dpkg-query", "-W", "-f", "${db:Status-Status}", PACKAGE])?;
    ensure!(status == "installed", "{status}");
    let wrong = root.succeed(&["dpkg", "--verify", PACKAGE])?;
    ensure!(wrong.is_empty(), "{wrong}");
    for file in FILES {
        ensure!(root.has(file), "there is no /{file}");
    }
    refuses(root, &root.copy(&other_dropwatch(packages)?)?)
}

/// Demands that a package is not installed beside what is.
fn refuses(root: &Root, deb: &str) -> Result<()> {
    let output = root.run(&["dpkg", "-i", deb])?;
    let said = text(&output);
    ensure!(!output.status.success() && said.contains("conflicting packages"), "{said}");
    Ok(())
}

fn the_program_runs(root: &Root, program: &str) -> Result<()> {
    let version = root.succeed(&[program, "--version"])?;
    ensure!(version == format!("dropwatch {}\n", env!("CARGO_PKG_VERSION")), "{version}");
    let reasons = root.succeed(&[program, "list-reasons"])?;
    ensure!(reasons.lines().count() > 20 && reasons.contains("NOT_SPECIFIED"), "{reasons}");
    let explained = root.succeed(&[program, "explain", "NO_SOCKET"])?;
    ensure!(explained.contains("NO_SOCKET"), "{explained}");
    root.succeed(&[program, "doctor"]).map(drop)
}

fn drops_are_traced(root: &Root, program: &str) -> Result<()> {
    let account = root.succeed(&[program, "--duration", "1"])?;
    ensure!(account.contains("dropwatch: seen "), "{account}");

    let (port, send) = (PORT.to_string(), format!("echo > /dev/udp/127.0.0.1/{PORT}"));
    let filters = ["--l4", "udp", "--host", "127.0.0.1", "--dport", &port];
    let line = [&[program][..], &filters, &["--fail-on", "NO_SOCKET", "--", "bash", "-c", &send]];
    let output = root.run(&line.concat())?;
    let said = text(&output);
    ensure!(output.status.code() == Some(HAPPENED), "{}: {said}", output.status);
    let row = |line: &str| line.contains("NO_SOCKET") && line.contains("100.0%");
    let shown = said.contains("matched 1,") && said.lines().any(row);
    ensure!(shown, "{said}");
    Ok(())
}

fn removal_leaves_nothing(root: &Root, _: &Packages) -> Result<()> {
    let files = root.succeed(&["dpkg", "-L", PACKAGE])?;
    ensure!(files.lines().any(|file| file == PROGRAM), "{files}");
    root.succeed(&["dpkg", "--purge", PACKAGE])?;
    let own = files.lines().filter(|file| file.contains("dropwatch"));
    for file in own {
        ensure!(!root.has(file.trim_start_matches('/')), "{file} is still there");
    }
    Ok(())
}

fn the_tarball_installs_and_traces(root: &Root, packages: &Packages) -> Result<()> {
    let tarball = root.copy(&packages.tarball)?;
    root.succeed(&["tar", "-xzf", &tarball, "-C", "/usr/local", "--strip-components=1"])?;
    let owners = root.succeed(&["stat", "-c", "%u:%g %a", LOCAL_PROGRAM, "/usr/local/bin"])?;
    ensure!(owners == "0:0 755\n0:0 755\n", "{owners}");
    the_program_runs(root, LOCAL_PROGRAM)?;
    drops_are_traced(root, LOCAL_PROGRAM)
}

/// A package of the other dropwatch's name, with a program of the same name.
fn other_dropwatch(packages: &Packages) -> Result<PathBuf> {
    let dir = packages.deb.parent().context("the package is in no folder")?.join("other");
    let deb = dir.with_file_name("other-dropwatch.deb");
    let staging = Staging::start(dir)?;
    let control = "Package: dropwatch\nVersion: 1.5.4-2\nArchitecture: all\n\
        Maintainer: Nobody <nobody@example.com>\nDescription: another tool\n";
    staging.put("DEBIAN/control", 0o644, control.as_bytes())?;
    staging.put("usr/bin/dropwatch", 0o755, b"#!/bin/sh\necho the other\n")?;
    process::output(
        Command::new("dpkg-deb")
            .args(["--root-owner-group", "--build"])
            .args([&staging.root, &deb]),
    )?;
    fs::remove_dir_all(&staging.root)?;
    Ok(deb)
}
