//! Starting dropwatch, talking to it, and collecting what it says.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    os::{fd::AsRawFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    Account, Event, Line, binary,
    event::{self, FIELDS, HEADING},
    json,
    lines::Collector,
    need::{kernel_tells_queue_drops, patience},
    proc::bpf_ids,
};

/// For what takes a fraction of a second on a machine with nothing else to do.
const LIMIT: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(1);

/// How dropwatch is to be started.
#[derive(Debug)]
pub struct Launch {
    binary: PathBuf,
    through: Vec<OsString>,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    stdout: Target,
    own_group: bool,
}

#[derive(Debug)]
enum Target {
    Read,
    Unread,
    File(PathBuf),
}

impl Launch {
    /// With these arguments.
    pub fn new<A: AsRef<OsStr>>(args: &[A]) -> Self {
        let args = args.iter().map(|arg| arg.as_ref().to_owned()).collect();
        Self {
            binary: binary::dropwatch(),
            through: Vec::new(),
            args,
            env: Vec::new(),
            stdout: Target::Read,
            own_group: false,
        }
    }

    /// With further arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, args: &[A]) -> Self {
        self.args.extend(args.iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Through another program, which ends by executing its last arguments: `setpriv …`.
    pub fn through<A: AsRef<OsStr>>(mut self, command: &[A]) -> Self {
        self.through = command.iter().map(|arg| arg.as_ref().to_owned()).collect();
        self
    }

    /// A copy of the binary.
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = path.into();
        self
    }

    /// With a variable in the environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// With standard output into a file.
    pub fn into_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.stdout = Target::File(path.into());
        self
    }

    /// With standard output into a pipe that nobody reads until [`Running::read`].
    pub fn unread(mut self) -> Self {
        self.stdout = Target::Unread;
        self
    }

    /// In a process group of its own, as a shell starts it: Ctrl-Z stops no other.
    pub fn in_own_group(mut self) -> Self {
        self.own_group = true;
        self
    }

    /// Starts it, and returns as soon as it is attached.
    ///
    /// # Errors
    /// When it ends before that, with what it said, or takes too long.
    pub fn start(self) -> Result<Running> {
        let mut running = self.spawn()?;
        running.wait_until_attached()?;
        Ok(running)
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// When it cannot be started, or does not end.
    pub fn run(self) -> Result<Finished> {
        self.spawn()?.wait()
    }

    fn spawn(self) -> Result<Running> {
        let has = |words: &[&str]| words.iter().any(|word| self.args.iter().any(|arg| arg == word));
        let counts = has(&["top", "--summary", "--folded", "report"]);
        let chooses = counts || has(&["list-reasons", "--fields", "--json"]);
        // JSON has none, and tables come later.
        let heading = !counts && !has(&["--json"]);
        let with_queues = !has(&["--no-btf"]) && kernel_tells_queue_drops();
        let mut words = self.through;
        words.push(self.binary.into_os_string());
        words.extend(self.args);
        if !chooses {
            words.extend(["--fields", FIELDS].map(OsString::from));
        }
        let mut command = Command::new(&words[0]);
        // What these say depends on the machine of whoever runs the tests.
        command.args(&words[1..]).env_remove("NO_COLOR").env("LC_ALL", "C");
        command.envs(self.env).stdin(Stdio::null()).stderr(Stdio::piped());
        if self.own_group {
            command.process_group(0);
        }
        command.stdout(match &self.stdout {
            Target::Read | Target::Unread => Stdio::piped(),
            Target::File(path) => File::options()
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
                .with_context(|| format!("cannot open {}", path.display()))?
                .into(),
        });
        let started = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let stderr = child.stderr.take().context("standard error is a pipe")?;
        let stdout = match (self.stdout, child.stdout.take()) {
            (Target::Read, Some(pipe)) => Stdout::Read(Collector::start(pipe)),
            (Target::Unread, Some(pipe)) => Stdout::Unread(pipe),
            (Target::File(path), _) => Stdout::File(path),
            _ => bail!("standard output is a pipe"),
        };
        let stderr = Collector::start(stderr);
        Ok(Running {
            child,
            stdout: Some(stdout),
            stderr: Some(stderr),
            started,
            heading,
            links: 1 + usize::from(with_queues),
        })
    }
}

/// A dropwatch that runs. It is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Option<Stdout>,
    stderr: Option<Collector>,
    started: Instant,
    /// Whether it prints a heading once it is attached.
    heading: bool,
    /// So many links it has once it is attached.
    links: usize,
}

#[derive(Debug)]
enum Stdout {
    Read(Collector),
    Unread(ChildStdout),
    File(PathBuf),
}

impl Stdout {
    /// Whether the heading is there.
    fn has_heading(&self) -> bool {
        let len = HEADING.len() + 1;
        match self {
            Self::Read(lines) => !lines.wait(1, STEP).is_empty(),
            Self::Unread(pipe) => {
                let mut waiting = 0;
                // SAFETY: the call writes one integer to a place that outlives it.
                unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut waiting) };
                usize::try_from(waiting).is_ok_and(|waiting| waiting >= len)
            }
            Self::File(path) => fs::metadata(path).is_ok_and(|file| file.len() >= len as u64),
        }
    }
}

impl Running {
    fn wait_until_attached(&mut self) -> Result<()> {
        let begin = Instant::now();
        while !self.is_attached() {
            if self.child.try_wait()?.is_some() {
                bail!("dropwatch ended without being attached: {:?}", self.stderr_so_far());
            }
            ensure!(begin.elapsed() < patience(LIMIT), "dropwatch is not attached after {LIMIT:?}");
            sleep(STEP);
        }
        Ok(())
    }

    fn is_attached(&self) -> bool {
        if self.heading {
            return self.stdout.as_ref().is_some_and(Stdout::has_heading);
        }
        // The kernel gives it a link when the program is attached. Where it has ended there is
        // nothing to be read, which is seen elsewhere.
        bpf_ids(self.child.id(), "link").is_ok_and(|ids| ids.len() >= self.links)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// When it was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Waits until there are so many lines on standard output, heading included, or no more can
    /// come, or the time is over, and gives those that there are.
    pub fn lines(&self, count: usize, limit: Duration) -> Vec<Line> {
        match &self.stdout {
            Some(Stdout::Read(lines)) => lines.wait(count, limit),
            _ => Vec::new(),
        }
    }

    /// What it has said on standard error so far.
    pub fn stderr_so_far(&self) -> Vec<Line> {
        self.stderr.as_ref().map_or_else(Vec::new, |stderr| stderr.wait(0, Duration::ZERO))
    }

    /// Begins to read standard output where nobody did so far.
    pub fn read(&mut self) {
        self.stdout = match self.stdout.take() {
            Some(Stdout::Unread(pipe)) => Some(Stdout::Read(Collector::start(pipe))),
            other => other,
        };
    }

    /// Closes the pipe at standard output that nobody read.
    pub fn hang_up(&mut self) {
        self.stdout = None;
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal(&mut self, signal: i32) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("dropwatch ended already with {status}: {:?}", self.stderr_so_far());
        }
        let pid = self.child.id().try_into().context("a process id")?;
        // SAFETY: the call takes two integers. The process is our child and not waited for, so
        // the id is still its own.
        ensure!(unsafe { libc::kill(pid, signal) } == 0, "cannot signal dropwatch");
        Ok(())
    }

    /// Presses Ctrl-C, and waits for the end.
    ///
    /// # Errors
    /// When it has ended before, or does not end.
    pub fn interrupt(mut self) -> Result<Finished> {
        self.signal(libc::SIGINT)?;
        self.wait()
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When it does not end.
    pub fn wait(mut self) -> Result<Finished> {
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            ensure!(begin.elapsed() < patience(LIMIT), "dropwatch still runs after {LIMIT:?}");
            sleep(STEP);
        };
        let took = begin.elapsed();
        self.read();
        let stdout = match self.stdout.take() {
            Some(Stdout::Read(lines)) => lines.finish(),
            _ => Vec::new(),
        };
        let stderr = self.stderr.take().map(Collector::finish).unwrap_or_default();
        Ok(Finished { status, stdout, stderr, took })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A dropwatch that has ended.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed, where that was not redirected.
    pub stdout: Vec<Line>,
    /// What it said on standard error.
    pub stderr: Vec<Line>,
    /// How long the end took, counted from when it was waited for.
    pub took: Duration,
}

impl Finished {
    /// Standard output as text.
    pub fn stdout(&self) -> String {
        self.stdout.iter().map(|line| line.text.clone() + "\n").collect()
    }

    /// Standard error as text.
    pub fn stderr(&self) -> String {
        self.stderr.iter().map(|line| line.text.clone() + "\n").collect()
    }

    /// How many things it said on standard error, besides the table at the end of a stream.
    pub fn notices(&self) -> usize {
        self.stderr.iter().filter(|line| line.text.starts_with("dropwatch: ")).count()
    }

    /// The drops that it printed.
    ///
    /// # Errors
    /// When a line is not as it should be.
    pub fn events(&self) -> Result<Vec<Event>> {
        event::parse(self.stdout.iter().map(|line| line.text.as_str()))
    }

    /// The drops that it printed as JSON, of which each is as the schema says.
    ///
    /// # Errors
    /// When a line is not as it should be.
    pub fn json(&self) -> Result<Vec<serde_json::Value>> {
        json::parse(self.stdout.iter().map(|line| line.text.as_str()))
    }

    /// The account that it gave.
    ///
    /// # Errors
    /// When it gave none.
    pub fn account(&self) -> Result<Account> {
        Account::find(&self.stderr())
    }

    /// The account, once it is sure that all went well: status 0, and every matched drop is
    /// accounted for.
    ///
    /// # Errors
    /// When not all went well.
    pub fn success(&self) -> Result<Account> {
        ensure!(self.status.success(), "dropwatch ended with {}: {}", self.status, self.stderr());
        let account = self.account()?;
        ensure!(account.adds_up(), "the account does not add up: {account:?}");
        Ok(account)
    }
}

/// The drops in a file that dropwatch wrote.
///
/// # Errors
/// When it cannot be read, or a line is not as it should be.
pub fn events_in(path: &Path) -> Result<Vec<Event>> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    event::parse(text.lines())
}
