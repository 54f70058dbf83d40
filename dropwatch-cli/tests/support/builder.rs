//! Builds BTF, base and split: <https://docs.kernel.org/bpf/btf.html>.

use std::collections::HashMap;

/// Kinds of types, as in `linux/btf.h`.
pub mod kind {
    pub const INT: u32 = 1;
    pub const PTR: u32 = 2;
    pub const STRUCT: u32 = 4;
    pub const UNION: u32 = 5;
    pub const ENUM: u32 = 6;
    pub const TYPEDEF: u32 = 8;
    pub const CONST: u32 = 10;
    pub const FUNC_PROTO: u32 = 13;
}

/// Bit of a type's info that makes an enum signed, or a struct's offsets those of bit fields.
const KIND_FLAG: u32 = 1 << 31;
pub const HEADER_SIZE: usize = 24;

/// A kernel's BTF in the making, or a module's.
#[derive(Clone)]
pub struct Builder {
    types: Vec<u32>,
    strings: Vec<u8>,
    offsets: HashMap<String, u32>,
    /// The id that the next type will have.
    pub next_id: u32,
    /// Length of the base's strings, after which a module's own begin.
    first_string: u32,
}

impl Builder {
    /// A kernel's BTF: a base.
    pub fn new() -> Self {
        let offsets = HashMap::from([(String::new(), 0)]);
        Self { types: Vec::new(), strings: vec![0], offsets, next_id: 1, first_string: 0 }
    }

    /// A module's BTF, whose ids and strings go on where those of its kernel end.
    pub fn on(base: &Self) -> Self {
        Self {
            types: Vec::new(),
            strings: Vec::new(),
            offsets: base.offsets.clone(),
            next_id: base.next_id,
            first_string: base.first_string + base.strings.len() as u32,
        }
    }

    /// Offset of a string. One that is there already, also in the base, is used again.
    pub fn string(&mut self, text: &str) -> u32 {
        if let Some(&offset) = self.offsets.get(text) {
            return offset;
        }
        let offset = self.first_string + self.strings.len() as u32;
        self.strings.extend(text.bytes().chain([0]));
        self.offsets.insert(text.to_owned(), offset);
        offset
    }

    /// Adds a type of which every word is given: name, info, size or type, and what follows.
    pub fn raw(&mut self, words: &[u32]) -> u32 {
        self.types.extend(words);
        self.next_id += 1;
        self.next_id - 1
    }

    fn named(
        &mut self,
        kind: u32,
        name: &str,
        vlen: usize,
        size_or_type: u32,
        rest: &[u32],
    ) -> u32 {
        let name = self.string(name);
        self.raw(&[&[name, kind << 24 | vlen as u32, size_or_type], rest].concat())
    }

    /// An integer of 4 bytes.
    pub fn int(&mut self, name: &str) -> u32 {
        self.named(kind::INT, name, 0, 4, &[32])
    }

    /// A type that only refers to another: `PTR`, `CONST`, `TYPEDEF`.
    pub fn refer(&mut self, kind: u32, name: &str, to: u32) -> u32 {
        self.named(kind, name, 0, to, &[])
    }

    /// A pointer.
    pub fn pointer(&mut self, to: u32) -> u32 {
        self.refer(kind::PTR, "", to)
    }

    /// An enum of 4 bytes.
    pub fn enumeration(&mut self, name: &str, signed: bool, members: &[(&str, u32)]) -> u32 {
        let words: Vec<_> =
            members.iter().flat_map(|(name, value)| [self.string(name), *value]).collect();
        let kind = kind::ENUM | if signed { KIND_FLAG >> 24 } else { 0 };
        self.named(kind, name, members.len(), 4, &words)
    }

    /// A struct or union: names, types and offsets in bits of its members.
    pub fn aggregate(&mut self, kind: u32, name: &str, members: &[(&str, u32, u32)]) -> u32 {
        let words: Vec<_> =
            members.iter().flat_map(|(name, of, bits)| [self.string(name), *of, *bits]).collect();
        self.named(kind, name, members.len(), 64, &words)
    }

    /// A struct in which offsets hold the sizes of bit fields too: names, types, offsets in bits
    /// and sizes in bits, 0 for what is no bit field.
    pub fn with_bit_fields(&mut self, name: &str, members: &[(&str, u32, u32, u32)]) -> u32 {
        let members: Vec<_> =
            members.iter().map(|&(name, of, bits, size)| (name, of, size << 24 | bits)).collect();
        self.aggregate(kind::STRUCT | KIND_FLAG >> 24, name, &members)
    }

    /// The type of a function that returns nothing.
    pub fn function(&mut self, parameters: &[u32]) -> u32 {
        let words: Vec<_> = parameters.iter().flat_map(|&of| [0, of]).collect();
        self.named(kind::FUNC_PROTO, "", parameters.len(), 0, &words)
    }

    /// The file's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let types_len = self.types.len() as u32 * 4;
        let header = [HEADER_SIZE as u32, 0, types_len, types_len, self.strings.len() as u32];
        let mut bytes = vec![0x9f, 0xeb, 1, 0];
        bytes.extend(header.iter().chain(&self.types).flat_map(|word| word.to_le_bytes()));
        bytes.extend(&self.strings);
        bytes
    }
}
