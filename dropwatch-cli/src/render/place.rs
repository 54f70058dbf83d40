//! Writing a place in the kernel's code.

use crate::{symbols::Frame, write::push};

/// `function+0x1a [module]`, or the bare address.
pub fn write_place(frame: &Frame, out: &mut Vec<u8>) {
    match &frame.symbol {
        Some(symbol) => {
            push(out, format_args!("{}+{:#x}", symbol.name, symbol.offset));
            if let Some(module) = &symbol.module {
                push(out, format_args!(" [{module}]"));
            }
        }
        None => push(out, format_args!("{:#x}", frame.address)),
    }
}
