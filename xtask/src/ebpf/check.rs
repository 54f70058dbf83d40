//! `cargo xtask ebpf check`: is the committed object what the sources give?

use super::{
    fresh, object,
    provenance::Provenance,
    sources,
    toolchain::{Missing, Toolchain},
};
use crate::{
    cli::ToolchainKind,
    process::{self, in_ci},
    project::{OBJECT, Project},
    suite::{
        kernel::KernelAccess,
        results::{self, Tally},
    },
};
use anyhow::{Context as _, Result, bail};
use std::{fs, path::Path};

/// The environment variable that makes the build of dropwatch embed another object.
const OBJECT_VARIABLE: &str = "DROPWATCH_BPF_OBJECT";

/// Checks the committed object as far as the tools on this machine allow, and gives the results
/// of the tests that were needed for it.
pub fn check(project: &Project, kind: Option<ToolchainKind>) -> Result<Tally> {
    let committed = fs::read(project.object()).with_context(|| {
        format!("cannot read the committed object {OBJECT}; make it with `cargo xtask ebpf build`")
    })?;
    check_sources(&project.root, &committed)?;

    let toolchain = match Toolchain::find(kind) {
        Err(error) if error.is::<Missing>() && !in_ci() => {
            println!("only the hash of the BPF sources was checked: {error}");
            return Ok(Tally::default());
        }
        found => found.context("cannot rebuild the BPF object to compare it")?,
    };
    let rebuilt = fresh(project, &toolchain)?;
    let (made, recorded) = (Provenance::of(&rebuilt)?, Provenance::of(&committed)?);
    if made.has_tools_of(&recorded) {
        compare(&committed, &rebuilt)?;
        println!("{OBJECT} is byte for byte what the sources give");
        return Ok(Tally::default());
    }
    println!(
        "{OBJECT} was made with {}; here is {}: testing what the sources give with these",
        recorded.tools(),
        made.tools()
    );
    test(project, &rebuilt)
}

/// Fails when the object was built from other sources than those in the tree.
pub fn check_sources(root: &Path, committed: &[u8]) -> Result<()> {
    if Provenance::of(committed)?.sources != sources::hash(root)? {
        bail!(
            "the BPF sources changed after {OBJECT} was built; \
             run `cargo xtask ebpf build` and commit the object"
        );
    }
    Ok(())
}

fn compare(committed: &[u8], rebuilt: &[u8]) -> Result<()> {
    if let Some(section) = object::first_difference(committed, rebuilt)? {
        bail!(
            "{OBJECT} is not what the sources give with the same tools: it differs in {section}; \
             run `cargo xtask ebpf build` and commit the object"
        );
    }
    Ok(())
}

/// Runs the end-to-end tests with a dropwatch that embeds the rebuilt object.
fn test(project: &Project, rebuilt: &[u8]) -> Result<Tally> {
    let path = project.target.join("ebpf/dropwatch.bpf.o");
    fs::write(&path, rebuilt).with_context(|| format!("cannot write {}", path.display()))?;

    let mut build = project.cargo();
    build.args(["build", "--release", "--package", "dropwatch-cli"]).env(OBJECT_VARIABLE, &path);
    process::run(&mut build)?;

    let mut test = KernelAccess::find()?.cargo_test(project);
    test.args(["--package", "dropwatch-tests"]).env(OBJECT_VARIABLE, &path);
    let (tally, passed) = results::stream(&mut test)?;
    // The release build embeds the committed object again.
    project.build_release()?;
    if !passed {
        bail!(
            "the BPF program fails the end-to-end tests when this machine's compiler makes it; \
             the object is {}",
            path.display()
        );
    }
    Ok(tally)
}
