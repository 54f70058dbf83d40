//! The kernel's drop reasons, as `bpftool` reads them from BTF.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use anyhow::{Context, Result, ensure};

use crate::command::output;

const KERNEL: &str = "/sys/kernel/btf/vmlinux";
const CORE_ENUM: &str = "skb_drop_reason";
const CORE_PREFIX: &str = "SKB_DROP_REASON_";
const SUBSYSTEM_PREFIX: &str = "SKB_DROP_REASON_SUBSYS_";

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// The raw number.
    pub number: u32,
    /// The short name.
    pub name: String,
    /// The name that the kernel's source has.
    pub full_name: String,
    /// Name of the subsystem, in lower case.
    pub subsystem: String,
}

/// The reasons of one kernel, by number.
#[derive(Clone, Debug, Default)]
pub struct Reasons {
    rows: BTreeMap<u32, Row>,
    subsystems: BTreeMap<u32, String>,
}

impl Reasons {
    /// Those of the running kernel and its modules, as they were when they were first asked for.
    ///
    /// # Errors
    /// When bpftool cannot read them.
    pub fn of_kernel() -> Result<&'static Self> {
        static CACHE: OnceLock<Reasons> = OnceLock::new();
        match CACHE.get() {
            Some(reasons) => Ok(reasons),
            None => Self::now().map(|reasons| CACHE.get_or_init(|| reasons)),
        }
    }

    /// Those of the running kernel and the modules that are loaded now.
    ///
    /// # Errors
    /// As above.
    pub fn now() -> Result<Self> {
        let base = Path::new(KERNEL);
        let folder = fs::read_dir("/sys/kernel/btf").context("cannot list the BTF of modules")?;
        let files: Vec<_> = folder.flatten().map(|entry| entry.path()).collect();
        // bpftool takes its time, and most modules have none.
        let has_reasons = |path: &Path| {
            let bytes = fs::read(path).unwrap_or_default();
            let name = b"drop_reason\0";
            path != base && bytes.windows(name.len()).any(|window| window == name)
        };
        let modules: Vec<_> =
            files.iter().map(PathBuf::as_path).filter(|path| has_reasons(path)).collect();
        Self::of_files(base, &modules)
    }

    /// Those in the BTF files of a kernel and its modules.
    ///
    /// # Errors
    /// When bpftool cannot read them.
    pub fn of_files(base: &Path, modules: &[&Path]) -> Result<Self> {
        let mut reasons = Self::default();
        let enums = dump(&[base])?;
        ensure!(enums.iter().any(|found| found.name == CORE_ENUM), "no {CORE_ENUM} in the BTF");
        reasons.add(&enums);
        for module in modules {
            reasons.add(&dump(&[module, Path::new("-B"), base])?);
        }
        Ok(reasons)
    }

    /// The number of a reason.
    pub fn number(&self, name: &str) -> Option<u32> {
        self.rows.values().find(|row| row.name == name).map(|row| row.number)
    }

    /// The name of a reason.
    pub fn name(&self, number: u32) -> Option<&str> {
        self.rows.get(&number).map(|row| row.name.as_str())
    }

    /// All of them, by number.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    fn add(&mut self, enums: &[Enum]) {
        let members = |name: &'static str| {
            enums.iter().filter(move |found| found.name == name).flat_map(|found| &found.members)
        };
        let mut subsystems = BTreeMap::from([(0, "core".to_owned())]);
        for (name, number) in members("skb_drop_reason_subsys") {
            if let Some(name) = name.strip_prefix(SUBSYSTEM_PREFIX).filter(|name| *name != "NUM") {
                subsystems.insert(*number, name.to_lowercase());
            }
        }
        // These enums hold all reasons of all kernels so far. mac80211 has a twin of its enum,
        // with underscores before each name.
        for name in [CORE_ENUM, "ovs_drop_reason", "mac80211_drop_reason", "qdisc_drop_reason"] {
            for (full_name, number) in members(name) {
                let of_core = name == CORE_ENUM;
                let short = match full_name.strip_prefix(CORE_PREFIX) {
                    Some("MAX" | "SUBSYS_MASK") => continue,
                    Some(short) if of_core => short,
                    None if of_core
                        || full_name.starts_with('_')
                        || full_name.ends_with("_MAX") =>
                    {
                        continue;
                    }
                    // Members with low numbers say that a packet was not dropped.
                    _ if number >> 16 == 0 => continue,
                    _ => full_name,
                };
                let subsystem = subsystems.get(&(number >> 16)).or(self.subsystem(*number));
                let row = Row {
                    number: *number,
                    name: short.to_owned(),
                    full_name: full_name.clone(),
                    subsystem: subsystem.cloned().unwrap_or_else(|| (number >> 16).to_string()),
                };
                self.rows.insert(*number, row);
            }
        }
        self.subsystems.extend(subsystems);
    }

    /// The subsystem of a module's reasons, which the kernel itself names.
    fn subsystem(&self, number: u32) -> Option<&String> {
        self.subsystems.get(&(number >> 16))
    }
}

/// An enum, and its members.
#[derive(Debug)]
struct Enum {
    name: String,
    members: Vec<(String, u32)>,
}

/// All enums of 32 bits: lines `[7] ENUM 'name' …`, and below them `\t'MEMBER' val=7`.
fn dump(arguments: &[&Path]) -> Result<Vec<Enum>> {
    let words = ["btf", "dump", "file"].map(Path::new);
    let tail = ["format", "raw"].map(Path::new);
    // Options of bpftool come first.
    let (file, options) = arguments.split_at(1);
    let text = output("bpftool", &[options, &words, file, &tail].concat())?;
    let mut enums = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let is_enum = line.split(' ').nth(1) == Some("ENUM");
        let name = line.split('\'').nth(1).unwrap_or_default().to_owned();
        let mut members = Vec::new();
        while let Some(member) = lines.next_if(|line| line.starts_with('\t')) {
            if is_enum && let Some((name, value)) = member.trim().split_once("' val=") {
                let value: i128 = value.parse().with_context(|| format!("cannot read {member}"))?;
                // A mask in a signed enum is negative.
                members.push((name.trim_start_matches('\'').to_owned(), value as u32));
            }
        }
        if is_enum {
            enums.push(Enum { name, members });
        }
    }
    Ok(enums)
}
