//! Where drops of many different keys come from.

use super::{
    frames::{Frames, HERE},
    paths,
};
use crate::bench::{
    arena::CLOSED_PORT,
    bpf::Egress,
    interrupt,
    namespace::{Namespace, command},
    send::send,
};
use anyhow::{Context as _, Result};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

/// The most namespaces: a few hundred, since each takes a moment to make and to go.
const NAMESPACES: usize = 400;
/// The most flows.
const FLOWS: u64 = 100_000;
/// So many ports an address has.
const PORTS: u64 = 1_000;
const FIRST_PORT: u16 = 10_000;
/// So many frames are sent before a look at the signals.
const BATCH: u64 = 1_000;
/// Neighbours come one after the other nowhere, so keys are taken in strides: a prime number.
const STRIDE: u64 = 7_919;

/// What drops differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// The reason, or the location, or both.
    Kinds,
    /// The addresses and ports.
    Flows,
    /// The network namespace.
    Namespaces,
    /// The way through the kernel.
    Stacks,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Kinds, Self::Flows, Self::Namespaces, Self::Stacks];

    /// What there are many of.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kinds => "reasons and locations",
            Self::Flows => "flows",
            Self::Namespaces => "namespaces",
            Self::Stacks => "stacks",
        }
    }
}

/// Drops packets that differ in one thing.
#[derive(Debug)]
pub struct Source(Kind);

#[derive(Debug)]
enum Kind {
    Kinds(Frames),
    Flows(UdpSocket),
    /// A socket in each.
    Namespaces(Vec<UdpSocket>),
    Stacks(UdpSocket, #[expect(dead_code, reason = "held")] Egress),
}

impl Source {
    /// Makes all that the drops need; what has to be cleaned up goes away with this.
    pub fn new(dimension: Dimension) -> Result<Self> {
        let namespace = Namespace::new()?;
        let kind = match dimension {
            Dimension::Kinds => namespace.run(|| {
                // From an address that is nowhere.
                command(&["ip", "address", "add", HERE, "dev", "lo"])?;
                Frames::new().map(Kind::Kinds)
            })?,
            Dimension::Flows => Kind::Flows(socket_in(&namespace)?),
            Dimension::Namespaces => {
                let more = (1..NAMESPACES).map(|_| {
                    interrupt::check()?;
                    socket_in(&Namespace::new()?)
                });
                let sockets = std::iter::once(socket_in(&namespace)).chain(more);
                Kind::Namespaces(sockets.collect::<Result<_>>()?)
            }
            Dimension::Stacks => {
                let socket = socket_in(&namespace)?;
                let egress = namespace.run(|| Egress::attach(&paths::program(), 1))?;
                Kind::Stacks(socket, egress)
            }
        };
        Ok(Self(kind))
    }

    /// How many keys there can be.
    pub fn most(&self) -> u64 {
        match &self.0 {
            Kind::Kinds(frames) => frames.count(),
            Kind::Flows(_) => FLOWS,
            Kind::Namespaces(sockets) => sockets.len() as u64,
            Kind::Stacks(..) => paths::PATHS,
        }
    }

    /// Has so many packets dropped, each of another of so many keys than the one before.
    pub fn drop(&self, keys: u64, packets: u64) -> Result<()> {
        let chosen = (0..packets).map(|number| number * STRIDE % keys);
        match &self.0 {
            Kind::Kinds(frames) => each(chosen, |key| frames.send(key)),
            Kind::Flows(socket) => send(socket, chosen.map(flow)),
            Kind::Namespaces(sockets) => each(chosen, |key| {
                let to = (Ipv4Addr::LOCALHOST, CLOSED_PORT.port);
                sockets[key as usize].send_to(&[0x5a; 64], to).context("cannot send")?;
                Ok(())
            }),
            Kind::Stacks(socket, _) => send(socket, chosen.map(paths::destination)),
        }
    }
}

fn each(keys: impl Iterator<Item = u64>, send: impl Fn(u64) -> Result<()>) -> Result<()> {
    for (number, key) in (0..).zip(keys) {
        if number % BATCH == 0 {
            interrupt::check()?;
        }
        send(key)?;
    }
    Ok(())
}

fn socket_in(namespace: &Namespace) -> Result<UdpSocket> {
    namespace.run(|| Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?)).context("cannot make a socket")
}

/// Where nobody listens.
fn flow(key: u64) -> SocketAddrV4 {
    let [high, low] = (1 + (key / PORTS) as u16).to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(127, 1, high, low), FIRST_PORT + (key % PORTS) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_flow_is_another() {
        let all: HashSet<_> = (0..FLOWS).map(flow).collect();
        assert_eq!(all.len() as u64, FLOWS);
        assert!(all.iter().all(|to| to.ip().is_loopback()));
    }

    #[test]
    fn each_key_is_taken_once() {
        for keys in [1, 10, 14, 400, 100_000, paths::PATHS] {
            let all: HashSet<_> = (0..keys).map(|number| number * STRIDE % keys).collect();
            assert_eq!(all.len() as u64, keys);
        }
    }
}
