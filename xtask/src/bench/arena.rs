//! Where packets are dropped: a network namespace, with ways to drop them.

use super::{
    namespace::{Namespace, command},
    send::send,
};
use anyhow::{Context as _, Result};
use std::{
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    time::{Duration, Instant},
};

/// A way in which packets are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flood {
    /// Its name.
    pub name: &'static str,
    /// The port that packets go to.
    pub port: u16,
    /// Commands that make the kernel drop them.
    set_up: &'static [&'static [&'static str]],
}

/// A port that nobody listens on.
pub const CLOSED_PORT: Flood = Flood { name: "closed port", port: 9, set_up: &[] };

/// All of them. What they need beyond a closed port may be missing.
const FLOODS: [Flood; 3] = [
    CLOSED_PORT,
    Flood {
        name: "tc",
        port: 10_001,
        // Written as classic BPF, which needs neither a module nor a pin. Drop (2) what has the
        // port at this offset, behind the headers of Ethernet and IP; have no opinion (-1) else.
        set_up: &[
            &["tc", "qdisc", "add", "dev", "lo", "clsact"],
            &[
                "tc",
                "filter",
                "add",
                "dev",
                "lo",
                "ingress",
                "bpf",
                "bytecode",
                "4,40 0 0 36,21 0 1 10001,6 0 0 2,6 0 0 4294967295",
                "direct-action",
            ],
        ],
    },
    Flood {
        name: "nft",
        port: 10_002,
        set_up: &[
            &["nft", "add table inet bench"],
            &["nft", "add chain inet bench input { type filter hook input priority 0; }"],
            &["nft", "add rule inet bench input udp dport 10002 drop"],
        ],
    },
];

/// The namespace, ready for floods.
#[derive(Debug)]
pub struct Arena {
    /// The floods that are possible here.
    pub floods: Vec<Flood>,
    /// Why others are not.
    pub notes: Vec<String>,
    socket: UdpSocket,
}

impl Arena {
    /// Makes it.
    pub fn new() -> Result<Self> {
        Namespace::new()?.run(|| {
            let (mut floods, mut notes) = (Vec::new(), Vec::new());
            for flood in FLOODS {
                match flood.set_up.iter().try_for_each(|words| command(words)) {
                    Ok(()) => floods.push(flood),
                    Err(error) => notes.push(format!("no {} flood: {error:#}", flood.name)),
                }
            }
            // The namespace stays as long as it.
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
            Ok(Self { floods, notes, socket: socket.context("cannot make a socket")? })
        })
    }

    /// Sends packets as fast as the kernel takes them, and tells how long that took.
    pub fn flood(&self, flood: Flood, packets: u64) -> Result<Duration> {
        let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, flood.port);
        let begin = Instant::now();
        send(&self.socket, (0..packets).map(|_| to))?;
        Ok(begin.elapsed())
    }

    /// Has one packet dropped.
    pub fn drop_one(&self) -> Result<()> {
        self.flood(CLOSED_PORT, 1).map(drop)
    }
}
