//! Stacks that have been seen: each distinct one has a number.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::symbols::Symbols;

/// So many distinct stacks are remembered, a few MB. Beyond that numbering goes on, and stacks
/// from before are new again.
const REMEMBERED: usize = 10_000;

/// Numbers for stacks, from 1 on. Two stacks share a number only if all their frames are equal.
#[derive(Debug, Default)]
pub struct Stacks {
    numbers: HashMap<Box<[u64]>, u64, RandomState>,
    last: u64,
}

impl Stacks {
    /// The stack's number, and whether it is new.
    pub fn number(&mut self, frames: &[u64]) -> (u64, bool) {
        if let Some(&number) = self.numbers.get(frames) {
            return (number, false);
        }
        if self.numbers.len() >= REMEMBERED {
            self.numbers.clear();
        }
        self.last += 1;
        self.numbers.insert(frames.into(), self.last);
        (self.last, true)
    }
}

/// The frames of a drop's stack that say something: those from its location on.
pub fn of_drop<'a>(addresses: &'a [u64], location: u64, symbols: &mut Symbols) -> &'a [u64] {
    from_location(addresses, location).unwrap_or_else(|| without_overhead(addresses, symbols))
}

/// The frames behind the last of those that belong to the tracer or the freeing of packets, as
/// far as they stand at the begin.
fn without_overhead<'a>(addresses: &'a [u64], symbols: &mut Symbols) -> &'a [u64] {
    let overhead = |address: &&u64| {
        let frame = symbols.frame(**address);
        frame.symbol.as_ref().is_some_and(|symbol| is_overhead(&symbol.name))
    };
    let skipped = addresses.iter().take_while(overhead).count();
    // Where all is overhead, that is all that is known.
    if skipped < addresses.len() { &addresses[skipped..] } else { addresses }
}

/// The frames from the function that dropped the packet on, or none where that is not in the
/// stack. Further in are the kernel's function that frees packets, and the tracer's own frames.
fn from_location(addresses: &[u64], location: u64) -> Option<&[u64]> {
    let first = addresses.iter().position(|&address| address == location)?;
    Some(&addresses[first..])
}

/// Whether a function belongs to the tracer or only frees packets: frames to skip where
/// the location is not in the stack.
fn is_overhead(function: &str) -> bool {
    const TRACER: [&str; 5] =
        ["bpf_prog_", "bpf_trace_run", "bpf_trampoline_", "__bpf_trace_", "__traceiter_"];
    const FREEING: [&str; 8] = [
        "kfree_skb",
        "kfree_skb_reason",
        "sk_skb_reason_drop",
        "__sk_skb_reason_drop",
        "kfree_skb_list_reason",
        "__kfree_skb_reason",
        "dev_kfree_skb_any_reason",
        "dev_kfree_skb_irq_reason",
    ];
    let plain = function.split('.').next().unwrap_or(function);
    TRACER.iter().any(|prefix| plain.starts_with(prefix)) || FREEING.contains(&plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_stacks_share_a_number_and_others_do_not() {
        let mut stacks = Stacks::default();
        assert_eq!(stacks.number(&[1, 2, 3]), (1, true));
        assert_eq!(stacks.number(&[1, 2]), (2, true));
        assert_eq!(stacks.number(&[1, 2, 3]), (1, false));
        assert_eq!(stacks.number(&[]), (3, true));
    }

    #[test]
    fn memory_is_bounded_and_numbers_are_never_used_twice() {
        let mut stacks = Stacks::default();
        for address in 0..2 * REMEMBERED as u64 {
            assert_eq!(stacks.number(&[address]), (address + 1, true));
            assert!(stacks.numbers.len() <= REMEMBERED);
        }
        assert_eq!(stacks.number(&[0]), (2 * REMEMBERED as u64 + 1, true));
    }

    #[test]
    fn a_stack_begins_at_the_location() {
        assert_eq!(from_location(&[1, 2, 3, 4], 3), Some(&[3, 4][..]));
        assert_eq!(from_location(&[1, 2], 9), None);
        assert_eq!(from_location(&[], 9), None);
    }

    #[test]
    fn only_the_tracer_and_the_freeing_functions_are_overhead() {
        for function in [
            "bpf_prog_3b185187f1855c4c_kfree_skb",
            "bpf_trace_run4",
            "sk_skb_reason_drop",
            "kfree_skb_reason.part.0",
        ] {
            assert!(is_overhead(function), "{function}");
        }
        for function in ["__udp4_lib_rcv", "kfree_skb_partial", "skb_release_data", "bpf_prog"] {
            assert!(!is_overhead(function), "{function}");
        }
    }
}
