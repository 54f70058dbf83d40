//! Generic netlink: talking to a family of the kernel's that a module may have registered.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use anyhow::{Context, Result, bail, ensure};

const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
/// The type of an answer that carries an error number, or 0 for success.
const ERROR: u16 = 2;
const NETLINK_HEADER: usize = 16;
const GENERIC_HEADER: usize = 4;

/// The family that knows all others.
const CONTROL: u16 = 16;
const CONTROL_GET_FAMILY: u8 = 3;
const CONTROL_FAMILY_ID: u16 = 1;
const CONTROL_FAMILY_NAME: u16 = 2;

/// An attribute: its length, its type and its value, filled up to whole words.
pub fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = (4 + value.len()) as u16;
    let mut bytes = [&len.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// An attribute that holds others.
pub fn nested(kind: u16, attributes: &[Vec<u8>]) -> Vec<u8> {
    attribute(kind, &attributes.concat())
}

/// An attribute that holds a name.
pub fn name(kind: u16, text: &str) -> Vec<u8> {
    attribute(kind, &[text.as_bytes(), b"\0"].concat())
}

/// A socket. What it does, it does in the network namespace in which it was made.
#[derive(Debug)]
pub struct Socket(OwnedFd);

impl Socket {
    /// A new one, of this thread's namespace.
    ///
    /// # Errors
    /// When there is none to be had.
    pub fn new() -> Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: the call takes integers.
        let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_GENERIC) };
        ensure!(fd >= 0, "no netlink socket: {}", io::Error::last_os_error());
        // SAFETY: the kernel has just made it for us.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The number of a family.
    ///
    /// # Errors
    /// When this kernel does not have it.
    pub fn family(&self, family: &str) -> Result<u16> {
        let wanted = name(CONTROL_FAMILY_NAME, family);
        let answer = self.ask(CONTROL, CONTROL_GET_FAMILY, 1, &wanted);
        let answer = answer.with_context(|| format!("there is no netlink family {family}"))?;
        let id = find(answer.get(GENERIC_HEADER..).unwrap_or_default(), CONTROL_FAMILY_ID);
        let id = id.and_then(|value| value.try_into().ok()).context("a family without a number")?;
        Ok(u16::from_ne_bytes(id))
    }

    /// Sends a request, and gives what the kernel answers before it confirms: nothing for most.
    ///
    /// # Errors
    /// When it refuses.
    pub fn ask(&self, family: u16, command: u8, version: u8, body: &[u8]) -> Result<Vec<u8>> {
        let len = (NETLINK_HEADER + GENERIC_HEADER + body.len()) as u32;
        let flags = REQUEST | ACKNOWLEDGE;
        let request = [
            &len.to_ne_bytes()[..],
            &family.to_ne_bytes(),
            &flags.to_ne_bytes(),
            // A number of the request, and of the sender.
            &[0; 8],
            &[command, version, 0, 0],
            body,
        ]
        .concat();
        // SAFETY: the request outlives the call, and the size is its own.
        let sent =
            unsafe { libc::send(self.0.as_raw_fd(), request.as_ptr().cast(), request.len(), 0) };
        ensure!(sent == request.len() as isize, "cannot send: {}", io::Error::last_os_error());
        let mut answer = Vec::new();
        loop {
            for (kind, payload) in messages(&self.receive()?)? {
                if kind != ERROR {
                    answer = payload;
                    continue;
                }
                let number = payload.first_chunk().context("an error without a number")?;
                // A number above 0 is that of what was made.
                return match i32::from_ne_bytes(*number) {
                    0.. => Ok(answer),
                    number => bail!("{}", io::Error::from_raw_os_error(-number)),
                };
            }
        }
    }

    fn receive(&self) -> Result<Vec<u8>> {
        let mut buffer = vec![0; 1 << 15];
        // SAFETY: the buffer outlives the call, and the size is its own.
        let len =
            unsafe { libc::recv(self.0.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
        buffer.truncate(len);
        Ok(buffer)
    }
}

/// The messages in what was received: their types, and what follows their headers.
fn messages(mut bytes: &[u8]) -> Result<Vec<(u16, Vec<u8>)>> {
    let mut found = Vec::new();
    while let Some((len, rest)) = bytes.split_first_chunk() {
        let len = u32::from_ne_bytes(*len) as usize;
        let kind = rest.first_chunk().context("a message without a type")?;
        let payload = bytes.get(NETLINK_HEADER..len).context("a message of a wrong length")?;
        found.push((u16::from_ne_bytes(*kind), payload.to_vec()));
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(found)
}

/// The value of the first attribute of this type.
fn find(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    while let Some(&[a, b, c, d]) = attributes.first_chunk() {
        let len = usize::from(u16::from_ne_bytes([a, b]));
        let value = attributes.get(4..len)?;
        if u16::from_ne_bytes([c, d]) == wanted {
            return Some(value);
        }
        attributes = attributes.get(len.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_behind_others() {
        let attributes = [name(2, "nlctrl"), attribute(1, &[16, 0]), attribute(3, &[])].concat();
        assert_eq!(attributes.len(), 12 + 8 + 4);
        assert_eq!(find(&attributes, 1), Some(&[16, 0][..]));
        assert_eq!(find(&attributes, 2), Some(&b"nlctrl\0"[..]));
        assert_eq!(find(&attributes, 3), Some(&[][..]));
        assert_eq!(find(&attributes, 4), None);
    }

    #[test]
    fn the_kernel_knows_the_control_family_and_no_other() -> Result<()> {
        let socket = Socket::new()?;
        assert_eq!(socket.family("nlctrl")?, CONTROL);
        let error = socket.family("dwt_none").expect_err("there is no such family");
        assert!(format!("{error:#}").contains("No such file"), "{error:#}");
        Ok(())
    }
}
