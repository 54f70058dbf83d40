//! Network namespaces that have no name, so that they go away with this process, however it ends.

use crate::process;
use anyhow::{Context as _, Result, ensure};
use std::{
    fs::File, io, os::fd::AsRawFd as _, os::unix::fs::MetadataExt as _, panic::resume_unwind,
    process::Command, thread,
};

/// A network namespace with its loopback device up. It is there as long as this or a socket in it.
#[derive(Debug)]
pub struct Namespace(File);

impl Namespace {
    /// A new one.
    pub fn new() -> Result<Self> {
        let file = in_thread(|| {
            // SAFETY: the call takes an integer.
            let unshared = unsafe { libc::unshare(libc::CLONE_NEWNET) };
            let error = io::Error::last_os_error();
            ensure!(unshared == 0, "cannot make a network namespace: {error}");
            command(&["ip", "link", "set", "lo", "up"])?;
            Ok(File::open("/proc/thread-self/ns/net")?)
        })?;
        Ok(Self(file))
    }

    /// The number by which the kernel names it.
    pub fn inode(&self) -> Result<u64> {
        Ok(self.0.metadata()?.ino())
    }

    /// Does something in it, in a thread: sockets that are made there stay in it.
    pub fn run<T: Send>(&self, action: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        in_thread(|| {
            // SAFETY: the call takes two integers, of which the first is an open file.
            let entered = unsafe { libc::setns(self.0.as_raw_fd(), libc::CLONE_NEWNET) };
            let error = io::Error::last_os_error();
            ensure!(entered == 0, "cannot enter a network namespace: {error}");
            action()
        })
    }
}

/// Runs a command in the namespace of this thread.
pub fn command(words: &[&str]) -> Result<()> {
    let (name, args) = words.split_first().context("an empty command")?;
    process::output(Command::new(name).args(args)).map(drop)
}

fn in_thread<T: Send>(action: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| scope.spawn(action).join().unwrap_or_else(|panic| resume_unwind(panic)))
}
