//! Network namespaces.

use std::{
    ffi::OsStr,
    fs::{self, File},
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    panic::resume_unwind,
    path::Path,
    process,
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use anyhow::{Context, Result, ensure};

use crate::{
    command::output,
    temporary::{PREFIX, orphans},
};

const FOLDER: &str = "/run/netns";

static NEXT: AtomicU32 = AtomicU32::new(0);
static SWEEP: Once = Once::new();

/// A network namespace with its loopback device up. It goes away with everything in it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// A new one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> Result<Self> {
        SWEEP.call_once(remove_orphans);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", process::id());
        output("ip", &["netns", "add", &name])?;
        let namespace = Self { name };
        output("ip", &["-n", namespace.name(), "link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Its name, as `ip netns` has it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The inode number by which the kernel names it.
    ///
    /// # Errors
    /// When it is gone.
    pub fn inode(&self) -> Result<u64> {
        let path = Path::new(FOLDER).join(&self.name);
        Ok(fs::metadata(&path).with_context(|| format!("no {}", path.display()))?.ino())
    }

    /// Does something in it, in a thread of this name: which is the comm of what it sends.
    ///
    /// # Errors
    /// When the namespace cannot be entered, or what is done fails.
    pub fn run<T: Send>(
        &self,
        thread: &str,
        action: impl FnOnce() -> Result<T> + Send,
    ) -> Result<T> {
        as_thread(thread, || {
            self.enter()?;
            action()
        })
    }

    /// Moves this thread into it, for good.
    ///
    /// # Errors
    /// When that fails.
    pub fn enter(&self) -> Result<()> {
        let path = Path::new(FOLDER).join(&self.name);
        let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        // SAFETY: the call takes two integers, of which the first is an open file.
        let entered = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
        ensure!(entered == 0, "cannot enter {}: {}", self.name, std::io::Error::last_os_error());
        Ok(())
    }

    /// What a program prints that runs in it.
    ///
    /// # Errors
    /// When it fails.
    pub fn output<A: AsRef<OsStr> + Sync>(&self, program: &str, args: &[A]) -> Result<String> {
        self.run("dwt-command", || output(program, args))
    }

    /// Adds a rule of nftables at this hook.
    ///
    /// # Errors
    /// When nft refuses it.
    pub fn nft(&self, family: &str, hook: &str, rule: &str) -> Result<()> {
        let chain = format!("{family} dwt {hook}");
        for command in [
            format!("add table {family} dwt"),
            format!("add chain {chain} {{ type filter hook {hook} priority 0; }}"),
            format!("add rule {chain} {rule}"),
        ] {
            self.output("nft", &[command])?;
        }
        Ok(())
    }

    /// Sets one of its settings: `net/ipv6/conf/all/disable_ipv6`.
    ///
    /// # Errors
    /// When there is no such setting.
    pub fn sysctl(&self, name: &str, value: &str) -> Result<()> {
        self.run("dwt-sysctl", || {
            fs::write(Path::new("/proc/sys").join(name), value)
                .with_context(|| format!("cannot set {name}"))
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Does something in a thread of this name, of which the kernel keeps 15 bytes as its comm.
///
/// # Errors
/// When the thread cannot be started, or what is done fails.
pub fn as_thread<T: Send>(name: &str, action: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, action);
        thread.context("cannot start a thread")?.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

fn remove(name: &str) {
    if let Err(error) = output("ip", &["netns", "del", name]) {
        eprintln!("cannot remove the namespace {name}: {error:#}");
    }
}

/// Removes the namespaces of tests that were killed.
fn remove_orphans() {
    for name in orphans(Path::new(FOLDER)) {
        remove(&name);
    }
}
