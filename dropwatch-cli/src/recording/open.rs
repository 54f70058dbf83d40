//! Opening a recording, however it is compressed.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, ErrorKind, Read, stdin},
    path::Path,
};

use anyhow::{Context, Result, bail};
use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder, StreamingDecoder};

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
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// All frames of a zstd file: appending to one begins another.
struct Frames {
    raw: Option<BufReader<Box<dyn Read>>>,
    frame: Option<StreamingDecoder<BufReader<Box<dyn Read>>, FrameDecoder>>,
    /// What is wrong behind what can still be read of the frame.
    broken: Option<io::Error>,
}

/// An empty block that is the last one, and a checksum, which is not looked at.
const LAST_BLOCK: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];

impl Frames {
    fn new(raw: BufReader<Box<dyn Read>>) -> Self {
        Self { raw: Some(raw), frame: None, broken: None }
    }

    /// Ends a frame in which the next block cannot be read. What it referred to perhaps, up to
    /// some megabytes, the decoder holds back until there is a last block.
    fn end_early(&mut self, error: io::Error) {
        if let Some(frame) = &mut self.frame {
            let is_cut_off = frame.get_mut().fill_buf().is_ok_and(<[u8]>::is_empty);
            self.broken = Some(match is_cut_off {
                true => io::Error::new(ErrorKind::UnexpectedEof, "incomplete zstd frame"),
                false => io::Error::other(format!("damaged zstd frame: {error}")),
            });
            // Where that fails too, nothing more comes out of it.
            let _ = frame.decoder.decode_blocks(&LAST_BLOCK[..], BlockDecodingStrategy::All);
        }
    }
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                match frame.read(buffer) {
                    Ok(read) if read > 0 || buffer.is_empty() => return Ok(read),
                    Err(error) if self.broken.is_none() => {
                        self.end_early(error);
                        continue;
                    }
                    Ok(_) | Err(_) => {
                        self.raw = self.frame.take().map(StreamingDecoder::into_inner);
                    }
                }
            }
            if let Some(error) = self.broken.take() {
                self.raw = None;
                return Err(error);
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A block of zstd with these bytes as they are.
    fn block(text: &[u8], is_last: bool) -> Vec<u8> {
        let header = (text.len() as u32) << 3 | u32::from(is_last);
        [&header.to_le_bytes()[..3], text].concat()
    }

    /// Reads up to the error, and gives that too.
    fn read(bytes: Vec<u8>) -> (String, Option<String>) {
        let mut source = decompressed(Box::new(Cursor::new(bytes))).expect("it is known");
        let mut text = Vec::new();
        let error = source.read_to_end(&mut text).err().map(|error| error.to_string());
        (String::from_utf8(text).expect("text"), error)
    }

    #[test]
    fn what_comes_before_the_cut_is_read() {
        // The frame's window is of a megabyte: as much is held back for later blocks.
        let header = [&ZSTD[..], &[0, 10 << 3]].concat();
        let blocks = [block(b"first", false), block(b"second", false), block(b"third", true)];
        let whole = [header, blocks.concat()].concat();
        assert_eq!(read(whole.clone()), ("firstsecondthird".to_owned(), None));
        for cut in whole.len() - 7..whole.len() {
            let (text, error) = read(whole[..cut].to_vec());
            assert!(text.starts_with("firstsecond"), "{cut}: {text}");
            assert_eq!(error.as_deref(), Some("incomplete zstd frame"), "{cut}");
        }
        let mut damaged = [whole.clone(), whole.clone()].concat();
        let third = whole.len() - 8;
        // There is no block of type 3.
        damaged[third] |= 3 << 1;
        let (text, error) = read(damaged);
        assert_eq!(text, "firstsecond");
        assert!(error.is_some_and(|error| error.starts_with("damaged zstd frame: ")));
    }
}
