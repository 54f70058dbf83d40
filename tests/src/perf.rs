//! Counting drops with perf.

use std::{
    ffi::CString,
    fs::{self, File},
    io::{Read, Write},
    os::{fd::AsRawFd, unix::ffi::OsStrExt},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{TempDir, command::interrupt, mount::WITH_TRACEFS};

const LIMIT: Duration = Duration::from_secs(10);

/// A `perf stat` that counts `skb:kfree_skb` on the whole machine. It is killed when this is
/// dropped.
#[derive(Debug)]
pub struct PerfStat {
    child: Child,
    control: File,
    answers: File,
    folder: TempDir,
}

impl PerfStat {
    /// Starts it, and returns once it counts.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start() -> Result<Self> {
        let folder = TempDir::new()?;
        let [control, answers] = ["control", "answers"].map(|name| folder.join(name));
        for path in [&control, &answers] {
            let name = CString::new(path.as_os_str().as_bytes())?;
            // SAFETY: the name ends in a zero byte and outlives the call.
            ensure!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) } == 0, "cannot make a fifo");
        }
        // Perf would mount tracefs, and leave it mounted.
        let [unshare, arguments @ ..] = WITH_TRACEFS;
        let child = Command::new(unshare)
            .args(arguments)
            .arg("perf")
            .args(["stat", "-a", "-e", "skb:kfree_skb", "-x", ",", "--delay=-1", "--control"])
            .arg(format!("fifo:{},{}", control.display(), answers.display()))
            .arg("-o")
            .arg(folder.join("counts"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start perf")?;
        // Opened for both, so that it does not wait for the other side.
        let open = |path| File::options().read(true).write(true).open(path);
        let (control, answers) = (open(&control)?, open(&answers)?);
        let mut perf = Self { child, control, answers, folder };
        perf.order("enable")?;
        Ok(perf)
    }

    /// Stops counting, and gives the number of drops.
    ///
    /// # Errors
    /// When perf fails.
    pub fn finish(mut self) -> Result<u64> {
        self.order("disable")?;
        interrupt(&mut self.child, LIMIT)?;
        let counts = fs::read_to_string(self.folder.join("counts"))?;
        let line = counts.lines().find(|line| line.contains(",skb:kfree_skb,"));
        let count = line.and_then(|line| line.split(',').next()).context("perf counted nothing")?;
        count.parse().with_context(|| format!("perf counted {count}"))
    }

    fn order(&mut self, order: &str) -> Result<()> {
        self.control.write_all(format!("{order}\n").as_bytes())?;
        let mut poll =
            libc::pollfd { fd: self.answers.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: the call reads and writes one element, which outlives it.
        let ready = unsafe { libc::poll(&raw mut poll, 1, LIMIT.as_millis() as i32) };
        ensure!(ready == 1, "perf does not answer to {order:?}");
        let mut answer = [0; 5];
        self.answers.read_exact(&mut answer)?;
        ensure!(answer == *b"ack\n\0", "perf answered {answer:?}");
        Ok(())
    }
}

impl Drop for PerfStat {
    fn drop(&mut self) {
        // Both fail only where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
