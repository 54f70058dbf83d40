//! The socket of a drop, and the process that has it open.

use std::net::SocketAddr;

use super::{
    named,
    value::{Hex, Value, With, object},
};
use crate::{
    drop::Socket,
    render::{rendered::Rendered, sources::Sources},
    socket_names,
    write::text,
};

/// Writes sockets, and keeps what was written of them.
pub struct Sockets {
    rendered: Rendered<Socket>,
}

impl Default for Sockets {
    fn default() -> Self {
        Self { rendered: Rendered::new() }
    }
}

impl Sockets {
    /// Appends what is known of a socket.
    pub fn write(
        &mut self,
        socket: Option<&Socket>,
        edition: u64,
        sources: &mut Sources,
        out: &mut Vec<u8>,
    ) {
        let Some(socket) = socket else { return text(out, "null") };
        self.rendered.of_edition(edition).write(socket, out, |out| write(socket, sources, out));
    }
}

fn write(socket: &Socket, sources: &mut Sources, out: &mut Vec<u8>) {
    let details = socket.details.as_ref();
    let full = details.and_then(|details| details.full.as_ref());
    let is_ip = details.is_some_and(|details| details.local.is_some());
    // Other families have protocols of their own.
    let protocol = |number| socket_names::protocol(number).filter(|_| is_ip);
    let remote = details.and_then(|it| it.remote).filter(|it| !it.ip().is_unspecified());
    let world = &mut sources.world;
    object! {
        "address": Hex(socket.address),
        // Whether it was to receive the packet; otherwise the packet belongs to it.
        "receiver": socket.receiver,
        "family": details.map(|it| named(it.family, socket_names::family(it.family))),
        "type": full.map(|it| named(it.kind, socket_names::kind(it.kind))),
        "protocol": full.map(|it| named(it.protocol, protocol(it.protocol))),
        "state": details.map(|it| named(it.state, socket_names::state(it.state))),
        "local": details.and_then(|it| it.local).map(end),
        "remote": remote.map(end),
        "cookie": details.and_then(|it| it.cookie),
        "inode": full.and_then(|it| it.inode),
        "uid": full.map(|it| it.uid),
        "user": full.and_then(|it| world.user(it.uid)).as_deref(),
        "cgroup": With(|out: &mut Vec<u8>| {
            let id = full.and_then(|it| it.cgroup);
            let path = id.and_then(|id| world.cgroup(id));
            id.map(|id| object! { "id": id, "path": path.as_deref() }).write(out);
        }),
        "owner": world.owner(socket).as_ref().map(|owner| object! {
            "pid": owner.pid,
            "comm": &owner.comm,
            "others": owner.others,
        }),
    }
    .write(out);
}

fn end(end: SocketAddr) -> impl Value {
    object! { "address": end.ip(), "port": end.port() }
}
