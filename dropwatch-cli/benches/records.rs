//! What a record costs on its way from the ring to the screen: `cargo bench -p dropwatch-cli`.
//!
//! An item is a record, or a frame of a stack; all names are known already, as they are after the
//! first of equal drops.

use std::hint::black_box;

use divan::{Bencher, counter::ItemsCount};
use dropwatch::{
    cli::StackMode,
    clock::Clock,
    decode::decode,
    drop::Drop,
    kernel::reasons::Reasons,
    render::{
        Render,
        fields::Field,
        json::Json,
        sources::Sources,
        text::{Text, TextConfig},
    },
    symbols::{Frame, Symbol, Symbols},
    world::World,
};
use dropwatch_common::record::{
    DeviceRecord, DropRecord, FLAG_COMM, FLAG_CONTEXT, FLAG_DEVICE, FLAG_FULL_SOCKET, FLAG_IIF,
    FLAG_LEN, FLAG_NETNS, FLAG_PACKET, FLAG_PROTOCOL, FLAG_REASON, FLAG_RECEIVER, FLAG_SOCKET,
    PACKET_LEN, PacketRecord, SocketRecord,
};

/// So many records are handled at a time, as when the ring is drained.
const BATCH: usize = 64;
/// Frames of a usual stack.
const DEPTH: u64 = 24;

const FIRST: u64 = 0xffff_ffff_8100_0000;
const IPV4: u16 = 0x0800;
const NETWORK: u16 = 14;
const TRANSPORT: u16 = 34;
const UDP: u8 = 17;
const TCP: u8 = 6;
const LOCAL: [u8; 4] = [192, 0, 2, 1];
const REMOTE: [u8; 4] = [198, 51, 100, 7];

fn main() {
    divan::main();
}

#[divan::bench]
fn decode_record(bencher: Bencher<'_, '_>) {
    let records: Vec<_> = records().map(|record| bytes(record, 0)).collect();
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for record in &records {
            let _ = black_box(decode(black_box(record)));
        }
    });
}

#[divan::bench]
fn decode_record_with_stack(bencher: Bencher<'_, '_>) {
    let records: Vec<_> = records().map(|record| bytes(record, DEPTH)).collect();
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for record in &records {
            let _ = black_box(decode(black_box(record)));
        }
    });
}

#[divan::bench]
fn text(bencher: Bencher<'_, '_>) {
    render(bencher, of_text(false, None), &drops(0));
}

#[divan::bench]
fn text_with_all_context(bencher: Bencher<'_, '_>) {
    render(bencher, of_text(true, None), &drops(0));
}

#[divan::bench]
fn text_with_stack_seen_before(bencher: Bencher<'_, '_>) {
    render(bencher, of_text(false, Some(StackMode::Once)), &drops(DEPTH));
}

#[divan::bench]
fn text_with_stack_in_full(bencher: Bencher<'_, '_>) {
    render(bencher, of_text(false, Some(StackMode::Full)), &drops(DEPTH));
}

#[divan::bench]
fn json(bencher: Bencher<'_, '_>) {
    render(bencher, Json::new(sources()), &drops(0));
}

#[divan::bench]
fn json_with_stack(bencher: Bencher<'_, '_>) {
    render(bencher, Json::new(sources()), &drops(DEPTH));
}

#[divan::bench]
fn symbol_seen_before(bencher: Bencher<'_, '_>) {
    let mut symbols = symbols();
    bencher.counter(ItemsCount::new(DEPTH)).bench_local(|| {
        for address in addresses(DEPTH) {
            black_box(symbols.frame(black_box(address)));
        }
    });
}

fn render(bencher: Bencher<'_, '_>, mut format: impl Render, drops: &[Drop]) {
    let mut out = Vec::new();
    bencher.counter(ItemsCount::new(drops.len())).bench_local(|| {
        out.clear();
        for drop in drops {
            format.drop(black_box(drop), &mut out);
        }
        black_box(&out);
    });
    assert!(!out.is_empty(), "something was rendered");
}

fn of_text(details: bool, stack: Option<StackMode>) -> Text {
    let columns = Field::DEFAULT.to_vec();
    Text::new(sources(), TextConfig { columns, details, stack, color: false })
}

fn sources() -> Sources {
    let names = [(3, "SKB_DROP_REASON_NO_SOCKET"), (11, "SKB_DROP_REASON_NETFILTER_DROP")];
    let names = names.map(|(number, name)| (number, name.to_owned()));
    Sources {
        reasons: Reasons::of_trace_event(&names),
        symbols: symbols(),
        clock: Clock::fixed(0),
        world: World::nothing(),
    }
}

fn symbols() -> Symbols {
    Symbols::of_frames(addresses(DEPTH).map(|address| {
        let name = format!("__netif_receive_skb_{}", address % 1000);
        let (module, source, inlined) = (None, None, Vec::new());
        Frame { address, symbol: Some(Symbol { name, offset: 0x8d, module, source, inlined }) }
    }))
}

fn addresses(count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(|number| FIRST + 0x1235 * number)
}

fn drops(depth: u64) -> Vec<Drop> {
    records().map(|record| decode(&bytes(record, depth)).expect("a whole record")).collect()
}

/// Datagrams to a closed port, and segments that a rule drops on their way to a socket.
fn records() -> impl Iterator<Item = DropRecord> {
    (0..BATCH).map(|number| {
        let record = if number % 2 == 0 { datagram() } else { segment() };
        DropRecord { boot_ns: 1_000_000_007 * number as u64, ..record }
    })
}

fn datagram() -> DropRecord {
    DropRecord {
        location: FIRST,
        reason: 3,
        pid: 4243,
        tgid: 4242,
        cpu: 1,
        len: 72,
        flags: FLAG_REASON
            | FLAG_PROTOCOL
            | FLAG_LEN
            | FLAG_COMM
            | FLAG_CONTEXT
            | FLAG_DEVICE
            | FLAG_IIF
            | FLAG_NETNS
            | FLAG_PACKET,
        preempt_count: 0x100,
        protocol: IPV4,
        comm: *b"systemd-resolve\0",
        device: DeviceRecord {
            name: *b"enp0s31f6\0\0\0\0\0\0\0",
            index: 2,
            skb_iif: 2,
            netns: 4_026_531_840,
            kind: 1,
            reserved: 0,
        },
        packet: packet(UDP, &[0x9c, 0x40, 0, 9, 0, 72, 0, 0]),
        ..DropRecord::default()
    }
}

fn segment() -> DropRecord {
    let datagram = datagram();
    let address = |bytes: [u8; 4]| {
        let mut field = [0; 16];
        field[..4].copy_from_slice(&bytes);
        field
    };
    DropRecord {
        reason: 11,
        flags: datagram.flags | FLAG_SOCKET | FLAG_RECEIVER | FLAG_FULL_SOCKET,
        socket: SocketRecord {
            address: 0xffff_8881_0123_4500,
            cookie: 7,
            inode: 123_456,
            uid: 1000,
            family: 2,
            kind: 1,
            protocol: TCP.into(),
            local_port: 443,
            remote_port: 40_000,
            state: 1,
            local: address(LOCAL),
            remote: address(REMOTE),
            ..SocketRecord::default()
        },
        packet: packet(
            TCP,
            &[0x9c, 0x40, 1, 0xbb, 0, 0, 0, 123, 0, 0, 0, 7, 0x50, 0x18, 0xfa, 0xf0, 0, 0, 0, 0],
        ),
        ..datagram
    }
}

/// Ethernet, IPv4, and a header behind these.
fn packet(protocol: u8, transport: &[u8]) -> PacketRecord {
    const TOTAL: u8 = 92;
    let ethernet = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    let ip = [0x45, 0, 0, TOTAL, 0x12, 0x34, 0x40, 0, 64, protocol, 0, 0];
    let headers = [&ethernet[..], &ip, &REMOTE, &LOCAL, transport].concat();
    let mut bytes = [0x5a; PACKET_LEN];
    bytes[..headers.len()].copy_from_slice(&headers);
    let len = NETWORK + u16::from(TOTAL);
    PacketRecord {
        mac: 0,
        network: NETWORK,
        transport: TRANSPORT,
        len,
        linear_len: len,
        bytes,
        ..PacketRecord::default()
    }
}

/// A record as it lies in the ring.
fn bytes(record: DropRecord, depth: u64) -> Vec<u8> {
    let record = DropRecord { stack_len: depth as u16, ..record };
    // SAFETY: the struct has no padding, so all its bytes are initialised.
    let fixed = unsafe { &*(&raw const record).cast::<[u8; size_of::<DropRecord>()]>() };
    fixed.iter().copied().chain(addresses(depth).flat_map(u64::to_ne_bytes)).collect()
}
