//! Sending IPv4 packets with a header of one's own (`IP_HDRINCL`).

use std::{
    io,
    net::Ipv4Addr,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use anyhow::{Result, ensure};

/// Sends a packet, its IPv4 header included, so many times. The kernel itself sets the
/// checksum of that header.
///
/// # Errors
/// When the kernel refuses it.
pub fn send(to: Ipv4Addr, packet: &[u8], count: u32) -> Result<()> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: the call takes integers.
    let fd = unsafe { libc::socket(libc::AF_INET, kind, libc::IPPROTO_RAW) };
    ensure!(fd >= 0, "no raw socket: {}", io::Error::last_os_error());
    // SAFETY: the kernel has just made it for us.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: an address of zeros is valid.
    let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    address.sin_family = libc::AF_INET as u16;
    address.sin_addr.s_addr = u32::from_ne_bytes(to.octets());
    for _ in 0..count {
        // SAFETY: packet and address outlive the call, and the sizes are theirs.
        let sent = unsafe {
            libc::sendto(
                socket.as_raw_fd(),
                packet.as_ptr().cast(),
                packet.len(),
                0,
                (&raw const address).cast(),
                size_of_val(&address) as libc::socklen_t,
            )
        };
        ensure!(sent == packet.len() as isize, "cannot send: {}", io::Error::last_os_error());
    }
    Ok(())
}
