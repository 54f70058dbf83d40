//! What the kernel tells about a process.

use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result};

/// The most memory that a process has had, in bytes.
///
/// # Errors
/// When there is no such process.
pub fn peak_memory(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}

/// A field of what the kernel tells about each thread of a process: `CapEff`, `State`.
///
/// # Errors
/// When there is no such process or field.
pub fn of_threads(pid: u32, field: &str) -> Result<Vec<String>> {
    let label = format!("{field}:");
    let mut values = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = entry?.path().join("status");
        // A thread may have ended meanwhile.
        let Ok(status) = fs::read_to_string(path) else { continue };
        let value = status.lines().find_map(|line| line.strip_prefix(&label));
        values.push(value.with_context(|| format!("no {field}"))?.trim().to_owned());
    }
    Ok(values)
}

/// The ids of the BPF objects that a process holds open; `kind` is `prog`, `link` or `map`.
///
/// # Errors
/// When there is no such process.
pub fn bpf_ids(pid: u32, kind: &str) -> Result<BTreeSet<u32>> {
    let label = format!("{kind}_id:");
    let mut ids = BTreeSet::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fdinfo"))? {
        // A file may have been closed meanwhile.
        let Ok(info) = fs::read_to_string(entry?.path()) else { continue };
        // A link names its program too, so what a file is stands in its first such line.
        let of_link = info.contains("link_id:");
        for line in info.lines().filter_map(|line| line.strip_prefix(&label)) {
            if kind == "link" || !of_link {
                ids.insert(line.trim().parse()?);
            }
        }
    }
    Ok(ids)
}
