//! A terminal in which a test can type and look at the screen.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    TempDir,
    command::{output, output_of},
    need::patience,
};

/// For what takes a fraction of a second on a machine with nothing else to do.
const LIMIT: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(20);
/// What the shell writes when it waits for a command.
const PROMPT: &str = "ready>";

/// A terminal with a shell. It goes away with everything in it.
#[derive(Debug)]
pub struct Tmux {
    /// With the socket of a server that nobody else uses.
    folder: TempDir,
}

/// What is known of a screen besides its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Whether the program has a screen of its own.
    pub alternate_screen: bool,
    /// Whether there is a cursor.
    pub cursor: bool,
}

impl State {
    /// As a program should leave it.
    pub const USUAL: Self = Self { alternate_screen: false, cursor: true };
}

impl Tmux {
    /// One of this size, in which the shell is ready. In its environment are these variables.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(width: u16, height: u16, variables: &[(&str, &str)]) -> Result<Self> {
        let tmux = Self { folder: TempDir::new()? };
        let (width, height) = (width.to_string(), height.to_string());
        let prompt = format!("PS1={PROMPT}");
        let mut words: Vec<&str> =
            vec!["-f", "/dev/null", "new-session", "-d", "-x", &width, "-y", &height, "env"];
        words.extend(["-u", "NO_COLOR", "LC_ALL=C.UTF-8", &prompt]);
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        words.extend(variables.iter().map(String::as_str));
        words.extend(["bash", "--norc", "--noprofile", "-i"]);
        tmux.command(&words)?;
        tmux.wait_for("the shell", |screen| screen.contains(PROMPT))?;
        Ok(tmux)
    }

    fn command(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new("tmux");
        command.env_remove("TMUX").arg("-S").arg(self.folder.join("socket")).args(words);
        output_of(&mut command)
    }

    /// Types a line into the shell.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn run(&self, line: &str) -> Result<()> {
        self.type_text(line)?;
        self.keys(&["Enter"])
    }

    /// Types text.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn type_text(&self, text: &str) -> Result<()> {
        self.command(&["send-keys", "-l", "--", text]).map(drop)
    }

    /// Presses keys: `Enter`, `Up`, `PPage`, `C-c`, `q`.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn keys(&self, keys: &[&str]) -> Result<()> {
        let words: Vec<_> = ["send-keys"].iter().chain(keys).copied().collect();
        self.command(&words).map(drop)
    }

    /// Gives it another size.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn resize(&self, width: u16, height: u16) -> Result<()> {
        let (width, height) = (width.to_string(), height.to_string());
        self.command(&["resize-window", "-x", &width, "-y", &height]).map(drop)
    }

    /// What is on the screen.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn screen(&self) -> Result<String> {
        self.command(&["capture-pane", "-p"])
    }

    /// What is on the screen, and what has been moved out of it.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn history(&self) -> Result<String> {
        self.command(&["capture-pane", "-p", "-S", "-"])
    }

    /// What is on the screen, with its colours as escape sequences.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn colored_screen(&self) -> Result<String> {
        self.command(&["capture-pane", "-p", "-e"])
    }

    /// What is known besides.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn state(&self) -> Result<State> {
        let flags = self.command(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"])?;
        Ok(match flags.trim() {
            "0 0" => State { alternate_screen: false, cursor: false },
            "0 1" => State { alternate_screen: false, cursor: true },
            "1 0" => State { alternate_screen: true, cursor: false },
            "1 1" => State { alternate_screen: true, cursor: true },
            other => anyhow::bail!("tmux says {other:?}"),
        })
    }

    /// Waits until the screen is as it should be, and returns it.
    ///
    /// # Errors
    /// When it does not become so, with what it is instead.
    pub fn wait_for(&self, what: &str, is: impl Fn(&str) -> bool) -> Result<String> {
        let begin = Instant::now();
        loop {
            let screen = self.screen()?;
            if is(&screen) {
                return Ok(screen);
            }
            ensure!(begin.elapsed() < patience(LIMIT), "no {what} on the screen:\n{screen}");
            sleep(STEP);
        }
    }

    /// Waits until the shell is ready after what it was told last: the screen ends with its prompt.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn wait_for_shell(&self) -> Result<String> {
        self.wait_for("prompt", |screen| screen.trim_end().ends_with(PROMPT))
    }

    /// The settings of the terminal, as `stty -a` tells them, without its size. The shell has to
    /// be ready.
    ///
    /// # Errors
    /// When the shell does not tell.
    pub fn settings(&self) -> Result<String> {
        let file = self.folder.join("settings");
        let part = self.folder.join("settings.part");
        self.run(&format!("stty -a > {} && mv {0} {}", part.display(), file.display()))?;
        let begin = Instant::now();
        while !file.exists() {
            ensure!(begin.elapsed() < patience(LIMIT), "no settings:\n{}", self.screen()?);
            sleep(STEP);
        }
        let settings = fs::read_to_string(&file)?;
        fs::remove_file(&file)?;
        self.wait_for_shell()?;
        let size = |line: &&str| !line.starts_with("speed");
        Ok(settings.lines().filter(size).collect::<Vec<_>>().join("\n"))
    }

    /// The process that the shell has started and that is still there.
    ///
    /// # Errors
    /// When there is none.
    pub fn child(&self) -> Result<u32> {
        let shell = self.command(&["display-message", "-p", "#{pane_pid}"])?;
        let path = PathBuf::from(format!("/proc/{0}/task/{0}/children", shell.trim()));
        let children = fs::read_to_string(path)?;
        let child = children.split_whitespace().next();
        Ok(child.context("the shell runs nothing")?.parse()?)
    }

    /// A folder for files of this terminal.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        if let Err(error) = self.command(&["kill-server"]) {
            eprintln!("cannot end tmux: {error:#}");
        }
    }
}

/// Sends a signal by its name: `TERM`.
///
/// # Errors
/// When there is no such process.
pub fn signal(pid: u32, name: &str) -> Result<()> {
    output("kill", &[format!("-{name}"), pid.to_string()]).map(drop)
}
