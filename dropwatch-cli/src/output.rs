//! Standard output, behind a thread of its own: a reader that is slow or stands still must not
//! keep us from seeing Ctrl-C, nor from emptying the ring for as long as there is memory.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use anyhow::{Context, Result};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::{
        mpsc::{Permit, Receiver, Sender, channel},
        oneshot,
    },
};

use crate::stop::Stop;

/// A chunk this large is sent off even while more drops are waiting.
pub const CHUNK_SIZE: usize = 64 << 10;
/// So are so many drops, also where they make no text.
pub const CHUNK_DROPS: usize = 4 << 10;
/// Chunks that may wait for a slow reader.
const CHUNKS: usize = 16;

/// A file to write drops to, which holds nothing yet.
///
/// # Errors
/// When it cannot be written.
pub fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("cannot write the drops to {}", path.display()))
}

/// Writes to standard output at once. False where nobody reads any more.
///
/// # Errors
/// When it cannot be written.
pub fn print(text: &[u8]) -> Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("cannot write to standard output"),
    }
}

/// Text on its way out, and the drops in it.
#[derive(Debug, Default)]
pub struct Chunk {
    /// Whole lines.
    pub text: Vec<u8>,
    /// Where in the text each drop ends.
    pub ends: Vec<usize>,
}

/// Standard output.
pub struct Output {
    sender: Sender<Chunk>,
    ended: oneshot::Receiver<io::Result<()>>,
    shown: Shown,
    hang_up: Option<AsyncFd<OwnedFd>>,
}

/// How writing ended.
#[derive(Debug)]
pub enum Ending {
    /// All was written.
    Complete,
    /// The reader closed the pipe: it has what it wanted.
    ReaderGone,
    /// A signal came while the reader stood still.
    Abandoned,
}

/// How many drops have been written.
#[derive(Clone, Debug, Default)]
pub struct Shown(Arc<AtomicU64>);

impl Shown {
    /// The number by now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, drops: u64) {
        self.0.fetch_add(drops, Ordering::Relaxed);
    }
}

impl Output {
    /// Starts the thread that writes, to standard output or to this file in place of it.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(file: Option<File>) -> Result<Self> {
        let (sender, receiver) = channel(CHUNKS);
        let (end, ended) = oneshot::channel();
        let shown = Shown::default();
        let count = shown.clone();
        // Without the buffer of `io::stdout`, which hides how much of a chunk was written.
        let fd = match file {
            Some(file) => OwnedFd::from(file),
            None => io::stdout().as_fd().try_clone_to_owned().context("there is no output")?,
        };
        // A regular file cannot be watched, and does not hang up either.
        let hang_up = fd.try_clone().ok();
        thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || {
                // Nobody waits for the result where writing was abandoned.
                let _ = end.send(write_all(File::from(fd), receiver, &count));
            })
            .context("cannot start a thread for the output")?;
        // SAFETY: the descriptor is a copy that the result owns.
        let watch = |fd| unsafe { AsyncFd::register_with_interest(fd, Interest::ERROR) };
        let hang_up = hang_up.and_then(|fd| watch(fd).ok());
        Ok(Self { sender, ended, shown, hang_up })
    }

    /// Waits until there is room for a chunk. None when the writer has ended.
    pub async fn room(&self) -> Option<Permit<'_, Chunk>> {
        self.sender.reserve().await.ok()
    }

    /// Ends when nobody reads any more, also while there is nothing to write.
    pub async fn closed(&self) {
        let hung_up = async {
            match &self.hang_up {
                Some(fd) => drop(fd.ready(Interest::ERROR).await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = hung_up => {}
            () = self.sender.closed() => {}
        }
    }

    /// The number of drops that have been written, to be asked at any time.
    pub fn shown(&self) -> Shown {
        self.shown.clone()
    }

    /// Waits until all is written, or a signal comes, and tells how that ended.
    ///
    /// # Errors
    /// When something could not be written, but for a closed pipe.
    pub async fn finish(self, stop: &mut Stop) -> Result<Ending> {
        drop(self.sender);
        let ended = tokio::select! {
            biased;
            ended = self.ended => ended.context("the thread that writes the output failed")?,
            () = stop.insisted() => return Ok(Ending::Abandoned),
        };
        match ended {
            Ok(()) => Ok(Ending::Complete),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Ending::ReaderGone),
            Err(error) => Err(error).context("cannot write to standard output"),
        }
    }
}

fn write_all(mut file: File, mut chunks: Receiver<Chunk>, shown: &Shown) -> io::Result<()> {
    while let Some(chunk) = chunks.blocking_recv() {
        write(&mut file, &chunk, shown)?;
    }
    Ok(())
}

/// Writes a chunk, and counts each drop as soon as all of it is written: a disk that is full, or
/// a reader that stands still, takes a chunk in part.
fn write(stdout: &mut impl Write, chunk: &Chunk, shown: &Shown) -> io::Result<()> {
    let (mut written, mut counted) = (0, 0);
    while written < chunk.text.len() {
        match stdout.write(&chunk.text[written..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(len) => written += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        let whole = chunk.ends.partition_point(|end| *end <= written);
        shown.add((whole - counted) as u64);
        counted = whole;
    }
    // Drops without text are shown elsewhere.
    shown.add((chunk.ends.len() - counted) as u64);
    Ok(())
}
