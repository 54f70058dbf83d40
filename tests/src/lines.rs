//! Reading what a program prints while it runs.

use std::{
    io::{BufRead, BufReader, Read},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// A line, and when it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it was read.
    pub at: Instant,
    /// The line without its end.
    pub text: String,
}

/// A thread that reads lines as they come.
#[derive(Debug)]
pub struct Collector {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<Line>,
    ended: bool,
}

impl Collector {
    /// Begins to read.
    pub fn start(source: impl Read + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let thread = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.fill(source)
        });
        Self { shared, thread }
    }

    /// Waits until there are so many lines, or no more can come, or the time is over, and gives
    /// those that there are.
    pub fn wait(&self, count: usize, limit: Duration) -> Vec<Line> {
        let waiting = |state: &mut State| state.lines.len() < count && !state.ended;
        let state = self.shared.lock();
        let waited = self.shared.changed.wait_timeout_while(state, limit, waiting);
        waited.unwrap_or_else(PoisonError::into_inner).0.lines.clone()
    }

    /// Reads to the end.
    pub fn finish(self) -> Vec<Line> {
        // A line that cannot be read ends the reading; the state has what came before.
        let _ = self.thread.join();
        std::mem::take(&mut self.shared.lock().lines)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fill(&self, source: impl Read) {
        let mut source = BufReader::with_capacity(1 << 16, source);
        let mut line = Vec::new();
        while source.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line);
            let text = text.strip_suffix('\n').unwrap_or(&text).to_owned();
            self.lock().lines.push(Line { at: Instant::now(), text });
            self.changed.notify_all();
            line.clear();
        }
        self.lock().ended = true;
        self.changed.notify_all();
    }
}
