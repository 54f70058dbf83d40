//! Counting drops instead of sending each.

use core::arch::asm;

use aya_ebpf::{EbpfContext, bindings::BPF_NOEXIST, maps::HashMap};
use dropwatch_common::{
    count::{
        BY_FLOW, CountKey, Counted, FLOW_ADDRESSES, FLOW_L4, FLOW_PORTS, FlowKey, KEY_INTERFACE,
        KEY_NETNS, KEY_PROTOCOL, KEY_REASON, PerProcessor, SLOTS, Slot,
    },
    record::INTERFACE_LEN,
};

use crate::{globals::config, maps, packet::Address, source::Source, stack};

/// A device's name.
type Name = [u8; INTERFACE_LEN];

/// Counts a drop, and sends it as a sample where one of its key is wanted.
#[inline(always)]
pub fn count(ctx: &impl EbpfContext, processor: &mut PerProcessor, drop: &impl Source) {
    let key = key(drop);
    let is_new = if config!(count_by) == BY_FLOW {
        add(&maps::FLOWS, &flow(key, drop), 1, name(drop))
    } else {
        count_key(processor, &key, drop)
    };
    match is_new {
        None => processor.counters.other += 1,
        Some(is_new) if config!(samples) != 0 && (is_new || is_requested(&key)) => {
            stack::send(ctx, processor, drop);
        }
        Some(_) => {}
    }
}

/// Whether the key is new; none where there is no room for it.
#[inline(always)]
fn count_key(processor: &mut PerProcessor, key: &CountKey, drop: &impl Source) -> Option<bool> {
    // Before Linux 6.2 an interrupt can have the program run once more on a processor on which it
    // has not ended. What that is changing is not to be touched.
    if processor.busy != 0 {
        return add(&maps::COUNTS, key, 1, name(drop));
    }
    let slot = &mut processor.slots[place(key)];
    if words(&slot.key) == words(key) {
        slot.drops += 1;
        return Some(false);
    }
    mark(&raw mut processor.busy, 1);
    let begun = processor.begun;
    mark(&raw mut processor.begun, begun.wrapping_add(1));
    let is_new = take(slot, key, name(drop));
    mark(&raw mut processor.ended, begun.wrapping_add(1));
    mark(&raw mut processor.busy, 0);
    is_new
}

/// Gives a slot to another key, which has its place in the map by then.
#[inline(always)]
fn take(slot: &mut Slot, key: &CountKey, name: Name) -> Option<bool> {
    let is_new = add(&maps::COUNTS, key, 0, name)?;
    if slot.drops != 0 {
        // There is one of the key that has the slot.
        add(&maps::COUNTS, &slot.key, slot.drops, name)?;
    }
    slot.key = *key;
    slot.drops = 1;
    Some(is_new)
}

/// Adds to what the map holds for a key, and tells whether it is new there; none where there is no
/// room.
#[inline(always)]
fn add<K>(map: &HashMap<K, Counted>, key: &K, drops: u64, name: Name) -> Option<bool> {
    if let Some(counted) = map.get_ptr_mut(key) {
        if drops != 0 {
            add_to(counted, drops);
        }
        return Some(false);
    }
    let counted = Counted { drops, name };
    if map.insert(key, &counted, BPF_NOEXIST.into()).is_ok() {
        return Some(true);
    }
    // Another processor may have been faster.
    add_to(map.get_ptr_mut(key)?, drops);
    Some(false)
}

/// Adds to a number that other processors add to at the same time. The compiler has no atomic
/// operations for this target.
#[inline(always)]
fn add_to(counted: *mut Counted, drops: u64) {
    // SAFETY: the element lives as long as the program runs, also where it is deleted meanwhile.
    unsafe {
        let number = &raw mut (*counted).drops;
        asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) number, in(reg) drops);
    }
}

/// Writes at this place in the program's order.
#[inline(always)]
fn mark(number: *mut u64, value: u64) {
    // SAFETY: the pointer is that of a field of this processor's own element.
    unsafe { number.write_volatile(value) };
}

/// Whether a sample of this key is wanted, which is then no longer so.
#[inline(always)]
fn is_requested(key: &CountKey) -> bool {
    let Some(request) = maps::sample_request() else { return false };
    // SAFETY: the element lives as long as the map. Processors race here: at worst each sends a
    // sample.
    let requested = unsafe { request.read_volatile() };
    if requested.wanted == 0 || words(&requested.key) != words(key) {
        return false;
    }
    // SAFETY: as above.
    mark(unsafe { &raw mut (*request).wanted }, 0);
    true
}

#[inline(always)]
fn key(drop: &impl Source) -> CountKey {
    let mut flags = 0;
    let whereabouts = drop.whereabouts();
    let reason = part(drop.reason(), KEY_REASON, &mut flags);
    let protocol = part(drop.protocol(), KEY_PROTOCOL, &mut flags);
    let index = part(whereabouts.index, KEY_INTERFACE, &mut flags);
    let netns = part(whereabouts.netns, KEY_NETNS, &mut flags);
    CountKey { location: drop.location(), reason, netns, index, protocol, flags }
}

#[inline(always)]
fn flow(key: CountKey, drop: &impl Source) -> FlowKey {
    let headers = drop.headers();
    let mut flags = 0;
    let (source, destination): (Address, Address) =
        part(headers.addresses, FLOW_ADDRESSES, &mut flags);
    let (source_port, destination_port) = part(headers.ports, FLOW_PORTS, &mut flags);
    let l4 = part(headers.l4, FLOW_L4, &mut flags).into();
    FlowKey { key, source, destination, source_port, destination_port, l4, flags }
}

/// A part of a key or 0, with its flag where it is known.
#[inline(always)]
fn part<T: Default>(value: Option<T>, flag: u16, flags: &mut u16) -> T {
    if value.is_some() {
        *flags |= flag;
    }
    value.unwrap_or_default()
}

/// The name of its device; zeros where there is none.
#[inline(always)]
fn name(drop: &impl Source) -> Name {
    // SAFETY: both are 16 bytes of integers.
    unsafe { core::mem::transmute::<[u64; 2], Name>(drop.interface_name().unwrap_or_default()) }
}

#[inline(always)]
fn words(key: &CountKey) -> [u64; 3] {
    // SAFETY: both are 24 bytes of integers without padding, and aligned alike.
    unsafe { core::mem::transmute::<CountKey, [u64; 3]>(*key) }
}

/// Where a key's slot is.
#[inline(always)]
fn place(key: &CountKey) -> usize {
    // An odd number without a pattern, as those that multiplicative hashes use.
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let [first, second, third] = words(key);
    let mixed = (first ^ second.rotate_left(23) ^ third.rotate_left(41)).wrapping_mul(MIX);
    (mixed >> (u64::BITS - SLOTS.ilog2())) as usize & (SLOTS - 1)
}
