//! Setting what the standard library cannot set on a socket.

use std::{io, os::fd::AsRawFd};

use anyhow::{Result, ensure};

/// Sets a `SO_*` option.
///
/// # Errors
/// When the kernel does not take it.
pub fn set<T>(socket: &impl AsRawFd, option: libc::c_int, value: &T) -> Result<()> {
    set_at(socket, libc::SOL_SOCKET, option, value)
}

/// Sets a `TCP_*` option.
///
/// # Errors
/// As above.
pub fn set_tcp<T>(socket: &impl AsRawFd, option: libc::c_int, value: &T) -> Result<()> {
    set_at(socket, libc::IPPROTO_TCP, option, value)
}

fn set_at<T>(
    socket: &impl AsRawFd,
    level: libc::c_int,
    option: libc::c_int,
    value: &T,
) -> Result<()> {
    // SAFETY: the value, and what it may point to, outlives the call, and the size is the value's.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const *value).cast(),
            size_of_val(value) as libc::socklen_t,
        )
    };
    ensure!(set == 0, "cannot set the socket's option {option}: {}", io::Error::last_os_error());
    Ok(())
}
