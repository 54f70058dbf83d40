//! Finding types by their names in a kernel's BTF: a hundred thousand of them, at each start, for
//! some dozens of names.

const TYPE_SIZE: usize = 12;
const WORD: usize = size_of::<u64>();

/// The name of each type, and a number made of it by which it is found.
pub struct Names {
    /// Offset of the name of the type with the id of the index and 1.
    offsets: Vec<u32>,
    /// Of the same types, the names' hashes.
    hashes: Vec<u32>,
}

impl Names {
    /// Reads the names of a kernel's own types, in this machine's byte order. None where there is
    /// a kind of type that is not known here: then nobody knows where the next one begins.
    pub fn read(types: &[u8], strings: &[u8]) -> Option<Self> {
        let word = |at: usize| types.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
        // Types have 20 bytes on average.
        let mut offsets = Vec::with_capacity(types.len() / 20);
        let mut hashes = Vec::with_capacity(types.len() / 20);
        let mut at = 0;
        while at < types.len() {
            let (name, info) = (word(at)?, word(at + 4)?);
            offsets.push(name);
            hashes.push(strings.get(name as usize..).map_or(0, hash));
            at += TYPE_SIZE + rest(info)?;
        }
        (at == types.len()).then_some(Self { offsets, hashes })
    }

    /// The ids of all types of this name.
    pub fn ids(&self, strings: &[u8], name: &str) -> Vec<u32> {
        let whole = [name.as_bytes(), b"\0"].concat();
        let wanted = hash(&whole);
        let is_named = |offset: u32| {
            strings.get(offset as usize..).is_some_and(|rest| rest.starts_with(&whole))
        };
        let types = (1..).zip(self.hashes.iter().zip(&self.offsets));
        types
            .filter(|(_, (hash, offset))| **hash == wanted && is_named(**offset))
            .map(|(id, _)| id)
            .collect()
    }
}

/// A hash of the bytes before the first zero, made of eight at a time.
fn hash(mut bytes: &[u8]) -> u32 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = 0_u64;
    loop {
        let word = match bytes.split_first_chunk::<WORD>() {
            Some((word, rest)) => {
                bytes = rest;
                *word
            }
            None => {
                let mut word = [0; WORD];
                word[..bytes.len()].copy_from_slice(bytes);
                word
            }
        };
        let word = u64::from_le_bytes(word);
        // The lowest bit that is set is in the first byte that is zero.
        let zeros = word.wrapping_sub(LOW) & !word & HIGH;
        let before = if zeros == 0 { u64::MAX } else { (1 << (zeros.trailing_zeros() & !7)) - 1 };
        hash = (hash.rotate_left(5) ^ (word & before)).wrapping_mul(FACTOR);
        if zeros != 0 {
            return (hash >> 32) as u32;
        }
    }
}

/// The length in bytes of what follows the first three words of a type, by its kind
/// (`linux/btf.h`).
fn rest(info: u32) -> Option<usize> {
    let members = (info & 0xffff) as usize;
    Some(match info >> 24 & 0x1f {
        // Integers, variables and declaration tags.
        1 | 14 | 17 => 4,
        // Arrays.
        3 => 12,
        // Structs, unions, sections and enums of 64 bits.
        4 | 5 | 15 | 19 => 12 * members,
        // Enums, and the types of functions.
        6 | 13 => 8 * members,
        // Pointers, forward declarations, type definitions, volatile, const, restrict, functions,
        // floating-point numbers and type tags.
        2 | 7..=12 | 16 | 18 => 0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_before_the_zero_counts() {
        for name in ["", "a", "sk_buff", "8 bytes!", "eight bytes and more"] {
            let alone = [name.as_bytes(), b"\0"].concat();
            let followed = [name.as_bytes(), b"\0behind it, another"].concat();
            assert_eq!(hash(&alone), hash(&followed), "{name}");
            assert_eq!(hash(name.as_bytes()), hash(&alone), "{name}");
        }
        assert_ne!(hash(b"sk_buff\0"), hash(b"sk_bufg\0"));
        assert_ne!(hash(b"8 bytes!\0"), hash(b"8 bytes!!\0"));
    }
}
