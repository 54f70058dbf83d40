//! Where packets are dropped: a network namespace that only one thread of ours is in, so that it
//! goes away with the thread, however that ends.

use super::interrupt;
use crate::process;
use anyhow::{Context as _, Result, anyhow, ensure};
use std::{
    io,
    net::{Ipv4Addr, UdpSocket},
    process::Command,
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// A way in which packets are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flood {
    /// Its name.
    pub name: &'static str,
    /// The port that packets go to.
    port: u16,
    /// Commands that make the kernel drop them.
    set_up: &'static [&'static [&'static str]],
}

const CLOSED_PORT: Flood = Flood { name: "closed port", port: 9, set_up: &[] };

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

const PAYLOAD: [u8; 64] = [0x5a; 64];
/// So many packets are sent before a look at the signals.
const BATCH: u64 = 1000;

/// The namespace, ready for floods.
#[derive(Debug)]
pub struct Arena {
    /// The floods that are possible here.
    pub floods: Vec<Flood>,
    /// Why others are not.
    pub notes: Vec<String>,
    /// None while this is being dropped.
    orders: Option<Sender<Order>>,
    answers: Receiver<Result<Duration>>,
    thread: Option<JoinHandle<()>>,
}

struct Order {
    flood: Flood,
    packets: u64,
}

impl Arena {
    /// Makes it.
    pub fn new() -> Result<Self> {
        let (orders, incoming) = channel::<Order>();
        let (outgoing, answers) = channel();
        let (made, ready) = channel();
        let thread = thread::Builder::new().name("bench-sender".to_owned());
        let thread = thread.spawn(move || {
            let sender = set_up().map(|(floods, notes, socket)| {
                // The other side waits for it, and for each answer.
                let _ = made.send(Ok((floods, notes)));
                socket
            });
            match sender {
                Err(error) => drop(made.send(Err(error))),
                Ok(socket) => {
                    for Order { flood, packets } in incoming {
                        let _ = outgoing.send(send(&socket, flood, packets));
                    }
                }
            }
        })?;
        let (floods, notes) = ready.recv().context("the sending thread has ended")??;
        Ok(Self { floods, notes, orders: Some(orders), answers, thread: Some(thread) })
    }

    /// Sends packets as fast as the kernel takes them, and tells how long that took.
    pub fn flood(&self, flood: Flood, packets: u64) -> Result<Duration> {
        let gone = || anyhow!("the sending thread has ended");
        let orders = self.orders.as_ref().ok_or_else(gone)?;
        orders.send(Order { flood, packets }).map_err(|_| gone())?;
        self.answers.recv().map_err(|_| gone())?
    }

    /// Has one packet dropped.
    pub fn drop_one(&self) -> Result<()> {
        self.flood(CLOSED_PORT, 1).map(drop)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // Without orders the thread ends.
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Puts this thread into a namespace of its own, with a socket, and makes floods possible.
fn set_up() -> Result<(Vec<Flood>, Vec<String>, UdpSocket)> {
    // SAFETY: the call takes an integer.
    let unshared = unsafe { libc::unshare(libc::CLONE_NEWNET) };
    ensure!(unshared == 0, "cannot make a network namespace: {}", io::Error::last_os_error());
    command(&["ip", "link", "set", "lo", "up"])?;
    let (mut floods, mut notes) = (Vec::new(), Vec::new());
    for flood in FLOODS {
        match flood.set_up.iter().try_for_each(|words| command(words)) {
            Ok(()) => floods.push(flood),
            Err(error) => notes.push(format!("no {} flood: {error:#}", flood.name)),
        }
    }
    // Not connected: a connected one would refuse to send after an ICMP error.
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot make a socket")?;
    Ok((floods, notes, socket))
}

fn command(words: &[&str]) -> Result<()> {
    let (name, args) = words.split_first().context("an empty command")?;
    process::output(Command::new(name).args(args)).map(drop)
}

fn send(socket: &UdpSocket, flood: Flood, packets: u64) -> Result<Duration> {
    let to = (Ipv4Addr::LOCALHOST, flood.port);
    let begin = Instant::now();
    for number in 0..packets {
        if number % BATCH == 0 {
            interrupt::check()?;
        }
        socket.send_to(&PAYLOAD, to).with_context(|| format!("cannot send to port {}", to.1))?;
    }
    Ok(begin.elapsed())
}
