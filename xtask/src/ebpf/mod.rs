//! `cargo xtask ebpf`: the BPF object that dropwatch embeds.
//!
//! The way of the object: toolchain ─► compile ─► strip, stamp ─► committed file ─► check.

pub mod toolchain;

pub mod compile;
pub mod rustc;

pub mod object;
pub mod provenance;
pub mod sources;

pub mod check;
pub mod leaks;

use crate::{cli::ToolchainKind, project::Project};
use anyhow::{Context as _, Result, bail};
use provenance::Provenance;
use std::fs;
use toolchain::Toolchain;

/// Builds the object and writes it to its place in the tree.
pub fn build(project: &Project, kind: Option<ToolchainKind>) -> Result<()> {
    let object = fresh(project, &Toolchain::find(kind)?)?;
    let path = project.object();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(&path, &object).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{} ({} bytes)\n{}", path.display(), object.len(), Provenance::of(&object)?);
    Ok(())
}

/// The object that the sources give now.
fn fresh(project: &Project, toolchain: &Toolchain) -> Result<Vec<u8>> {
    // The hash is taken first: should a file change while the compiler runs, the object counts
    // as stale.
    let provenance = Provenance {
        sources: sources::hash(&project.root)?,
        rustc: toolchain.rustc_version.clone(),
        llvm: toolchain.llvm_version.clone(),
        linker: toolchain.linker_version.clone(),
    };
    let linked = compile::compile(project, toolchain)?;
    let linked = fs::read(&linked).with_context(|| format!("cannot read {}", linked.display()))?;
    let object = object::finish(&linked, &provenance)?;
    if let Some(leak) = leaks::paths(&object).first() {
        bail!(
            "the BPF object holds a path of this machine, {leak:?}, so it cannot be the same \
             elsewhere; add a --remap-path-prefix for it in xtask/src/ebpf/compile.rs"
        );
    }
    Ok(object)
}
