//! Drops as lines for people: aligned columns, the last one as long as it needs to be.

use anstyle::{AnsiColor, Style};

use super::{
    Render, details,
    fields::{Field, Side},
    place::write_place,
    sources::Sources,
    stack_text::StackText,
};
use crate::{
    cli::StackMode,
    drop::{Context, Direction, Drop},
    packet::Packet,
    protocol, socket_names,
    write::{decimal, escape, pad_left, pad_right, push},
};

/// Shown in place of what is not known.
pub const UNKNOWN: &str = "?";
/// Shown in place of what the drop does not have.
pub const NONE: &str = "-";

/// The text format.
pub struct Text {
    sources: Sources,
    columns: Vec<Field>,
    /// Whether lines about packet, device and socket follow.
    details: bool,
    stacks: Option<StackText>,
    palette: Palette,
    needs_packet: bool,
    /// A field that is being put together, to know its width.
    field: Vec<u8>,
}

/// How to show drops as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextConfig {
    /// The columns.
    pub columns: Vec<Field>,
    /// Whether lines about packet, device and socket follow.
    pub details: bool,
    /// Whether stacks follow.
    pub stack: Option<StackMode>,
    /// Whether to use colour.
    pub color: bool,
}

#[derive(Default)]
struct Palette {
    heading: Style,
    dimmed: Style,
    reason: Style,
    location: Style,
}

impl Palette {
    fn coloured() -> Self {
        Self {
            heading: Style::new().bold(),
            dimmed: Style::new().dimmed(),
            reason: AnsiColor::Yellow.on_default().bold(),
            location: AnsiColor::Cyan.on_default(),
        }
    }

    fn of(&self, field: Field, drop: &Drop) -> Style {
        match field {
            Field::Time | Field::Timestamp => self.dimmed,
            Field::Pid | Field::Tid | Field::Comm if is_interrupted(drop) => self.dimmed,
            Field::Reason => self.reason,
            Field::Location => self.location,
            _ => Style::new(),
        }
    }
}

/// Whether the task was not at work, but interrupted.
fn is_interrupted(drop: &Drop) -> bool {
    drop.context.is_some_and(|context| context != Context::Task)
}

impl Text {
    /// The format, with the sources of what it shows besides the drop itself.
    pub fn new(sources: Sources, config: TextConfig) -> Self {
        let palette = if config.color { Palette::coloured() } else { Palette::default() };
        let of_packet = |field: &Field| {
            use Field::{Destination, Flow, L4, Packet, Source, Vlan};
            matches!(field, Flow | Packet | Source | Destination | L4 | Vlan)
        };
        Self {
            sources,
            needs_packet: config.details || config.columns.iter().any(of_packet),
            columns: config.columns,
            details: config.details,
            stacks: config.stack.map(|mode| StackText::new(mode, palette.dimmed)),
            palette,
            field: Vec::new(),
        }
    }

    /// Puts a field together.
    fn field(&mut self, field: Field, drop: &Drop, packet: &Packet) {
        let Self { sources, field: out, .. } = self;
        // A packet of a network has headers, even where they are not known.
        let hidden = packet.is_empty() && drop.protocol != Some(0);
        let known = match field {
            Field::Flow
            | Field::Packet
            | Field::Source
            | Field::Destination
            | Field::L4
            | Field::Vlan
                if hidden =>
            {
                None
            }
            Field::Socket | Field::State | Field::User | Field::Cgroup | Field::Owner
                if drop.socket.is_none() && !drop.is_read() =>
            {
                None
            }
            Field::Time => {
                sources.clock.write_time_of_day(drop.boot_ns, out);
                Some(())
            }
            Field::Timestamp => {
                sources.clock.write_rfc3339(drop.boot_ns, out);
                Some(())
            }
            Field::Cpu => number(out, Some(drop.cpu)),
            Field::Context => name(out, drop.context.map(Context::name)),
            Field::Pid => number(out, Some(drop.tgid)),
            Field::Tid => number(out, Some(drop.pid)),
            Field::Comm => comm(out, drop),
            Field::Reason => name(out, drop.reason.map(|raw| sources.reasons.name(raw))),
            Field::Iface => iface(out, drop, sources),
            Field::Ifindex => {
                number(out, drop.device.map(|device| device.index).or(came_in_by(drop)))
            }
            Field::Input => input(out, drop, sources),
            Field::Netns => drop.netns.map(|inum| sources.world.write_netns(inum, out)),
            Field::Direction => name(out, drop.direction().map(Direction::short)),
            Field::Proto => name(out, drop.protocol.map(protocol::name).as_deref()),
            Field::Len => number(out, drop.len),
            Field::Location => {
                write_place(&sources.symbols.frame(drop.location), out);
                Some(())
            }
            Field::Flow => {
                packet.write_flow(out);
                Some(())
            }
            Field::Packet => {
                packet.write_summary(out);
                Some(())
            }
            Field::Source => end(out, packet.source(), packet.ports().map(|ports| ports.0)),
            Field::Destination => {
                end(out, packet.destination(), packet.ports().map(|ports| ports.1))
            }
            Field::L4 => {
                if let Some(number) = packet.l4() {
                    Packet::write_protocol(number, out);
                }
                Some(())
            }
            Field::Vlan => {
                for (index, tag) in packet.vlans.iter().enumerate() {
                    out.extend(if index > 0 { &b"."[..] } else { b"" });
                    decimal(out, tag.id);
                }
                Some(())
            }
            Field::Socket => details::write_socket(drop, out),
            Field::State => {
                let details = drop.socket.as_ref().map(|socket| socket.details.as_ref());
                match details {
                    Some(details) => {
                        name(out, details.and_then(|it| socket_names::state(it.state)))
                    }
                    None => Some(()),
                }
            }
            Field::User => full_socket(drop, |full| sources.world.write_user(full.uid, out)),
            Field::Cgroup => full_socket(drop, |full| {
                if let Some(id) = full.cgroup {
                    sources.world.write_cgroup(id, out);
                }
            }),
            Field::Owner => owner(out, drop, sources),
        };
        match known {
            None => out.extend(UNKNOWN.as_bytes()),
            Some(()) if out.is_empty() => out.extend(NONE.as_bytes()),
            Some(()) => {}
        }
    }
}

impl Render for Text {
    fn heading(&mut self, out: &mut Vec<u8>) {
        let style = self.palette.heading;
        push(out, format_args!("{style}"));
        for (index, field) in self.columns.iter().enumerate() {
            let is_last = index + 1 == self.columns.len();
            put(field.heading().as_bytes(), *field, is_last, out);
        }
        push(out, format_args!("{style:#}\n"));
    }

    fn drop(&mut self, drop: &Drop, out: &mut Vec<u8>) {
        let packet = if self.needs_packet { drop.packet() } else { Packet::default() };
        for index in 0..self.columns.len() {
            let field = self.columns[index];
            self.field.clear();
            self.field(field, drop, &packet);
            let style = self.palette.of(field, drop);
            if style != Style::new() {
                push(out, format_args!("{style}"));
            }
            let is_last = index + 1 == self.columns.len();
            put(&self.field, field, is_last, out);
            if style != Style::new() {
                push(out, format_args!("{style:#}"));
            }
        }
        out.push(b'\n');
        if self.details {
            details::write(drop, &packet, &mut self.sources, out);
        }
        if let (Some(stacks), Some(stack)) = (&mut self.stacks, &drop.stack) {
            stacks.write(stack, drop.location, &mut self.sources.symbols, out);
        }
    }

    fn sources(&mut self) -> &mut Sources {
        &mut self.sources
    }

    fn tick(&mut self) {
        self.sources.tick();
    }
}

/// Puts a field into its column; the last one needs no filling up.
fn put(text: &[u8], field: Field, is_last: bool, out: &mut Vec<u8>) {
    match (field.side(), is_last) {
        (Side::Right, _) => pad_left(text, field.width(), out),
        (Side::Left, false) => pad_right(text, field.width(), out),
        (Side::Left, true) => out.extend(text),
    }
    if !is_last {
        out.push(b' ');
    }
}

fn number(out: &mut Vec<u8>, number: Option<u32>) -> Option<()> {
    decimal(out, number?);
    Some(())
}

fn name(out: &mut Vec<u8>, name: Option<&str>) -> Option<()> {
    out.extend(name?.as_bytes());
    Some(())
}

fn comm(out: &mut Vec<u8>, drop: &Drop) -> Option<()> {
    let comm = drop.comm.as_ref()?;
    if is_interrupted(drop) {
        out.push(b'[');
        escape(comm.bytes(), out);
        out.push(b']');
    } else {
        escape(comm.bytes(), out);
    }
    Some(())
}

/// The index of the device that the packet came in by, if it did.
fn came_in_by(drop: &Drop) -> Option<u32> {
    drop.iif.filter(|&index| index != 0)
}

fn iface(out: &mut Vec<u8>, drop: &Drop, sources: &mut Sources) -> Option<()> {
    match &drop.device {
        Some(device) => {
            escape(device.name.bytes(), out);
            Some(())
        }
        None => input(out, drop, sources),
    }
}

/// Empty where the packet did not come in.
fn input(out: &mut Vec<u8>, drop: &Drop, sources: &mut Sources) -> Option<()> {
    match drop.iif? {
        0 => {}
        index => sources.world.write_interface(drop.netns, index, drop.device.as_ref(), out),
    }
    Some(())
}

fn end(out: &mut Vec<u8>, address: Option<std::net::IpAddr>, port: Option<u16>) -> Option<()> {
    if let Some(address) = address {
        Packet::write_end(address, port, out);
    }
    Some(())
}

/// Empty where there is no socket, unknown where too little is known of it.
fn full_socket(drop: &Drop, write: impl FnOnce(&crate::drop::FullSocket)) -> Option<()> {
    if let Some(socket) = &drop.socket {
        write(socket.details.as_ref()?.full.as_ref()?);
    }
    Some(())
}

/// Empty where no process has the socket open.
fn owner(out: &mut Vec<u8>, drop: &Drop, sources: &mut Sources) -> Option<()> {
    let Some(socket) = &drop.socket else { return Some(()) };
    if socket.details.as_ref()?.full.as_ref()?.inode.is_some() {
        let owner = sources.world.owner(socket)?;
        details::write_owner(&owner, out);
    }
    Some(())
}
