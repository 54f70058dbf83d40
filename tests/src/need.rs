//! What a test needs of the machine. Where it is missing the test is skipped, and says so.

use std::{
    env,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
    time::Duration,
};

use crate::{Module, Reasons};

/// The environment variable that names the file to which skipped tests are appended.
const SKIPS: &str = "DROPWATCH_SKIPS";
/// The environment variable that is set where another kernel is tried in an emulated machine.
const EMULATED: &str = "DROPWATCH_VM";
const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Something that not every machine has.
#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// The rights of root, and a kernel that describes its types.
    Root,
    /// A program on the PATH.
    Program(&'static str),
    /// A module of Python's.
    Python(&'static str),
    /// A kernel that tells drop reasons.
    Reasons,
    /// A drop reason that this kernel has; implies `bpftool`.
    Reason(&'static str),
    /// A subsystem with drop reasons of its own, which its module names when it is loaded.
    Subsystem(&'static str),
    /// A module, loaded or not.
    Module(&'static str),
    /// A module that nobody uses, so that a test can load and unload it.
    IdleModule(&'static str),
    /// A machine that runs as fast as machines do: not one that is emulated.
    Speed,
    /// A file or folder.
    Path(&'static str),
}

impl Need {
    /// What is missing, or nothing.
    fn missing(self) -> Option<String> {
        match self {
            // SAFETY: the call takes nothing and cannot fail.
            Self::Root if unsafe { libc::geteuid() } != 0 => Some("it needs root".to_owned()),
            Self::Root => Self::Path(KERNEL_BTF).missing(),
            Self::Program(name) => {
                find_program(name).is_none().then(|| format!("{name} is not installed"))
            }
            Self::Python(module) => {
                python_with(module).is_none().then(|| format!("Python has no module {module}"))
            }
            Self::Reasons => {
                (!kernel_tells_reasons()).then(|| "this kernel tells no drop reasons".to_owned())
            }
            Self::Subsystem(name) => {
                let number = format!("SKB_DROP_REASON_SUBSYS_{}", name.to_uppercase());
                (!kernel_btf_has(&number))
                    .then(|| format!("this kernel has no drop reasons of {name}"))
            }
            Self::Module(name) => {
                (!Module::exists(name)).then(|| format!("this kernel has no module {name}"))
            }
            Self::IdleModule(name) => Self::Module(name)
                .missing()
                .or_else(|| Module::is_there(name).then(|| format!("the module {name} is in use"))),
            Self::Speed => is_emulated().then(|| "this machine is emulated".to_owned()),
            Self::Reason(name) => Self::Program("bpftool").missing().or_else(|| {
                if let Some(none) = Self::Reasons.missing() {
                    return Some(none);
                }
                // Where bpftool cannot be understood the test has failed.
                let reasons = Reasons::of_kernel().unwrap_or_else(|error| panic!("{error:#}"));
                let known = reasons.number(name).is_some();
                (!known).then(|| format!("this kernel has no drop reason {name}"))
            }),
            Self::Path(path) => (!Path::new(path).exists()).then(|| format!("there is no {path}")),
        }
    }
}

/// Whether this is one of the names in the kernel's BTF, where they stand as they are.
fn kernel_btf_has(name: &str) -> bool {
    let (btf, name) = (fs::read(KERNEL_BTF).unwrap_or_default(), format!("\0{name}\0"));
    btf.windows(name.len()).any(|window| window == name.as_bytes())
}

/// Whether the running kernel tells why it drops packets.
pub fn kernel_tells_reasons() -> bool {
    kernel_btf_has("skb_drop_reason")
}

/// Whether the running kernel lets programs read at an address without a call.
pub fn kernel_can_cast() -> bool {
    kernel_btf_has("bpf_rdonly_cast")
}

/// Whether the running kernel tells which socket was to receive a packet that it drops.
pub fn kernel_tells_receivers() -> bool {
    kernel_btf_has("rx_sk")
}

/// Whether the kernel has a tracepoint of its own for what queue disciplines drop, to which
/// dropwatch attaches first.
pub fn kernel_tells_queue_drops() -> bool {
    static TELLS: LazyLock<bool> = LazyLock::new(|| kernel_btf_has("btf_trace_qdisc_drop"));
    *TELLS
}

/// Whether this is an emulated machine, in which everything takes longer.
pub fn is_emulated() -> bool {
    env::var_os(EMULATED).is_some()
}

/// The limit for what takes at most this long on a machine that is not emulated.
pub fn patience(limit: Duration) -> Duration {
    if is_emulated() { limit * 5 } else { limit }
}

/// Ends the test early where something is missing: `need!(Root, Program("nft"));` in a function
/// that returns `anyhow::Result<()>`.
#[macro_export]
macro_rules! need {
    ($($variant:ident $(($value:expr))?),+ $(,)?) => {
        if $crate::need::skipped($crate::test_name!(), &[$($crate::Need::$variant $(($value))?),+]) {
            return Ok(());
        }
    };
}

/// The path of the test that this stands in: `drops::udp_to_a_closed_port`.
#[macro_export]
macro_rules! test_name {
    () => {{
        fn here() {}
        std::any::type_name_of_val(&here)
            .trim_end_matches("::here")
            .trim_end_matches("::{{closure}}")
    }};
}

/// Whether something is missing; if so, reports the test as skipped.
pub fn skipped(test: &str, needs: &[Need]) -> bool {
    match needs.iter().find_map(|need| need.missing()) {
        Some(reason) => {
            skip(test, &reason);
            true
        }
        None => false,
    }
}

/// Reports a test as skipped, which is then to end.
///
/// # Panics
/// When that cannot be reported.
pub fn skip(test: &str, reason: &str) {
    println!("SKIPPED {test}: {reason}");
    if let Some(path) = env::var_os(SKIPS) {
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(format!("{test}\t{reason}\n").as_bytes()))
            .expect("the file named by DROPWATCH_SKIPS can be written");
    }
}

/// A Python that has this module: the first on the PATH, or the system's.
pub fn python_with(module: &str) -> Option<PathBuf> {
    let pythons = [find_program("python3"), Some(PathBuf::from("/usr/bin/python3"))];
    let has = |python: &PathBuf| {
        let import = format!("import {module}");
        let ran = Command::new(python).args(["-c", &import]).stderr(Stdio::null()).status();
        ran.is_ok_and(|status| status.success())
    };
    pythons.into_iter().flatten().find(has)
}

/// A program on the PATH, or where root's programs are.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path)
        .chain(system)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
