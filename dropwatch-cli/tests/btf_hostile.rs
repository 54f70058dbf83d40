//! Files that someone made to hurt, and files that are no BTF at all: refused or answered soon,
//! without eating memory.

mod support;

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Output},
    sync::mpsc,
    thread,
    time::Duration,
};

use dropwatch::kernel::btf::Btf;

use support::{
    File,
    builder::{Builder, kind},
    file, kernels,
};

const SECONDS: u64 = 20;
const MEMORY: u64 = 1 << 30;

/// What `list-reasons` says of these files, with limits on its time and memory.
fn list_reasons(files: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dropwatch"));
    command.arg("list-reasons");
    for file in files {
        command.arg("--btf").arg(file);
    }
    let limit = |resource, most| {
        let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
        // SAFETY: the limit is a valid struct that outlives the call.
        match unsafe { libc::setrlimit(resource, &raw const limit) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: nothing but system calls between fork and exec.
    unsafe {
        command.pre_exec(move || {
            limit(libc::RLIMIT_AS, MEMORY)?;
            limit(libc::RLIMIT_CPU, SECONDS)
        });
    }
    command.output().expect("the program runs")
}

/// The message with which the files are refused: one line, status 1.
fn refusal(files: &[&Path]) -> String {
    let output = list_reasons(files);
    let message = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{:?}: {message}", output.status);
    assert!(output.stdout.is_empty(), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(!message.trim_end().ends_with('.') && !message.contains("panicked"), "{message}");
    message
}

/// Refused or not, the program has to end by itself.
fn ends(files: &[&Path]) {
    let output = list_reasons(files);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{:?}: {message}", output.status);
}

fn refused(bytes: &[u8], words: &[&str]) {
    let message = refusal(&[&file(bytes)]);
    for word in words {
        assert!(message.contains(word), "{message}");
    }
}

fn save(btf: &Builder) -> File {
    file(&btf.bytes())
}

#[test]
fn what_is_no_btf_is_called_so() {
    refused(b"", &["not BTF", "0 bytes"]);
    refused(&[0x9f, 0xeb, 1], &["not BTF", "3 bytes"]);
    refused(b"This is a text that is longer than the header of BTF.\n", &["not BTF"]);
    refused(&fs::read("/proc/self/exe").expect("this test"), &["ELF", "objcopy"]);
    refused(&[0; 4096], &["not BTF"]);
    refused(b"\x1f\x8b\x08 compressed, and longer than a header\n", &["not BTF"]);
}

#[test]
fn what_is_no_file_is_refused() {
    let message = refusal(&[Path::new(env!("CARGO_TARGET_TMPDIR"))]);
    assert!(message.to_lowercase().contains("directory"), "{message}");
    let message = refusal(&[Path::new("/nonexistent/vmlinux")]);
    assert!(
        message.contains("/nonexistent/vmlinux") && message.contains("No such file"),
        "{message}"
    );
    assert!(refusal(&[Path::new("/dev/null")]).contains("not BTF"));
    assert!(refusal(&[Path::new("/dev/zero")]).contains("larger than"));
}

#[test]
fn huge_files_are_refused() {
    let huge = file(&kernels::vmlinux("6.12").bytes());
    OpenOptions::new()
        .write(true)
        .open(&*huge)
        .and_then(|file| file.set_len(200 << 20))
        .expect("a sparse file");
    assert!(refusal(&[&huge]).contains("larger than"));
}

#[test]
fn a_kernels_btf_and_a_modules_are_not_taken_for_each_other() {
    let kernel = kernels::vmlinux("6.12");
    let module = save(&kernels::module("6.12", "openvswitch", &kernel));
    let kernel = save(&kernel);
    assert!(refusal(&[&module]).contains("module"));
    assert!(refusal(&[&module, &kernel]).contains("module"));
    assert!(refusal(&[&kernel, &kernel]).contains("not of a module"));
    let other = save(&kernels::vmlinux("7.1"));
    assert!(refusal(&[&kernel, &other]).contains("not of a module"));
}

#[test]
fn a_module_of_another_kernel_is_refused() {
    let mut other = kernels::vmlinux("6.12");
    other.int("one_type_more");
    let module = save(&kernels::module("6.12", "openvswitch", &other));
    // Beyond the base's strings, and in the middle of them.
    for strings in ["", "x", "some_name", "a_name_that_is_very_much_longer"] {
        let mut kernel = kernels::vmlinux("6.12");
        kernel.string(strings);
        let message = refusal(&[&save(&kernel), &module]);
        assert!(message.contains("module"), "{message}");
    }
}

#[test]
fn bytes_behind_the_strings_are_no_names() {
    let base = kernels::vmlinux("6.12");
    let mut module = Builder::on(&base);
    // The first string of the module has the number of what follows the base's strings.
    module.enumeration("ovs_drop_reason", false, &[("OVS_DROP_FIRST", 0x3_0001)]);
    let kernel = save(&base);
    let plain = list_reasons(&[&kernel, &save(&module)]);
    assert!(String::from_utf8_lossy(&plain.stdout).contains("OVS_DROP_FIRST"));
    let mut file = OpenOptions::new().append(true).open(&*kernel).expect("the file");
    file.write_all(b"NOT_A_NAME\0").expect("written");
    let output = list_reasons(&[&kernel, &save(&module)]);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("NOT_A_NAME"));
}

#[test]
fn one_long_name_for_many_members() {
    let mut btf = kernels::vmlinux("6.12");
    let name = btf.string(&"A".repeat(4 << 20));
    let of_enum = btf.string("long_drop_reason");
    let members = (0..0xffff).flat_map(|number| [name, 0x3_0000 | number]);
    let words: Vec<_> =
        [of_enum, kind::ENUM << 24 | 0xffff, 4].into_iter().chain(members).collect();
    btf.raw(&words);
    ends(&[&save(&btf)]);
}

#[test]
fn many_enums_and_many_names() {
    let mut btf = kernels::vmlinux("6.12");
    for number in 0..100_000 {
        btf.enumeration(&format!("{number}_drop_reason"), false, &[("ONE", 0x3_0001)]);
    }
    ends(&[&save(&btf)]);
}

#[test]
fn many_empty_names_in_a_module() {
    let base = kernels::vmlinux("6.12");
    let mut bytes = kernels::module("6.12", "openvswitch", &base).bytes();
    let strings = u32::from_le_bytes(bytes[20..24].try_into().expect("4 bytes"));
    let more = 100_u32 << 20;
    bytes[20..24].copy_from_slice(&(strings + more).to_le_bytes());
    bytes.resize(bytes.len() + more as usize, 0);
    ends(&[&save(&base), &file(&bytes)]);
}

#[test]
fn names_do_not_reach_the_terminal_unseen() {
    let mut btf = kernels::vmlinux("6.12");
    btf.enumeration(
        "odd_drop_reason",
        false,
        &[("\x1b[2J\x1b]0;title\x07", 0x3_0001), ("A\nB", 0x3_0002)],
    );
    let output = list_reasons(&[&save(&btf)]);
    let all = [output.stdout, output.stderr].concat();
    assert!(!all.iter().any(|&byte| byte.is_ascii_control() && byte != b'\n'));
    assert!(!String::from_utf8_lossy(&all).contains("A\nB"));
}

#[test]
fn a_struct_that_contains_itself_many_times() {
    for times in [1, 2, 300] {
        let mut btf = Builder::new();
        let itself = btf.next_id;
        let members = vec![("", itself, 0); times];
        assert_eq!(btf.aggregate(kind::STRUCT, "sk_buff", &members), itself);
        let btf = save(&btf);
        let (sender, receiver) = mpsc::channel();
        // In a thread, so that a search without end fails the test.
        thread::spawn(move || {
            let btf = Btf::open(&btf).expect("BTF of sound form");
            sender.send(btf.member_offset("sk_buff", "protocol"))
        });
        assert_eq!(receiver.recv_timeout(Duration::from_secs(SECONDS)), Ok(None), "{times} times");
    }
}
