//! Damaged BTF, by accident or on purpose: whatever the bytes, an answer or an error comes soon.

#[path = "support/random.rs"]
mod random;
mod support;

use std::{
    fs::OpenOptions,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use dropwatch::kernel::{
    btf::Btf,
    layout,
    reasons::{Reason, Reasons},
    tracepoint::{self, Prototype},
};

use support::{
    File,
    builder::{Builder, HEADER_SIZE, kind},
    file, kernels,
};

/// Far more than any of these takes, so that only a loop is caught.
const SOON: Duration = Duration::from_secs(60);

/// Two files that are written again and again; those of a case that fails are kept.
struct Case {
    kernel: File,
    module: File,
}

impl Case {
    fn new() -> Self {
        Self { kernel: file(&[]), module: file(&[]) }
    }

    /// Asks everything that dropwatch asks of a kernel's BTF and of a module's. Whether there is
    /// an answer is of no matter; names and errors have to be such as can be shown.
    fn ask(&self, kernel: &[u8], module: &[u8]) {
        rewrite(&self.kernel, kernel);
        let kernel = match Btf::open(&self.kernel) {
            Ok(kernel) => kernel,
            Err(error) => return can_be_shown(&error),
        };
        Prototype::resolve(&kernel).map_or_else(|error| can_be_shown(&error), |_| ());
        layout::resolve(&kernel).map_or_else(|error| can_be_shown(&error), |_| ());
        tracepoint::qdisc_drop(&kernel);
        let mut reasons = match Reasons::of_btf(&kernel) {
            Ok(reasons) => reasons,
            Err(error) => return can_be_shown(&error),
        };
        rewrite(&self.module, module);
        match Btf::open_split(&self.module, &kernel) {
            Ok(module) => reasons.add_module(&module),
            Err(error) => can_be_shown(&error),
        }
        for Reason { raw, name, full_name } in reasons.iter() {
            for name in [name, full_name] {
                let printable = name.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
                assert!(!name.is_empty() && printable, "{raw:#x}: {name:?}");
            }
        }
    }
}

/// Without emptying the file first, upon which ext4 would wait for the disk.
fn rewrite(path: &Path, bytes: &[u8]) {
    let written = OpenOptions::new().write(true).open(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.set_len(bytes.len() as u64)
    });
    written.expect("a file of the test");
}

fn can_be_shown(error: &anyhow::Error) {
    let text = format!("{error:#}");
    assert!(!text.is_empty() && text.len() < 1_000, "{text}");
    assert!(!text.contains(char::is_control) && !text.ends_with('.'), "{text}");
}

fn pair() -> (Vec<u8>, Vec<u8>) {
    let kernel = kernels::vmlinux("6.12");
    (kernel.bytes(), kernels::module("6.12", "mac80211", &kernel).bytes())
}

/// Tries files that are damaged copies of a kernel's BTF and of a module's.
fn try_damaged(damage: impl Fn(&[u8]) -> Box<dyn Iterator<Item = Vec<u8>> + '_>) -> u32 {
    let begin = Instant::now();
    let (kernel, module) = pair();
    let case = Case::new();
    let mut cases = 0;
    for bytes in damage(&kernel) {
        case.ask(&bytes, &module);
        cases += 1;
    }
    for bytes in damage(&module) {
        case.ask(&kernel, &bytes);
        cases += 1;
    }
    assert!(begin.elapsed() < SOON, "{cases} cases took {:?}", begin.elapsed());
    cases
}

#[test]
fn whole_files_are_understood() {
    let (kernel, module) = pair();
    let btf = Btf::open(&file(&kernel)).expect("a kernel's BTF");
    Prototype::resolve(&btf).expect("a tracepoint");
    layout::resolve(&btf).expect("fields");
    let before = Reasons::of_btf(&btf).expect("reasons").iter().count();
    let mut reasons = Reasons::of_btf(&btf).expect("reasons");
    reasons.add_module(&Btf::open_split(&file(&module), &btf).expect("a module's BTF"));
    assert!(reasons.iter().count() > before);
}

#[test]
fn truncated_at_every_length() {
    try_damaged(|bytes| Box::new((0..bytes.len()).map(|len| bytes[..len].to_vec())));
    let (kernel, module) = pair();
    let btf = Btf::open(&file(&kernel)).expect("a kernel's BTF");
    // The strings are last, so a file that is cut anywhere lacks something.
    for len in 0..kernel.len() {
        assert!(Btf::open(&file(&kernel[..len])).is_err(), "{len} of {} bytes", kernel.len());
    }
    for len in 0..module.len() {
        assert!(Btf::open_split(&file(&module[..len]), &btf).is_err(), "{len} bytes");
    }
}

#[test]
fn every_word_of_the_header() {
    try_damaged(|bytes| {
        let len = bytes.len() as u32;
        let header = HEADER_SIZE as u32;
        let odd = [0, 1, 3, header - 1, header, header + 1, len - header, len - header + 1];
        let large = [len - 1, len, len + 1, 1 << 31, u32::MAX - header, u32::MAX - 1, u32::MAX];
        let words = (4..HEADER_SIZE).step_by(4);
        let one = words.flat_map(move |at| odd.into_iter().chain(large).map(move |v| (at, v)));
        let one = one.map(|(at, value)| replaced(bytes, at, value));
        let first = (0..4).flat_map(|at| (0..=255).map(move |value| (at, value)));
        Box::new(one.chain(first.map(|(at, value)| {
            let mut bytes = bytes.to_vec();
            bytes[at] = value;
            bytes
        })))
    });
}

#[test]
fn every_word_of_the_types() {
    let cases = try_damaged(|bytes| {
        let types = HEADER_SIZE..HEADER_SIZE + word(bytes, 12) as usize;
        // Ids and offsets, near and far; infos of every kind, with few members and with many.
        let numbers = [0, 1, 2, 20, word(bytes, 16), word(bytes, 20), 0xff_ffff, u32::MAX];
        let infos = (0..32).flat_map(|kind| [kind << 24, kind << 24 | 3, kind << 24 | 0xffff]);
        let values: Vec<_> = numbers.into_iter().chain(infos).collect();
        Box::new(types.step_by(4).flat_map(move |at| {
            values.clone().into_iter().map(move |value| replaced(bytes, at, value))
        }))
    });
    assert!(cases > 15_000, "{cases}");
}

#[test]
fn random_damage() {
    const CASES: usize = 36_000;
    let mut number = random::numbers();
    let mut random = move |below: usize| number() as usize % below;
    let begin = Instant::now();
    let (kernel, module) = pair();
    let case = Case::new();
    for number in 0..CASES {
        let (mut kernel, mut module) = (kernel.clone(), module.clone());
        let damaged = if number % 2 == 0 { &mut kernel } else { &mut module };
        for _ in 0..=random(6) {
            let at = random(damaged.len());
            damaged[at] = match random(4) {
                0 => damaged[at] ^ 1 << random(8),
                1 => 0xff,
                2 => damaged[random(damaged.len())],
                _ => random(256) as u8,
            };
        }
        case.ask(&kernel, &module);
    }
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
}

#[test]
fn types_that_refer_to_themselves() {
    for kinds in [
        &[kind::TYPEDEF][..],
        &[kind::TYPEDEF, kind::PTR],
        &[kind::TYPEDEF, kind::CONST, kind::PTR],
        &[kind::TYPEDEF, kind::TYPEDEF],
        &[kind::PTR, kind::CONST],
    ] {
        let mut circle = kernels::vmlinux("6.12");
        let first = circle.next_id;
        for (position, &kind) in kinds.iter().enumerate() {
            let next = first + (position as u32 + 1) % kinds.len() as u32;
            circle.refer(kind, "btf_trace_kfree_skb", next);
        }
        Case::new().ask(&circle.bytes(), &pair().1);

        let mut parameters = Builder::new();
        let first = parameters.next_id;
        for (position, &kind) in kinds.iter().enumerate() {
            parameters.refer(kind, "circle", first + (position as u32 + 1) % kinds.len() as u32);
        }
        kernels::tracepoint(&mut parameters, "kfree_skb", &[first, first, first, first]);
        let btf = Btf::open(&file(&parameters.bytes())).expect("BTF of sound form");
        let error = Prototype::resolve(&btf).expect_err("no prototype of a kernel");
        can_be_shown(&error);
    }
}

#[test]
fn a_function_that_takes_itself() {
    let mut btf = Builder::new();
    let typedef = btf.next_id + 2;
    assert_eq!(kernels::tracepoint(&mut btf, "kfree_skb", &[typedef, typedef, typedef]), typedef);
    let btf = Btf::open(&file(&btf.bytes())).expect("BTF of sound form");
    can_be_shown(&Prototype::resolve(&btf).expect_err("no prototype of a kernel"));
}

#[test]
fn names_and_types_that_are_not_there() {
    for name in [0x00ff_ffff, 0x7fff_ffff, u32::MAX] {
        let mut btf = kernels::vmlinux("6.12");
        let at = btf.string("core_drop_reason");
        btf.raw(&[at, kind::ENUM << 24 | 2, 4, name, 0x3_0001, 0, 0x3_0002]);
        btf.raw(&[name, kind::ENUM << 24 | 1, 4, at, 0x3_0003]);
        btf.aggregate(kind::STRUCT, "net_device", &[("", name, 0), ("", 0, 0), ("after", 1, 64)]);
        Case::new().ask(&btf.bytes(), &pair().1);
        // One type that is damaged does not hide the sound ones.
        let btf = Btf::open(&file(&btf.bytes())).expect("a sound form");
        assert_eq!(btf.member_offset("net_device", "after"), Some(8));
        assert!(Reasons::of_btf(&btf).expect("those that are sound").get(3).is_some());
    }
}

#[test]
fn more_members_than_there_are_bytes() {
    for kind in [kind::ENUM, kind::STRUCT, kind::UNION, kind::FUNC_PROTO] {
        let mut btf = kernels::vmlinux("6.12");
        let name = btf.string("some_drop_reason");
        btf.raw(&[name, kind << 24 | 0xffff, 4, name, 1]);
        let error = Btf::open(&file(&btf.bytes())).expect_err("not whole");
        can_be_shown(&error);
        let (kernel, _) = pair();
        Case::new().ask(&kernel, &btf.bytes());
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

fn replaced(bytes: &[u8], at: usize, value: u32) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    bytes
}
