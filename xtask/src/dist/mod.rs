//! `cargo xtask dist`: a tarball and a Debian package for machines without Rust.

pub mod binary;
pub mod check;
pub mod deb;
pub mod debian;
pub mod licences;
pub mod on_host;
pub mod on_root;
pub mod roots;
pub mod staging;
pub mod tarball;

use crate::{
    cli::DistArgs,
    pages, process,
    project::Project,
    suite::{or_failure, results::Tally},
};
use anyhow::{Context as _, Result};
use staging::Contents;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// The processor for which packages are made, as Rust writes it.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What was made.
#[derive(Clone, Debug)]
pub struct Packages {
    /// dropwatch-VERSION-x86_64-linux.tar.gz
    pub tarball: PathBuf,
    /// dropwatch-bpf_VERSION_amd64.deb
    pub deb: PathBuf,
}

/// Makes the packages, and tries them if that is wanted.
pub fn run(project: &Project, args: &DistArgs) -> Result<ExitCode> {
    let contents = contents(project)?;
    let packages = pack(&contents, &folder(project))?;
    for path in [&packages.tarball, &packages.deb] {
        let bytes = fs::metadata(path).map_or(0, |metadata| metadata.len());
        println!("made {} ({:.1} MB)", path.display(), bytes as f64 / 1e6);
    }
    if !args.test {
        return Ok(ExitCode::SUCCESS);
    }
    let tally = or_failure(check::check(project, &contents, &packages));
    println!("{tally}");
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes the packages and tries them.
pub fn test(project: &Project) -> Result<Tally> {
    let contents = contents(project)?;
    check::check(project, &contents, &pack(&contents, &folder(project))?)
}

/// Where packages are made.
pub fn folder(project: &Project) -> PathBuf {
    project.target.join("dist")
}

/// Builds dropwatch, and collects what goes with it.
fn contents(project: &Project) -> Result<Contents> {
    Ok(Contents {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        time: time(project),
        binary: binary::build(project)?,
        pages: pages::all()?,
        documents: licences::documents(project)?,
    })
}

/// Makes both packages in this folder.
pub fn pack(contents: &Contents, dir: &Path) -> Result<Packages> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(Packages { tarball: tarball::make(contents, dir)?, deb: deb::make(contents, dir)? })
}

/// The time that all files get, in seconds since 1970, so that the same sources give the same
/// packages: `SOURCE_DATE_EPOCH`, else that of the last commit, else 0.
fn time(project: &Project) -> u64 {
    let said = env::var("SOURCE_DATE_EPOCH").ok();
    let committed = || {
        let mut git = Command::new("git");
        git.args(["log", "-1", "--format=%ct"]).current_dir(&project.root);
        process::output(&mut git).ok()
    };
    said.or_else(committed).and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
