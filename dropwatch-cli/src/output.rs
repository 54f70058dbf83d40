//! Standard output, behind a thread of its own: a reader that is slow or stands still must not
//! keep us from seeing Ctrl-C, nor from emptying the ring for as long as there is memory.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
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
pub const CHUNK_SIZE: usize = 128 << 10;
/// Chunks that may wait for a slow reader.
const CHUNKS: usize = 16;

/// A file that takes the drops in place of standard output.
#[derive(Debug)]
pub struct Target {
    file: File,
    path: PathBuf,
}

impl Target {
    /// Makes the file, which holds nothing yet.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| cannot_write(Some(path)))?;
        Ok(Self { file, path: path.to_owned() })
    }
}

/// What went wrong where drops cannot be written to this file, or else to standard output.
fn cannot_write(path: Option<&Path>) -> String {
    match path {
        Some(path) => format!("cannot write the drops to {}", path.display()),
        None => "cannot write to standard output".to_owned(),
    }
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
        Err(error) => Err(error).with_context(|| cannot_write(None)),
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
    /// Of the file, where there is one.
    path: Option<PathBuf>,
    sender: Sender<Chunk>,
    ended: oneshot::Receiver<io::Result<()>>,
    shown: Shown,
    spare: Spare,
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

/// Chunks that have been written, to be filled again: to get new memory for each would cost more
/// than what is put into it.
#[derive(Clone, Debug, Default)]
struct Spare(Arc<Mutex<Vec<Chunk>>>);

impl Spare {
    fn take(&self) -> Chunk {
        self.0.lock().ok().and_then(|mut chunks| chunks.pop()).unwrap_or_default()
    }

    fn put(&self, mut chunk: Chunk) {
        chunk.text.clear();
        chunk.ends.clear();
        // Where the other thread has panicked, nobody takes them any more.
        if let Ok(mut chunks) = self.0.lock() {
            chunks.push(chunk);
        }
    }
}

impl Output {
    /// Starts the thread that writes, to standard output or to this file in place of it.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(target: Option<Target>) -> Result<Self> {
        let (sender, receiver) = channel(CHUNKS);
        let (end, ended) = oneshot::channel();
        let shown = Shown::default();
        let count = shown.clone();
        let spare = Spare::default();
        let written = spare.clone();
        // Without the buffer of `io::stdout`, which hides how much of a chunk was written.
        let (fd, path) = match target {
            Some(Target { file, path }) => (OwnedFd::from(file), Some(path)),
            None => {
                let fd = io::stdout().as_fd().try_clone_to_owned();
                (fd.context("there is no output")?, None)
            }
        };
        // A regular file cannot be watched, and does not hang up either.
        let hang_up = fd.try_clone().ok();
        thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || {
                // Nobody waits for the result where writing was abandoned.
                let _ = end.send(write_all(File::from(fd), receiver, &count, &written));
            })
            .context("cannot start a thread for the output")?;
        // SAFETY: the descriptor is a copy that the result owns.
        let watch = |fd| unsafe { AsyncFd::register_with_interest(fd, Interest::ERROR) };
        let hang_up = hang_up.and_then(|fd| watch(fd).ok());
        Ok(Self { path, sender, ended, shown, spare, hang_up })
    }

    /// An empty chunk.
    pub fn chunk(&self) -> Chunk {
        self.spare.take()
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
            Err(error) => Err(error).with_context(|| cannot_write(self.path.as_deref())),
        }
    }
}

fn write_all(
    mut file: File,
    mut chunks: Receiver<Chunk>,
    shown: &Shown,
    spare: &Spare,
) -> io::Result<()> {
    while let Some(chunk) = chunks.blocking_recv() {
        write(&mut file, &chunk, shown)?;
        spare.put(chunk);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a few bytes at a time, and then no more.
    struct Slow {
        taken: Vec<u8>,
        most: usize,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let len = bytes.len().min(7).min(self.most - self.taken.len());
            self.taken.extend(&bytes[..len]);
            Ok(len)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_drop_counts_once_all_of_it_is_written() {
        let text = b"first\nsecond\n    below\nthird\n".to_vec();
        let chunk = Chunk { ends: vec![6, 23, 29], text };
        for (most, expected) in [(5, 0), (6, 1), (22, 1), (23, 2), (28, 2), (29, 3)] {
            let (mut slow, shown) = (Slow { taken: Vec::new(), most }, Shown::default());
            let written = write(&mut slow, &chunk, &shown);
            assert_eq!(written.is_ok(), most == chunk.text.len());
            assert_eq!(slow.taken, chunk.text[..most]);
            assert_eq!(shown.get(), expected);
        }
    }

    #[test]
    fn chunks_are_filled_again() {
        let spare = Spare::default();
        let mut chunk = spare.take();
        chunk.text.resize(1000, b'x');
        chunk.ends.push(1000);
        spare.put(chunk);
        let again = spare.take();
        assert!(again.text.is_empty() && again.ends.is_empty() && again.text.capacity() >= 1000);
        assert_eq!(spare.take().text.capacity(), 0);
    }
}
