//! Keys that are pressed: the terminal's bytes, taken apart.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{io::unix::AsyncFd, time::timeout};

/// The Esc key sends the byte with which other keys begin. What belongs to those follows at once,
/// but for slow lines.
const ESCAPE_TIME: Duration = Duration::from_millis(50);
const ESCAPE: u8 = 0x1b;
/// No key sends more.
const LONGEST: usize = 32;

/// A key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    /// A character.
    Char(char),
    /// A letter with Ctrl.
    Ctrl(char),
    /// Enter.
    Enter,
    /// Esc.
    Escape,
    /// Backspace.
    Backspace,
    /// An arrow.
    Up,
    /// An arrow.
    Down,
    /// An arrow.
    Left,
    /// An arrow.
    Right,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Home.
    Home,
    /// End.
    End,
}

/// Reads keys from a terminal.
pub struct Input {
    tty: AsyncFd<File>,
    decoder: Decoder,
    presses: VecDeque<Press>,
}

impl Input {
    /// From this terminal, which is not to block.
    ///
    /// # Errors
    /// When it cannot be watched.
    pub fn new(tty: File) -> Result<Self> {
        // SAFETY: the descriptor belongs to the result, and is open as long as that.
        let tty = unsafe { AsyncFd::register(tty) };
        let tty = tty.map_err(|error| error.into_parts().1).context("cannot watch the terminal")?;
        Ok(Self { tty, decoder: Decoder::default(), presses: VecDeque::new() })
    }

    /// The next key. Nothing is lost where this is not waited for to the end.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub async fn next(&mut self) -> Result<Press> {
        loop {
            if let Some(press) = self.presses.pop_front() {
                return Ok(press);
            }
            let readable = self.tty.readable();
            let mut ready = if self.decoder.is_waiting() {
                match timeout(ESCAPE_TIME, readable).await {
                    Ok(ready) => ready?,
                    Err(_) => {
                        self.decoder.end(&mut self.presses);
                        continue;
                    }
                }
            } else {
                readable.await?
            };
            let mut bytes = [0; 256];
            match ready.try_io(|tty| tty.get_ref().read(&mut bytes)) {
                Ok(Ok(0)) => bail!("the terminal is gone"),
                Ok(Ok(len)) => self.decoder.decode(&bytes[..len], &mut self.presses),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error).context("cannot read from the terminal"),
                Err(_) => {}
            }
        }
    }
}

/// Puts bytes together to keys.
#[derive(Debug, Default)]
struct Decoder {
    pending: Vec<u8>,
}

/// What bytes begin with.
enum Begin {
    /// A key, if it is one that we know, of so many bytes.
    Press(Option<Press>, usize),
    /// A part of a key.
    Part,
}

impl Decoder {
    /// Whether there is a part of a key, which may also be all of one.
    fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    fn decode(&mut self, bytes: &[u8], out: &mut VecDeque<Press>) {
        self.pending.extend(bytes);
        let mut at = 0;
        while at < self.pending.len() {
            match begin(&self.pending[at..]) {
                Begin::Press(press, len) => {
                    out.extend(press);
                    at += len;
                }
                Begin::Part => break,
            }
        }
        self.pending.drain(..at);
    }

    /// Nothing more has come: what looked like the begin of a key was the Esc key.
    fn end(&mut self, out: &mut VecDeque<Press>) {
        let pending = std::mem::take(&mut self.pending);
        if let [ESCAPE, rest @ ..] = &pending[..] {
            out.push_back(Press::Escape);
            self.decode(rest, out);
        }
    }
}

fn begin(bytes: &[u8]) -> Begin {
    let press = |press| Begin::Press(Some(press), 1);
    match bytes {
        [] | [ESCAPE] => Begin::Part,
        [ESCAPE, b'[', rest @ ..] => control_sequence(rest),
        [ESCAPE, b'O'] => Begin::Part,
        [ESCAPE, b'O', b'M', ..] => Begin::Press(Some(Press::Enter), 3),
        [ESCAPE, b'O', last, ..] => Begin::Press(arrow(*last), 3),
        [ESCAPE, ..] => press(Press::Escape),
        [b'\r' | b'\n', ..] => press(Press::Enter),
        [0x7f | 0x08, ..] => press(Press::Backspace),
        [control @ 1..=26, ..] => press(Press::Ctrl(char::from(control - 1 + b'a'))),
        [0..0x20, ..] => Begin::Press(None, 1),
        _ => character(bytes),
    }
}

/// What follows `ESC [`.
fn control_sequence(rest: &[u8]) -> Begin {
    // The Linux console has function keys with one more byte.
    if let [b'[', after @ ..] = rest {
        return if after.is_empty() { Begin::Part } else { Begin::Press(None, 4) };
    }
    let Some(end) = rest.iter().position(|byte| !(0x20..0x40).contains(byte)) else {
        return if rest.len() < LONGEST { Begin::Part } else { Begin::Press(None, 2) };
    };
    let (parameters, len) = (&rest[..end], end + 3);
    let number = parameters.split(|&byte| byte == b';').next();
    let press = match (rest[end], number) {
        (b'~', Some(b"1" | b"7")) => Some(Press::Home),
        (b'~', Some(b"4" | b"8")) => Some(Press::End),
        (b'~', Some(b"5")) => Some(Press::PageUp),
        (b'~', Some(b"6")) => Some(Press::PageDown),
        (last, _) => arrow(last),
    };
    Begin::Press(press, len)
}

fn arrow(last: u8) -> Option<Press> {
    Some(match last {
        b'A' => Press::Up,
        b'B' => Press::Down,
        b'C' => Press::Right,
        b'D' => Press::Left,
        b'F' => Press::End,
        b'H' => Press::Home,
        _ => return None,
    })
}

/// A character in UTF-8.
fn character(bytes: &[u8]) -> Begin {
    let Some(chunk) = bytes.utf8_chunks().next() else { return Begin::Part };
    match chunk.valid().chars().next() {
        Some(character) => {
            let shown = Some(character).filter(|it| !it.is_control()).map(Press::Char);
            Begin::Press(shown, character.len_utf8())
        }
        // A part of a character: more may come, if these are all bytes.
        None if chunk.invalid().len() == bytes.len() && bytes.len() < 4 && bytes[0] >= 0xc2 => {
            Begin::Part
        }
        None => Begin::Press(None, chunk.invalid().len().max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    fn decode(pieces: &[&[u8]]) -> Vec<Press> {
        let mut decoder = Decoder::default();
        let mut presses = VecDeque::new();
        for piece in pieces {
            decoder.decode(piece, &mut presses);
        }
        decoder.end(&mut presses);
        presses.into()
    }

    #[test]
    fn keys_of_all_usual_terminals_are_understood() {
        use Press::*;
        for (bytes, presses) in [
            (&b"q"[..], vec![Char('q')]),
            (b"\x03\x1a", vec![Ctrl('c'), Ctrl('z')]),
            (b"\r\n", vec![Enter, Enter]),
            (b"\x7f\x08", vec![Backspace, Backspace]),
            (b"\x1b[A\x1b[B\x1b[C\x1b[D", vec![Up, Down, Right, Left]),
            (b"\x1bOA\x1bOB\x1bOH\x1bOF\x1bOM", vec![Up, Down, Home, End, Enter]),
            (b"\x1b[H\x1b[F\x1b[1~\x1b[4~\x1b[7~\x1b[8~", vec![Home, End, Home, End, Home, End]),
            (b"\x1b[5~\x1b[6~", vec![PageUp, PageDown]),
            (b"\x1b[1;5A\x1b[6;2~", vec![Up, PageDown]),
            ("é€𝄞".as_bytes(), vec![Char('é'), Char('€'), Char('𝄞')]),
            (b"\x1b", vec![Escape]),
            (b"\x1b\x1b", vec![Escape, Escape]),
            (b"\x1bq", vec![Escape, Char('q')]),
            (b"\x1b[", vec![Escape, Char('[')]),
            // Keys without a meaning here: insert, delete, F5, F1 of the Linux console, a mouse.
            (b"\x1b[2~\x1b[3~\x1b[15~\x1b[[A\x1b[<0;1;1Mj", vec![Char('j')]),
            (b"\0\x1c\xff\xc3(", vec![Char('(')]),
        ] {
            assert_eq!(decode(&[bytes]), presses, "{bytes:?}");
        }
    }

    #[test]
    fn a_key_may_come_in_pieces() {
        for bytes in [&b"\x1b[5~"[..], b"\x1bOA", b"\x1b[1;5A", "é€𝄞".as_bytes()] {
            let whole = decode(&[bytes]);
            let pieces: Vec<_> = bytes.chunks(1).collect();
            assert_eq!(decode(&pieces), whole, "{bytes:?}");
        }
    }

    #[test]
    fn random_bytes_never_get_stuck() {
        let mut random = random::numbers();
        let mut decoder = Decoder::default();
        let mut presses = VecDeque::new();
        for _ in 0..200_000 {
            let number = random();
            let byte = [b'\x1b', b'[', b';', b'1', number as u8, 0xf0][(number >> 8) as usize % 6];
            decoder.decode(&[byte], &mut presses);
            assert!(decoder.pending.len() <= LONGEST + 2, "{:?}", decoder.pending);
            presses.clear();
        }
    }
}
