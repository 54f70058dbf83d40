//! Opening a recording, however it is compressed.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, stdin},
    path::Path,
};

use anyhow::{Context, Result, bail};
use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

const BUFFER_SIZE: usize = 256 << 10;
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// What cannot be read, and the command that can.
const OTHERS: [(&[u8], &str); 3] = [
    (&[0xfd, b'7', b'z', b'X', b'Z'], "xz -dc"),
    (b"BZh", "bzip2 -dc"),
    (&[0x04, 0x22, 0x4d, 0x18], "lz4 -dc"),
];

/// The bytes of a recording: plain, or compressed by gzip or zstd, which its first bytes tell.
/// `-` is standard input.
///
/// # Errors
/// When it cannot be opened, or is compressed in another way.
pub fn open(path: &Path) -> Result<Box<dyn BufRead>> {
    let raw: Box<dyn Read> = if path == Path::new("-") {
        Box::new(stdin())
    } else {
        let shown = path.display();
        let file =
            File::open(path).with_context(|| format!("cannot open the recording {shown}"))?;
        if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            bail!("{shown} is a folder; name the recording, the output of `dropwatch --json`");
        }
        Box::new(file)
    };
    decompressed(raw).with_context(|| format!("cannot read the recording {}", path.display()))
}

fn decompressed(raw: Box<dyn Read>) -> Result<Box<dyn BufRead>> {
    let mut raw = BufReader::with_capacity(BUFFER_SIZE, raw);
    let begin = peek(&mut raw)?;
    if begin.starts_with(&GZIP) {
        return Ok(Box::new(BufReader::with_capacity(BUFFER_SIZE, MultiGzDecoder::new(raw))));
    }
    if begin.starts_with(&ZSTD) {
        return Ok(Box::new(BufReader::with_capacity(BUFFER_SIZE, Frames::new(raw))));
    }
    if let Some((_, command)) = OTHERS.iter().find(|(magic, _)| begin.starts_with(magic)) {
        bail!(
            "it is compressed in a way that only others read: {command} FILE | dropwatch report -"
        );
    }
    Ok(Box::new(raw))
}

/// The first bytes, which stay to be read.
fn peek(raw: &mut BufReader<Box<dyn Read>>) -> io::Result<Vec<u8>> {
    loop {
        match raw.fill_buf() {
            Ok(begin) => return Ok(begin[..begin.len().min(8)].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// All frames of a zstd file: appending to one begins another.
struct Frames {
    raw: Option<BufReader<Box<dyn Read>>>,
    frame: Option<StreamingDecoder<BufReader<Box<dyn Read>>, ruzstd::decoding::FrameDecoder>>,
}

impl Frames {
    fn new(raw: BufReader<Box<dyn Read>>) -> Self {
        Self { raw: Some(raw), frame: None }
    }
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                let read = frame.read(buffer)?;
                if read > 0 || buffer.is_empty() {
                    return Ok(read);
                }
                self.raw = self.frame.take().map(StreamingDecoder::into_inner);
            }
            let Some(mut raw) = self.raw.take() else { return Ok(0) };
            if raw.fill_buf()?.is_empty() {
                return Ok(0);
            }
            let frame = StreamingDecoder::new(raw).map_err(io::Error::other)?;
            self.frame = Some(frame);
        }
    }
}
