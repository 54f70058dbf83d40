//! JSON: what its schema promises holds for drops of all kinds.

#[path = "support/packets/mod.rs"]
#[expect(dead_code, reason = "what is written of them is tested elsewhere")]
mod packets;
#[path = "support/random.rs"]
mod random;
#[expect(dead_code, reason = "modules of the kernel are tested elsewhere")]
mod support;

use std::{env, ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path};

use dropwatch::{
    cli::StackMode,
    clock::Clock,
    decode::decode,
    drop::Name,
    kernel::{btf::Btf, reasons::Reasons},
    recording::{self, line::Recorded},
    render::{
        Render,
        fields::Field,
        json::Json,
        sources::Sources,
        text::{Text, TextConfig},
    },
    symbols::{Frame, Inlined, SourceLine, Symbol, Symbols},
    world::{Facts, World, netns::NetnsName, owners::Owner},
};
use dropwatch_common::record::{
    DeviceRecord, DropRecord, FLAG_CGROUP, FLAG_COMM, FLAG_CONTEXT, FLAG_DEVICE, FLAG_FULL_SOCKET,
    FLAG_IIF, FLAG_LEN, FLAG_NETNS, FLAG_PACKET, FLAG_PROTOCOL, FLAG_REASON, FLAG_RECEIVER,
    FLAG_SOCKET, FLAG_VLAN, MAX_STACK_DEPTH, PACKET_LEN, PacketRecord, SocketRecord,
};
use jsonschema::Validator;
use packets::Sample;
use serde_json::Value;
use support::{file, kernels};

/// 2026-11-23T15:04:05Z
const BOOT: i64 = 1_795_446_245_000_000_000;
const UDP: u64 = 0xffff_ffff_81c2_3a41;
const OVS: u64 = 0xffff_ffff_c0a1_4e10;
/// Ends in a byte that is not of UTF-8.
const HOSTILE: &[u8] = b"\"\\\x1b\n\t\xe2\x80\xa8\xc3\xa4\xff";
const NOWHERE: u64 = 0xffff_ffff_8100_1234;

fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/drop.schema.json");
    serde_json::from_str(&fs::read_to_string(path).expect("the schema")).expect("JSON")
}

fn validator() -> Validator {
    jsonschema::options().should_validate_formats(true).build(&schema()).expect("a schema")
}

fn assert_valid(validator: &Validator, line: &str) {
    let drop: Value = serde_json::from_str(line).expect("JSON");
    let errors = validator.iter_errors(&drop).map(|it| format!("{}: {it}", it.instance_path()));
    let errors: Vec<_> = errors.collect();
    assert!(errors.is_empty(), "{errors:#?}\n{drop:#}");
}

fn sources() -> Sources {
    let base = Btf::open(&file(&kernels::vmlinux("6.12").bytes())).expect("BTF");
    let symbol = |name: &str, offset| Symbol {
        name: name.to_owned(),
        offset,
        module: None,
        source: None,
        inlined: Vec::new(),
    };
    let source = Some(SourceLine { file: "net/ipv4/udp.c".to_owned(), line: Some(2597) });
    let inlined = Inlined { name: "udp_queue_rcv_skb".to_owned(), source: source.clone() };
    let udp = Symbol { source, inlined: vec![inlined], ..symbol("__udp4_lib_rcv", 0x8e2) };
    let module = Some("openvswitch".to_owned());
    let ovs = Symbol { module, ..symbol("ovs_dp_process_packet", 0x1d0) };
    let frames = [(UDP, Some(udp)), (OVS, Some(ovs)), (NOWHERE, None)];
    Sources {
        reasons: Reasons::of_btf(&base).expect("drop reasons"),
        symbols: Symbols::of_frames(frames.map(|(address, symbol)| Frame { address, symbol })),
        clock: Clock::fixed(BOOT),
        world: World::nothing(),
    }
}

fn bytes_of(record: &DropRecord, stack: &[u64]) -> Vec<u8> {
    let record = DropRecord { stack_len: stack.len() as u16, ..*record };
    // SAFETY: the struct has no padding, so all its bytes are initialised.
    let fixed = unsafe { &*(&raw const record).cast::<[u8; size_of::<DropRecord>()]>() };
    fixed.iter().copied().chain(stack.iter().flat_map(|frame| frame.to_ne_bytes())).collect()
}

/// The line of a drop.
fn line(json: &mut Json, bytes: &[u8]) -> String {
    let mut out = Vec::new();
    json.drop(&decode(bytes).expect("a whole record"), &mut out);
    let text = String::from_utf8(out).expect("UTF-8");
    let line = text.strip_suffix('\n').expect("a whole line");
    assert!(!line.contains(|it: char| it.is_control()), "{line:?}");
    line.to_owned()
}

/// Somewhere else, where nothing is known of the machine, the same line comes out of it.
fn assert_reads_back(line: &str) {
    let Recorded { drop, names } = match recording::line::read(line.as_bytes()) {
        Ok(recorded) => recorded,
        // A stamp can be anything, and before 1970 there were no drops.
        Err(why) if why.ends_with("is no time of a drop") => return,
        Err(why) => panic!("{why}: {line}"),
    };
    let mut sources = Sources {
        reasons: Reasons::default(),
        symbols: Symbols::none(),
        clock: Clock::fixed(0),
        world: World::nothing(),
    };
    recording::learn(&mut sources, &drop, names);
    let mut again = Vec::new();
    Json::new(sources).drop(&drop, &mut again);
    assert_eq!(String::from_utf8(again).expect("UTF-8").trim_end(), line);
}

fn name<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut name = [0; N];
    name[..text.len()].copy_from_slice(text);
    name
}

/// A drop of a packet, everything about which is known.
fn record(sample: &Sample) -> DropRecord {
    let len = sample.bytes.len().min(PACKET_LEN);
    let mut bytes = [0; PACKET_LEN];
    bytes[..len].copy_from_slice(&sample.bytes[..len]);
    DropRecord {
        boot_ns: 123_456_789,
        location: UDP,
        reason: 3,
        pid: 4243,
        tgid: 4242,
        cpu: 1,
        len: sample.bytes.len() as u32,
        protocol: sample.protocol,
        flags: FLAG_COMM
            | FLAG_REASON
            | FLAG_PROTOCOL
            | FLAG_LEN
            | FLAG_CONTEXT
            | FLAG_DEVICE
            | FLAG_IIF
            | FLAG_NETNS
            | FLAG_SOCKET
            | FLAG_RECEIVER
            | FLAG_FULL_SOCKET
            | FLAG_CGROUP
            | FLAG_PACKET,
        preempt_count: 0x100,
        comm: name(b"nginx"),
        device: DeviceRecord {
            name: name(b"eth0"),
            index: 2,
            skb_iif: 2,
            netns: 4_026_531_840,
            kind: 1,
            reserved: 0,
        },
        socket: SocketRecord {
            address: 0xffff_8881_0984_9800,
            cookie: 77,
            inode: 12_345,
            cgroup: 1,
            uid: 1000,
            family: 2,
            kind: 2,
            protocol: 17,
            local_port: 9,
            remote_port: 40_000,
            state: 7,
            local: name(&[10, 0, 0, 2]),
            remote: name(&[10, 0, 0, 1]),
            reserved: 0,
        },
        packet: PacketRecord {
            mac: 0,
            network: sample.network as u16,
            transport: u16::MAX,
            len: len as u16,
            linear_len: len as u16,
            bytes,
            ..PacketRecord::default()
        },
        ..DropRecord::default()
    }
}

/// The schema's objects, with where they are.
fn objects<'a>(at: &str, schema: &'a Value, found: &mut Vec<(String, &'a Value)>) {
    match schema {
        Value::Object(members) => {
            if members.get("properties").is_some_and(Value::is_object) {
                found.push((at.to_owned(), schema));
            }
            members.iter().for_each(|(name, it)| objects(&format!("{at}/{name}"), it, found));
        }
        Value::Array(items) => items.iter().for_each(|it| objects(at, it, found)),
        _ => {}
    }
}

#[test]
fn the_schema_is_strict_and_tells_what_each_member_is() {
    let schema = schema();
    jsonschema::meta::validate(&schema).expect("a schema as draft 2020-12 says");
    let mut found = Vec::new();
    objects("", &schema, &mut found);
    assert!(found.len() > 20);
    for (at, object) in found {
        assert_eq!(object["additionalProperties"], false, "{at}");
        let properties = object["properties"].as_object().expect("an object");
        let required = object["required"].as_array().expect("an array");
        let names: Vec<_> = required.iter().filter_map(Value::as_str).collect();
        assert!(properties.keys().all(|it| names.contains(&it.as_str())), "{at}: {names:?}");
        for (name, member) in properties {
            let described = member["description"].as_str().is_some_and(|it| !it.is_empty());
            assert!(described, "{at}/{name} is not described");
        }
    }
    assert_eq!(schema["properties"]["version"]["const"], 1);
}

/// What is known of all kinds of packets, and of nothing.
fn golden_lines() -> Vec<String> {
    let mut json = Json::new(sources());
    let wanted = ["tcp", "udp6", "icmp mtu", "arp request", "two vlans", "vxlan", "gre key"];
    let samples = packets::samples();
    let all = samples.iter().filter(|it| wanted.contains(&it.name)).map(record);
    let mut lines: Vec<_> = all.map(|it| line(&mut json, &bytes_of(&it, &[]))).collect();
    let with_stack = record(&samples[0]);
    lines.push(line(&mut json, &bytes_of(&with_stack, &[UDP, NOWHERE, OVS])));
    let vlan = DropRecord { flags: with_stack.flags | FLAG_VLAN, ..with_stack };
    let tag = PacketRecord { vlan_proto: 0x8100, vlan_tci: 0xb007, ..vlan.packet };
    lines.push(line(&mut json, &bytes_of(&DropRecord { packet: tag, ..vlan }, &[])));
    // Nothing is known.
    lines.push(line(&mut json, &bytes_of(&DropRecord::default(), &[])));
    lines
}

#[test]
fn lines_are_as_they_were() {
    let validator = validator();
    let lines = golden_lines();
    lines.iter().for_each(|line| assert_valid(&validator, line));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/drops.json");
    let actual = lines.join("\n") + "\n";
    if env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        fs::write(&path, &actual).expect("the golden file");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    for (expected, actual) in expected.lines().zip(&lines) {
        assert_eq!(actual, expected, "see whether UPDATE_GOLDEN=1 makes a good difference");
    }
    assert_eq!(actual, expected);
}

#[test]
fn each_kind_of_packet_is_as_the_schema_says() {
    let (validator, mut json) = (validator(), Json::new(sources()));
    let mut known = 0;
    for sample in packets::samples() {
        let line = line(&mut json, &bytes_of(&record(&sample), &[]));
        assert_valid(&validator, &line);
        let drop: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(drop["packet"]["summary"], sample.summary, "{}", sample.name);
        known += 1;
    }
    assert!(known > 60);
}

#[test]
fn a_wrong_line_is_not_as_the_schema_says() {
    let validator = validator();
    let good: Value = serde_json::from_str(&golden_lines()[0]).expect("JSON");
    assert!(validator.is_valid(&good));
    for (at, wrong) in [
        ("/version", 2.into()),
        ("/time", "yesterday".into()),
        ("/context", "process".into()),
        ("/packet/source", "10.0.0.256".into()),
        ("/packet/link/source", "2:0:0:0:0:1".into()),
        ("/packet/ipv4/ttl", 256.into()),
        ("/packet/bytes", "abc".into()),
        ("/socket/address", 5.into()),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(at).expect("a member") = wrong;
        assert!(!validator.is_valid(&bad), "{at}");
    }
    let mut bad = good.clone();
    bad["further"] = Value::Null;
    assert!(!validator.is_valid(&bad));
}

/// Where everything has a name that is meant to do harm.
fn hostile() -> Sources {
    let owner = Owner { pid: 7, comm: Name::of_field(name(HOSTILE)), others: 3 };
    let symbol = |address, name: &str| {
        let name = name.to_owned();
        let source = Some(SourceLine { file: name.clone(), line: None });
        let inlined = vec![Inlined { name: name.clone(), source: source.clone() }];
        let module = Some(name.clone());
        Frame { address, symbol: Some(Symbol { name, offset: 1, module, source, inlined }) }
    };
    let text = str::from_utf8(&HOSTILE[..HOSTILE.len() - 1]).expect("UTF-8");
    Sources {
        symbols: Symbols::of_frames([UDP, OVS].map(|address| symbol(address, text))),
        world: World::fixed(Facts {
            owners: vec![((12_345, 0xffff_8881_0984_9800), owner)],
            namespaces: vec![(4_026_531_840, NetnsName::Named(HOSTILE.to_vec()))],
            interfaces: vec![((4_026_531_840, 3), Name::of_field(name(HOSTILE)))],
            cgroups: vec![(1, OsStr::from_bytes(HOSTILE).into())],
            users: vec![(1000, HOSTILE.to_vec())],
        }),
        ..sources()
    }
}

#[test]
fn hostile_names_arrive_whole() {
    let (validator, mut json) = (validator(), Json::new(hostile()));
    let mut record = record(&packets::samples()[0]);
    record.comm = name(HOSTILE);
    (record.device.name, record.device.skb_iif) = (name(HOSTILE), 3);
    let bytes = bytes_of(&record, &[UDP, OVS]);
    let first = line(&mut json, &bytes);
    assert_eq!(line(&mut json, &bytes), first, "the same when it has been written before");
    assert_valid(&validator, &first);
    let drop: Value = serde_json::from_str(&first).expect("JSON");
    // As text shows them; and as they are, where JSON can.
    let shown = "\"\\\\\\u{1b}\\n\\t\\u{2028}\u{e4}\\xff";
    let whole = "\"\\\u{1b}\n\t\u{2028}\u{e4}\u{fffd}";
    let text = whole.trim_end_matches('\u{fffd}');
    for (at, expected) in [
        ("/task/comm", shown),
        ("/device/name", shown),
        ("/input/name", shown),
        ("/netns/name", whole),
        ("/socket/user", whole),
        ("/socket/cgroup/path", whole),
        ("/socket/owner/comm", shown),
        ("/location/symbol", text),
        ("/location/module", text),
        ("/location/file", text),
        ("/stack/1/inlined/0/symbol", text),
        ("/stack/1/inlined/0/file", text),
    ] {
        assert_eq!(drop.pointer(at).and_then(Value::as_str), Some(expected), "{at}");
    }
}

/// Any record: noise, and often headers that lead further.
fn noise(random: &mut impl FnMut() -> usize, samples: &[Sample]) -> Vec<u8> {
    let depth = if random().is_multiple_of(8) { random() % (MAX_STACK_DEPTH + 1) } else { 0 };
    let stack: Vec<u64> = (0..depth).map(|_| random() as u64).collect();
    let bytes: Vec<u8> = (0..size_of::<DropRecord>()).map(|_| random() as u8).collect();
    // SAFETY: any bytes make a valid struct of integers, and there are as many.
    let mut any = unsafe { bytes.as_ptr().cast::<DropRecord>().read_unaligned() };
    if !random().is_multiple_of(4) {
        let mut known = record(&samples[random() % samples.len()]);
        for _ in 0..random() % 8 {
            known.packet.bytes[random() % PACKET_LEN] = random() as u8;
        }
        if random().is_multiple_of(2) {
            known.packet.len = (random() % (PACKET_LEN + 1)) as u16;
        }
        known.flags |= any.flags;
        if random().is_multiple_of(2) {
            (known.socket, known.device, known.comm) = (any.socket, any.device, any.comm);
        }
        any = known;
    }
    bytes_of(&any, &stack)
}

#[test]
fn any_record_can_be_written() {
    let (validator, samples) = (validator(), packets::samples());
    let mut json = Json::new(hostile());
    let config = TextConfig {
        columns: Field::ALL.to_vec(),
        details: true,
        stack: Some(StackMode::Once),
        color: false,
    };
    // The names of functions are the kernel's own, and text shows them as they are.
    let text_sources = Sources { symbols: sources().symbols, ..hostile() };
    let mut text = Text::new(text_sources, config);
    let mut number = random::numbers();
    let mut random = || (number() >> 16) as usize;
    for number in 0..100_000 {
        let bytes = noise(&mut random, &samples);
        let line = line(&mut json, &bytes);
        if number % 10 == 0 {
            assert_reads_back(&line);
        }
        if number % 200 == 0 {
            assert_valid(&validator, &line);
        } else {
            serde_json::from_str::<serde::de::IgnoredAny>(&line).expect("JSON");
        }
        let mut out = Vec::new();
        text.drop(&decode(&bytes).expect("a whole record"), &mut out);
        let out = String::from_utf8(out).expect("UTF-8");
        assert!(!out.contains(|it: char| it.is_control() && it != '\n'), "{out:?}");
        // What belongs to a drop is indented.
        assert!(out.lines().skip(1).all(|line| line.starts_with("    ")), "{out:?}");
    }
}
