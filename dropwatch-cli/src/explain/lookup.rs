//! Which reasons are meant: of the kernel at hand, or else of those that the data knows.

use anyhow::{Result, bail};

use super::{Entries, Entry};
use crate::{
    config::UsageError,
    filter::{
        nearest::nearest,
        reason::{self, ReasonPattern},
    },
    kernel::reasons::{Reason, Reasons, split},
};

/// The kernel whose reasons have numbers.
pub struct Kernel {
    /// What to call it in a sentence.
    pub name: String,
    /// Its reasons, or why they cannot be told.
    pub reasons: Result<Reasons, String>,
}

/// A reason that was asked for.
pub struct Explained<'a> {
    /// The name of its subsystem.
    pub subsystem: String,
    /// Its short name.
    pub name: String,
    /// The kernel's own.
    pub presence: Presence,
    /// What the data knows of it.
    pub entry: Option<&'a Entry>,
}

/// Whether a kernel has a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It has.
    Has(Reason),
    /// It has not.
    HasNot,
    /// It does not tell before this module is loaded.
    ModuleNotLoaded,
    /// Its reasons could not be read.
    Unknown,
}

/// The reasons that the arguments mean, each once, in the order of the arguments and of the
/// numbers. What a kernel has comes before what only others have.
///
/// # Errors
/// A [`UsageError`] for one that means nothing.
pub fn lookup<'a>(
    args: &[String],
    entries: &'a Entries,
    kernel: &Kernel,
) -> Result<Vec<Explained<'a>>> {
    let items = args.iter().flat_map(|list| list.split(',')).map(str::trim);
    let (mut wanted, mut excluded) = (Vec::new(), Vec::new());
    for item in items {
        if item.trim_start_matches('!').trim().is_empty() {
            let message = "explain has an empty item; write names separated by commas or blanks";
            return Err(UsageError(message.to_owned()).into());
        }
        let list = if item.starts_with('!') { &mut excluded } else { &mut wanted };
        list.push((item, ReasonPattern::parse(item)?));
    }
    if wanted.is_empty() {
        wanted.push(("*", ReasonPattern::parse("*")?));
    }
    let mut found: Vec<Explained<'a>> = Vec::new();
    for (text, pattern) in &wanted {
        let mut meant = of_kernel(pattern, kernel);
        if meant.is_empty() {
            meant = of_data(pattern, entries, kernel);
        }
        if meant.is_empty() {
            bail!(UsageError(unknown(text, entries, kernel)));
        }
        for (subsystem, name, presence) in meant {
            let is_excluded = excluded.iter().any(|(_, pattern)| match &presence {
                Presence::Has(reason) => kernel.matches(pattern, reason),
                _ => pattern.matches_name(&subsystem, &name),
            });
            let is_there = found.iter().any(|it| it.subsystem == subsystem && it.name == name);
            if !is_excluded && !is_there {
                let entry = entries.get(&subsystem, &name);
                found.push(Explained { subsystem, name, presence, entry });
            }
        }
    }
    if found.is_empty() {
        bail!(UsageError("explain excludes everything that it includes".to_owned()));
    }
    Ok(found)
}

type Meant = Vec<(String, String, Presence)>;

fn of_kernel(pattern: &ReasonPattern, kernel: &Kernel) -> Meant {
    let Ok(reasons) = &kernel.reasons else { return Vec::new() };
    let matching = reasons.iter().filter(|reason| pattern.matches(reason, reasons));
    let meant = |reason: &Reason| {
        let subsystem = reasons.subsystem_name(reason.raw);
        (subsystem, reason.name.clone(), Presence::Has(reason.clone()))
    };
    matching.map(meant).collect()
}

fn of_data(pattern: &ReasonPattern, entries: &Entries, kernel: &Kernel) -> Meant {
    let matching =
        entries.iter().filter(|(subsystem, name, _)| pattern.matches_name(subsystem, name));
    let meant = |(subsystem, name, _): (&str, &str, &Entry)| {
        (subsystem.to_owned(), name.to_owned(), kernel.absence(subsystem))
    };
    matching.map(meant).collect()
}

impl Kernel {
    fn matches(&self, pattern: &ReasonPattern, reason: &Reason) -> bool {
        self.reasons.as_ref().is_ok_and(|reasons| pattern.matches(reason, reasons))
    }

    /// What it means that the kernel does not list a reason of this subsystem.
    fn absence(&self, subsystem: &str) -> Presence {
        let Ok(reasons) = &self.reasons else { return Presence::Unknown };
        let number = reasons.subsystems().find(|(_, name)| *name == subsystem);
        match number {
            // All of its reasons are known only while its module is loaded.
            Some((number, _)) if !reasons.iter().any(|it| split(it.raw).0 == number) => {
                Presence::ModuleNotLoaded
            }
            _ => Presence::HasNot,
        }
    }
}

/// The message for what is no reason.
fn unknown(text: &str, entries: &Entries, kernel: &Kernel) -> String {
    // What the stream shows where it has no name: `openvswitch/3`.
    let number = text.rsplit_once('/').map_or(text, |(_, number)| number);
    if let Some(raw) = reason::raw_number(number) {
        let is_of_core = number == text && split(raw).0 == 0 || text.starts_with("core/");
        return match &kernel.reasons {
            Ok(reasons) => format!(
                "{} has no drop reason {text}{}; `dropwatch list-reasons` shows which it has",
                kernel.name,
                if is_of_core { String::new() } else { reason::not_loaded(reasons) }
            ),
            Err(why) => format!(
                "what the number {text} means differs from kernel to kernel, and of {} nothing is known ({why}); \
                 give the name, or the kernel's BTF with --btf FILE",
                kernel.name
            ),
        };
    }
    let kernels = kernel.reasons.as_ref().map(|reasons| reasons.iter().map(|it| it.name.as_str()));
    let names = entries.iter().map(|(_, name, _)| name).chain(kernels.into_iter().flatten());
    let nearest = nearest(&reason::short_name(text), names);
    let mean = if nearest.is_empty() || text.contains(['*', '?', '/']) {
        "; ".to_owned()
    } else {
        format!("; did you mean {}? ", nearest.join(", "))
    };
    format!(
        "'{text}' is no drop reason of any kernel that is known{mean}`dropwatch list-reasons` lists this kernel's"
    )
}
