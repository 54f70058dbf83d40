//! All that is known of one drop, with its stack.

use anstyle::Style;

use super::{
    details, place::write_place, sources::Sources, stack_text::write_frames, text::UNKNOWN,
};
use crate::{
    drop::{Drop, Stack},
    harmless::Rule,
    protocol, stacks,
    write::push,
};

/// Appends it in lines, as the stream shows it under a drop, and whether a rule calls it harmless.
pub fn write(drop: &Drop, tag: Option<&Rule>, sources: &mut Sources, out: &mut Vec<u8>) {
    push(out, format_args!("    drop: "));
    sources.clock.write_time_of_day(drop.boot_ns, out);
    let reason = drop.reason.map(|raw| sources.reasons.name(raw));
    push(out, format_args!(", {} at ", reason.unwrap_or(UNKNOWN)));
    write_place(&sources.symbols.frame(drop.location), out);
    if let Some(number) = drop.protocol {
        push(out, format_args!(", {}", protocol::name(number)));
    }
    if let Some(len) = drop.len {
        push(out, format_args!(", length {len}"));
    }
    out.push(b'\n');
    if let Some(Rule { name, matches, .. }) = tag {
        push(out, format_args!("    tag: #{name}, likely harmless: {matches}\n"));
    }
    details::write(drop, &drop.packet(), sources, out);
    match &drop.stack {
        None => {}
        Some(Stack::Unavailable) => push(out, format_args!("    stack unavailable\n")),
        Some(Stack::Addresses(addresses)) => {
            push(out, format_args!("    stack:\n"));
            let frames = stacks::of_drop(addresses, drop.location, &mut sources.symbols);
            write_frames(frames, &mut sources.symbols, Style::new(), out);
        }
    }
}
