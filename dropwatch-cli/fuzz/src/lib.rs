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
    time::{Duration, Instant},
};

use dropwatch::{
    cli::StackMode,
    clock::Clock,
    config::TableConfig,
    counts::{
        Snapshot as Counts,
        key::{By, Key},
        table::{Sort, Table},
    },
    decode::decode,
    drop::Drop,
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
        json::Json,
        plain_table::{self, Rates},
        sources::Sources,
        text::{Text, TextConfig},
    },
    symbols::Symbols,
    world::World,
};
use dropwatch_common::{
    count::{CountKey, FlowKey},
    counters::Counters,
    record::INTERFACE_LEN,
};
use serde_json::Value;

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
    as_json(&drop);
    let columns = if details { Field::ALL } else { Field::DEFAULT }.to_vec();
    let mut text = Text::new(sources(), TextConfig { columns, details, stack, color });
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

/// A line of JSON, and the same one when its names have been written before.
fn as_json(drop: &Drop) {
    let mut json = Json::new(sources());
    let mut out = Vec::new();
    json.drop(drop, &mut out);
    let first = out.len();
    json.drop(drop, &mut out);
    let (line, again) = out.split_at(first);
    assert_eq!(line, again);
    let text = str::from_utf8(line).expect("UTF-8").strip_suffix('\n').expect("a whole line");
    assert!(!text.contains(char::is_control), "{text:?}");
    let value: Value = serde_json::from_str(text).expect("JSON");
    // No member is there twice, and each is written as it would be from its value.
    let sorted = |text: &str| {
        let mut characters: Vec<_> = text.chars().collect();
        characters.sort_unstable();
        characters
    };
    assert_eq!(sorted(&value.to_string()), sorted(text));
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

/// Bytes as the keys and counts of the kernel's map, behind two that say what they are grouped and
/// sorted by.
pub fn count(bytes: &[u8]) -> bool {
    let Some((&[groups, sort], bytes)) = bytes.split_first_chunk() else { return false };
    let by: Vec<_> =
        (0..).zip(By::ALL).filter(|(bit, _)| groups & 1 << bit != 0).map(|(_, by)| by).collect();
    let Some(&by_sorted) = by.get(usize::from(sort) % by.len().max(1)) else { return false };
    let sort = [Sort::Total, Sort::Rate, Sort::Key(by_sorted)][usize::from(sort >> 6) % 3];
    let (elements, rest) = bytes.as_chunks::<ELEMENT_LEN>();
    let elements: Vec<_> = elements.iter().map(element).collect();
    let mut table = Table::new(by.clone(), 2);
    let begin = Instant::now();
    // Devices get their names later, and keys come one by one.
    for (nth, flows) in [(0, false), (1, true)] {
        let counts = elements.iter().map(|(key, name, drops)| match flows {
            true => (Key::of_flow(key, *name), u64::from(*drops)),
            false => (Key::of_count(&key.key, [0; INTERFACE_LEN]), u64::from(*drops)),
        });
        let at = begin + Duration::from_secs(nth);
        let counters = Counters::default();
        table.feed(&Counts { at, rows: counts.collect(), other: nth, counters });
        let rows = table.rows(sort, true);
        assert_eq!(rows.len(), table.rows_len());
        let total: u64 = rows.iter().map(|row| row.total).sum();
        assert_eq!(total + table.other().total, table.sum().total);
        assert!(rows.iter().all(|row| row.key == row.key.project(&by)), "{rows:?}");

        let config = TableConfig { by: by.clone(), sort, rows: Some(20), max_keys: 1 };
        let mut out = Vec::new();
        plain_table::write(&table, &config, Rates::Lately, &mut sources(), &mut out);
        let text = str::from_utf8(&out).expect("text");
        let odd = |character: char| character != '\n' && character.is_control();
        assert!(!text.contains(odd), "{text:?}");
        let more = usize::from(rows.len() > 20) + usize::from(nth > 0);
        assert_eq!(text.lines().count(), 1 + rows.len().min(20) + more, "{text:?}");
    }
    !elements.is_empty() && rest.is_empty()
}

/// A key with a flow, the device's name, and a count.
const ELEMENT_LEN: usize = size_of::<FlowKey>() + INTERFACE_LEN + size_of::<u32>();

fn element(bytes: &[u8; ELEMENT_LEN]) -> (FlowKey, [u8; INTERFACE_LEN], u32) {
    let mut bytes = &bytes[..];
    let key = CountKey {
        location: u64::from_ne_bytes(take(&mut bytes)),
        reason: u32::from_ne_bytes(take(&mut bytes)),
        netns: u32::from_ne_bytes(take(&mut bytes)),
        index: u32::from_ne_bytes(take(&mut bytes)),
        protocol: u16::from_ne_bytes(take(&mut bytes)),
        flags: u16::from_ne_bytes(take(&mut bytes)),
    };
    let mut address = || [(); 4].map(|()| u32::from_ne_bytes(take(&mut bytes)));
    let (source, destination) = (address(), address());
    let mut short = || u16::from_ne_bytes(take(&mut bytes));
    let (source_port, destination_port, l4, flags) = (short(), short(), short(), short());
    let flow = FlowKey { key, source, destination, source_port, destination_port, l4, flags };
    (flow, take(&mut bytes), u32::from_ne_bytes(take(&mut bytes)))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (first, rest) = bytes.split_first_chunk().expect("a whole element");
    *bytes = rest;
    *first
}

/// Names of next to nothing.
fn sources() -> Sources {
    Sources {
        reasons: Reasons::of_trace_event(&[(3, "NO_SOCKET".to_owned())]),
        symbols: Symbols::none(),
        clock: Clock::fixed(0),
        world: World::nothing(),
    }
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
