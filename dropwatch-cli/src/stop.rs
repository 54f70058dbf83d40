//! What ends a run: Ctrl-C, a signal to terminate, or the time that was set.

use std::time::Duration;

use crate::command::Running;
use anyhow::{Context, Result};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep_until},
};

/// Waits for the end.
pub struct Stop {
    signals: [Signal; 3],
    deadline: Option<Instant>,
    /// When a signal first asked for the end.
    asked: Option<Instant>,
    /// The program whose end is the end.
    command: Option<Running>,
}

/// `timeout` and others send a signal twice, to the process and to its group: what comes so soon
/// after the first is the same request.
const SAME_REQUEST: Duration = Duration::from_millis(300);

impl Stop {
    /// From now on, signals no longer end the program by themselves.
    ///
    /// # Errors
    /// When signals cannot be caught.
    pub fn new() -> Result<Self> {
        let catch = |kind| signal(kind).context("cannot catch signals");
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = kinds.map(catch);
        Ok(Self {
            signals: [interrupt?, terminate?, hangup?],
            deadline: None,
            asked: None,
            command: None,
        })
    }

    /// The run ends after this time, counted from now.
    pub fn after(&mut self, duration: Option<Duration>) {
        self.deadline = duration.and_then(|duration| Instant::now().checked_add(duration));
    }

    /// The run ends with this program; signals are for it.
    pub fn with(&mut self, command: Running) {
        self.command = Some(command);
    }

    /// The program that the run ends with.
    pub fn command(&self) -> Option<&Running> {
        self.command.as_ref()
    }

    /// Ends with a signal, or when the time is up; or with the program.
    pub async fn requested(&mut self) {
        if self.command.is_some() {
            return self.command_ended().await;
        }
        let deadline = self.deadline;
        let time_is_up = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.signal() => {}
            () = time_is_up => {}
        }
    }

    async fn command_ended(&mut self) {
        let Self { signals, command, .. } = self;
        let Some(command) = command else { return };
        loop {
            tokio::select! {
                biased;
                () = command.end() => return,
                signal = next_signal(signals) => command.pass_on(signal),
            }
        }
    }

    /// Ends when a signal asks for the end once more: whoever sends it will not wait.
    pub async fn insisted(&mut self) {
        loop {
            let before = self.asked;
            self.signal().await;
            if before.is_none_or(|asked| asked.elapsed() >= SAME_REQUEST) {
                return;
            }
        }
    }

    async fn signal(&mut self) {
        next_signal(&mut self.signals).await;
        self.asked.get_or_insert_with(Instant::now);
    }
}

/// The number of the signal that comes next.
async fn next_signal(signals: &mut [Signal; 3]) -> i32 {
    let [interrupt, terminate, hangup] = signals;
    tokio::select! {
        _ = interrupt.recv() => libc::SIGINT,
        _ = terminate.recv() => libc::SIGTERM,
        _ = hangup.recv() => libc::SIGHUP,
    }
}
