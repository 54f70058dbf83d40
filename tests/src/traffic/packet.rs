//! Sending whole Ethernet frames (`AF_PACKET`).

use std::{
    ffi::CString,
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use anyhow::{Context, Result, ensure};

/// Sends frames out of a device.
#[derive(Debug)]
pub struct Sender {
    socket: OwnedFd,
    index: u32,
}

impl Sender {
    /// Out of this device of this thread's namespace.
    ///
    /// # Errors
    /// When there is no such device.
    pub fn new(device: &str) -> Result<Self> {
        // SAFETY: the call takes integers.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        ensure!(fd >= 0, "no packet socket: {}", io::Error::last_os_error());
        // SAFETY: the kernel has just made it for us.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { socket, index: interface_index(device)? })
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        let ether_type = frame.get(12..14).context("a frame has at least 14 bytes")?;
        // SAFETY: an address of zeros is valid.
        let mut to: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        to.sll_family = libc::AF_PACKET as u16;
        to.sll_protocol = u16::from_ne_bytes([ether_type[0], ether_type[1]]);
        to.sll_ifindex = self.index as i32;
        // SAFETY: frame and address outlive the call, and the sizes are theirs.
        let sent = unsafe {
            libc::sendto(
                self.socket.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
                (&raw const to).cast(),
                size_of_val(&to) as libc::socklen_t,
            )
        };
        ensure!(sent == frame.len() as isize, "cannot send: {}", io::Error::last_os_error());
        Ok(())
    }
}

/// Sends a frame out of a device of this thread's namespace, so many times.
///
/// # Errors
/// When there is no such device, or the kernel refuses a frame.
pub fn send(device: &str, frame: &[u8], count: u32) -> Result<()> {
    let sender = Sender::new(device)?;
    (0..count).try_for_each(|_| sender.send(frame))
}

/// The number of a device of this thread's namespace.
///
/// # Errors
/// When there is no such device.
pub fn interface_index(device: &str) -> Result<u32> {
    let name = CString::new(device)?;
    // SAFETY: the name ends in a zero byte and outlives the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    ensure!(index != 0, "there is no device {device}");
    Ok(index)
}
