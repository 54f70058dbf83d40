//! The lines about packet, device and socket under a drop: `--verbose-packet`.

use std::fmt::Display;

use super::{sources::Sources, text::UNKNOWN};
use crate::{
    drop::{Context, Device, Direction, Drop, Socket, SocketDetails},
    packet::Packet,
    socket_names,
    world::owners::Owner,
    write::{decimal, push},
};

/// What the lines begin with.
pub const INDENT: &str = "    ";

/// Appends what is known, a line each; nothing of what the drop does not have.
pub fn write(drop: &Drop, packet: &Packet, sources: &mut Sources, out: &mut Vec<u8>) {
    if !packet.is_empty() {
        push(out, format_args!("{INDENT}packet: "));
        packet.write_summary(out);
        out.push(b'\n');
        packet.write_details(out, "            ");
    }
    write_surroundings(drop, sources, out);
}

/// The lines behind those of the packet.
pub fn write_surroundings(drop: &Drop, sources: &mut Sources, out: &mut Vec<u8>) {
    write_device(drop, sources, out);
    if let Some(socket) = &drop.socket {
        let role = if socket.receiver { "receiver" } else { "socket" };
        push(out, format_args!("{INDENT}{role}: "));
        write_socket_line(socket, sources, out);
    }
    write_context(drop, out);
}

fn write_device(drop: &Drop, sources: &mut Sources, out: &mut Vec<u8>) {
    let input = drop.iif.filter(|&index| index != 0);
    if drop.device.is_none() && input.is_none() && drop.netns.is_none() {
        return;
    }
    push(out, format_args!("{INDENT}device: "));
    match &drop.device {
        Some(Device { name, index, kind }) => {
            name.write(out);
            push(
                out,
                format_args!(" (index {index}, {})", or_number(socket_names::device(*kind), kind)),
            );
        }
        None => out.push(b'-'),
    }
    if let Some(index) = input.filter(|&index| drop.device.is_none_or(|it| it.index != index)) {
        push(out, format_args!(", came in by "));
        sources.world.write_interface(drop.netns, index, drop.device.as_ref(), out);
        push(out, format_args!(" (index {index})"));
    }
    if let Some(inum) = drop.netns {
        push(out, format_args!(", netns "));
        sources.world.write_netns(inum, out);
        push(out, format_args!(" ({inum})"));
    }
    if let Some(direction) = drop.direction() {
        push(out, format_args!(", {}", direction.name()));
    }
    out.push(b'\n');
}

fn write_socket_line(socket: &Socket, sources: &mut Sources, out: &mut Vec<u8>) {
    let Some(details) = &socket.details else {
        push(out, format_args!("{:#x}\n", socket.address));
        return;
    };
    write_details(details, out);
    push(
        out,
        format_args!(", state {}", or_number(socket_names::state(details.state), details.state)),
    );
    if let Some(cookie) = details.cookie {
        push(out, format_args!(", cookie {cookie}"));
    }
    if let Some(full) = &details.full {
        push(out, format_args!(", uid {} (", full.uid));
        sources.world.write_user(full.uid, out);
        out.push(b')');
        if let Some(id) = full.cgroup {
            push(out, format_args!(", cgroup "));
            sources.world.write_cgroup(id, out);
        }
        push(out, format_args!(", owner "));
        match (full.inode, sources.world.owner(socket)) {
            (None, _) => out.push(b'-'),
            (Some(_), Some(owner)) => write_owner(&owner, out),
            (Some(_), None) => out.extend(UNKNOWN.as_bytes()),
        }
    }
    out.push(b'\n');
}

fn write_context(drop: &Drop, out: &mut Vec<u8>) {
    let Some(context) = drop.context else { return };
    push(out, format_args!("{INDENT}context: {} on processor {}", context.name(), drop.cpu));
    let verb = if context == Context::Task { "in" } else { "interrupted" };
    push(out, format_args!(", {verb} "));
    match &drop.comm {
        Some(comm) => comm.write(out),
        None => out.extend(UNKNOWN.as_bytes()),
    }
    push(out, format_args!(" (pid {}, tid {})\n", drop.tgid, drop.pid));
}

/// A socket on one line: protocol and both ends. Nothing where there is none, and unknown where
/// its details are.
pub fn write_socket(drop: &Drop, out: &mut Vec<u8>) -> Option<()> {
    if let Some(socket) = &drop.socket {
        write_details(socket.details.as_ref()?, out);
    }
    Some(())
}

fn write_details(details: &SocketDetails, out: &mut Vec<u8>) {
    write_kind(details, out);
    if let Some(local) = details.local {
        push(out, format_args!(" {local}"));
    }
    match details.remote {
        Some(remote) if !remote.ip().is_unspecified() => push(out, format_args!(" > {remote}")),
        _ => {}
    }
}

fn write_kind(details: &SocketDetails, out: &mut Vec<u8>) {
    const SOCK_RAW: u16 = 3;
    let is_ip = details.local.is_some();
    let family = or_number(socket_names::family(details.family), details.family);
    match &details.full {
        Some(full) if is_ip => {
            let raw = if full.kind == SOCK_RAW { "raw " } else { "" };
            let protocol = or_number(socket_names::protocol(full.protocol), full.protocol);
            push(out, format_args!("{raw}{protocol}"));
        }
        Some(full) => {
            let kind = or_number(socket_names::kind(full.kind), full.kind);
            push(out, format_args!("{family} {kind}"));
        }
        // Only TCP has sockets that are not full.
        None if is_ip => push(out, format_args!("TCP")),
        None => push(out, format_args!("{family}")),
    }
}

/// `python3[4242]`, and how many processes more have it open.
pub fn write_owner(owner: &Owner, out: &mut Vec<u8>) {
    owner.comm.write(out);
    out.push(b'[');
    decimal(out, owner.pid);
    out.push(b']');
    if owner.others > 0 {
        out.push(b'+');
        decimal(out, owner.others);
    }
}

/// A name, or the number where it has none.
fn or_number(name: Option<&'static str>, number: impl Display) -> String {
    name.map_or_else(|| number.to_string(), str::to_owned)
}

impl Direction {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Forward => "forwarded",
        }
    }

    /// Its name in three letters.
    pub fn short(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Forward => "fwd",
        }
    }
}
