//! UDP.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use anyhow::{Context, Result, ensure};

use super::option;

/// Length of a UDP header.
pub const HEADER: u32 = 8;

/// Sends datagrams. Its socket is not connected: a connected one would refuse to send after an
/// ICMP error, and so send fewer than it is told.
#[derive(Debug)]
pub struct Sender {
    socket: UdpSocket,
    to: SocketAddr,
}

impl Sender {
    /// To this address.
    ///
    /// # Errors
    /// When there is no socket to be had.
    pub fn new(to: impl Into<SocketAddr>) -> Result<Self> {
        let to = to.into();
        let any: SocketAddr = match to {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        Ok(Self { socket: UdpSocket::bind(any)?, to })
    }

    /// Sends datagrams with a payload of this length, as fast as the kernel takes them.
    ///
    /// # Errors
    /// When the kernel refuses one.
    pub fn send(&self, payload: u32, count: u32) -> Result<()> {
        let payload = vec![0x5a; payload as usize];
        for _ in 0..count {
            let sent = self.socket.send_to(&payload, self.to);
            let sent = sent.with_context(|| format!("cannot send to {}", self.to))?;
            ensure!(sent == payload.len(), "sent {sent} bytes of {}", payload.len());
        }
        Ok(())
    }
}

/// Sends datagrams with a payload of this length, as fast as the kernel takes them.
///
/// # Errors
/// When the kernel refuses one.
pub fn send(to: impl Into<SocketAddr>, payload: u32, count: u32) -> Result<()> {
    Sender::new(to)?.send(payload, count)
}

/// A socket with a filter that lets no packet in.
///
/// # Errors
/// When the kernel does not take the filter.
pub fn deaf_socket(at: impl Into<SocketAddr>) -> Result<UdpSocket> {
    let socket = UdpSocket::bind(at.into())?;
    // `ret #0`: of each packet take no bytes.
    let mut instruction = libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: 0 };
    let program = libc::sock_fprog { len: 1, filter: &raw mut instruction };
    option::set(&socket, libc::SO_ATTACH_FILTER, &program).context("cannot attach a filter")?;
    Ok(socket)
}
