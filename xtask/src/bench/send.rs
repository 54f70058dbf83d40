//! Sending datagrams as fast as the kernel takes them: many with each system call.

use super::interrupt;
use anyhow::{Result, ensure};
use std::{
    io, mem,
    net::{SocketAddrV4, UdpSocket},
    os::fd::AsRawFd as _,
};

const PAYLOAD: [u8; 64] = [0x5a; 64];
/// So many datagrams go with a system call, and between two looks at the signals.
const BATCH: usize = 64;

/// Sends a datagram to each address. The socket must not be connected: a connected one would
/// refuse to send after an ICMP error.
pub fn send(socket: &UdpSocket, to: impl IntoIterator<Item = SocketAddrV4>) -> Result<()> {
    let mut to = to.into_iter();
    loop {
        let mut batch: Vec<_> = to.by_ref().take(BATCH).map(raw).collect();
        if batch.is_empty() {
            return Ok(());
        }
        interrupt::check()?;
        send_batch(socket, &mut batch)?;
    }
}

fn send_batch(socket: &UdpSocket, to: &mut [libc::sockaddr_in]) -> Result<()> {
    // The kernel only reads it.
    let mut payload =
        libc::iovec { iov_base: PAYLOAD.as_ptr().cast_mut().cast(), iov_len: PAYLOAD.len() };
    let message = |address: &mut libc::sockaddr_in| {
        // SAFETY: zeroes are valid: no control data, no flags.
        let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
        message.msg_hdr.msg_name = (&raw mut *address).cast();
        message.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as u32;
        message.msg_hdr.msg_iov = &raw mut payload;
        message.msg_hdr.msg_iovlen = 1;
        message
    };
    let mut messages: Vec<_> = to.iter_mut().map(message).collect();
    let mut rest = &mut messages[..];
    while !rest.is_empty() {
        let (pointer, count) = (rest.as_mut_ptr(), rest.len() as u32);
        // SAFETY: the messages, and what they point to, outlive the call.
        let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), pointer, count, 0) };
        ensure!(sent > 0, "cannot send: {}", io::Error::last_os_error());
        rest = &mut mem::take(&mut rest)[sent as usize..];
    }
    Ok(())
}

/// An address as the kernel has it: all in network byte order.
fn raw(address: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
        sin_zero: [0; 8],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::Ipv4Addr, time::Duration};

    #[test]
    fn each_address_gets_one() -> Result<()> {
        let bound = || -> Result<(UdpSocket, SocketAddrV4)> {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.set_read_timeout(Some(Duration::from_secs(5)))?;
            let port = socket.local_addr()?.port();
            Ok((socket, SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)))
        };
        let ((sender, _), (first, to_first), (second, to_second)) = (bound()?, bound()?, bound()?);
        send(&sender, (0..BATCH * 2 + 1).map(|_| to_first).chain([to_second]))?;
        let mut buffer = [0; 100];
        for _ in 0..BATCH * 2 + 1 {
            assert_eq!(first.recv(&mut buffer)?, PAYLOAD.len());
        }
        assert_eq!(second.recv(&mut buffer)?, PAYLOAD.len());
        Ok(())
    }
}
