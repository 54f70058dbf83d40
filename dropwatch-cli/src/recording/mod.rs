//! Recordings: what `dropwatch --json` printed, read again, on any machine.

mod escape;
mod hex;
pub mod line;
mod open;

use std::{
    io::{BufRead, ErrorKind},
    path::Path,
};

use anyhow::{Result, bail};

use crate::drop::Drop;
use crate::render::sources::Sources;
use line::{Names, Recorded};

/// No drop is as long; what is longer is no recording.
const MAX_LINE: usize = 1 << 20;

/// A recording that is being read.
pub struct Recording {
    source: Box<dyn BufRead>,
    line: Vec<u8>,
    number: u64,
    ended: bool,
}

/// What can be found in a recording.
#[derive(Debug)]
pub enum Item {
    /// A drop.
    Drop(Box<Recorded>),
    /// A line that is none, in the middle.
    Damaged {
        /// The line's number, from 1 on.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The recording was cut off here.
    CutOff {
        /// So many whole lines there are.
        lines: u64,
        /// How that showed.
        why: String,
    },
}

impl Recording {
    /// Opens a recording; `-` is standard input.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self::new(open::open(path)?))
    }

    /// Reads a recording from here.
    pub fn new(source: Box<dyn BufRead>) -> Self {
        Self { source, line: Vec::new(), number: 0, ended: false }
    }

    /// What comes next; none at the end.
    ///
    /// # Errors
    /// When it is no recording at all.
    pub fn next(&mut self) -> Result<Option<Item>> {
        loop {
            if self.ended {
                return Ok(None);
            }
            let broken = self.read_line().err();
            let is_whole = self.line.pop_if(|byte| *byte == b'\n').is_some();
            self.ended = broken.is_some() || !is_whole;
            if let Some(why) = broken {
                // What was decompressed before is whole, and what is behind it is lost.
                return Ok(Some(Item::CutOff { lines: self.number, why }));
            }
            if self.line.iter().all(u8::is_ascii_whitespace) {
                self.number += u64::from(is_whole);
                continue;
            }
            self.number += 1;
            match line::read(&self.line) {
                Ok(recorded) => return Ok(Some(Item::Drop(Box::new(recorded)))),
                Err(_) if !is_whole && self.number > 1 => {
                    let why = "its last line is not whole".to_owned();
                    return Ok(Some(Item::CutOff { lines: self.number - 1, why }));
                }
                Err(why) if self.number == 1 => bail!(
                    "this is no recording: its first line is no drop as `dropwatch --json` prints \
                     it ({why})"
                ),
                Err(why) => return Ok(Some(Item::Damaged { line: self.number, why })),
            }
        }
    }

    /// Reads up to the end of the line, or what there is. An error says how the source broke off.
    fn read_line(&mut self) -> Result<(), String> {
        self.line.clear();
        loop {
            let bytes = match self.source.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.to_string()),
            };
            let end = memchr::memchr(b'\n', bytes).map(|at| at + 1);
            let taken = end.unwrap_or(bytes.len());
            self.line.extend(&bytes[..taken]);
            self.source.consume(taken);
            if end.is_some() || taken == 0 {
                return Ok(());
            }
            if self.line.len() > MAX_LINE {
                return Err(format!("line {} is longer than any drop", self.number + 1));
            }
        }
    }
}

/// Teaches the sources what things were called when a drop was recorded.
pub fn learn(sources: &mut Sources, drop: &Drop, names: Names) {
    if let (Some(raw), Some((name, subsystem))) = (drop.reason, names.reason) {
        sources.reasons.learn(raw, name.as_deref(), subsystem.as_deref());
    }
    for frame in names.frames {
        sources.symbols.learn(frame);
    }
    let world = &mut sources.world;
    if let Some(netns) = drop.netns {
        world.namespaces.learn(netns, names.netns);
        if let (Some(index), Some(name)) = (drop.iif, names.input) {
            world.interfaces.learn_name(netns, index, name);
        }
    }
    let details = drop.socket.as_ref().and_then(|socket| socket.details);
    let full = details.and_then(|details| details.full);
    if let (Some(socket), Some(full)) = (&drop.socket, full) {
        if let Some(name) = names.user {
            world.users.learn(full.uid, name.into_bytes());
        }
        if let (Some(id), Some(path)) = (full.cgroup, names.cgroup) {
            world.cgroups.learn(id, path.into());
        }
        if let Some(inode) = full.inode {
            world.owners.learn((inode, socket.address), names.owner);
        }
    }
}
