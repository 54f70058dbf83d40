//! Finding types by their names in a kernel's BTF: a hundred thousand of them, at each start, for
//! some dozens of names.

use memchr::memmem;

const TYPE_SIZE: usize = 12;

/// The name of each type, by where it stands among the strings.
pub struct Names {
    /// Offset of the name of the type with the id of the index and 1.
    offsets: Vec<u32>,
}

impl Names {
    /// Reads the names of a kernel's own types, in this machine's byte order. None where there is
    /// a kind of type that is not known here: then nobody knows where the next one begins.
    pub fn read(types: &[u8]) -> Option<Self> {
        let word = |at: usize| types.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
        // Types have 20 bytes on average.
        let mut offsets = Vec::with_capacity(types.len() / 20);
        let mut at = 0;
        while at < types.len() {
            let (name, info) = (word(at)?, word(at + 4)?);
            offsets.push(name);
            at += TYPE_SIZE + rest(info)?;
        }
        (at == types.len()).then_some(Self { offsets })
    }

    /// The ids of all types of this name.
    pub fn ids(&self, strings: &[u8], name: &str) -> Vec<u32> {
        let whole = [b"\0", name.as_bytes(), b"\0"].concat();
        let places = memmem::find_iter(strings, &whole).map(|at| at as u32 + 1);
        places.flat_map(|place| self.at(place)).collect()
    }

    fn at(&self, place: u32) -> impl Iterator<Item = u32> {
        let ids = (1..).zip(&self.offsets);
        ids.filter(move |(_, name)| **name == place).map(|(id, _)| id)
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
