//! Drops as JSON, an object a line. `schema/drop.schema.json` describes it; a change that is
//! more than a further member is a new [`VERSION`].
//!
//! Raw numbers stand beside names, since a recording outlives the kernel that it was made on.
//! Unknown is null. Addresses in the kernel are strings, since many readers of JSON keep only 53
//! bits of a number.

mod packet;
mod socket;
mod stack;

use serde::Serialize;

use super::{Render, sources::Sources};
use crate::{
    drop::{Context, Device, Direction, Drop, Name, Stack},
    protocol, socket_names, stacks,
    write::escape,
};
use packet::PacketJson;
use socket::SocketJson;
use stack::FrameJson;

/// Version of the schema.
const VERSION: u8 = 1;

/// The JSON format.
pub struct Json {
    sources: Sources,
}

impl Json {
    /// The format, with the sources of the names in it.
    pub fn new(sources: Sources) -> Self {
        Self { sources }
    }
}

impl Render for Json {
    fn heading(&mut self, _: &mut Vec<u8>) {}

    fn drop(&mut self, drop: &Drop, out: &mut Vec<u8>) {
        // Writing to memory does not fail, nor do these types.
        let _ = serde_json::to_writer(&mut *out, &DropJson::new(drop, &mut self.sources));
        out.push(b'\n');
    }

    fn sources(&mut self) -> &mut Sources {
        &mut self.sources
    }

    fn tick(&mut self) {
        self.sources.tick();
    }
}

#[derive(Serialize)]
struct DropJson {
    version: u8,
    time: String,
    reason: Option<ReasonJson>,
    location: FrameJson,
    cpu: u32,
    context: Option<&'static str>,
    task: TaskJson,
    protocol: Option<Named<u16>>,
    len: Option<u32>,
    device: Option<DeviceJson>,
    input: Option<InputJson>,
    netns: Option<NetnsJson>,
    direction: Option<&'static str>,
    packet: Option<PacketJson>,
    socket: Option<SocketJson>,
    stack: Option<Vec<FrameJson>>,
}

#[derive(Serialize)]
struct ReasonJson {
    raw: u32,
    name: Option<String>,
    subsystem: Option<String>,
}

#[derive(Serialize)]
struct TaskJson {
    pid: u32,
    tid: u32,
    comm: Option<String>,
    interrupted: Option<bool>,
}

#[derive(Serialize)]
struct DeviceJson {
    name: String,
    index: u32,
    #[serde(rename = "type")]
    kind: Named<u16>,
}

#[derive(Serialize)]
struct InputJson {
    index: u32,
    name: Option<String>,
}

#[derive(Serialize)]
struct NetnsJson {
    inode: u32,
    name: Option<String>,
}

/// A number, and its name where it has one.
#[derive(Serialize)]
struct Named<T> {
    raw: T,
    name: Option<&'static str>,
}

impl DropJson {
    fn new(drop: &Drop, sources: &mut Sources) -> Self {
        let mut time = Vec::with_capacity(30);
        sources.clock.write_rfc3339(drop.boot_ns, &mut time);
        let packet = drop.packet();
        Self {
            version: VERSION,
            time: text(time),
            reason: drop.reason.map(|raw| reason(raw, sources)),
            location: FrameJson(sources.symbols.frame(drop.location)),
            cpu: drop.cpu,
            context: drop.context.map(Context::name),
            task: TaskJson {
                pid: drop.tgid,
                tid: drop.pid,
                comm: drop.comm.as_ref().map(name),
                interrupted: drop.context.map(|context| context != Context::Task),
            },
            protocol: drop.protocol.map(|raw| Named { raw, name: protocol::known(raw) }),
            len: drop.len,
            device: drop.device.as_ref().map(device),
            input: drop.iif.filter(|&index| index != 0).map(|index| InputJson {
                index,
                name: sources
                    .world
                    .interface(drop.netns, index, drop.device.as_ref())
                    .map(|it| name(&it)),
            }),
            netns: drop.netns.map(|inode| NetnsJson { inode, name: sources.world.netns(inode) }),
            direction: drop.direction().map(Direction::name),
            packet: (!packet.is_empty()).then(|| PacketJson::new(&packet, drop)),
            socket: drop.socket.as_ref().map(|socket| SocketJson::new(socket, sources)),
            stack: stack(drop, sources),
        }
    }
}

fn reason(raw: u32, sources: &mut Sources) -> ReasonJson {
    let reasons = &mut sources.reasons;
    // Asking for the name reads those of modules where that is due.
    let name = reasons.name(raw).to_owned();
    ReasonJson {
        raw,
        name: reasons.get(raw).is_some().then_some(name),
        subsystem: reasons.subsystem(raw).map(str::to_owned),
    }
}

fn device(device: &Device) -> DeviceJson {
    let kind = Named { raw: device.kind, name: socket_names::device(device.kind) };
    DeviceJson { name: name(&device.name), index: device.index, kind }
}

fn stack(drop: &Drop, sources: &mut Sources) -> Option<Vec<FrameJson>> {
    let Some(Stack::Addresses(addresses)) = &drop.stack else { return None };
    let symbols = &mut sources.symbols;
    let frames = stacks::of_drop(addresses, drop.location, symbols);
    Some(frames.iter().map(|&address| FrameJson(symbols.frame(address))).collect())
}

/// A name as text shows it.
fn name(name: &Name) -> String {
    let mut out = Vec::with_capacity(16);
    escape(name.bytes(), &mut out);
    text(out)
}

/// What was written as text.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}
