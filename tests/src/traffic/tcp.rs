//! TCP.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpStream},
};

use anyhow::{Result, bail};

/// Tries to connect to ports that nobody listens on.
///
/// # Errors
/// When the answer is another than a refusal.
pub fn connect_in_vain(to: impl Into<SocketAddr>, count: u32) -> Result<()> {
    let to = to.into();
    for _ in 0..count {
        match TcpStream::connect(to) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            other => bail!("connecting to {to} gave {other:?}"),
        }
    }
    Ok(())
}
