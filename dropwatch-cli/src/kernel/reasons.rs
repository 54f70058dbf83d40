//! The kernel's drop reasons: the one place that gives a raw reason its name.
//!
//! Numbers move between kernels, even inside one stable series, so names come from the BTF of
//! the kernel in question and from nowhere else. The core reasons are `enum skb_drop_reason`.
//! A reason's high 16 bits are its subsystem (`enum skb_drop_reason_subsys`, since 6.4), whose
//! reasons are an enum of its own, in the kernel's BTF or in that of the subsystem's module.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use log::debug;

use super::{BTF_DIR, btf::Btf};

const CORE_ENUM: &str = "skb_drop_reason";
const CORE_PREFIX: &str = "SKB_DROP_REASON_";
const SUBSYSTEM_ENUM: &str = "skb_drop_reason_subsys";
const SUBSYSTEM_PREFIX: &str = "SKB_DROP_REASON_SUBSYS_";
/// How the enums of all subsystems so far are called: `ovs_drop_reason`, `qdisc_drop_reason`.
const ENUM_SUFFIX: &str = "drop_reason";
/// Subsystem of the reasons in `enum skb_drop_reason`.
const CORE: u16 = 0;
/// How often at most the modules are searched again for a reason that has no name yet.
const MODULE_SEARCH_INTERVAL: Duration = Duration::from_secs(1);

/// One drop reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The number that the tracepoint passes; the high 16 bits are the subsystem.
    pub raw: u32,
    /// Short name: without the prefix that all core reasons have.
    pub name: String,
    /// Name as the kernel's enum has it.
    pub full_name: String,
}

/// Splits a raw reason into its subsystem and the number within.
pub fn split(raw: u32) -> (u16, u16) {
    ((raw >> 16) as u16, raw as u16)
}

/// The drop reasons of one kernel.
#[derive(Debug, Default)]
pub struct Reasons {
    reasons: BTreeMap<u32, Reason>,
    subsystems: BTreeMap<u16, String>,
    /// Names for raw values that are no reasons or have no known name.
    others: BTreeMap<u32, String>,
    /// When modules were last searched for a name; none where their BTF is not to be looked for.
    modules: Option<ModuleSearch>,
}

#[derive(Debug, Default)]
struct ModuleSearch {
    last: Option<Instant>,
}

impl Reasons {
    /// The running kernel's reasons. Those of modules are read when they are first needed.
    ///
    /// # Errors
    /// When the BTF has no drop reasons.
    pub fn of_running_kernel(btf: &Btf) -> Result<Self> {
        let mut reasons = Self::of_btf(btf)?;
        reasons.modules = Some(ModuleSearch::default());
        Ok(reasons)
    }

    /// The core reasons as the trace event names them; those of subsystems stay unnamed.
    pub fn of_trace_event(names: &[(u32, String)]) -> Self {
        let mut reasons = Self::default();
        reasons.subsystems.insert(CORE, "core".to_owned());
        for (raw, name) in names {
            reasons.add_core(*raw, &format!("{CORE_PREFIX}{name}"));
        }
        reasons
    }

    /// The reasons in a kernel's BTF.
    ///
    /// # Errors
    /// When the BTF has no drop reasons.
    pub fn of_btf(btf: &Btf) -> Result<Self> {
        let Some(core) = btf.named_enum(CORE_ENUM) else {
            bail!("this BTF has no enum {CORE_ENUM}: drop reasons came with Linux 5.17");
        };
        let mut reasons = Self::default();
        reasons.subsystems.insert(CORE, "core".to_owned());
        for (name, value) in
            btf.named_enum(SUBSYSTEM_ENUM).map(|found| found.members).unwrap_or_default()
        {
            if let (Some(name), Ok(number)) =
                (name.strip_prefix(SUBSYSTEM_PREFIX), value.try_into())
                && name != "NUM"
            {
                reasons.subsystems.insert(number, name.to_ascii_lowercase());
            }
        }
        for (full_name, value) in &core.members {
            // The enum is signed in some kernels, and the mask then negative.
            reasons.add_core(*value as u32, full_name);
        }
        reasons.add_subsystems(btf);
        Ok(reasons)
    }

    /// From now on this is what a raw reason and its subsystem are called; for recordings, which
    /// tell themselves. What has no name keeps none.
    pub fn learn(&mut self, raw: u32, name: Option<&str>, subsystem: Option<&str>) {
        let (number, _) = split(raw);
        if let Some(subsystem) = subsystem
            && self.subsystems.get(&number).is_none_or(|known| known != subsystem)
        {
            self.subsystems.insert(number, subsystem.to_owned());
            self.others.remove(&raw);
        }
        match name {
            Some(name) if self.reasons.get(&raw).is_some_and(|known| known.name == name) => {}
            Some(name) if number == CORE => self.add(raw, name, &format!("{CORE_PREFIX}{name}")),
            Some(name) => self.add(raw, name, name),
            None => drop(self.reasons.remove(&raw)),
        }
    }

    /// Adds the reasons of a module.
    pub fn add_module(&mut self, btf: &Btf) {
        self.add_subsystems(btf);
    }

    fn add_core(&mut self, raw: u32, full_name: &str) {
        match full_name.strip_prefix(CORE_PREFIX) {
            Some("" | "MAX" | "SUBSYS_MASK") => {}
            Some(name) => self.add(raw, name, full_name),
            // SKB_NOT_DROPPED_YET and SKB_CONSUMED: states of a packet that was not dropped.
            None => {
                let name = full_name.strip_prefix("SKB_").unwrap_or(full_name);
                self.others.insert(raw, name.to_owned());
            }
        }
    }

    fn add_subsystems(&mut self, btf: &Btf) {
        for found in btf.enums_ending_in(ENUM_SUFFIX) {
            // mac80211 has a twin of its enum with underscores before each name, and modules can
            // carry a copy of the core enum.
            if found.name == CORE_ENUM || found.name.starts_with('_') {
                continue;
            }
            let last = found.members.iter().map(|(_, value)| *value).max();
            for (name, value) in &found.members {
                let marker =
                    name.starts_with("__") || name.ends_with("_MAX") && Some(*value) == last;
                let Ok(raw) = u32::try_from(*value) else { continue };
                let (subsystem, _) = split(raw);
                if !marker && subsystem != CORE && self.subsystems.contains_key(&subsystem) {
                    self.add(raw, name, name);
                }
            }
        }
    }

    fn add(&mut self, raw: u32, name: &str, full_name: &str) {
        self.others.remove(&raw);
        let reason = Reason { raw, name: name.to_owned(), full_name: full_name.to_owned() };
        self.reasons.insert(raw, reason);
    }

    /// All reasons that are known, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Reason> {
        self.reasons.values()
    }

    /// The reason with this number.
    pub fn get(&self, raw: u32) -> Option<&Reason> {
        self.reasons.get(&raw)
    }

    /// The core reason with which all packets are freed that queue disciplines drop; where the
    /// kernel tells a finer one, that is shown in its place.
    pub fn coarse_qdisc_reason(&self) -> Option<&Reason> {
        self.reasons
            .values()
            .find(|reason| split(reason.raw).0 == CORE && reason.name == "QDISC_DROP")
    }

    /// The subsystems' numbers and names.
    pub fn subsystems(&self) -> impl Iterator<Item = (u16, &str)> {
        self.subsystems.iter().map(|(&number, name)| (number, name.as_str()))
    }

    /// The name of the subsystem of a raw reason, where the kernel has such a subsystem.
    pub fn subsystem(&self, raw: u32) -> Option<&str> {
        self.subsystems.get(&split(raw).0).map(String::as_str)
    }

    /// Name of a raw reason's subsystem, or its number where it has no name.
    pub fn subsystem_name(&self, raw: u32) -> String {
        let (subsystem, _) = split(raw);
        self.subsystems.get(&subsystem).cloned().unwrap_or_else(|| subsystem.to_string())
    }

    /// The name to show for a raw reason: `subsystem/number` where it has none.
    pub fn name(&mut self, raw: u32) -> &str {
        if !self.reasons.contains_key(&raw) && split(raw).0 != CORE {
            self.search_modules_again();
        }
        match self.reasons.get(&raw) {
            Some(reason) => &reason.name,
            None => {
                let unnamed = format!("{}/{}", self.subsystem_name(raw), split(raw).1);
                self.others.entry(raw).or_insert(unnamed)
            }
        }
    }

    fn search_modules_again(&mut self) {
        let due = |search: &&mut ModuleSearch| {
            search.last.is_none_or(|last| last.elapsed() >= MODULE_SEARCH_INTERVAL)
        };
        let Some(search) = self.modules.as_mut().filter(|search| due(search)) else { return };
        search.last = Some(Instant::now());
        if let Err(error) = self.search_modules() {
            debug!("cannot read the modules' drop reasons: {error:#}");
        }
    }

    /// Reads the reasons of the modules that are loaded now, unless this is the table of
    /// another kernel.
    ///
    /// # Errors
    /// When BTF of a module cannot be read. Those of all others are added nevertheless.
    pub fn search_modules(&mut self) -> Result<()> {
        if self.modules.is_none() {
            return Ok(());
        }
        let candidates = modules_with_reasons()?;
        if candidates.is_empty() {
            return Ok(());
        }
        // Reading the kernel's BTF again takes a few milliseconds, and keeping it several MB.
        let base = Btf::of_running_kernel()?;
        let mut failed = None;
        for path in candidates {
            match Btf::open_split(&path, &base) {
                Ok(module) => self.add_module(&module),
                // A module that was unloaded in between has taken its reasons with it.
                Err(_) if !path.exists() => {}
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// The BTF files of loaded modules that have drop reasons of their own. Their names stand as
/// plain text in the file, so those without need not be parsed.
fn modules_with_reasons() -> Result<Vec<PathBuf>> {
    let directory = Path::new(BTF_DIR);
    let needle = format!("{ENUM_SUFFIX}\0");
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| format!("cannot list {BTF_DIR}"))? {
        let path = entry?.path();
        // A module may be unloaded in between.
        let Ok(bytes) = fs::read(&path) else { continue };
        let has_reasons = || bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
        if path.file_name().is_some_and(|name| name != "vmlinux") && has_reasons() {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else a module that is loaded right after the start would have no names for a second.
    #[test]
    fn a_search_for_the_filter_delays_none_for_a_name() {
        let mut reasons = Reasons { modules: Some(ModuleSearch::default()), ..Reasons::default() };
        let last = |reasons: &Reasons| reasons.modules.as_ref().and_then(|search| search.last);
        // Whether this kernel shows BTF is of no matter.
        let _ = reasons.search_modules();
        assert_eq!(last(&reasons), None);
        assert_eq!(reasons.name(0xfffe_0001), "65534/1");
        let first = last(&reasons);
        assert!(first.is_some());
        reasons.name(0xfffe_0002);
        assert_eq!(last(&reasons), first);
    }
}
