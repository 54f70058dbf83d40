//! Writing a place in the kernel's code.

use crate::{
    symbols::Frame,
    write::{hex, text},
};

/// `function+0x1a [module]`, or the bare address.
pub fn write_place(frame: &Frame, out: &mut Vec<u8>) {
    match &frame.symbol {
        Some(symbol) => {
            text(out, &symbol.name);
            out.push(b'+');
            hex(out, symbol.offset as u64);
            if let Some(module) = &symbol.module {
                text(out, " [");
                text(out, module);
                out.push(b']');
            }
        }
        None => hex(out, frame.address),
    }
}
