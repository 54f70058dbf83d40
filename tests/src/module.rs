//! Kernel modules that come and go with a test.

use std::{
    fs,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::command::output;

/// The kernel frees some of what a module is used by only a moment later.
const LIMIT: Duration = Duration::from_secs(10);

/// A module that is loaded. Where it was not before, it goes away again, and with it those that
/// it needs.
#[derive(Debug)]
pub struct Module {
    /// What was not loaded before, each in front of those it depends on.
    new: Vec<String>,
}

impl Module {
    /// Loads it.
    ///
    /// # Errors
    /// When there is none, or the kernel does not take it.
    pub fn load(name: &str) -> Result<Self> {
        Self::load_with(name, &[])
    }

    /// Loads it with these parameters.
    ///
    /// # Errors
    /// As above.
    pub fn load_with(name: &str, parameters: &[&str]) -> Result<Self> {
        let before = loaded()?;
        output("modprobe", &[&[name], parameters].concat())?;
        let new = loaded()?.into_iter().filter(|module| !before.contains(module)).collect();
        Ok(Self { new })
    }

    /// Whether it is there already, as a part of the kernel or loaded by somebody.
    pub fn is_there(name: &str) -> bool {
        Path::new("/sys/module").join(name).exists()
    }

    /// Whether it is there or can be loaded.
    pub fn exists(name: &str) -> bool {
        Self::is_there(name) || output("modprobe", &["--dry-run", "--quiet", name]).is_ok()
    }

    /// Unloads it.
    ///
    /// # Errors
    /// When it stays in use.
    pub fn unload(mut self) -> Result<()> {
        self.remove()
    }

    fn remove(&mut self) -> Result<()> {
        let begin = Instant::now();
        while !self.new.is_empty() {
            match output("rmmod", &self.new) {
                Err(error) if begin.elapsed() > LIMIT => return Err(error),
                Err(_) => sleep(Duration::from_millis(50)),
                Ok(_) => {}
            }
            let loaded = loaded()?;
            self.new.retain(|module| loaded.contains(module));
        }
        Ok(())
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            eprintln!("cannot unload {:?}: {error:#}", self.new);
        }
    }
}

/// The loaded modules, the last one first.
fn loaded() -> Result<Vec<String>> {
    let text = fs::read_to_string("/proc/modules").context("this kernel has no modules")?;
    Ok(text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}
