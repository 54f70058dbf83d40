//! The socket of a drop, and the process that has it open.

use std::net::SocketAddr;

use serde::Serialize;

use super::{Named, name};
use crate::{drop::Socket, render::sources::Sources, socket_names, world::owners::Owner};

#[derive(Serialize)]
pub struct SocketJson {
    address: String,
    /// Whether it was to receive the packet; otherwise the packet belongs to it.
    receiver: bool,
    family: Option<Named<u16>>,
    #[serde(rename = "type")]
    kind: Option<Named<u16>>,
    protocol: Option<Named<u16>>,
    state: Option<Named<u8>>,
    local: Option<EndJson>,
    remote: Option<EndJson>,
    cookie: Option<u64>,
    inode: Option<u64>,
    uid: Option<u32>,
    user: Option<String>,
    cgroup: Option<CgroupJson>,
    owner: Option<OwnerJson>,
}

#[derive(Serialize)]
struct EndJson {
    address: String,
    port: u16,
}

#[derive(Serialize)]
struct CgroupJson {
    id: u64,
    path: Option<String>,
}

#[derive(Serialize)]
struct OwnerJson {
    pid: u32,
    comm: String,
    others: u32,
}

impl SocketJson {
    pub fn new(socket: &Socket, sources: &mut Sources) -> Self {
        let details = socket.details.as_ref();
        let full = details.and_then(|details| details.full.as_ref());
        let is_ip = details.is_some_and(|details| details.local.is_some());
        Self {
            address: format!("{:#x}", socket.address),
            receiver: socket.receiver,
            family: details.map(|it| named(it.family, socket_names::family(it.family))),
            kind: full.map(|it| named(it.kind, socket_names::kind(it.kind))),
            protocol: full.map(|it| {
                // Other families have numbers of their own.
                let name = socket_names::protocol(it.protocol).filter(|_| is_ip);
                named(it.protocol, name)
            }),
            state: details.map(|it| named(it.state, socket_names::state(it.state))),
            local: details.and_then(|it| it.local).map(end),
            remote: details
                .and_then(|it| it.remote)
                .filter(|it| !it.ip().is_unspecified())
                .map(end),
            cookie: details.and_then(|it| it.cookie),
            inode: full.and_then(|it| it.inode),
            uid: full.map(|it| it.uid),
            user: full.and_then(|it| sources.world.user(it.uid)),
            cgroup: full
                .and_then(|it| it.cgroup)
                .map(|id| CgroupJson { id, path: sources.world.cgroup(id) }),
            owner: sources.world.owner(socket).map(|it| owner(&it)),
        }
    }
}

fn named<T>(raw: T, name: Option<&'static str>) -> Named<T> {
    Named { raw, name }
}

fn end(end: SocketAddr) -> EndJson {
    EndJson { address: end.ip().to_string(), port: end.port() }
}

fn owner(owner: &Owner) -> OwnerJson {
    OwnerJson { pid: owner.pid, comm: name(&owner.comm), others: owner.others }
}
