//! Drops as JSON, an object a line. `schema/drop.schema.json` describes it; a change that is
//! more than a further member is a new [`VERSION`].
//!
//! Raw numbers stand beside names, since a recording outlives the kernel that it was made on.
//! Unknown is null. Addresses in the kernel are strings, since many readers of JSON keep only 53
//! bits of a number.

mod packet;
mod socket;
mod stack;
mod value;

use std::hash::{Hash, Hasher};

use super::{Render, rendered::Rendered, sources::Sources};
use crate::{
    drop::{Context, Device, Direction, Drop},
    harmless::Tagger,
    protocol, socket_names,
    write::text,
};
use socket::Sockets;
use stack::Frames;
use value::{Plain, Quoted, Value, With, members, object};

/// Version of the schema.
const VERSION: u8 = 1;

/// The JSON format.
pub struct Json {
    sources: Sources,
    reasons: Rendered<u32>,
    places: Rendered<Place>,
    sockets: Sockets,
    frames: Frames,
    tagger: Tagger,
    hide_tagged: bool,
}

impl Json {
    /// The format, with the sources of the names in it.
    pub fn new(sources: Sources) -> Self {
        Self {
            sources,
            reasons: Rendered::new(),
            places: Rendered::new(),
            sockets: Sockets::default(),
            frames: Frames::default(),
            tagger: Tagger::default(),
            hide_tagged: false,
        }
    }

    /// The same that leaves out drops that are likely harmless.
    pub fn without_noise(self) -> Self {
        Self { hide_tagged: true, ..self }
    }
}

impl Render for Json {
    fn heading(&mut self, _: &mut Vec<u8>) {}

    fn drop(&mut self, drop: &Drop, out: &mut Vec<u8>) -> bool {
        let tag = self.tagger.tag(drop, &mut self.sources);
        if self.hide_tagged && tag.is_some() {
            return false;
        }
        let Self { sources, reasons, places, sockets, frames, .. } = self;
        let packet = drop.packet();
        let edition = sources.world.edition(drop.boot_ns);
        let (reasons, places) = (reasons.of_edition(edition), places.of_edition(edition));
        object! {
            "version": VERSION,
            "time": Quoted(|out| sources.clock.write_rfc3339(drop.boot_ns, out)),
            "reason": With(|out| write_reason(drop.reason, reasons, sources, out)),
            "location": With(|out| frames.write(drop.location, &mut sources.symbols, out)),
            "cpu": drop.cpu,
            "context": drop.context.map(Context::name).map(Plain),
            "task": object! {
                "pid": drop.tgid,
                "tid": drop.pid,
                "comm": drop.comm.as_ref(),
                "interrupted": drop.context.map(|context| context != Context::Task),
            },
            "protocol": drop.protocol.map(|raw| named(raw, protocol::known(raw))),
            "len": drop.len,
            ..With(|out| {
                let place = Place::of(drop);
                places.write(&place, out, |out| place.write(sources, out));
            }),
            "direction": drop.direction().map(Direction::name).map(Plain),
            "packet": (!packet.is_empty()).then_some(With(|out| packet::write(&packet, drop, out))),
            "socket": With(|out| sockets.write(drop.socket.as_ref(), edition, sources, out)),
            "stack": With(|out| frames.write_stack(drop, &mut sources.symbols, out)),
            "tag": tag.map(|tag| Plain(tag.name)),
        }
        .write(out);
        out.push(b'\n');
        true
    }

    fn sources(&mut self) -> &mut Sources {
        &mut self.sources
    }

    fn tick(&mut self) {
        self.sources.tick();
        self.tagger.tick();
    }
}

fn write_reason(
    reason: Option<u32>,
    rendered: &mut Rendered<u32>,
    sources: &mut Sources,
    out: &mut Vec<u8>,
) {
    let Some(raw) = reason else { return text(out, "null") };
    rendered.write(&raw, out, |out| {
        let reasons = &mut sources.reasons;
        // Asking for the name reads those of modules where that is due.
        let name = reasons.name(raw).to_owned();
        object! {
            "raw": raw,
            "name": reasons.get(raw).map(|_| name.as_str()),
            "subsystem": reasons.subsystem(raw),
        }
        .write(out);
    });
}

/// Where a packet was: what many drops have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    device: Option<Device>,
    /// The device that it came in by.
    input: Option<u32>,
    netns: Option<u32>,
}

impl Hash for Place {
    /// By numbers that hardly two share.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let device = self.device.map_or(0, |device| device.index);
        (u64::from(device) << 32 | u64::from(self.netns.unwrap_or(0))).hash(state);
        self.input.unwrap_or(0).hash(state);
    }
}

impl Place {
    fn of(drop: &Drop) -> Self {
        let input = drop.iif.filter(|&index| index != 0);
        Self { device: drop.device, input, netns: drop.netns }
    }

    /// Appends the members that tell it.
    fn write(&self, sources: &mut Sources, out: &mut Vec<u8>) {
        let world = &mut sources.world;
        let device = self.device.as_ref();
        let input = self.input.and_then(|index| world.interface(self.netns, index, device));
        let netns = self.netns.and_then(|inode| world.netns(inode));
        members!(
            out,
            "device": device.map(|device| object! {
                "name": &device.name,
                "index": device.index,
                "type": named(device.kind, socket_names::device(device.kind)),
            }),
            "input": self.input.map(|index| object! {
                "index": index,
                "name": input.as_ref(),
            }),
            "netns": self.netns.map(|inode| object! {
                "inode": inode,
                "name": netns.as_deref(),
            }),
        );
    }
}

/// A number, and its name where it has one.
fn named<T: Value>(raw: T, name: Option<&'static str>) -> impl Value {
    object! { "raw": raw, "name": name.map(Plain) }
}
