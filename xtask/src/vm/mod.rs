//! `cargo xtask vm`: the end-to-end tests on other kernels, each in an emulated machine.
//!
//! Debian's packages of a kernel are fetched once ([`cache`]). What runs there is built for
//! this machine ([`payload`]) and goes with this machine's programs and libraries into an
//! archive ([`initramfs`]), to which each kernel adds its [`modules`]. The guest's first
//! process, `vm-init`, runs the tests and writes a [`report`], which becomes an [`outcome`].

pub mod apt;
pub mod cache;
pub mod cpio;
pub mod expected;
pub mod host;
pub mod initramfs;
pub mod kernels;
pub mod layout;
pub mod modules;
pub mod outcome;
pub mod payload;
pub mod qemu;
pub mod report;
pub mod table;
pub mod userland;

use crate::{cli::VmArgs, project::Project};
use anyhow::{Context as _, Error, Result, bail};
use cache::{Cache, Unpacked};
use expected::ExpectedSkips;
use kernels::{KERNELS, Kernel};
use outcome::Outcome;
use payload::Payload;
use qemu::Machine;
use std::{
    fs,
    num::NonZeroUsize,
    path::PathBuf,
    process::ExitCode,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};
use table::Table;

/// How many seconds a kernel may take. A quarter of it will do where the machine is free.
pub const TIMEOUT: u64 = 1500;

/// Runs the tests on the kernels that are asked for, or lists what there is.
pub fn run(project: &Project, args: &VmArgs) -> Result<ExitCode> {
    if args.list {
        let cache = Cache::open()?;
        for kernel in chosen(&args.kernels)? {
            let cached = cache.find(kernel);
            println!("{kernel}\t{}", cached.map_or("not fetched yet".to_owned(), |it| it.release));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let kernels = Kernels::fetch(&args.kernels)?;
    let outcomes = kernels.test(project, &args.tests, args.timeout, args.jobs)?;
    print!("{}", Table(&outcomes));
    let passed = outcomes.iter().all(|outcome| outcome.tally.failed == 0);
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The kernels that these words mean; all without a word.
fn chosen(words: &[String]) -> Result<Vec<Kernel>> {
    for word in words {
        if !KERNELS.iter().any(|kernel| kernel.is_meant_by(word)) {
            bail!("there is no kernel {word} in the list; see `cargo xtask vm --list`");
        }
    }
    let is_chosen =
        |kernel: &Kernel| words.is_empty() || words.iter().any(|word| kernel.is_meant_by(word));
    Ok(KERNELS.iter().copied().filter(is_chosen).collect())
}

/// Kernels that have been fetched, as far as that was possible.
#[derive(Debug)]
pub struct Kernels {
    cache: Cache,
    kernels: Vec<Kernel>,
    /// Why kernels are missing.
    problems: Vec<(Kernel, Error)>,
}

impl Kernels {
    /// Fetches the kernels that these words mean; all without a word.
    pub fn fetch(words: &[String]) -> Result<Self> {
        let kernels = chosen(words)?;
        let cache = Cache::open()?;
        host::check(userland::PROGRAMS)?;
        let problems = cache.fetch(&kernels)?;
        Ok(Self { cache, kernels, problems })
    }

    /// Runs test programs on them, all where none is named: on so many kernels at a time, by
    /// default as many as there are processors.
    pub fn test(
        &self,
        project: &Project,
        tests: &[String],
        timeout: u64,
        jobs: Option<NonZeroUsize>,
    ) -> Result<Vec<Outcome>> {
        let payload = Payload::build(project, tests)?;
        let guests = Guests::prepare(project, self, &payload, Duration::from_secs(timeout))?;
        let jobs = jobs.or_else(|| thread::available_parallelism().ok()).map_or(1, usize::from);
        Ok(guests.run_all(&self.kernels, jobs))
    }

    fn find(&self, kernel: Kernel) -> Result<Unpacked> {
        if let Some((_, error)) = self.problems.iter().find(|(missing, _)| *missing == kernel) {
            bail!("{error:#}");
        }
        self.cache.find(kernel).context("it has not been fetched")
    }
}

/// All that the runs have in common.
struct Guests<'a> {
    kernels: &'a Kernels,
    /// What the runs read and write.
    folder: PathBuf,
    base: Vec<u8>,
    expected: ExpectedSkips,
    timeout: Duration,
}

impl<'a> Guests<'a> {
    fn prepare(
        project: &Project,
        kernels: &'a Kernels,
        payload: &Payload,
        timeout: Duration,
    ) -> Result<Self> {
        let folder = project.target.join("vm");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let base = initramfs::base(project, payload)?;
        Ok(Self { kernels, folder, base, expected: ExpectedSkips::read(project)?, timeout })
    }

    /// Runs so many at a time; the outcomes are in the order of the kernels.
    fn run_all(&self, kernels: &[Kernel], jobs: usize) -> Vec<Outcome> {
        let waiting = Mutex::new(kernels.iter().copied().enumerate());
        let done = Mutex::new(Vec::new());
        let next = || waiting.lock().ok()?.next();
        let work = || {
            while let Some((index, kernel)) = next() {
                let outcome = self.run(kernel);
                if let Ok(mut done) = done.lock() {
                    done.push((index, outcome));
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(work);
            }
        });
        let mut done = done.into_inner().unwrap_or_default();
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, outcome)| outcome).collect()
    }

    /// An error counts as one failure.
    fn run(&self, kernel: Kernel) -> Outcome {
        let begin = Instant::now();
        let mut outcome = self
            .try_run(kernel)
            .unwrap_or_else(|error| Outcome::failure(kernel, format!("{error:#}")));
        outcome.took = begin.elapsed();
        println!("{kernel}: {} in {} s", outcome.tally, outcome.took.as_secs());
        outcome
    }

    fn try_run(&self, kernel: Kernel) -> Result<Outcome> {
        let unpacked = self.kernels.find(kernel)?;
        let initramfs = self.folder.join(format!("{kernel}.cpio"));
        let log = self.folder.join(format!("{kernel}.log"));
        let modules = modules::archive(&unpacked, &self.folder.join(format!("{kernel}.modules")))?;
        let archive = [&self.base[..], &modules].concat();
        fs::write(&initramfs, archive)
            .with_context(|| format!("cannot write {}", initramfs.display()))?;
        let image = unpacked.image()?;
        println!("{kernel}: {}, log in {}", unpacked.release, log.display());
        let stop =
            Machine { kernel: &image, initramfs: &initramfs, log: &log, timeout: self.timeout }
                .run()?;
        fs::remove_file(&initramfs)
            .with_context(|| format!("cannot remove {}", initramfs.display()))?;
        let text = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
        let text = String::from_utf8_lossy(&text);
        let Unpacked { release, .. } = unpacked;
        Ok(Outcome { release, ..Outcome::of(stop, &text, kernel, &self.expected) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_chosen_by_series_or_name() -> Result<()> {
        let names = |words: &[&str]| -> Result<Vec<String>> {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            Ok(chosen(&words)?.iter().map(Kernel::to_string).collect())
        };
        assert_eq!(names(&[])?.len(), KERNELS.len());
        assert_eq!(names(&["6.12"])?, ["6.12-cloud", "6.12-generic"]);
        assert_eq!(names(&["6.18-cloud", "6.1"])?, ["6.1-cloud", "6.18-cloud"]);
        assert!(names(&["2.4"]).is_err());
        Ok(())
    }
}
