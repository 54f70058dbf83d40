//! `--netns`: a network namespace by name, inode number, or a process that is in it.

use std::{fs, io::ErrorKind, os::unix::fs::MetadataExt, path::Path};

use anyhow::{Context, Result};

use super::{list::number, range::Range};
use crate::config::UsageError;

/// Where `ip netns` keeps names.
const FOLDER: &str = "/run/netns";
const OWN: &str = "/proc/self/ns/net";
const PROCESS: &str = "pid:";

/// One item of `--netns`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Netns {
    /// By its inode number.
    Inode(u64),
    /// That of a process.
    Process(u64),
    /// By its name in `/run/netns`.
    Name(String),
}

impl Netns {
    /// Reads one item.
    ///
    /// # Errors
    /// What is wrong with it, to stand behind the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(inode) = number(text, u32::MAX.into()) {
            return Ok(Self::Inode(inode));
        }
        if let Some(process) = text.strip_prefix(PROCESS) {
            let process = number(process, i32::MAX as u64);
            return process.map(Self::Process).ok_or("is no process id; write pid:1234".to_owned());
        }
        if text.contains('/') || text.starts_with('.') {
            return Err(
                "is no network namespace; write a name of `ip netns`, an inode number, or \
                        pid:1234 for that of a process"
                    .to_owned(),
            );
        }
        Ok(Self::Name(text.to_owned()))
    }

    /// Its inode number.
    ///
    /// # Errors
    /// A [`UsageError`] where there is none.
    pub fn inode(&self) -> Result<Range> {
        let inode = match self {
            Self::Inode(inode) => *inode,
            Self::Process(process) => {
                let path = format!("/proc/{process}/ns/net");
                let none = format!("--netns: there is no process {process}");
                inode(Path::new(&path), &none)?
            }
            Self::Name(name) => {
                let none = format!(
                    "--netns: there is no network namespace '{name}' in {FOLDER}; `ip netns` lists those \
                     that have names, and `lsns -t net` the inode numbers of all"
                );
                inode(&Path::new(FOLDER).join(name), &none)?
            }
        };
        Ok([inode; 2])
    }
}

fn inode(path: &Path, none: &str) -> Result<u64> {
    let usage = |message: &str| UsageError(message.to_owned());
    let file = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(usage(none).into()),
        file => file.with_context(|| {
            let path = path.display();
            format!("--netns: cannot see {path}; run dropwatch as root, or write the inode number")
        })?,
    };
    // A name is a plain file until something is mounted there, or in another mount namespace.
    let own = fs::metadata(OWN).with_context(|| format!("--netns: cannot see {OWN}"))?;
    if file.dev() != own.dev() {
        return Err(usage(&format!(
            "--netns: {} is no network namespace here; it may be mounted in another mount namespace, \
             then write its inode number",
            path.display()
        ))
        .into());
    }
    Ok(file.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_three_ways_to_name_one() {
        assert_eq!(Netns::parse("4026531840"), Ok(Netns::Inode(4_026_531_840)));
        assert_eq!(Netns::parse("pid:12"), Ok(Netns::Process(12)));
        assert_eq!(Netns::parse("blue-1"), Ok(Netns::Name("blue-1".to_owned())));
        for text in ["pid:", "pid:x", "pid:-1", "../x", "/proc/1/ns/net", "."] {
            assert!(Netns::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn processes_have_one() -> Result<()> {
        let own = Netns::Process(std::process::id().into()).inode()?;
        let link = fs::read_link(OWN)?;
        assert_eq!(link.to_str(), Some(format!("net:[{}]", own[0]).as_str()));
        assert_eq!(Netns::Inode(7).inode()?, [7, 7]);
        Ok(())
    }

    #[test]
    fn those_that_are_not_there_are_named() {
        let error = Netns::Name("dropwatch-none".to_owned()).inode().expect_err("none");
        assert!(
            error.is::<UsageError>() && error.to_string().contains("'dropwatch-none'"),
            "{error}"
        );
        let error = Netns::Process(i32::MAX as u64).inode().expect_err("none");
        assert!(error.is::<UsageError>() && error.to_string().contains("no process"), "{error}");
    }
}
