//! `--reconcile`: how far the kernel's own counters of losses moved, beside the drops seen.
//!
//! What was dropped before there was any skb, or freed as if it had been used, is in the counters
//! only; what no counter counts is among the drops only.

pub mod counters;
pub mod links;
pub mod mapping;
pub mod movement;
mod namespaces;
mod table;

use std::{fs::File, io};

use dropwatch_common::filter::{Choice, Filters, Ranges};
use log::debug;

use crate::{counts::Snapshot, filter::Chosen, notice, render::sources::Sources};
use counters::Counters;
use movement::{Gone, Movement};
use namespaces::{Namespace, State};

const SOFTNET: &str = "/proc/net/softnet_stat";

/// The counters as they stood when tracing began; nothing where they are not wanted.
#[derive(Debug, Default)]
pub struct Reconciliation(Option<Begun>);

#[derive(Debug)]
struct Begun {
    namespaces: Vec<(Namespace, State)>,
    softnet: Option<(File, Counters)>,
    is_narrowed: bool,
}

/// How far counters moved; nothing where that is not wanted.
#[derive(Debug, Default)]
pub struct Moved(Option<Ended>);

/// How far they moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// The counters that moved.
    pub movements: Vec<Movement>,
    /// Interfaces that are no longer there.
    pub gone: Vec<Gone>,
    /// Inode numbers of the network namespaces whose counters were read.
    pub namespaces: Vec<u32>,
    /// Whether filters let only some drops be seen.
    pub is_narrowed: bool,
}

impl Reconciliation {
    /// Reads the counters of all network namespaces that drops can be seen of. To be called right
    /// before drops are traced, and while there are capabilities to enter other namespaces.
    pub fn begin(is_wanted: bool, chosen: &Chosen) -> Self {
        if !is_wanted {
            return Self::default();
        }
        let mut opened = namespaces::open(|inum| passes(&chosen.filters.netns, inum.into()));
        let softnet = File::open(SOFTNET).and_then(|file| {
            let counters = softnet(&file)?;
            Ok((file, counters))
        });
        let mut namespaces = Vec::new();
        for namespace in opened.namespaces {
            match namespace.read() {
                Ok(state) => namespaces.push((namespace, state)),
                Err(error) => {
                    debug!("the counters of net:[{}] cannot be read: {error}", namespace.inum);
                    opened.refused = true;
                }
            }
        }
        if opened.refused {
            notice!(
                "--reconcile leaves out network namespaces that it may not look into; run dropwatch as root, or \
                 with CAP_SYS_ADMIN and CAP_SYS_PTRACE"
            );
        }
        if opened.beyond > 0 {
            notice!(
                "--reconcile leaves out {} network namespaces, as there are so many; choose some with --netns",
                opened.beyond
            );
        }
        let softnet = softnet.inspect_err(|error| debug!("cannot read {SOFTNET}: {error}")).ok();
        Self(Some(Begun { namespaces, softnet, is_narrowed: is_narrowed(chosen) }))
    }

    /// Reads them again, as soon as drops are no longer traced.
    pub fn end(self) -> Moved {
        let Some(begun) = self.0 else { return Moved::default() };
        let mut ended = Ended { is_narrowed: begun.is_narrowed, ..Ended::default() };
        for (namespace, before) in begun.namespaces {
            match namespace.read() {
                Ok(after) => {
                    ended.namespaces.push(namespace.inum);
                    ended.movements.extend(movement::of_namespace(namespace.inum, &before, &after));
                    ended.gone.extend(movement::gone(namespace.inum, &before, &after));
                }
                Err(error) => {
                    debug!("the counters of net:[{}] cannot be read: {error}", namespace.inum);
                }
            }
        }
        if let Some((file, before)) = begun.softnet
            && let Ok(after) = softnet(&file)
        {
            ended.movements.extend(movement::of_machine(&before, &after));
        }
        Moved(Some(ended))
    }
}

impl Moved {
    /// The table of counters and drops, and what is to be said of it.
    pub fn text(&self, snapshot: &Snapshot, sources: &mut Sources) -> String {
        let text = self.0.as_ref().map(|ended| table::text(ended, snapshot, sources));
        text.unwrap_or_default()
    }
}

fn softnet(file: &File) -> io::Result<Counters> {
    let mut counters = Counters::new();
    counters::add_softnet(&namespaces::read(file)?, &mut counters);
    Ok(counters)
}

/// Whether a number passes, as the BPF program decides it.
fn passes(choice: &Choice<Ranges>, number: u64) -> bool {
    let is_in = |ranges: &Ranges| {
        let mut bounds = ranges.bounds.iter().take(ranges.len as usize);
        bounds.any(|[first, last]| (*first..=*last).contains(&number))
    };
    (choice.wanted.len == 0 || is_in(&choice.wanted)) && !is_in(&choice.excluded)
}

/// Whether not all drops of a namespace are seen.
fn is_narrowed(chosen: &Chosen) -> bool {
    let others = Filters { netns: Choice::RANGES, ..chosen.filters };
    others != Filters::ALL
        || chosen.reasons.is_some()
        || !chosen.functions.is_empty()
        || !chosen.hosts.is_empty()
        || chosen.sample != 0
        || chosen.rate_limit != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_pass_as_their_drops_do() {
        let ranges = |all: &[[u64; 2]]| {
            let mut ranges = Ranges { len: all.len() as u64, ..Ranges::NONE };
            ranges.bounds[..all.len()].copy_from_slice(all);
            ranges
        };
        assert!(passes(&Choice::RANGES, 0) && passes(&Choice::RANGES, 7));
        let choice = Choice { wanted: ranges(&[[5, 5], [7, 9]]), excluded: ranges(&[[8, 8]]) };
        let passing: Vec<_> = (0..12).filter(|number| passes(&choice, *number)).collect();
        assert_eq!(passing, [5, 7, 9]);
    }
}
