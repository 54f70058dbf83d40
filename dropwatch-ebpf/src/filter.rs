//! The filters. They run before anything is copied, the cheapest first.

use core::{hint::black_box, mem::transmute};

use aya_ebpf::maps::lpm_trie::Key;
use dropwatch_common::filter::{
    Choice, EXCLUDED_DESTINATION, EXCLUDED_FUNCTION, EXCLUDED_HOST, EXCLUDED_INPUT,
    EXCLUDED_SOURCE, Filters, MAX_ALTERNATIVES, Name, Names, Ranges, WANTED_DESTINATION,
    WANTED_FUNCTION, WANTED_HOST, WANTED_INPUT, WANTED_SOURCE, input_key,
};

use crate::{
    globals::{self, config, known},
    maps,
    packet::{Address, Headers},
    source::Source,
    task,
};

/// Whether a drop is to be reported; `seen` is any count that is below 2^63.
#[inline(always)]
pub fn passes(drop: &impl Source, seen: u64) -> bool {
    passes_reason(drop.reason()) && (config!(filter_others) == 0 || passes_others(drop, seen))
}

#[inline(always)]
fn passes_others(drop: &impl Source, seen: u64) -> bool {
    let filters = globals::filters();
    let sign = Sign(!seen);
    passes_number(sign, &filters.protocol, || drop.protocol().map(u64::from))
        && passes_number(sign, &filters.len, || drop.len().map(u64::from))
        && passes_number(sign, &filters.pid, || Some(task::ids().1.into()))
        && passes_name(sign, &filters.comm, task::comm_words)
        && passes_function(filters, drop)
        && passes_number(sign, &filters.netns, || drop.netns().map(u64::from))
        && passes_interface(sign, filters, drop)
        && passes_packet(sign, filters, drop)
}

/// Tells whether a number is negative, so that the verifier cannot tell.
///
/// That of Linux 6.1 takes what it can tell of one way through the program for what is true of
/// others, and then removes the rest of the program.
#[derive(Clone, Copy)]
struct Sign(u64);

impl Sign {
    #[inline(always)]
    fn is_set(self, number: u64) -> bool {
        ((number & self.0) as i64) < 0
    }
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
fn passes_number(sign: Sign, choice: &Choice<Ranges>, number: impl Fn() -> Option<u64>) -> bool {
    if !is_set(choice) {
        return true;
    }
    let number = number();
    (known(&choice.wanted.len) == 0 || contain(sign, &choice.wanted, number))
        && (known(&choice.excluded.len) == 0 || !contain(sign, &choice.excluded, number))
}

#[inline(always)]
fn passes_name(sign: Sign, choice: &Choice<Names>, name: impl Fn() -> Option<[u64; 2]>) -> bool {
    if known(&choice.wanted.len) == 0 && known(&choice.excluded.len) == 0 {
        return true;
    }
    let name = name();
    (known(&choice.wanted.len) == 0 || have(sign, &choice.wanted, name))
        && (known(&choice.excluded.len) == 0 || !have(sign, &choice.excluded, name))
}

#[inline(always)]
fn is_set(choice: &Choice<Ranges>) -> bool {
    known(&choice.wanted.len) != 0 || known(&choice.excluded.len) != 0
}

#[inline(always)]
fn contain(sign: Sign, ranges: &Ranges, number: Option<u64>) -> bool {
    number.is_some_and(|number| !sign.is_set(differ(ranges, number)))
}

#[inline(always)]
fn have(sign: Sign, names: &Names, name: Option<[u64; 2]>) -> bool {
    name.is_some_and(|name| !sign.is_set(differ_all(names, name)))
}

/// Negative where the number, which has to be below 2^63, is in none of the ranges.
///
/// Computed without branches: the verifier follows each branch to the end of the program, and
/// gives up where many alternatives of many kinds are many times many branches.
#[inline(always)]
fn differ(ranges: &Ranges, number: u64) -> u64 {
    let mut all = u64::MAX;
    for index in 0..MAX_ALTERNATIVES {
        if index as u64 >= known(&ranges.len) {
            break;
        }
        let bounds = &ranges.bounds[index];
        let (first, last) = (known(&bounds[0]), known(&bounds[1]));
        all &= black_box(number.wrapping_sub(first) | last.wrapping_sub(number));
    }
    all
}

/// Negative where this is none of the names; computed as in [`differ`].
#[inline(always)]
fn differ_all(names: &Names, name: [u64; 2]) -> u64 {
    let mut all = u64::MAX;
    for index in 0..MAX_ALTERNATIVES {
        if index as u64 >= known(&names.len) {
            break;
        }
        let Name { value, mask } = &names.names[index];
        let bits = |word: usize| name[word] & known(&mask[word]) ^ known(&value[word]);
        let different = bits(0) | bits(1);
        // Either a number other than 0 or its opposite is negative.
        all &= black_box(different | different.wrapping_neg());
    }
    all
}

/// By name or by index: both are of one kind, so that they are alternatives to each other.
#[inline(always)]
fn passes_interface(sign: Sign, filters: &Filters, drop: &impl Source) -> bool {
    let (names, indexes) = (&filters.interface, &filters.interface_index);
    let by_name = known(&names.wanted.len) != 0 || known(&names.excluded.len) != 0;
    let by_index = is_set(indexes);
    if !by_name && !by_index {
        return true;
    }
    let name = if by_name { drop.interface_name() } else { None };
    let index = if by_index { drop.interface_index().map(u64::from) } else { None };
    let input = if by_name && name.is_none() { input_bits(drop) } else { 0 };
    let is_wanted = known(&names.wanted.len) == 0 && known(&indexes.wanted.len) == 0
        || known(&names.wanted.len) != 0 && have(sign, &names.wanted, name)
        || known(&indexes.wanted.len) != 0 && contain(sign, &indexes.wanted, index)
        || input & WANTED_INPUT != 0;
    is_wanted
        && input & EXCLUDED_INPUT == 0
        && !(known(&names.excluded.len) != 0 && have(sign, &names.excluded, name))
        && !(known(&indexes.excluded.len) != 0 && contain(sign, &indexes.excluded, index))
}

/// What is said to the device that the packet came in by. A socket that handles it has taken it
/// from its device, and only the index is left.
#[inline(always)]
fn input_bits(drop: &impl Source) -> u32 {
    let (Some(netns), Some(index)) = (drop.netns(), drop.interface_index()) else { return 0 };
    // SAFETY: the entries do not change while the program runs.
    unsafe { maps::INPUTS.get(input_key(netns, index)) }.map_or(0, |bits| *bits)
}

#[inline(always)]
fn passes_function(filters: &Filters, drop: &impl Source) -> bool {
    if config!(filter_functions) == 0 {
        return true;
    }
    // The location is where the call returns to, which after a call that ends a function is the
    // next one already.
    let call = drop.location().wrapping_sub(1);
    let key = Key::new(u64::BITS, call.to_be_bytes());
    let found = maps::FUNCTIONS.get(key).map_or(0, |bits| *bits);
    found & EXCLUDED_FUNCTION == 0
        && (known(&filters.wanted_functions) == 0 || found & WANTED_FUNCTION != 0)
}

#[inline(always)]
fn passes_packet(sign: Sign, filters: &Filters, drop: &impl Source) -> bool {
    let ports = [&filters.source_port, &filters.destination_port, &filters.port];
    let of_ports = ports.into_iter().any(is_set);
    if config!(filter_hosts) == 0 && !is_set(&filters.l4) && !of_ports {
        return true;
    }
    let headers = drop.headers();
    let (source, destination) = (headers.source_port(), headers.destination_port());
    passes_number(sign, &filters.l4, || headers.l4.map(u64::from))
        && passes_number(sign, &filters.source_port, || source)
        && passes_number(sign, &filters.destination_port, || destination)
        && passes_either(sign, &filters.port, source, destination)
        && passes_hosts(filters, &headers)
}

#[inline(always)]
fn passes_either(
    sign: Sign,
    choice: &Choice<Ranges>,
    one: Option<u64>,
    other: Option<u64>,
) -> bool {
    let among = |ranges: &Ranges| contain(sign, ranges, one) || contain(sign, ranges, other);
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
