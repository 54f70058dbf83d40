//! The kernels that have been fetched, in the user's cache folder.

use super::{apt::Apt, host, kernels::Kernel};
use crate::process;
use anyhow::{Context as _, Error, Result, bail};
use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of what has been fetched.
#[derive(Debug)]
pub struct Cache {
    dir: PathBuf,
}

/// A kernel that is ready to boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// The folder that stands for `/`.
    pub root: PathBuf,
    /// What `uname -r` says.
    pub release: String,
}

impl Cache {
    /// The one of this user.
    pub fn open() -> Result<Self> {
        Ok(Self { dir: user_folder()?.join("dropwatch-vm") })
    }

    /// A kernel that was fetched before.
    pub fn find(&self, kernel: Kernel) -> Option<Unpacked> {
        let root = self.folder(kernel).join("root");
        let release = release_in(&root).ok()?;
        Some(Unpacked { root, release })
    }

    /// Fetches the kernels that are not here yet, and tells what was not possible: one that is
    /// gone shall not keep the others from being tested.
    pub fn fetch(&self, kernels: &[Kernel]) -> Result<Vec<(Kernel, Error)>> {
        let missing: Vec<_> =
            kernels.iter().filter(|kernel| self.find(**kernel).is_none()).collect();
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let apt = Apt::update(&self.dir.join("apt"))?;
        let names = apt.names("linux-")?;
        let names: Vec<_> = names.lines().collect();
        if names.is_empty() {
            bail!(
                "no list of packages could be fetched, see above; run this again when the mirror \
                 can be reached"
            );
        }
        let fetched =
            missing.into_iter().map(|kernel| (*kernel, self.fetch_one(&apt, *kernel, &names)));
        Ok(fetched.filter_map(|(kernel, fetched)| Some((kernel, fetched.err()?))).collect())
    }

    fn fetch_one(&self, apt: &Apt, kernel: Kernel, names: &[&str]) -> Result<()> {
        let packages = kernel.packages(names).with_context(|| {
            format!(
                "the lists of packages have no complete kernel {kernel}; when it is gone for good \
                 take it off the list in xtask/src/vm/kernels.rs"
            )
        })?;
        println!("fetching {}", packages.join(" "));
        self.fetch_packages(apt, kernel, &packages)
            .with_context(|| format!("cannot fetch {kernel}"))
    }

    fn fetch_packages(&self, apt: &Apt, kernel: Kernel, packages: &[String]) -> Result<()> {
        let folder = self.folder(kernel);
        let debs = folder.join("packages");
        let new = folder.join("root.new");
        for dir in [&debs, &new] {
            // What an interrupted run, or another version, has left.
            remove_dir(dir)?;
            fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        apt.download(packages, &debs)?;
        for deb in entries(&debs)? {
            process::run(Command::new("dpkg-deb").arg("-x").args([&deb, &new]))?;
        }
        unite_lib(&new)?;
        let release = release_in(&new)?;
        // Packages of 6.19 and later are without these, about which depmod complains.
        for list in ["modules.order", "modules.builtin", "modules.builtin.modinfo"] {
            let list = new.join("usr/lib/modules").join(&release).join(list);
            if !list.exists() {
                fs::write(&list, "").with_context(|| format!("cannot make {}", list.display()))?;
            }
        }
        process::run(host::command("depmod")?.arg("-b").args([&new, Path::new(&release)]))?;
        // Only a complete kernel has this name.
        let root = folder.join("root");
        remove_dir(&root)?;
        fs::rename(&new, &root).with_context(|| format!("cannot make {}", root.display()))
    }

    fn folder(&self, kernel: Kernel) -> PathBuf {
        self.dir.join(kernel.to_string())
    }
}

/// This user's folder for what can be fetched again.
pub fn user_folder() -> Result<PathBuf> {
    env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .context("there is no home folder to cache what is fetched; set XDG_CACHE_HOME")
}

impl Unpacked {
    /// The kernel itself.
    pub fn image(&self) -> Result<PathBuf> {
        let places = [
            self.root.join("boot").join(format!("vmlinuz-{}", self.release)),
            self.root.join("usr/lib/modules").join(&self.release).join("vmlinuz"),
        ];
        let image = places.into_iter().find(|path| path.is_file());
        image.with_context(|| {
            format!(
                "there is no vmlinuz in {0}; remove this folder to fetch it anew",
                self.root.display()
            )
        })
    }
}

/// Some packages have /lib/modules, others /usr/lib/modules; kmod looks for one of them.
fn unite_lib(root: &Path) -> Result<()> {
    let (lib, usr_lib) = (root.join("lib"), root.join("usr/lib"));
    let link = if usr_lib.exists() && !lib.exists() {
        Some((Path::new("usr/lib"), lib))
    } else if lib.exists() && !usr_lib.exists() {
        Some((Path::new("../lib"), usr_lib))
    } else {
        None
    };
    let Some((target, link)) = link else { return Ok(()) };
    if let Some(parent) = link.parent() {
        fs::create_dir_all(parent)?;
    }
    symlink(target, &link).with_context(|| format!("cannot make {}", link.display()))
}

fn release_in(root: &Path) -> Result<String> {
    let modules = root.join("usr/lib/modules");
    match &entries(&modules)?[..] {
        [only] => {
            let name = only.file_name().unwrap_or_default();
            Ok(name.to_string_lossy().into_owned())
        }
        others => bail!("{} kernels in {}, not one", others.len(), modules.display()),
    }
}

/// What is in a folder.
pub fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

fn remove_dir(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    Ok(())
}
