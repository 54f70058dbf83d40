//! Drops as lines for people: aligned columns, the last one as long as it needs to be.

use std::{io::Write, rc::Rc};

use anstyle::{AnsiColor, Style};

use crate::{
    cli::StackMode,
    clock::Clock,
    drop::{Drop, Name, Stack},
    kernel::reasons::Reasons,
    protocol,
    render::Render,
    stacks::{self, Stacks},
    symbols::{Frame, SourceLine, Symbols},
};

/// Shown in place of what is not known.
const UNKNOWN: &str = "?";

/// Columns as wide as what usually stands in them, so that location begins at column 72.
const PID_WIDTH: usize = 7;
const COMM_WIDTH: usize = 15;
const REASON_WIDTH: usize = 20;
const PROTOCOL_WIDTH: usize = 6;
const LEN_WIDTH: usize = 5;

/// The text format.
pub struct Text {
    reasons: Reasons,
    symbols: Symbols,
    clock: Clock,
    palette: Palette,
    stack: Option<StackMode>,
    stacks: Stacks,
    /// A field that is being put together, to know its width.
    field: Vec<u8>,
}

#[derive(Default)]
struct Palette {
    heading: Style,
    time: Style,
    reason: Style,
    location: Style,
    stack: Style,
}

impl Palette {
    fn coloured() -> Self {
        Self {
            heading: Style::new().bold(),
            time: Style::new().dimmed(),
            reason: AnsiColor::Yellow.on_default().bold(),
            location: AnsiColor::Cyan.on_default(),
            stack: Style::new().dimmed(),
        }
    }
}

impl Text {
    /// The format, with the sources of what it shows besides the drop itself.
    pub fn new(
        reasons: Reasons,
        symbols: Symbols,
        clock: Clock,
        color: bool,
        stack: Option<StackMode>,
    ) -> Self {
        let palette = if color { Palette::coloured() } else { Palette::default() };
        Self {
            reasons,
            symbols,
            clock,
            palette,
            stack,
            stacks: Stacks::default(),
            field: Vec::new(),
        }
    }

    fn stack(&mut self, stack: &Stack, location: u64, mode: StackMode, out: &mut Vec<u8>) {
        let Stack::Addresses(addresses) = stack else {
            push(out, format_args!("    stack unavailable\n"));
            return;
        };
        let frames = match stacks::from_location(addresses, location) {
            Some(frames) => frames,
            None => self.without_overhead(addresses),
        };
        let (number, new) = self.stacks.number(frames);
        let style = self.palette.stack;
        if !new && mode == StackMode::Once {
            push(out, format_args!("    {style}stack #{number}, as above{style:#}\n"));
            return;
        }
        push(out, format_args!("    {style}stack #{number}:{style:#}\n"));
        for &address in frames {
            let frame = self.symbols.frame(address);
            write_frame(&frame, style, out);
        }
    }

    /// The frames behind the last of those that belong to the tracer or the freeing of packets,
    /// as far as they stand at the begin.
    fn without_overhead<'a>(&mut self, addresses: &'a [u64]) -> &'a [u64] {
        let overhead = |address: &&u64| {
            let frame = self.symbols.frame(**address);
            frame.symbol.as_ref().is_some_and(|symbol| stacks::is_overhead(&symbol.name))
        };
        let skipped = addresses.iter().take_while(overhead).count();
        // Where all is overhead, that is all that is known.
        if skipped < addresses.len() { &addresses[skipped..] } else { addresses }
    }
}

impl Render for Text {
    fn heading(&mut self, out: &mut Vec<u8>) {
        let style = self.palette.heading;
        push(
            out,
            format_args!(
                "{style}{:<15} {:>PID_WIDTH$} {:<COMM_WIDTH$} {:<REASON_WIDTH$} {:<PROTOCOL_WIDTH$} {:>LEN_WIDTH$} LOCATION{style:#}\n",
                "TIME", "PID", "COMM", "REASON", "PROTO", "LEN"
            ),
        );
    }

    fn drop(&mut self, drop: &Drop, out: &mut Vec<u8>) {
        let Palette { time, reason, location, .. } = self.palette;
        push(out, format_args!("{time}"));
        self.clock.write_time_of_day(drop.boot_ns, out);
        push(out, format_args!("{time:#} {:>PID_WIDTH$} ", drop.tgid));

        self.field.clear();
        match &drop.comm {
            Some(comm) if comm.bytes().is_empty() => self.field.push(b'-'),
            Some(comm) => escape(comm, &mut self.field),
            None => self.field.extend(UNKNOWN.as_bytes()),
        }
        pad(&self.field, COMM_WIDTH, out);

        let name = drop.reason.map_or(UNKNOWN, |raw| self.reasons.name(raw));
        push(out, format_args!(" {reason}{name:<REASON_WIDTH$}{reason:#} "));
        match drop.protocol {
            Some(number) => push(out, format_args!("{:<PROTOCOL_WIDTH$} ", protocol::name(number))),
            None => push(out, format_args!("{UNKNOWN:<PROTOCOL_WIDTH$} ")),
        }
        match drop.len {
            Some(len) => push(out, format_args!("{len:>LEN_WIDTH$} ")),
            None => push(out, format_args!("{UNKNOWN:>LEN_WIDTH$} ")),
        }
        let frame: Rc<Frame> = self.symbols.frame(drop.location);
        push(out, format_args!("{location}"));
        write_place(&frame, out);
        push(out, format_args!("{location:#}\n"));

        if let (Some(mode), Some(stack)) = (self.stack, &drop.stack) {
            self.stack(stack, drop.location, mode, out);
        }
    }

    fn tick(&mut self) {
        self.clock.adjust();
        self.symbols.tick();
    }
}

/// `function+0x1a [module]`, or the bare address.
fn write_place(frame: &Frame, out: &mut Vec<u8>) {
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

/// A frame of a stack: the functions inlined there first, as they are further in.
fn write_frame(frame: &Frame, style: Style, out: &mut Vec<u8>) {
    const INDENT: &str = "        ";
    for inlined in frame.symbol.iter().flat_map(|symbol| symbol.inlined.iter().rev()) {
        push(out, format_args!("{INDENT}{} (inlined)", inlined.name));
        write_source(inlined.source.as_ref(), style, out);
    }
    push(out, format_args!("{INDENT}"));
    write_place(frame, out);
    write_source(frame.symbol.as_ref().and_then(|symbol| symbol.source.as_ref()), style, out);
}

fn write_source(source: Option<&SourceLine>, style: Style, out: &mut Vec<u8>) {
    match source {
        Some(SourceLine { file, line: Some(line) }) => {
            push(out, format_args!("  {style}{file}:{line}{style:#}\n"))
        }
        Some(SourceLine { file, line: None }) => {
            push(out, format_args!("  {style}{file}{style:#}\n"))
        }
        None => out.push(b'\n'),
    }
}

/// A task's name as text. A task can call itself anything: what is not printable is escaped, a
/// backslash too, so that nothing else looks like an escape.
fn escape(comm: &Name, out: &mut Vec<u8>) {
    for chunk in comm.bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\'' | '"' => push(out, format_args!("{character}")),
                _ => push(out, format_args!("{}", character.escape_debug())),
            }
        }
        for byte in chunk.invalid() {
            push(out, format_args!("\\x{byte:02x}"));
        }
    }
}

/// Appends text and blanks up to a width.
fn pad(text: &[u8], width: usize, out: &mut Vec<u8>) {
    out.extend(text);
    let shown = str::from_utf8(text).map_or(text.len(), |text| text.chars().count());
    out.extend(std::iter::repeat_n(b' ', width.saturating_sub(shown)));
}

fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to memory does not fail.
    let _ = out.write_fmt(text);
}
