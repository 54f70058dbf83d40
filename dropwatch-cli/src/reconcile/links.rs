//! The counters of interfaces, from route netlink: `/proc/net/dev` puts several into one.

use std::{collections::BTreeMap, io, os::fd::OwnedFd, time::Duration};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with, sockopt,
};

use super::counters::Counters;
use crate::drop::Name;

/// The fields of `struct rtnl_link_stats64`, which has grown at its end.
const FIELDS: [&str; 25] = [
    "rx_packets",
    "tx_packets",
    "rx_bytes",
    "tx_bytes",
    "rx_errors",
    "tx_errors",
    "rx_dropped",
    "tx_dropped",
    "multicast",
    "collisions",
    "rx_length_errors",
    "rx_over_errors",
    "rx_crc_errors",
    "rx_frame_errors",
    "rx_fifo_errors",
    "rx_missed_errors",
    "tx_aborted_errors",
    "tx_carrier_errors",
    "tx_fifo_errors",
    "tx_heartbeat_errors",
    "tx_window_errors",
    "rx_compressed",
    "tx_compressed",
    "rx_nohandler",
    "rx_otherhost_dropped",
];

const NETLINK_HEADER: usize = 16;
const LINK_HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;
const REQUEST_DUMP: u16 = 0x301;
const INTERFACE_NAME: u16 = 3;
const STATS64: u16 = 23;
/// As much as the kernel writes at once.
const BUFFER_SIZE: usize = 64 << 10;
/// The kernel answers at once, or never.
const PATIENCE: Duration = Duration::from_secs(2);

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its name.
    pub name: Name,
    /// Its counters, by the names that the kernel gives them.
    pub counters: Counters,
}

/// Interfaces by their index, which is given to no other as long as the namespace is there.
pub type Links = BTreeMap<u32, Link>;

/// A socket, which tells of the network namespace in which it was made.
#[derive(Debug)]
pub struct Socket(OwnedFd);

impl Socket {
    /// A new one, of this thread's namespace.
    ///
    /// # Errors
    /// When there is none to be had.
    pub fn new() -> io::Result<Self> {
        // The protocol number of route netlink is 0, for which none stands.
        let route = None;
        let socket =
            socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, route)?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
        Ok(Self(socket))
    }

    /// All interfaces.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn links(&self) -> io::Result<Links> {
        send(&self.0, &request(), SendFlags::empty())?;
        let mut links = Links::new();
        let mut buffer = vec![0; BUFFER_SIZE];
        loop {
            let (len, _) = recv(&self.0, &mut buffer[..], RecvFlags::empty())?;
            match parse(&buffer[..len], &mut links) {
                Answer::More if len > 0 => {}
                Answer::Refused => return Err(io::ErrorKind::Other.into()),
                Answer::More | Answer::Complete => return Ok(links),
            }
        }
    }
}

fn request() -> Vec<u8> {
    let len = (NETLINK_HEADER + LINK_HEADER) as u32;
    let head = [&len.to_ne_bytes()[..], &GET_LINK.to_ne_bytes(), &REQUEST_DUMP.to_ne_bytes()];
    let mut bytes = head.concat();
    bytes.resize(len as usize, 0);
    bytes
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    More,
    Complete,
    Refused,
}

/// Reads a part of the answer.
fn parse(mut bytes: &[u8], links: &mut Links) -> Answer {
    while let (Some(len), Some(kind)) = (word(bytes, 0), half_word(bytes, 4)) {
        let Some(message) = bytes.get(NETLINK_HEADER..len as usize) else { break };
        match kind {
            DONE => return Answer::Complete,
            ERROR => return Answer::Refused,
            NEW_LINK => links.extend(link(message)),
            _ => {}
        }
        bytes = bytes.get((len as usize).next_multiple_of(4)..).unwrap_or_default();
    }
    Answer::More
}

fn link(message: &[u8]) -> Option<(u32, Link)> {
    let index = word(message, 4)?;
    let mut attributes = message.get(LINK_HEADER..)?;
    let (mut name, mut counters) = (None, Counters::new());
    while let (Some(len), Some(kind)) = (half_word(attributes, 0), half_word(attributes, 2)) {
        let len = usize::from(len);
        let Some(value) = attributes.get(ATTRIBUTE_HEADER..len) else { break };
        match kind {
            INTERFACE_NAME => {
                let mut field = [0; libc::IFNAMSIZ];
                let len = value.len().min(field.len());
                field[..len].copy_from_slice(&value[..len]);
                name = Some(Name::of_field(field));
            }
            STATS64 => {
                let (numbers, _) = value.as_chunks::<8>();
                let numbers = numbers.iter().map(|number| u64::from_ne_bytes(*number));
                let named = FIELDS.into_iter().map(str::to_owned);
                counters = named.zip(numbers).collect();
            }
            _ => {}
        }
        attributes = attributes.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Some((index, Link { name: name?, counters }))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

fn half_word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let len = (ATTRIBUTE_HEADER + value.len()) as u16;
        let mut bytes = [&len.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let len = (NETLINK_HEADER + body.len()) as u32;
        [&len.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], body].concat()
    }

    fn new_link(index: u32, name: &[u8], numbers: &[u64]) -> Vec<u8> {
        let stats: Vec<_> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
        let head = [&[0; 4][..], &index.to_ne_bytes(), &[0; 8]].concat();
        let attributes =
            [attribute(1, b"skipped"), attribute(INTERFACE_NAME, name), attribute(STATS64, &stats)];
        message(NEW_LINK, &[head, attributes.concat()].concat())
    }

    fn answer() -> Vec<u8> {
        let numbers: Vec<u64> = (100..126).collect();
        // The first as newer kernels have it, the second as older ones.
        let links = [new_link(2, b"eth0\0", &numbers), new_link(7, b"lo\0", &numbers[..23])];
        [links.concat(), message(DONE, &[0; 4])].concat()
    }

    #[test]
    fn every_kernel_tells_what_it_counts() {
        let mut links = Links::new();
        assert_eq!(parse(&answer(), &mut links), Answer::Complete);
        let (eth0, lo) = (&links[&2], &links[&7]);
        assert_eq!((eth0.name.bytes(), lo.name.bytes()), (&b"eth0"[..], &b"lo"[..]));
        assert_eq!(eth0.counters.len(), FIELDS.len());
        assert_eq!((eth0.counters["rx_dropped"], lo.counters["rx_missed_errors"]), (106, 115));
        assert_eq!(eth0.counters["rx_otherhost_dropped"], 124);
        assert_eq!(lo.counters.get("rx_nohandler"), None);
    }

    #[test]
    fn damaged_answers_do_no_harm() {
        let whole = answer();
        for end in 0..whole.len() {
            parse(&whole[..end], &mut Links::new());
            for byte in [0, 1, 0x7f, 0xff] {
                let mut damaged = whole.clone();
                damaged[end] = byte;
                parse(&damaged, &mut Links::new());
            }
        }
        assert_eq!(parse(&message(ERROR, &[0xff; 4]), &mut Links::new()), Answer::Refused);
        assert_eq!(parse(&[], &mut Links::new()), Answer::More);
    }

    #[test]
    fn this_kernel_has_a_loopback_device() -> io::Result<()> {
        let socket = Socket::new()?;
        // More than once, as it is used.
        for _ in 0..2 {
            let links = socket.links()?;
            let lo = links.values().find(|link| link.name.bytes() == b"lo").expect("lo");
            assert!(lo.counters.contains_key("rx_missed_errors"), "{lo:?}");
        }
        Ok(())
    }
}
