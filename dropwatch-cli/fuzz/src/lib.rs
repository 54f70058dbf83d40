//! The entry points that are fuzzed. Each tells whether the bytes were taken for what they are to
//! be. The tests run the inputs in `regressions/` through the same.

// Only the way of making BTF is shared with the tests of the library.
#[path = "../../tests/support/builder.rs"]
mod builder;
#[path = "../../tests/support/kernels.rs"]
mod kernels;
#[path = "../../tests/support/packets/mod.rs"]
#[expect(dead_code, reason = "what is written of them is tested elsewhere")]
mod packets;
pub mod seeds;

use std::{
    fs::File,
    io::Write,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    path::{Path, PathBuf},
    sync::LazyLock,
};

use dropwatch::{
    cli::StackMode,
    clock::Clock,
    decode::decode,
    kernel::{
        btf::Btf,
        layout,
        reasons::{Reason, Reasons},
        trace_event::TraceEvent,
        tracepoint::{self, Prototype},
    },
    packet::{Packet, Snapshot},
    render::{
        Render,
        fields::Field,
        sources::Sources,
        text::{Text, TextConfig},
    },
    symbols::Symbols,
    world::World,
};

/// The kernel that `split_btf` takes modules for.
const VERSION: &str = "6.12";

/// Bytes as the BTF of a kernel.
pub fn btf(bytes: &[u8]) -> bool {
    let file = Memory::new(bytes);
    let kernel = match Btf::open(&file.path) {
        Ok(kernel) => kernel,
        Err(error) => return refused(&error),
    };
    Prototype::resolve(&kernel).map_or_else(|error| can_be_shown(&error), |_| ());
    layout::resolve(&kernel).map_or_else(|error| can_be_shown(&error), |_| ());
    tracepoint::qdisc_drop(&kernel);
    match Reasons::of_btf(&kernel) {
        Ok(reasons) => names_can_be_shown(&reasons),
        Err(error) => can_be_shown(&error),
    }
    true
}

/// Bytes as the BTF of a module, on top of that of a small kernel.
pub fn split_btf(bytes: &[u8]) -> bool {
    static KERNEL: LazyLock<Btf> = LazyLock::new(|| {
        let file = Memory::new(&kernels::vmlinux(VERSION).bytes());
        Btf::open(&file.path).expect("a kernel's BTF")
    });
    let file = Memory::new(bytes);
    match Btf::open_split(&file.path, &KERNEL) {
        Ok(module) => {
            let mut reasons = Reasons::of_btf(&KERNEL).expect("a kernel's reasons");
            reasons.add_module(&module);
            names_can_be_shown(&reasons);
            true
        }
        Err(error) => refused(&error),
    }
}

/// Bytes as what tracefs says of the trace event.
pub fn trace_event(bytes: &[u8]) -> bool {
    match TraceEvent::parse(&String::from_utf8_lossy(bytes)) {
        Ok(event) => {
            names_can_be_shown(&Reasons::of_trace_event(&event.reasons));
            true
        }
        Err(error) => refused(&error),
    }
}

/// Bytes as a record in the ring, behind one byte that says how it is rendered.
pub fn record(bytes: &[u8]) -> bool {
    let Some((&how, bytes)) = bytes.split_first() else { return false };
    let Ok(drop) = decode(bytes) else { return false };
    let stack = [None, Some(StackMode::Once), Some(StackMode::Full)][usize::from(how % 3)];
    let (color, details) = (how & 0x80 != 0, how & 0x40 != 0);
    let reasons = Reasons::of_trace_event(&[(3, "NO_SOCKET".to_owned())]);
    let sources = Sources {
        reasons,
        symbols: Symbols::none(),
        clock: Clock::fixed(0),
        world: World::nothing(),
    };
    let columns = if details { Field::ALL } else { Field::DEFAULT }.to_vec();
    let mut text = Text::new(sources, TextConfig { columns, details, stack, color });
    let mut out = Vec::new();
    text.drop(&drop, &mut out);
    let first = out.len();
    // The second time its stack may have been seen before.
    text.drop(&drop, &mut out);
    for out in [&out[..first], &out[first..]] {
        let text = str::from_utf8(out).expect("text").strip_suffix('\n').expect("whole lines");
        let odd = |character: char| match character {
            '\n' => false,
            '\x1b' => !color,
            _ => character.is_control(),
        };
        assert!(!text.contains(odd), "{text:?}");
        let (line, below) = text.split_once('\n').unwrap_or((text, ""));
        assert!(!line.starts_with(' '), "{text:?}");
        assert!(below.lines().all(|line| line.starts_with("    ")), "{text:?}");
        assert!(details || stack.is_some() || below.is_empty(), "{text:?}");
    }
    true
}

/// Bytes as those of a packet, behind five that say how it lay in the skb: which offsets are set,
/// the offsets of the link and the network layer, and the EtherType.
pub fn packet(bytes: &[u8]) -> bool {
    let Some((&[how, mac, network, high, low], bytes)) = bytes.split_first_chunk() else {
        return false;
    };
    let set = |bit: u8| how & bit != 0;
    let packet = Packet::parse(&Snapshot {
        bytes,
        mac: set(1).then_some(mac.into()),
        network: set(2).then_some(network.into()),
        transport: None,
        protocol: u16::from_be_bytes([high, low]),
        vlan: set(4).then_some((0x8100, u16::from_be_bytes([mac, network]))),
        cut: set(8),
    });
    let mut out = Vec::new();
    packet.write_summary(&mut out);
    assert!(out.iter().all(|byte| (b' '..=b'~').contains(byte)), "{out:?}");
    out.clear();
    packet.write_details(&mut out, "    ");
    let text = str::from_utf8(&out).expect("text");
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    for line in text.lines() {
        assert!(line.starts_with("    ") && !line.contains(char::is_control), "{text:?}");
    }
    assert!(packet.ports().is_none() || packet.l4().is_some(), "{packet:?}");
    packet.network.is_some()
}

fn names_can_be_shown(reasons: &Reasons) {
    for Reason { raw, name, full_name } in reasons.iter() {
        for name in [name, full_name] {
            let printable = name.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
            assert!(!name.is_empty() && printable, "{raw:#x}: {name:?}");
        }
    }
}

fn refused(error: &anyhow::Error) -> bool {
    can_be_shown(error);
    false
}

fn can_be_shown(error: &anyhow::Error) {
    let text = format!("{error:#}");
    assert!(!text.is_empty() && text.len() < 1_000, "{text}");
    assert!(!text.contains(char::is_control) && !text.ends_with('.'), "{text}");
}

/// A file in memory, for what is read by its path.
struct Memory {
    path: PathBuf,
    _file: File,
}

impl Memory {
    fn new(bytes: &[u8]) -> Self {
        // SAFETY: the name is a C string, and the result is checked.
        let fd = unsafe { libc::memfd_create(c"fuzz".as_ptr(), libc::MFD_CLOEXEC) };
        assert!(fd >= 0, "cannot make a file: {}", std::io::Error::last_os_error());
        // SAFETY: the descriptor was opened just now and nobody else owns it.
        let mut file = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
        file.write_all(bytes).expect("there is memory");
        let path = Path::new("/proc/self/fd").join(file.as_raw_fd().to_string());
        Self { path, _file: file }
    }
}
