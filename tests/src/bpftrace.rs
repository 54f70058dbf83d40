//! Watching the same drops with bpftrace.

use std::{
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    command::{interrupt, output},
    lines::Collector,
    mount::WITH_TRACEFS,
};

/// How long it may take to end, and how often it is asked again.
const PATIENCE: Duration = Duration::from_secs(10);
const RETRIES: u32 = 5;

const LIMIT: Duration = Duration::from_secs(30);

/// A bpftrace with one probe on `skb:kfree_skb`. It is killed when this is dropped.
#[derive(Debug)]
pub struct Bpftrace {
    child: Child,
    stdout: Option<Collector>,
    stderr: Option<Collector>,
}

impl Bpftrace {
    /// Starts it with this filter and action, and returns once it is attached.
    ///
    /// # Errors
    /// When it cannot be started, or ends.
    pub fn start(filter: &str, action: &str) -> Result<Self> {
        let script = format!("tracepoint:skb:kfree_skb /{filter}/ {{ {action} }}");
        let [unshare, arguments @ ..] = WITH_TRACEFS;
        let mut command = Command::new(unshare);
        command.args(arguments).arg("bpftrace");
        // Counting by stack has more keys than bpftrace keeps by default.
        command.args(["-e", &script]).env("BPFTRACE_MAP_KEYS_MAX", "65536");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start bpftrace")?;
        let stdout = child.stdout.take().map(Collector::start);
        let stderr = child.stderr.take().map(Collector::start);
        let mut bpftrace = Self { child, stdout, stderr };
        bpftrace.wait_until_attached()?;
        Ok(bpftrace)
    }

    fn wait_until_attached(&mut self) -> Result<()> {
        let begin = Instant::now();
        let line = format!("pid {} ", self.child.id());
        // Bpftrace prints that it is attaching before it does.
        while !output("bpftool", &["perf", "show"])?
            .lines()
            .any(|found| found.starts_with(&line) && found.ends_with("kfree_skb"))
        {
            if let Some(status) = self.child.try_wait()? {
                let stderr = self.stderr.take().map(Collector::finish);
                bail!("bpftrace ended with {status}: {stderr:?}");
            }
            ensure!(begin.elapsed() < LIMIT, "bpftrace is not attached after {LIMIT:?}");
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Ends it, and gives the lines that it printed.
    ///
    /// # Errors
    /// When it does not end, or lost something.
    pub fn finish(mut self) -> Result<Vec<String>> {
        // Bpftrace 0.17 does not hear a signal that comes while it is not waiting for events.
        let mut ended = interrupt(&mut self.child, PATIENCE);
        for _ in 0..RETRIES {
            if ended.is_ok() {
                break;
            }
            ended = interrupt(&mut self.child, PATIENCE);
        }
        ended?;
        let lines = self.stdout.take().map(Collector::finish).unwrap_or_default();
        let lines: Vec<_> = lines.into_iter().map(|line| line.text).collect();
        ensure!(!lines.iter().any(|line| line.starts_with("Lost ")), "bpftrace lost events");
        Ok(lines)
    }
}

impl Drop for Bpftrace {
    fn drop(&mut self) {
        // Both fail only where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
