//! One line of a recording: a drop as `--json` printed it, and what things were called then.
//!
//! What other versions may add is passed over, and what they lack is unknown.

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
};

use dropwatch_common::record::PACKET_LEN;
use jiff::Timestamp;
use serde::Deserialize;

use super::{escape::unescape, hex};
use crate::{
    drop::{Context, Device, Drop, FullSocket, Headers, Name, Socket, SocketDetails, Stack},
    symbols::{Frame, Inlined, SourceLine, Symbol},
    world::owners::Owner,
};

/// The version of the schema that is read.
const VERSION: u8 = 1;

/// A drop, and what its numbers mean.
#[derive(Debug)]
pub struct Recorded {
    /// The drop. Its time is Unix time.
    pub drop: Drop,
    /// What things were called.
    pub names: Names,
}

/// What things are called that a drop has only numbers of.
#[derive(Debug, Default)]
pub struct Names {
    /// The reason's name, and its subsystem's.
    pub reason: Option<(Option<String>, Option<String>)>,
    /// The functions of the location and the stack.
    pub frames: Vec<Frame>,
    /// The name of the device that the packet came in by.
    pub input: Option<Name>,
    /// What the network namespace is called.
    pub netns: Option<String>,
    /// The name of the socket's user.
    pub user: Option<String>,
    /// The path of the socket's cgroup.
    pub cgroup: Option<String>,
    /// The process that has the socket open.
    pub owner: Option<Owner>,
}

/// Reads a line.
///
/// # Errors
/// What is wrong with it.
pub fn read(line: &[u8]) -> Result<Recorded, String> {
    let line: Line<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if line.version != VERSION {
        return Err(format!(
            "it has version {} of the schema, and this dropwatch reads version {VERSION}",
            line.version
        ));
    }
    line.into_recorded()
}

#[derive(Deserialize)]
struct Line<'a> {
    version: u8,
    #[serde(borrow)]
    time: Cow<'a, str>,
    reason: Option<Reason>,
    location: FrameLine,
    #[serde(default)]
    cpu: u32,
    context: Option<Cow<'a, str>>,
    task: Task,
    protocol: Option<Raw<u16>>,
    len: Option<u32>,
    device: Option<DeviceLine>,
    input: Option<Input>,
    netns: Option<Netns>,
    direction: Option<Cow<'a, str>>,
    packet: Option<PacketLine>,
    socket: Option<SocketLine>,
    stack: Option<Vec<FrameLine>>,
}

#[derive(Deserialize)]
struct Reason {
    raw: u32,
    name: Option<String>,
    subsystem: Option<String>,
}

#[derive(Deserialize)]
struct FrameLine {
    address: String,
    symbol: Option<String>,
    offset: Option<usize>,
    module: Option<String>,
    file: Option<String>,
    line: Option<u32>,
    #[serde(default)]
    inlined: Vec<InlinedLine>,
}

#[derive(Deserialize)]
struct InlinedLine {
    symbol: String,
    file: Option<String>,
    line: Option<u32>,
}

#[derive(Deserialize)]
struct Task {
    pid: u32,
    tid: u32,
    comm: Option<String>,
}

#[derive(Deserialize)]
struct Raw<T> {
    raw: T,
}

#[derive(Deserialize)]
struct DeviceLine {
    name: String,
    index: u32,
    #[serde(rename = "type")]
    kind: Raw<u16>,
}

#[derive(Deserialize)]
struct Input {
    index: u32,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Netns {
    inode: u32,
    name: Option<String>,
}

#[derive(Deserialize)]
struct PacketLine {
    #[serde(default)]
    offsets: Offsets,
    /// Of the part in one piece, of which the bytes are the begin.
    linear_length: Option<usize>,
    /// The tag that was not in the bytes.
    tag: Option<Tag>,
    bytes: Option<String>,
}

#[derive(Default, Deserialize)]
struct Offsets {
    link: Option<usize>,
    network: Option<usize>,
    transport: Option<usize>,
}

#[derive(Deserialize)]
struct Tag {
    tpid: u16,
    tci: u16,
}

#[derive(Deserialize)]
struct SocketLine {
    address: String,
    receiver: bool,
    family: Option<Raw<u16>>,
    #[serde(rename = "type")]
    kind: Option<Raw<u16>>,
    protocol: Option<Raw<u16>>,
    state: Option<Raw<u8>>,
    local: Option<End>,
    remote: Option<End>,
    cookie: Option<u64>,
    inode: Option<u64>,
    uid: Option<u32>,
    user: Option<String>,
    cgroup: Option<Cgroup>,
    owner: Option<OwnerLine>,
}

#[derive(Deserialize)]
struct End {
    address: IpAddr,
    port: u16,
}

#[derive(Deserialize)]
struct Cgroup {
    id: u64,
    path: Option<String>,
}

#[derive(Deserialize)]
struct OwnerLine {
    pid: u32,
    comm: String,
    #[serde(default)]
    others: u32,
}

impl Line<'_> {
    fn into_recorded(self) -> Result<Recorded, String> {
        let time: Timestamp =
            self.time.parse().map_err(|_| format!("'{}' is no time", self.time))?;
        // After 1970 and before 2262, as all drops are.
        let boot_ns = u64::try_from(time.as_nanosecond())
            .map_err(|_| format!("'{}' is no time of a drop", self.time))?;
        let mut names = Names::default();
        let location = frame(self.location)?;
        let address = location.address;
        names.frames.push(location);
        let stack = self.stack.map(|frames| -> Result<_, String> {
            let mut addresses = Vec::with_capacity(frames.len());
            for line in frames {
                let frame = frame(line)?;
                addresses.push(frame.address);
                names.frames.push(frame);
            }
            Ok(Stack::Addresses(addresses.into()))
        });
        let socket = match self.socket {
            Some(line) => Some(line.into_socket(&mut names)?),
            None => None,
        };
        names.reason = self.reason.as_ref().map(|it| (it.name.clone(), it.subsystem.clone()));
        names.input = self.input.as_ref().and_then(|it| it.name.as_deref()).map(name);
        names.netns = self.netns.as_ref().and_then(|it| it.name.clone());
        let context = self.context.as_deref().map(context).transpose()?;
        let vlan = self.packet.as_ref().and_then(|it| it.tag.as_ref());
        let vlan = vlan.map(|tag| (tag.tpid, tag.tci));
        // The length is read wherever this is.
        let is_read = self.len.is_some();
        let drop = Drop {
            boot_ns,
            reason: self.reason.map(|it| it.raw),
            location: address,
            cpu: self.cpu,
            pid: self.task.tid,
            tgid: self.task.pid,
            comm: self.task.comm.as_deref().map(name),
            context,
            protocol: self.protocol.map(|it| it.raw),
            len: self.len,
            device: self.device.map(|it| Device {
                name: name(&it.name),
                index: it.index,
                kind: it.kind.raw,
            }),
            iif: self.input.map(|it| it.index).or(is_read.then_some(0)),
            netns: self.netns.map(|it| it.inode),
            owned: self.direction.as_deref() == Some("out"),
            socket,
            headers: self.packet.map(PacketLine::into_headers).transpose()?.flatten(),
            vlan,
            stack: stack.transpose()?,
        };
        Ok(Recorded { drop, names })
    }
}

impl PacketLine {
    fn into_headers(self) -> Result<Option<Headers>, String> {
        let Some(text) = self.bytes else { return Ok(None) };
        let mut bytes = [0; PACKET_LEN];
        let len = hex::decode(&text, &mut bytes).ok_or("the packet's bytes are not hexadecimal")?;
        let Offsets { link, network, transport } = self.offsets;
        let linear_len = self.linear_length.unwrap_or(len);
        Ok(Some(Headers { bytes, len, linear_len, mac: link, network, transport }))
    }
}

impl SocketLine {
    fn into_socket(self, names: &mut Names) -> Result<Socket, String> {
        names.user = self.user;
        names.cgroup = self.cgroup.as_ref().and_then(|it| it.path.clone());
        names.owner =
            self.owner.map(|it| Owner { pid: it.pid, comm: name(&it.comm), others: it.others });
        let full = self.kind.map(|kind| FullSocket {
            kind: kind.raw,
            protocol: self.protocol.map_or(0, |it| it.raw),
            uid: self.uid.unwrap_or(0),
            inode: self.inode,
            cgroup: self.cgroup.map(|it| it.id),
        });
        let local = self.local.map(|it| SocketAddr::new(it.address, it.port));
        // What a socket is not connected to is not there.
        let nowhere = local.map(|local| match local {
            SocketAddr::V4(_) => SocketAddr::from(([0; 4], 0)),
            SocketAddr::V6(_) => SocketAddr::from(([0_u16; 8], 0)),
        });
        let details = self.family.map(|family| SocketDetails {
            family: family.raw,
            state: self.state.map_or(0, |it| it.raw),
            local,
            remote: self.remote.map(|it| SocketAddr::new(it.address, it.port)).or(nowhere),
            cookie: self.cookie,
            full,
        });
        Ok(Socket { address: address(&self.address)?, receiver: self.receiver, details })
    }
}

fn frame(line: FrameLine) -> Result<Frame, String> {
    let source = |file: Option<String>, number| file.map(|file| SourceLine { file, line: number });
    let symbol = line.symbol.map(|function| Symbol {
        name: function,
        offset: line.offset.unwrap_or(0),
        module: line.module,
        source: source(line.file, line.line),
        inlined: line
            .inlined
            .into_iter()
            .map(|it| Inlined { name: it.symbol, source: source(it.file, it.line) })
            .collect(),
    });
    Ok(Frame { address: address(&line.address)?, symbol })
}

fn address(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x").unwrap_or_default();
    u64::from_str_radix(digits, 16).map_err(|_| format!("'{text}' is no address"))
}

fn context(text: &str) -> Result<Context, String> {
    [Context::Task, Context::Softirq, Context::Hardirq, Context::Nmi]
        .into_iter()
        .find(|context| context.name() == text)
        .ok_or_else(|| format!("'{text}' is no context"))
}

/// A name of at most 16 bytes; of a longer one, which none of the kernel's is, the begin.
fn name(text: &str) -> Name {
    let mut bytes = unescape(text);
    bytes.resize(16, 0);
    let mut field = [0; 16];
    field.copy_from_slice(&bytes);
    Name::of_field(field)
}
