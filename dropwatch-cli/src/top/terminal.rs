//! Taking the terminal and giving it back, however the view ends.
//!
//! What has to be undone is kept where the panic hook finds it as well. Undoing it twice does no
//! harm.

use std::{
    fs::File,
    io::{self, Write, stdout},
    mem::zeroed,
    os::fd::AsFd,
    panic,
    ptr::null_mut,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use anyhow::{Context, Result};
use rustix::{
    fs::{Mode, OFlags, open},
    process::getpgrp,
    termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr},
};

use crate::notice;

/// The alternate screen, without a cursor.
const TAKE: &[u8] = b"\x1b[?1049h\x1b[2J\x1b[?25l";
/// No style, the cursor, and the screen as it was.
const GIVE_BACK: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l";

/// What the terminal was like before it was taken.
struct Before {
    tty: File,
    mode: Termios,
}

static BEFORE: Mutex<Option<Before>> = Mutex::new(None);

fn before() -> MutexGuard<'static, Option<Before>> {
    // What it guards is whole at any moment, whoever panicked.
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the view has the terminal.
pub fn is_taken() -> bool {
    before().is_some()
}

/// The terminal that this process belongs to. It is given back when this is dropped.
pub struct Terminal {
    tty: File,
}

impl Terminal {
    /// Opens it, and sees to it that a panic gives it back too, before it says what it is.
    ///
    /// # Errors
    /// When this process belongs to no terminal.
    pub fn open() -> Result<Self> {
        let tty = tty().context(
            "cannot read keys, since dropwatch belongs to no terminal; --batch prints tables",
        )?;
        let (print, viewer) = (panic::take_hook(), thread::current().id());
        panic::set_hook(Box::new(move |panic| {
            if thread::current().id() != viewer {
                // The view goes on, and shows it.
                return notice::say(format_args!("{panic}"));
            }
            give_back();
            notice::release();
            print(panic);
        }));
        Ok(Self { tty })
    }

    /// The terminal once more, to read keys from.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn keys(&self) -> Result<File> {
        tty().context("cannot read keys")
    }

    /// Takes it, unless it belongs to somebody else at the moment: a process in the background
    /// that changes its terminal is stopped. Returns whether it was taken just now.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn take(&self) -> Result<bool> {
        if is_taken() || !self.is_in_foreground() {
            return Ok(false);
        }
        let mode = tcgetattr(&self.tty).context("cannot read the terminal's mode")?;
        let mut raw = mode.clone();
        raw.make_raw();
        let tty = self.tty.try_clone().context("cannot keep the terminal open")?;
        *before() = Some(Before { tty, mode });
        tcsetattr(&self.tty, OptionalActions::Now, &raw)
            .context("cannot set the terminal's mode")?;
        write(TAKE).context("cannot write to the terminal")?;
        Ok(true)
    }

    fn is_in_foreground(&self) -> bool {
        tcgetpgrp(&self.tty).is_ok_and(|group| group == getpgrp())
    }

    /// Gives it back and stops, as Ctrl-Z does: this process, or all of its group. Returns when
    /// somebody lets it go on.
    pub fn suspend(&self, whom: Whom) {
        give_back();
        stop(whom);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// Who is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// This process.
    Process,
    /// All that the terminal would stop: a shell waits for all of them.
    Group,
}

/// Gives the terminal back, if it was taken.
fn give_back() {
    let Some(Before { tty, mode }) = before().take() else { return };
    // Where the terminal is gone, there is nothing to be done and nobody to tell.
    let _ = write(GIVE_BACK);
    let _ = tcsetattr(tty.as_fd(), OptionalActions::Now, &mode);
}

fn write(text: &[u8]) -> io::Result<()> {
    let mut stdout = stdout().lock();
    stdout.write_all(text)?;
    stdout.flush()
}

/// The terminal that this process belongs to, which does not block.
fn tty() -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(open("/dev/tty", flags, Mode::empty())?.into())
}

/// Stops as the signal does that Ctrl-Z sends, though somebody catches it here. A process that
/// nobody could let go on is not stopped by it.
fn stop(whom: Whom) {
    // SAFETY: the struct is plain integers, for which zero is the default action.
    let default: libc::sigaction = unsafe { zeroed() };
    // SAFETY: as above.
    let mut caught: libc::sigaction = unsafe { zeroed() };
    // SAFETY: both structs outlive the calls, and the second is filled in by the first call. The
    // others take integers.
    unsafe {
        libc::sigaction(libc::SIGTSTP, &raw const default, &raw mut caught);
        match whom {
            Whom::Process => libc::raise(libc::SIGTSTP),
            Whom::Group => libc::kill(0, libc::SIGTSTP),
        };
        libc::sigaction(libc::SIGTSTP, &raw const caught, null_mut());
    }
}
