//! What people see, word for word: the text format, `list-reasons` and the help.

#[path = "support/golden.rs"]
mod golden;
mod support;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use dropwatch::{
    cli::StackMode,
    clock::Clock,
    config::TableConfig,
    counts::{
        Snapshot,
        key::{By, Flow, Interface, Key},
        table::{Sort, Table},
    },
    decode::decode,
    drop::{Drop, Name},
    explain::{Entries, hints::Hints},
    kernel::{btf::Btf, reasons::Reasons},
    render::{
        Render,
        fields::Field,
        openmetrics::{Exposition, Format, Totals},
        plain_table::{self, Rates},
        sources::Sources,
        text::{Text, TextConfig},
    },
    symbols::{Frame, Inlined, SourceLine, Symbol, Symbols},
    world::World,
};
use dropwatch_common::counters::Counters;
use dropwatch_common::record::{
    COMM_LEN, DropRecord, FLAG_COMM, FLAG_LEN, FLAG_PROTOCOL, FLAG_REASON, FLAG_STACK_FAILED,
};

use golden::golden;
use support::{file, kernels};

/// 2026-11-23T15:04:05Z
const BOOT: i64 = 1_795_446_245_000_000_000;

const UDP: u64 = 0xffff_ffff_81c2_3a41;
const TCP: u64 = 0xffff_ffff_81bf_0e7f;
const NETFILTER: u64 = 0xffff_ffff_81b3_10b1;
const NDISC: u64 = 0xffff_ffff_81cb_2f04;
const OVS: u64 = 0xffff_ffff_c0a1_4e10;
const NOWHERE: u64 = 0xffff_ffff_8100_1234;
const DEEP: u64 = 0xffff_ffff_81b0_0c55;
const SOFTIRQ: u64 = 0xffff_ffff_8109_4f3e;
const FREE: u64 = 0xffff_ffff_81a7_7b68;
const TRACER: u64 = 0xffff_ffff_c020_0a5b;

fn symbol(name: &str, offset: usize) -> Symbol {
    let (source, inlined) = (None, Vec::new());
    Symbol { name: name.to_owned(), offset, module: None, source, inlined }
}

fn symbols() -> Symbols {
    let line = |file: &str, line| Some(SourceLine { file: file.to_owned(), line });
    let inlined = |name: &str, source| Inlined { name: name.to_owned(), source };
    let udp = Symbol {
        source: line("net/ipv4/udp.c", Some(2597)),
        inlined: vec![
            inlined("udp_unicast_rcv_skb", line("net/ipv4/udp.c", Some(2410))),
            inlined("udp_queue_rcv_skb", line("net/ipv4/udp.c", None)),
            inlined("skb_dst_drop", None),
        ],
        ..symbol("__udp4_lib_rcv", 0x8e2)
    };
    let tracer = Symbol {
        module: Some("bpf".to_owned()),
        ..symbol("bpf_prog_3b185187f1855c4c_kfree_skb", 0x5b)
    };
    let ovs =
        Symbol { module: Some("openvswitch".to_owned()), ..symbol("ovs_dp_process_packet", 0x1d0) };
    let frames = [
        (UDP, Some(udp)),
        (TCP, Some(symbol("tcp_v4_rcv", 0x7f))),
        (NETFILTER, Some(symbol("nf_hook_slow", 0xb1))),
        (NDISC, Some(symbol("ndisc_router_discovery", 0x104))),
        (OVS, Some(ovs)),
        (NOWHERE, None),
        (DEEP, Some(symbol("ip_local_deliver_finish", 0x75))),
        (SOFTIRQ, Some(symbol("handle_softirqs", 0xde))),
        (FREE, Some(symbol("sk_skb_reason_drop", 0x68))),
        (TRACER, Some(tracer)),
    ];
    Symbols::of_frames(frames.map(|(address, symbol)| Frame { address, symbol }))
}

fn sources() -> Sources {
    let base = kernels::vmlinux("6.12");
    let module = file(&kernels::module("6.12", "mac80211", &base).bytes());
    let base = Btf::open(&file(&base.bytes())).expect("BTF");
    let mut reasons = Reasons::of_btf(&base).expect("drop reasons");
    reasons.add_module(&Btf::open_split(&module, &base).expect("a module's BTF"));
    Sources { reasons, symbols: symbols(), clock: Clock::fixed(BOOT), world: World::nothing() }
}

fn text(color: bool, stack: Option<StackMode>) -> Text {
    let columns = Field::DEFAULT.to_vec();
    Text::new(sources(), TextConfig { columns, details: false, stack, color })
}

fn record(reason: u32, comm: &[u8], protocol: u16, len: u32, location: u64) -> DropRecord {
    let mut field = [0; COMM_LEN];
    field[..comm.len()].copy_from_slice(comm);
    DropRecord {
        boot_ns: 123_456_789 * u64::from(reason),
        location,
        reason,
        pid: 4243,
        tgid: 4242,
        cpu: 1,
        len,
        protocol,
        flags: FLAG_COMM | FLAG_REASON | FLAG_PROTOCOL | FLAG_LEN,
        comm: field,
        ..DropRecord::default()
    }
}

fn usual() -> [DropRecord; 6] {
    [
        record(3, b"nc", 0x0800, 33, UDP),
        record(11, b"ping", 0x0800, 84, NETFILTER),
        DropRecord { tgid: 0, ..record(33, b"swapper/0", 0x86dd, 1500, TCP) },
        DropRecord { tgid: 1_048_576, ..record(52, b"systemd-resolve", 0x0806, 28, NETFILTER) },
        record(2, b"kworker/u8:1-ev", 0, 65_536, TCP),
        record(34, b"nginx", 0x8100, 52, TCP),
    ]
}

/// A record as it comes from the ring, decoded.
fn drop_of(record: DropRecord, stack: &[u64]) -> Drop {
    let record = DropRecord { stack_len: stack.len() as u16, ..record };
    // SAFETY: the struct has no padding, so all its bytes are initialised.
    let fixed = unsafe { &*(&raw const record).cast::<[u8; size_of::<DropRecord>()]>() };
    let mut bytes = fixed.to_vec();
    bytes.extend(stack.iter().flat_map(|address| address.to_ne_bytes()));
    decode(&bytes).expect("a whole record")
}

fn render(mut text: Text, drops: impl IntoIterator<Item = Drop>) -> Vec<u8> {
    let mut out = Vec::new();
    text.heading(&mut out);
    for drop in drops {
        text.drop(&drop, &mut out);
    }
    out
}

fn render_plain(records: impl IntoIterator<Item = DropRecord>) -> Vec<u8> {
    let drops = records.into_iter().map(|record| drop_of(record, &[]));
    let out = render(text(false, None), drops);
    assert!(!out.iter().any(|&byte| byte.is_ascii_control() && byte != b'\n'));
    out
}

#[test]
fn usual_lines() {
    golden("usual.txt", &render_plain(usual()));
}

#[test]
fn usual_lines_are_narrow_and_aligned() {
    let out = String::from_utf8(render_plain(usual())).expect("text");
    let mut lines = out.lines();
    let heading = lines.next().expect("a heading");
    let column = |name: &str| heading.find(name).expect(name);
    assert_eq!(lines.clone().count(), usual().len());
    for line in lines {
        let line = line.split(" #").next().unwrap_or(line);
        assert!(line.len() <= 160, "{} columns: {line}", line.len());
        let words: Vec<_> = line.split_whitespace().collect();
        let [time, pid, comm, reason, iface, protocol, len, location, flow, owner] = words[..]
        else {
            panic!("{line} has no 10 columns")
        };
        let left = [("TIME", time), ("COMM", comm), ("REASON", reason), ("PROTO", protocol)];
        let right = [("IFACE", iface), ("LOCATION", location), ("FLOW", flow), ("OWNER", owner)];
        for (name, word) in left.into_iter().chain(right) {
            assert!(line[column(name)..].starts_with(word), "{name}: {line}");
            assert!(name == "TIME" || line[..column(name)].ends_with(' '), "{name}: {line}");
        }
        for (name, word) in [("PID", pid), ("LEN", len)] {
            assert!(line[..column(name) + name.len()].ends_with(word), "{name}: {line}");
        }
    }
}

#[test]
fn unusual_lines() {
    let odd = |comm: &[u8]| record(3, comm, 0x0800, 33, UDP);
    golden(
        "unusual.txt",
        &render_plain([
            // Only some fields known, or none.
            DropRecord { flags: 0, ..odd(b"leftover") },
            DropRecord { flags: FLAG_COMM | FLAG_REASON, ..odd(b"comm only") },
            DropRecord { flags: FLAG_REASON | FLAG_PROTOCOL | FLAG_LEN, ..odd(b"leftover") },
            // Protocols: none, without a name, long.
            record(3, b"nc", 0, 0, UDP),
            record(3, b"nc", 0x88b5, 33, UDP),
            record(3, b"nc", 0x00f6, u32::MAX, UDP),
            // Names of tasks: full, empty, with blanks, hostile.
            odd(b"sixteen bytes !!"),
            odd(b""),
            odd(b"two words"),
            odd("grüße".as_bytes()),
            odd(b"\x1b[31mred\x07\n"),
            odd(b"bad\xff\xfeutf8\x80"),
            odd(b"\\x1b quoted"),
            // Reasons: long names, numbers without a name, of subsystems.
            record(79, b"nc", 0x86dd, 48, NDISC),
            record(0, b"nc", 0x0800, 33, UDP),
            record(1, b"nc", 0x0800, 33, UDP),
            record(104, b"nc", 0x0800, 33, UDP),
            record(0x1_0002, b"nc", 0x0800, 33, UDP),
            record(0x3_0005, b"nc", 0x0800, 33, OVS),
            record(0x7_0003, b"nc", 0x0800, 33, UDP),
            record(0x2_0001, b"nc", 0x0800, 33, UDP),
            record(u32::MAX, b"nc", 0x0800, 33, UDP),
            // Locations without a symbol.
            record(3, b"nc", 0x0800, 33, NOWHERE),
            DropRecord { tgid: u32::MAX, boot_ns: u64::MAX, ..odd(b"nc") },
        ]),
    );
}

const UDP_STACK: [u64; 7] = [TRACER, FREE, UDP, DEEP, NOWHERE, OVS, SOFTIRQ];

fn with_stacks(mode: StackMode, color: bool) -> Vec<u8> {
    let usual = usual();
    let failed = DropRecord { flags: usual[0].flags | FLAG_STACK_FAILED, ..usual[0] };
    let drops = [
        drop_of(usual[0], &UDP_STACK),
        drop_of(usual[1], &[TRACER, FREE, NETFILTER, DEEP]),
        drop_of(usual[0], &UDP_STACK),
        // The same frames from another depth of the tracer are the same stack.
        drop_of(usual[0], &UDP_STACK[1..]),
        drop_of(failed, &[]),
        // The location was optimised away: what belongs to the tracer goes, and no more.
        drop_of(usual[2], &[TRACER, FREE, NETFILTER, FREE, DEEP]),
        drop_of(usual[2], &[TRACER, FREE]),
        // A recursion: the innermost of equal frames is the location.
        drop_of(usual[2], &[FREE, TCP, DEEP, TCP, SOFTIRQ]),
        drop_of(usual[1], &[NETFILTER, DEEP]),
    ];
    render(text(color, Some(mode)), drops)
}

#[test]
fn stacks_are_shown_once() {
    golden("stacks.txt", &with_stacks(StackMode::Once, false));
}

#[test]
fn stacks_are_shown_in_full() {
    golden("stacks-full.txt", &with_stacks(StackMode::Full, false));
}

#[test]
fn colours() {
    let coloured = with_stacks(StackMode::Once, true);
    golden("colours.txt", &coloured);
    // Without its colours it is the same text, and no colour reaches into the next line.
    let mut plain = String::new();
    for line in String::from_utf8(coloured).expect("text").lines() {
        let mut parts = line.split('\x1b');
        plain += parts.next().unwrap_or_default();
        let mut last = "";
        for part in parts {
            let (code, rest) = part.split_once('m').expect("the end of a code");
            (last, plain) = (code, plain + rest);
        }
        assert!(["", "[0"].contains(&last), "{line:?}");
        plain.push('\n');
    }
    assert_eq!(plain.as_bytes(), with_stacks(StackMode::Once, false));
}

#[test]
fn without_stacks_records_that_have_one_look_the_same() {
    let [usual, ..] = usual();
    assert_eq!(
        render(text(false, None), [drop_of(usual, &UDP_STACK)]),
        render(text(false, None), [drop_of(usual, &[])])
    );
}

/// Counts of all kinds of keys, with a long name, a hostile one, and parts that are not known.
fn counts() -> Vec<(Key, u64)> {
    let key = |reason, location, protocol, (index, name): (u32, &[u8]), netns| {
        let mut field = [0; COMM_LEN];
        field[..name.len()].copy_from_slice(name);
        let name = Some(Name::of_field(field)).filter(|_| !name.is_empty());
        Key {
            reason: Some(reason),
            location: Some(location),
            protocol: Some(protocol),
            interface: Some(Interface { index, name }),
            netns: Some(netns),
            flow: None,
        }
    };
    let flow = |source: &str, destination: &str, ports, l4| {
        let address = |text: &str| text.parse().expect("an address");
        let (source, destination) = (address(source), address(destination));
        Some(Flow { source, destination, ports, l4 })
    };
    let dns = flow("192.0.2.1", "192.0.2.53", Some((40_000, 53)), Some(17));
    let six = flow("2001:db8::1", "2001:db8::2", None, Some(58));
    let bare = flow("192.0.2.1", "192.0.2.255", None, None);
    vec![
        (Key { flow: dns, ..key(3, UDP, 0x0800, (2, b"eth0"), 4_026_531_840) }, 1_234_567),
        (Key { flow: bare, ..key(3, UDP, 0x0800, (7, b"eth0"), 4_026_532_177) }, 433),
        (Key { flow: six, ..key(79, NDISC, 0x86dd, (3, b"a \x1b[31m\xff"), 4_026_531_840) }, 50),
        (key(0x3_0005, OVS, 0x88b5, (9, b""), 4_026_531_840), 50),
        (key(34, NOWHERE, 0, (0, b""), 4_026_531_840), 7),
        (Key { location: Some(TCP), ..Key::default() }, 3),
        // No drops are no row.
        (key(11, NETFILTER, 0x0800, (2, b"eth0"), 4_026_531_840), 0),
    ]
}

fn plain_table(by: &[By], sort: Sort, rows: Option<usize>, rates: Rates) -> Vec<u8> {
    let config = TableConfig { by: by.to_vec(), sort, rows, max_keys: 6 };
    let mut table = Table::new(config.by.clone(), 0);
    let at = Instant::now();
    let counters = Counters::default();
    let before = counts().into_iter().map(|(key, drops)| (key, drops / 2)).collect();
    table.feed(&Snapshot { at, rows: before, other: 10, counters });
    let at = at + Duration::from_secs(2);
    table.feed(&Snapshot { at, rows: counts(), other: 110, counters });
    let mut out = Vec::new();
    plain_table::write(&table, &config, rates, &mut sources(), &mut out);
    assert!(!out.iter().any(|&byte| byte.is_ascii_control() && byte != b'\n'));
    out
}

#[test]
fn tables() {
    let mean = Rates::Mean(10.0);
    let tables = [
        plain_table(&[By::Reason, By::Location], Sort::Total, None, Rates::Lately),
        plain_table(&By::ALL, Sort::Total, None, mean),
        plain_table(&[By::Interface, By::Protocol], Sort::Key(By::Protocol), None, mean),
        plain_table(&[By::Interface], Sort::Rate, None, Rates::Lately),
        plain_table(&[By::Reason], Sort::Total, Some(2), mean),
    ];
    golden("tables.txt", &tables.join(&b'\n'));
}

/// A table as in [`plain_table`], and hints below it.
#[test]
fn tables_tell_what_their_reasons_mean() {
    let by = vec![By::Reason, By::Netns];
    let config = TableConfig { by, sort: Sort::Total, rows: Some(3), max_keys: 6 };
    let mut table = Table::new(config.by.clone(), 0);
    let (at, counters) = (Instant::now(), Counters::default());
    table.feed(&Snapshot { at, rows: counts(), other: 0, counters });
    let hints = Hints::new(Entries::load().expect("the data"));
    let (mut out, mut sources) = (Vec::new(), sources());
    plain_table::write(&table, &config, Rates::Lately, &mut sources, &mut out);
    plain_table::write_hints(&table, &config, &hints, 80, &mut sources, &mut out);
    golden("tables-hints.txt", &out);
}

#[test]
fn metrics() {
    let mut all = Vec::new();
    for (format, by, rows) in [
        (Format::OpenMetrics, &By::ALL[..], None),
        (Format::OpenMetrics, &[By::Reason, By::Interface], Some(2)),
        (Format::Prometheus, &[By::Reason, By::Location], None),
    ] {
        let config = TableConfig { by: by.to_vec(), sort: Sort::Total, rows, max_keys: 6 };
        let mut table = Table::new(config.by.clone(), 0);
        let matched = counts().iter().map(|(_, drops)| drops).sum::<u64>() + 110;
        let counters = Counters { seen: matched + 17, matched, other: 110, ..Counters::default() };
        table.feed(&Snapshot { at: Instant::now(), rows: counts(), other: 110, counters });
        let start = Duration::from_nanos(BOOT as u64);
        let totals = Totals { counters, missed: 2, start };
        Exposition::new(format).write(&table, &config, &totals, &mut sources(), &mut all);
        all.push(b'\n');
    }
    golden("metrics.txt", &all);
}

fn dropwatch(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_dropwatch"))
        .args(arguments)
        .env("COLUMNS", "100")
        .output()
        .expect("the program runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    output.stdout
}

fn list_reasons(arguments: &[&str]) -> Vec<u8> {
    let base = kernels::vmlinux("6.12");
    let modules =
        ["openvswitch", "mac80211"].map(|name| file(&kernels::module("6.12", name, &base).bytes()));
    let kernel = file(&base.bytes());
    let mut all = vec!["list-reasons"];
    for path in [&kernel, &modules[0], &modules[1]] {
        all.extend(["--btf", path.to_str().expect("text")]);
    }
    all.extend(arguments);
    dropwatch(&all)
}

#[test]
fn reasons_as_a_table() {
    golden("list-reasons.txt", &list_reasons(&[]));
    golden("list-reasons-pattern.txt", &list_reasons(&["csum"]));
}

#[test]
fn reasons_as_json() {
    golden("list-reasons.json", &list_reasons(&["--json"]));
}

/// The arguments for the BTF of a kernel that is always the same.
fn explain(arguments: &[&str]) -> Vec<u8> {
    let kernel = file(&kernels::vmlinux("6.12").bytes());
    let btf = ["explain", "--btf", kernel.to_str().expect("text")];
    dropwatch(&[&btf, arguments].concat())
}

#[test]
fn explanations() {
    golden("explain.txt", &explain(&["NO_SOCKET", "QDISC_DROP_OVERLIMIT"]));
    golden("explain-colours.txt", &explain(&["NO_SOCKET", "--color", "always"]));
    golden("explain.json", &explain(&["NO_SOCKET", "QDISC_DROP_OVERLIMIT", "--json"]));
}

#[test]
fn tags() {
    let tags = dropwatch(&["--explain-tags"]);
    assert_eq!(dropwatch(&["explain", "--tags"]), tags);
    golden("explain-tags.txt", &tags);
    let tags = dropwatch(&["--explain-tags", "--json"]);
    assert_eq!(dropwatch(&["explain", "--tags", "--json"]), tags);
}

/// A drop that is likely harmless, and one that is not.
fn with_tag() -> [DropRecord; 2] {
    [record(33, b"nc", 0x0800, 52, TCP), record(3, b"nc", 0x0800, 33, UDP)]
}

#[test]
fn harmless_drops_have_a_tag() {
    let [old_data, no_socket] = with_tag();
    let tagged = String::from_utf8(render_plain([old_data])).expect("text");
    assert!(tagged.ends_with(" #tcp-again\n"), "{tagged}");
    let plain = String::from_utf8(render_plain([no_socket])).expect("text");
    assert!(!plain.contains('#'), "{plain}");
}

#[test]
fn reasons_have_a_hint_the_first_time() {
    let hints = Hints::new(Entries::load().expect("the data"));
    let drops = [3, 33, 3, 104, 33].map(|raw| drop_of(record(raw, b"nc", 0x0800, 33, UDP), &[]));
    golden("hints.txt", &render(text(false, None).with_hints(hints), drops));
}

#[test]
fn help() {
    for (name, arguments) in [
        ("help-explain.txt", &["explain", "--help"][..]),
        ("help-doctor.txt", &["doctor", "--help"]),
        ("help-top.txt", &["top", "-h"]),
        ("help.txt", &["--help"]),
        ("help-short.txt", &["-h"]),
        ("help-list-reasons.txt", &["list-reasons", "--help"]),
    ] {
        let help = dropwatch(arguments);
        let widest = str::from_utf8(&help).expect("text").lines().map(|line| line.chars().count());
        assert!(widest.max() <= Some(100), "{name}");
        golden(name, &help);
    }
}
