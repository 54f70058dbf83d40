//! Addresses in the kernel's code.

use std::rc::Rc;

use super::value::{Array, Hex, Value, object};
use crate::{
    drop::{Drop, Stack},
    render::rendered::Rendered,
    stacks,
    symbols::{Frame, Inlined, Symbols},
    write::text,
};

/// Writes frames and stacks, and keeps them.
pub struct Frames {
    frames: Rendered<u64>,
    stacks: Rendered<Vec<u64>>,
}

impl Default for Frames {
    fn default() -> Self {
        Self { frames: Rendered::new(), stacks: Rendered::new() }
    }
}

impl Frames {
    /// Appends what is known of an address.
    pub fn write(&mut self, address: u64, symbols: &mut Symbols, out: &mut Vec<u8>) {
        let frames = self.frames.of_edition(symbols.edition());
        frames.write(&address, out, |out| symbols.frame(address).write(out));
    }

    /// Appends the frames of a drop's stack.
    pub fn write_stack(&mut self, drop: &Drop, symbols: &mut Symbols, out: &mut Vec<u8>) {
        let Some(Stack::Addresses(addresses)) = &drop.stack else { return text(out, "null") };
        let addresses = stacks::of_drop(addresses, drop.location, symbols);
        let edition = symbols.edition();
        let (frames, stacks) = (self.frames.of_edition(edition), self.stacks.of_edition(edition));
        stacks.write(addresses, out, |out| {
            let mut lead = b'[';
            for &address in addresses {
                out.push(lead);
                lead = b',';
                frames.write(&address, out, |out| symbols.frame(address).write(out));
            }
            text(out, if lead == b'[' { "[]" } else { "]" });
        });
    }
}

impl Value for Rc<Frame> {
    fn write(self, out: &mut Vec<u8>) {
        let Frame { address, symbol } = &*self;
        let symbol = symbol.as_ref();
        let source = symbol.and_then(|symbol| symbol.source.as_ref());
        object! {
            "address": Hex(*address),
            "symbol": symbol.map(|symbol| symbol.name.as_str()),
            "offset": symbol.map(|symbol| symbol.offset),
            "module": symbol.and_then(|symbol| symbol.module.as_deref()),
            "file": source.map(|source| source.file.as_str()),
            "line": source.and_then(|source| source.line),
            "inlined": Array(symbol.iter().flat_map(|symbol| &symbol.inlined).map(inlined)),
        }
        .write(out);
    }
}

fn inlined(Inlined { name, source }: &Inlined) -> impl Value {
    let source = source.as_ref();
    object! {
        "symbol": name.as_str(),
        "file": source.map(|source| source.file.as_str()),
        "line": source.and_then(|source| source.line),
    }
}
