//! Drops as lines for people: aligned columns, the last one as long as it needs to be.

use anstyle::{AnsiColor, Style};

use super::{
    Render, details,
    fields::{Field, Side},
    place::write_place,
    rendered::Rendered,
    sources::Sources,
    stack_text::StackText,
};
use crate::{
    cli::StackMode,
    drop::{Context, Direction, Drop},
    explain::hints::Hints,
    harmless::{Rule, Tagger},
    packet::Packet,
    protocol, socket_names,
    write::{decimal, few, pad_left, pad_right, push, text},
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
    color: bool,
    needs_packet: bool,
    places: Rendered<u64>,
    /// By the address and the inode of the socket.
    owners: Rendered<(u64, u64)>,
    /// None where nobody wants to know: it asks for the function, which may not be shown.
    tagger: Option<Tagger>,
    /// Whether tags follow the last column.
    tags_behind: bool,
    hide_tagged: bool,
    hints: Option<Hints>,
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
pub fn is_interrupted(drop: &Drop) -> bool {
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
        // Who chooses columns can choose that of the tags.
        let tags_behind = config.columns == Field::DEFAULT;
        Self {
            sources,
            needs_packet: config.details || config.columns.iter().any(of_packet),
            tagger: (tags_behind || config.columns.contains(&Field::Tag)).then(Tagger::default),
            tags_behind,
            columns: config.columns,
            details: config.details,
            stacks: config.stack.map(|mode| StackText::new(mode, palette.dimmed)),
            palette,
            color: config.color,
            places: Rendered::new(),
            owners: Rendered::new(),
            hide_tagged: false,
            hints: None,
        }
    }

    /// The same that leaves out drops that are likely harmless.
    pub fn without_noise(self) -> Self {
        Self { hide_tagged: true, tagger: Some(self.tagger.unwrap_or_default()), ..self }
    }

    /// The same that says what reasons mean.
    pub fn with_hints(self, hints: Hints) -> Self {
        Self { hints: Some(hints), ..self }
    }

    /// Appends a field; `hidden` where there is a packet that is not known.
    fn field(
        &mut self,
        field: Field,
        drop: &Drop,
        packet: &Packet,
        (hidden, tag): (bool, Option<&Rule>),
        out: &mut Vec<u8>,
    ) {
        let Self { sources, places, owners, .. } = self;
        let start = out.len();
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
                let symbols = &mut sources.symbols;
                let places = places.of_edition(symbols.edition());
                places.write(&drop.location, out, |out| {
                    write_place(&symbols.frame(drop.location), out);
                });
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
            Field::Owner => owner(out, drop, owners, sources),
            Field::Tag => {
                out.extend(tag.map_or("", |tag| tag.name).as_bytes());
                Some(())
            }
        };
        match known {
            None => text(out, UNKNOWN),
            Some(()) if out.len() == start => text(out, NONE),
            Some(()) => {}
        }
    }
}

impl Text {
    /// Says what the reason means, the first time; of what is likely harmless, why that is so.
    fn hint(&mut self, drop: &Drop, tag: Option<&Rule>, out: &mut Vec<u8>) {
        let (Some(hints), Some(raw)) = (&mut self.hints, drop.reason) else { return };
        let name = self.sources.reasons.name(raw).to_owned();
        if let Some(tag) = tag {
            if hints.is_first_of_tag(tag.name) {
                let (matches, style) = (tag.matches, self.palette.dimmed);
                let more = format!("dropwatch --explain-tags, dropwatch explain {name}");
                push(out, format_args!("    hint: likely harmless: {matches} "));
                push(out, format_args!("{style}({more}){style:#}\n"));
            }
            return;
        }
        let elsewhere = drop.netns.filter(|&inum| hints.is_elsewhere(inum));
        if let Some(meaning) = hints.first(raw, &self.sources.reasons) {
            let style = self.palette.dimmed;
            push(out, format_args!("    hint: {meaning} {style}(dropwatch explain {name}"));
            if let Some(inum) = elsewhere {
                push(out, format_args!("; in netns "));
                self.sources.world.write_netns(inum, out);
            }
            push(out, format_args!("){style:#}\n"));
        }
    }
}

impl Render for Text {
    fn heading(&mut self, out: &mut Vec<u8>) {
        let style = self.palette.heading;
        push(out, format_args!("{style}"));
        for (index, field) in self.columns.iter().enumerate() {
            let is_last = index + 1 == self.columns.len();
            let start = out.len();
            text(out, field.heading());
            align(start, *field, is_last, out);
        }
        push(out, format_args!("{style:#}\n"));
    }

    fn drop(&mut self, drop: &Drop, out: &mut Vec<u8>) -> bool {
        let Self { tagger, sources, .. } = self;
        let tag = tagger.as_mut().and_then(|tagger| tagger.tag(drop, sources));
        if self.hide_tagged && tag.is_some() {
            return false;
        }
        let packet = if self.needs_packet { drop.packet() } else { Packet::default() };
        // A packet of a network has headers, even where they are not known.
        let hidden = packet.is_empty() && drop.protocol != Some(0);
        for index in 0..self.columns.len() {
            let field = self.columns[index];
            let is_last = index + 1 == self.columns.len();
            let style = if self.color { self.palette.of(field, drop) } else { Style::new() };
            if self.color {
                push(out, format_args!("{style}"));
            }
            let start = out.len();
            self.field(field, drop, &packet, (hidden, tag), out);
            align(start, field, is_last, out);
            if self.color {
                push(out, format_args!("{style:#}"));
            }
        }
        if let Some(tag) = tag.filter(|_| self.tags_behind) {
            let style = self.palette.dimmed;
            push(out, format_args!(" {style}#{}{style:#}", tag.name));
        }
        out.push(b'\n');
        self.hint(drop, tag, out);
        if self.details {
            details::write(drop, &packet, &mut self.sources, out);
        }
        if let (Some(stacks), Some(stack)) = (&mut self.stacks, &drop.stack) {
            stacks.write(stack, drop.location, &mut self.sources.symbols, out);
        }
        true
    }

    fn sources(&mut self) -> &mut Sources {
        &mut self.sources
    }

    fn tick(&mut self) {
        self.sources.tick();
        if let Some(tagger) = &mut self.tagger {
            tagger.tick();
        }
    }
}

/// Fills up the column of the field that begins at `start`; the last one needs no filling up.
fn align(start: usize, field: Field, is_last: bool, out: &mut Vec<u8>) {
    match (field.side(), is_last) {
        (Side::Right, _) => pad_left(out, start, field.width()),
        (Side::Left, false) => pad_right(out, start, field.width()),
        (Side::Left, true) => {}
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
    few(out, name?.as_bytes());
    Some(())
}

fn comm(out: &mut Vec<u8>, drop: &Drop) -> Option<()> {
    let comm = drop.comm.as_ref()?;
    if is_interrupted(drop) {
        out.push(b'[');
        comm.write(out);
        out.push(b']');
    } else {
        comm.write(out);
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
            device.name.write(out);
            sources.world.learn_device(drop);
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
fn owner(
    out: &mut Vec<u8>,
    drop: &Drop,
    rendered: &mut Rendered<(u64, u64)>,
    sources: &mut Sources,
) -> Option<()> {
    let Some(socket) = &drop.socket else { return Some(()) };
    let Some(inode) = socket.details.as_ref()?.full.as_ref()?.inode else { return Some(()) };
    let world = &mut sources.world;
    let rendered = rendered.of_edition(world.edition(drop.boot_ns));
    rendered.write(&(socket.address, inode), out, |out| match world.owner(socket) {
        Some(owner) => details::write_owner(&owner, out),
        None => text(out, UNKNOWN),
    });
    Some(())
}
