//! From ranges of addresses to the prefixes that the kernel's trie holds.

/// What the trie is to hold: the length of a prefix, the first address, and the bits.
pub type Entry = (u32, u64, u32);

/// The fewest prefixes that cover `begin..end` and nothing else.
pub fn cover(begin: u64, end: u64) -> impl Iterator<Item = (u32, u64)> {
    let mut begin = begin;
    std::iter::from_fn(move || {
        let left = end.checked_sub(begin).filter(|&left| left > 0)?;
        // As much as the alignment allows, and as is left. At 0 any power of two is aligned.
        let power = begin.trailing_zeros().min(left.ilog2());
        let prefix = (u64::BITS - power, begin);
        begin += 1 << power;
        Some(prefix)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    fn contains((len, first): (u32, u64), address: u64) -> bool {
        len == 0 || first >> (64 - len) == address >> (64 - len)
    }

    #[test]
    fn prefixes_cover_a_range_and_nothing_else() {
        assert_eq!(cover(16, 32).collect::<Vec<_>>(), [(60, 16)]);
        assert_eq!(cover(15, 18).collect::<Vec<_>>(), [(64, 15), (63, 16)]);
        assert_eq!(cover(5, 5).count(), 0);
        let mut number = random::numbers();
        let mut random = |below: u64| (number() >> 16) % below;
        for _ in 0..2_000 {
            let begin = 0xffff_ffff_8100_0000 + random(0x1000);
            let end = begin + random(0x400);
            let prefixes: Vec<_> = cover(begin, end).collect();
            assert!(prefixes.len() <= 20, "{prefixes:x?}");
            for address in begin - 0x10..end + 0x10 {
                let found = prefixes.iter().filter(|&&prefix| contains(prefix, address)).count();
                let expected = usize::from((begin..end).contains(&address));
                assert_eq!(found, expected, "{address:x} of {begin:x}..{end:x}");
            }
        }
    }
}
