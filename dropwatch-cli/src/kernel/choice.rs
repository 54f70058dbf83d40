//! The reasons of the kernel that the user chose: the running one, or that of BTF files.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{btf::Btf, reasons::Reasons, release, trace_event::TraceEvent};

/// The reasons in these BTF files, the kernel's first and then those of its modules; of the
/// running kernel where there are none. That some are left out is told on standard error.
///
/// # Errors
/// When they cannot be read.
pub fn reasons(files: &[PathBuf]) -> Result<Reasons> {
    let Some((kernel, modules)) = files.split_first() else { return of_running_kernel() };
    let base = Btf::open(kernel)?;
    let mut reasons = Reasons::of_btf(&base)
        .with_context(|| format!("no drop reasons in {}", kernel.display()))?;
    for module in modules {
        reasons.add_module(&Btf::open_split(module, &base)?);
    }
    Ok(reasons)
}

fn of_running_kernel() -> Result<Reasons> {
    if !Btf::is_there() {
        let reasons = Reasons::of_trace_event(&TraceEvent::of_running_kernel()?.reasons);
        eprintln!("dropwatch: this kernel has no BTF: only the core reasons are known");
        return Ok(reasons);
    }
    let btf = Btf::of_running_kernel()?;
    let mut reasons = Reasons::of_running_kernel(&btf).with_context(|| {
        format!("kernel {} tells no drop reasons; list another's with --btf FILE", release())
    })?;
    if let Err(error) = reasons.search_modules() {
        eprintln!("dropwatch: the reasons of a module are left out: {error:#}");
    }
    Ok(reasons)
}
