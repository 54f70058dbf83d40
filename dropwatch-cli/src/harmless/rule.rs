//! What a rule can ask of a drop.

use std::net::IpAddr;

use crate::{
    drop::{Drop, SocketDetails},
    packet::{Mac, Packet, Transport},
};

/// Types of messages in ICMP and in ICMPv6.
const ECHO_REPLY: u8 = 0;
const ECHO_REPLY6: u8 = 129;
/// The flags FIN and RST.
const TCP_FIN: u16 = 0x01;
const TCP_RESET: u16 = 0x04;
/// `TCP_TIME_WAIT`: the state of what is left of a connection that this side closed first.
const TIME_WAIT: u8 = 6;

/// A kind of drop that is normal.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name, which is the tag.
    pub name: &'static str,
    /// What it matches, to stand behind "Matches".
    pub matches: &'static str,
    /// Why that is normal, and when it is not.
    pub why: &'static str,
    /// The reasons' short names, of which it has to be one.
    pub(super) reasons: &'static [&'static str],
    /// The functions, of which it has to be one; any where there are none. Those of all kernels,
    /// since compilers inline differently.
    pub(super) functions: &'static [&'static str],
    /// What has to hold besides.
    pub(super) when: &'static [When],
}

/// A condition on packet or socket.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// The packet is none of a network's, and has no device.
    NoNetwork,
    /// Its EtherType is one of these.
    Protocol(&'static [u16]),
    /// It is addressed to a group or to all: multicast or broadcast, on either layer.
    Group,
    /// It is addressed to a single Ethernet address.
    Unicast,
    /// It answers an echo request.
    EchoReply,
    /// It resets a TCP connection.
    TcpReset,
    /// It is the peer's end of a TCP connection, which this side closed first.
    TcpLastFin,
    /// There is a socket.
    Socket,
    /// There is a socket of this family.
    Family(i32),
    /// There is a socket of type `SOCK_RAW`.
    Raw,
}

/// What a rule is compared with.
pub(super) struct Facts<'a> {
    pub drop: &'a Drop,
    pub packet: &'a Packet,
}

impl Rule {
    /// Whether it can hold for a drop for this reason in this function; where the function is not
    /// known, only if any would do.
    pub(super) fn may_hold(&self, reason: &str, function: Option<&str>) -> bool {
        let in_function = || function.is_some_and(|function| self.functions.contains(&function));
        self.reasons.contains(&reason) && (self.functions.is_empty() || in_function())
    }

    /// Whether it holds for a drop for which it may hold.
    pub(super) fn holds(&self, facts: &Facts<'_>) -> bool {
        self.when.iter().all(|when| when.holds(facts))
    }
}

impl When {
    fn holds(self, Facts { drop, packet }: &Facts<'_>) -> bool {
        let socket = || drop.socket.as_ref().and_then(|socket| socket.details.as_ref());
        match self {
            Self::NoNetwork => drop.protocol == Some(0) && drop.device.is_none(),
            Self::Protocol(numbers) => drop.protocol.is_some_and(|it| numbers.contains(&it)),
            Self::Group => is_to_group(packet),
            Self::Unicast => packet.link.is_some_and(|link| !is_group(link.destination)),
            Self::EchoReply => match &packet.transport {
                Some(Transport::Icmp4(icmp)) => icmp.kind == ECHO_REPLY,
                Some(Transport::Icmp6(icmp)) => icmp.kind == ECHO_REPLY6,
                _ => false,
            },
            Self::TcpReset => has_flag(packet, TCP_RESET),
            Self::TcpLastFin => {
                has_flag(packet, TCP_FIN) && socket().is_some_and(|it| it.state == TIME_WAIT)
            }
            Self::Socket => drop.socket.is_some(),
            Self::Family(family) => socket().is_some_and(|it| i32::from(it.family) == family),
            Self::Raw => socket().is_some_and(is_raw),
        }
    }
}

fn has_flag(packet: &Packet, flag: u16) -> bool {
    match &packet.transport {
        Some(Transport::Tcp(tcp)) => tcp.rest.as_ref().is_some_and(|it| it.flags & flag != 0),
        _ => false,
    }
}

fn is_raw(socket: &SocketDetails) -> bool {
    socket.full.as_ref().is_some_and(|full| i32::from(full.kind) == libc::SOCK_RAW)
}

/// Broadcast is a group too.
fn is_group(Mac(address): Mac) -> bool {
    address[0] & 1 != 0
}

fn is_to_group(packet: &Packet) -> bool {
    let by_address = match packet.destination() {
        Some(IpAddr::V4(address)) => address.is_multicast() || address.is_broadcast(),
        Some(IpAddr::V6(address)) => address.is_multicast(),
        None => false,
    };
    // A subnet's broadcast address cannot be told from others, but the frame's can.
    by_address || packet.link.is_some_and(|link| is_group(link.destination))
}
