//! A tool that runs: what it uses, and its end.

use super::{
    interrupt,
    programs::{self, Programs},
};
use anyhow::{Context as _, Result, bail, ensure};
use std::{
    ffi::OsString,
    fs::{self, File},
    io::{Read as _, Seek as _},
    mem::{self, MaybeUninit},
    os::unix::{
        fs::OpenOptionsExt as _,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::Path,
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// How long a tool may take to write what it has after its end was asked for.
const LIMIT: Duration = Duration::from_secs(120);
/// A tool that has used hardly any processor time for so long is waiting for drops.
const QUIET: Duration = Duration::from_millis(200);
/// So much it may use meanwhile, in seconds: for looking around.
const RESTING: f64 = 0.004;
/// A tool that uses hardly any for so long, after its end was asked for, has not heard it.
const DEAF: Duration = Duration::from_secs(2);
/// A tool that never rests is measured nevertheless.
const RESTLESS: Duration = Duration::from_secs(30);

/// A tool that runs. It is killed when this is dropped.
#[derive(Debug)]
pub struct Child {
    pid: libc::pid_t,
    stderr: File,
    ended: bool,
}

/// What a tool left behind.
#[derive(Debug)]
pub struct Left {
    /// What it wrote to standard error.
    pub stderr: String,
    /// Processor seconds of it and its children, user and system.
    pub cpu: f64,
}

impl Child {
    /// Starts a program that writes to this.
    pub fn start(line: &[OsString], stdout: impl Into<Stdio>) -> Result<Self> {
        let (program, args) = line.split_first().context("an empty command")?;
        let stderr = nameless()?;
        let mut command = Command::new(program);
        command.args(args).env("LC_ALL", "C").env_remove("NO_COLOR");
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr.try_clone()?);
        // Ctrl-C is for us, who then end it.
        command.process_group(0);
        // SAFETY: prctl may be called between fork and exec, and these arguments are integers.
        unsafe {
            command.pre_exec(|| {
                // Should we be killed, it ends too.
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
                Ok(())
            });
        }
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let pid = child.id().try_into().context("a process id")?;
        Ok(Self { pid, stderr, ended: false })
    }

    /// The BPF programs that it has.
    pub fn programs(&self) -> Result<Programs> {
        Programs::of_process(&self.pid.to_string())
    }

    /// Whether it has attached a BPF program to anything.
    pub fn is_attached(&self) -> Result<bool> {
        programs::is_attached(self.pid.try_into()?)
    }

    /// Whether a child of its own has become this program.
    pub fn has_started(&self, program: &str) -> Result<bool> {
        let path = format!("/proc/{0}/task/{0}/children", self.pid);
        let children = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        Ok(children.split_whitespace().any(|child| {
            // One that has ended meanwhile is none.
            fs::read_to_string(format!("/proc/{child}/comm"))
                .is_ok_and(|comm| comm.trim_end() == program)
        }))
    }

    /// Fails, with what it said, once it has ended.
    pub fn check(&mut self) -> Result<()> {
        if let Some((status, _)) = self.wait(libc::WNOHANG)? {
            bail!("it has ended ({status}): {}", text_of(&mut self.stderr)?.trim());
        }
        Ok(())
    }

    /// Waits until it has done all that there is to do, and gives the processor seconds used.
    pub fn wait_until_quiet(&mut self) -> Result<f64> {
        let begin = Instant::now();
        let mut cpu = self.cpu()?;
        loop {
            let since = Instant::now();
            while since.elapsed() < QUIET {
                interrupt::pause(Duration::from_millis(10))?;
                self.check()?;
            }
            let before = mem::replace(&mut cpu, self.cpu()?);
            if cpu - before < RESTING || begin.elapsed() > RESTLESS {
                return Ok(cpu);
            }
        }
    }

    /// The most memory that it has had, in KiB.
    pub fn peak_memory(&self) -> Result<u64> {
        self.memory("VmHWM")
    }

    /// The memory that it has, in KiB.
    pub fn present_memory(&self) -> Result<u64> {
        self.memory("VmRSS")
    }

    fn memory(&self, field: &str) -> Result<u64> {
        let path = format!("/proc/{}/status", self.pid);
        let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        memory(&status, field).with_context(|| format!("{path} has no {field}"))
    }

    /// Presses Ctrl-C on it, and waits for its end.
    pub fn finish(mut self) -> Result<Left> {
        self.signal(libc::SIGINT);
        let begin = Instant::now();
        let (mut cpu, mut since) = (self.cpu()?, begin);
        let (status, cpu) = loop {
            if let Some(ended) = self.wait(libc::WNOHANG)? {
                break ended;
            }
            ensure!(begin.elapsed() < LIMIT, "it still runs {LIMIT:?} after Ctrl-C");
            interrupt::pause(Duration::from_millis(2))?;
            // What works is writing what it has. What does not has overheard it: bpftrace notices
            // signals only while it waits for events.
            match self.cpu() {
                Ok(now) if now > cpu + RESTING => (cpu, since) = (now, Instant::now()),
                _ if since.elapsed() > DEAF => {
                    self.signal(libc::SIGINT);
                    since = Instant::now();
                }
                _ => {}
            }
        };
        let stderr = text_of(&mut self.stderr)?;
        // Perf ends as the command does that it ends.
        let good =
            status.success() || matches!(status.signal(), Some(libc::SIGINT | libc::SIGTERM));
        ensure!(good, "it ended with {status}: {}", stderr.trim());
        Ok(Left { stderr, cpu })
    }

    /// The processor time that it has used, user and system, in seconds.
    pub fn cpu(&self) -> Result<f64> {
        let (mut clock, mut time) = (0, libc::timespec { tv_sec: 0, tv_nsec: 0 });
        // SAFETY: both calls write to what outlives them.
        let failed = unsafe {
            libc::clock_getcpuclockid(self.pid, &raw mut clock) != 0
                || libc::clock_gettime(clock, &raw mut time) != 0
        };
        ensure!(!failed, "cannot read the processor time of process {}", self.pid);
        Ok(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
    }

    fn signal(&self, signal: libc::c_int) {
        if !self.ended {
            // SAFETY: the call takes two integers. The process is our child and not waited for,
            // so the id is still its own.
            unsafe { libc::kill(self.pid, signal) };
        }
    }

    /// Its status and processor seconds, if it has ended.
    fn wait(&mut self, flags: libc::c_int) -> Result<Option<(ExitStatus, f64)>> {
        let mut status = 0;
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: both outlive the call, which writes to them.
        let ended = unsafe { libc::wait4(self.pid, &raw mut status, flags, usage.as_mut_ptr()) };
        ensure!(ended >= 0, "cannot wait for it: {}", std::io::Error::last_os_error());
        if ended == 0 {
            return Ok(None);
        }
        self.ended = true;
        // SAFETY: zeroes are valid, and so is what the kernel has written.
        let usage = unsafe { usage.assume_init() };
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        Ok(Some((ExitStatus::from_raw(status), seconds(usage.ru_utime) + seconds(usage.ru_stime))))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.ended {
            // Perf ends what it has started only if it is asked.
            self.signal(libc::SIGTERM);
            std::thread::sleep(Duration::from_millis(200));
            self.signal(libc::SIGKILL);
            // It fails only where there is nothing to wait for.
            let _ = self.wait(0);
        }
    }
}

/// A file without a name, so nothing stays of it. It is on a disk: JSON of a long flood is large.
pub fn nameless() -> Result<File> {
    let folder = Path::new("/var/tmp");
    File::options()
        .read(true)
        .write(true)
        .custom_flags(libc::O_TMPFILE)
        .open(folder)
        .with_context(|| format!("cannot make a file in {}", folder.display()))
}

fn text_of(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A field of `/proc/PID/status` that is in KiB.
fn memory(status: &str, field: &str) -> Option<u64> {
    let mut fields = status.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(name, _)| *name == field)?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_not_the_present() {
        let status = "Name:\tdropwatch\nVmPeak:\t  90000 kB\nVmHWM:\t   12345 kB\nVmRSS:\t 9 kB\n";
        assert_eq!(memory(status, "VmHWM"), Some(12_345));
        assert_eq!(memory(status, "VmRSS"), Some(9));
        assert_eq!(memory("Name:\tkthreadd\n", "VmHWM"), None);
    }
}
