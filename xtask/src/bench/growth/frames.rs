//! Frames of which the kernel drops each for another reason or at another place.

use anyhow::{Result, ensure};
use std::{
    io, mem,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

/// The address that the loopback device has besides its own, and one that nobody has, so that
/// nobody gets an answer.
pub const HERE: &str = "10.99.0.1";
const TO: [u8; 4] = [10, 99, 0, 1];
const FROM: [u8; 4] = [10, 99, 0, 2];

const LOOPBACK: i32 = 1;
const HERE_MAC: [u8; 6] = [0; 6];
const OTHER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const IPV4: u16 = 0x0800;
const UNKNOWN: u16 = 0x88b5;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const EXPERIMENT: u8 = 253;

/// A socket that sends whole frames at the loopback device, and the frames.
#[derive(Debug)]
pub struct Frames {
    socket: OwnedFd,
    frames: Vec<Vec<u8>>,
}

impl Frames {
    /// In the network namespace of this thread.
    pub fn new() -> Result<Self> {
        // SAFETY: the call takes integers.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        ensure!(fd >= 0, "cannot make a packet socket: {}", io::Error::last_os_error());
        // SAFETY: the kernel has just made it for us.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { socket, frames: frames() })
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.frames.len() as u64
    }

    /// Sends one.
    pub fn send(&self, number: u64) -> Result<()> {
        let frame = &self.frames[number as usize];
        // SAFETY: zeroes are valid.
        let mut to: libc::sockaddr_ll = unsafe { mem::zeroed() };
        (to.sll_family, to.sll_ifindex) = (libc::AF_PACKET as u16, LOOPBACK);
        let size = size_of_val(&to) as u32;
        // SAFETY: the frame and the address outlive the call, which is told their sizes.
        let sent = unsafe {
            let (bytes, to) = (frame.as_ptr().cast(), (&raw const to).cast());
            libc::sendto(self.socket.as_raw_fd(), bytes, frame.len(), 0, to, size)
        };
        ensure!(sent == frame.len() as isize, "cannot send: {}", io::Error::last_os_error());
        Ok(())
    }
}

/// A datagram to a closed port first, then what is wrong in one layer after the other.
fn frames() -> Vec<Vec<u8>> {
    let whole = |protocol, payload: &[u8]| ethernet(HERE_MAC, IPV4, &ipv4(protocol, payload));
    let changed = |at: usize, value: u8| {
        let mut packet = ipv4(UDP, &udp(0));
        packet[at] = value;
        ethernet(HERE_MAC, IPV4, &packet)
    };
    let truncated = &ipv4(UDP, &udp(0))[..24];
    vec![
        whole(UDP, &udp(0)),
        whole(UDP, &udp(1)),
        whole(UDP, &[0; 4]),
        whole(TCP, &tcp_reset()),
        whole(TCP, &[0; 20]),
        whole(TCP, &[0; 4]),
        whole(ICMP, &[8, 0, 0, 0, 0, 0, 0, 0]),
        whole(ICMP, &with_checksum(&[255, 0, 0, 0, 0, 0, 0, 0], 2, 0)),
        whole(EXPERIMENT, &[0; 8]),
        // The version, the checksum, and the length.
        changed(0, 0x55),
        changed(10, 0xff),
        ethernet(HERE_MAC, IPV4, truncated),
        ethernet(HERE_MAC, UNKNOWN, &[0; 46]),
        ethernet(OTHER_MAC, IPV4, &ipv4(UDP, &udp(0))),
    ]
}

fn ethernet(to: [u8; 6], kind: u16, payload: &[u8]) -> Vec<u8> {
    [&to[..], &HERE_MAC, &kind.to_be_bytes(), payload].concat()
}

fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = (20 + payload.len() as u16).to_be_bytes();
    let header =
        [&[0x45, 0][..], &length, &[0, 1, 0x40, 0, 64, protocol, 0, 0], &FROM, &TO].concat();
    [with_checksum(&header, 10, 0), payload.to_vec()].concat()
}

/// Port 9 to port 9, with this checksum: 0 is none.
fn udp(checksum: u16) -> Vec<u8> {
    let [high, low] = checksum.to_be_bytes();
    [0, 9, 0, 9, 0, 16, high, low, 0, 0, 0, 0, 0, 0, 0, 0].to_vec()
}

/// A reset, to which there is never an answer.
fn tcp_reset() -> Vec<u8> {
    let header = [0, 9, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 4, 0, 0, 0, 0, 0, 0];
    let pseudo_header = [&FROM[..], &TO, &[0, TCP, 0, header.len() as u8]].concat();
    with_checksum(&header, 16, sum(&pseudo_header))
}

/// With the checksum of the Internet protocols at this offset, of the bytes and what is summed up
/// before.
fn with_checksum(bytes: &[u8], at: usize, before: u32) -> Vec<u8> {
    let mut sum = before + sum(bytes);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let mut bytes = bytes.to_vec();
    bytes[at..at + 2].copy_from_slice(&(!sum as u16).to_be_bytes());
    bytes
}

fn sum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    words.map(u32::from).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_right() {
        // All words of a good header add up to ones.
        let header = &ipv4(UDP, &udp(0))[..20];
        let sum = sum(header);
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }

    #[test]
    fn frames_differ() {
        let frames = frames();
        for (index, frame) in frames.iter().enumerate() {
            assert!(!frames[..index].contains(frame), "{index}");
        }
    }
}
