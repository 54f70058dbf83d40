//! The filters. They run before anything is copied, the cheapest first.

use core::mem::transmute;

use aya_ebpf::maps::lpm_trie::Key;
use dropwatch_common::filter::{
    Choice, EXCLUDED_DESTINATION, EXCLUDED_FUNCTION, EXCLUDED_HOST, EXCLUDED_SOURCE, Filters,
    MAX_ALTERNATIVES, Name, Names, Ranges, WANTED_DESTINATION, WANTED_FUNCTION, WANTED_HOST,
    WANTED_SOURCE,
};

use crate::{
    globals::{self, config, known},
    maps,
    packet::{Address, Headers},
    source::Source,
    task,
};

/// Whether a drop is to be reported.
#[inline(always)]
pub fn passes(drop: &impl Source) -> bool {
    let filters = globals::filters();
    passes_reason(drop.reason())
        && passes_number(&filters.protocol, || drop.protocol().map(u64::from))
        && passes_number(&filters.len, || drop.len().map(u64::from))
        && passes_number(&filters.pid, || Some(task::ids().1.into()))
        && passes_name(&filters.comm, task::comm_words)
        && passes_function(filters, drop)
        && passes_number(&filters.netns, || drop.netns().map(u64::from))
        && passes_number(&filters.interface_index, || drop.interface_index().map(u64::from))
        && passes_name(&filters.interface, || drop.interface_name())
        && passes_packet(filters, drop)
}

#[inline(always)]
fn passes_reason(reason: Option<u32>) -> bool {
    match (globals::reason_filter(), reason) {
        (Some(filter), Some(reason)) => filter.passes(reason),
        _ => true,
    }
}

/// A number that is not known is none of those that are wanted, and not excluded either.
#[inline(always)]
fn passes_number(choice: &Choice<Ranges>, number: impl Fn() -> Option<u64>) -> bool {
    if known(&choice.wanted.len) != 0 && !number().is_some_and(|it| contains(&choice.wanted, it)) {
        return false;
    }
    known(&choice.excluded.len) == 0 || !number().is_some_and(|it| contains(&choice.excluded, it))
}

#[inline(always)]
fn contains(ranges: &Ranges, number: u64) -> bool {
    for index in 0..MAX_ALTERNATIVES {
        if index as u64 >= known(&ranges.len) {
            break;
        }
        let bounds = &ranges.bounds[index];
        if known(&bounds[0]) <= number && number <= known(&bounds[1]) {
            return true;
        }
    }
    false
}

#[inline(always)]
fn passes_name(choice: &Choice<Names>, name: impl Fn() -> Option<[u64; 2]>) -> bool {
    if known(&choice.wanted.len) != 0 && !name().is_some_and(|it| is_any(&choice.wanted, it)) {
        return false;
    }
    known(&choice.excluded.len) == 0 || !name().is_some_and(|it| is_any(&choice.excluded, it))
}

#[inline(always)]
fn is_any(names: &Names, words: [u64; 2]) -> bool {
    for index in 0..MAX_ALTERNATIVES {
        if index as u64 >= known(&names.len) {
            break;
        }
        let Name { value, mask } = &names.names[index];
        let is = |word: usize| words[word] & known(&mask[word]) == known(&value[word]);
        if is(0) && is(1) {
            return true;
        }
    }
    false
}

#[inline(always)]
fn passes_function(filters: &Filters, drop: &impl Source) -> bool {
    if config!(filter_functions) == 0 {
        return true;
    }
    let key = Key::new(u64::BITS, drop.location().to_be_bytes());
    let found = maps::FUNCTIONS.get(key).map_or(0, |bits| *bits);
    found & EXCLUDED_FUNCTION == 0
        && (known(&filters.wanted_functions) == 0 || found & WANTED_FUNCTION != 0)
}

#[inline(always)]
fn passes_packet(filters: &Filters, drop: &impl Source) -> bool {
    let ports = [&filters.source_port, &filters.destination_port, &filters.port];
    let mut asked = config!(filter_hosts) != 0;
    asked |= known(&filters.l4.wanted.len) != 0 || known(&filters.l4.excluded.len) != 0;
    for choice in ports {
        asked |= known(&choice.wanted.len) != 0 || known(&choice.excluded.len) != 0;
    }
    if !asked {
        return true;
    }
    let headers = drop.headers();
    let (source, destination) = (headers.source_port(), headers.destination_port());
    passes_number(&filters.l4, || headers.l4.map(u64::from))
        && passes_number(&filters.source_port, || source)
        && passes_number(&filters.destination_port, || destination)
        && passes_either(&filters.port, source, destination)
        && passes_hosts(filters, &headers)
}

#[inline(always)]
fn passes_either(choice: &Choice<Ranges>, one: Option<u64>, other: Option<u64>) -> bool {
    let among = |ranges: &Ranges| {
        one.is_some_and(|it| contains(ranges, it)) || other.is_some_and(|it| contains(ranges, it))
    };
    (known(&choice.wanted.len) == 0 || among(&choice.wanted))
        && (known(&choice.excluded.len) == 0 || !among(&choice.excluded))
}

#[inline(always)]
fn passes_hosts(filters: &Filters, headers: &Headers) -> bool {
    if config!(filter_hosts) == 0 {
        return true;
    }
    let (source, destination) = match &headers.addresses {
        Some((source, destination)) => (host_bits(source), host_bits(destination)),
        None => (0, 0),
    };
    let either = (source | destination) & (WANTED_HOST | EXCLUDED_HOST);
    let found = source & (WANTED_SOURCE | EXCLUDED_SOURCE)
        | destination & (WANTED_DESTINATION | EXCLUDED_DESTINATION)
        | either;
    let wanted = known(&filters.wanted_hosts);
    found & (EXCLUDED_SOURCE | EXCLUDED_DESTINATION | EXCLUDED_HOST) == 0
        && found & wanted == wanted
}

#[inline(always)]
fn host_bits(address: &Address) -> u32 {
    // SAFETY: both are 16 bytes of integers.
    let bytes = unsafe { transmute::<Address, [u8; 16]>(*address) };
    maps::HOSTS.get(Key::new(u128::BITS, bytes)).map_or(0, |bits| *bits)
}
