//! What the headers of a packet cost to read and to write as one line, by what is in it:
//! `cargo bench -p dropwatch-cli --bench packets`.

use std::hint::black_box;

use divan::{Bencher, counter::ItemsCount};
use dropwatch::packet::{Packet, Snapshot};
use packets::Sample;

#[path = "../tests/support/packets/mod.rs"]
#[expect(dead_code, reason = "what is written of them is tested elsewhere")]
mod packets;

/// From the simplest to a packet in a packet.
const NAMES: [&str; 7] = ["udp", "tcp", "udp6", "tcp6", "icmp port", "vxlan", "arp request"];

fn main() {
    divan::main();
}

#[divan::bench(args = NAMES)]
fn parse(bencher: Bencher<'_, '_>, name: &str) {
    let sample = sample(name);
    let snapshot = snapshot(&sample);
    bencher
        .counter(ItemsCount::new(1_usize))
        .bench_local(|| black_box(Packet::parse(black_box(&snapshot))));
}

#[divan::bench(args = NAMES)]
fn summary(bencher: Bencher<'_, '_>, name: &str) {
    let packet = Packet::parse(&snapshot(&sample(name)));
    let mut out = Vec::new();
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        out.clear();
        black_box(&packet).write_summary(&mut out);
        black_box(&out);
    });
    assert!(!out.is_empty(), "something was written");
}

fn sample(name: &str) -> Sample {
    packets::samples().into_iter().find(|sample| sample.name == name).expect("there is one")
}

fn snapshot(sample: &Sample) -> Snapshot<'_> {
    Snapshot {
        bytes: &sample.bytes,
        mac: Some(0),
        network: Some(sample.network),
        transport: None,
        protocol: sample.protocol,
        vlan: None,
        cut: false,
    }
}
