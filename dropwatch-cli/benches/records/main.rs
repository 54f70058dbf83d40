//! What a record costs on its way from the ring to the screen: `cargo bench -p dropwatch-cli`.
//!
//! An item is a record, or a frame of a stack. The records are those of a thousand drops of many
//! kinds, see [`traffic`]. `record_to_…` is the whole way: decoded, rendered,
//! and counted for the table at the end.

mod traffic;
mod world;

use std::hint::black_box;

use divan::{Bencher, counter::ItemsCount};
use dropwatch::{
    cli::StackMode,
    counts::local::LocalCounts,
    decode::decode,
    drop::Drop,
    render::{
        Render,
        fields::Field,
        json::Json,
        text::{Text, TextConfig},
    },
    symbols::Symbols,
};
use traffic::{Record, records};
use world::{sources, symbols};

/// Nanoseconds between two drops of a flood.
const FLOOD: u64 = 600;
/// Between two drops of a trickle: so many that names are looked up anew for each.
const TRICKLE: u64 = 50_000_000;

/// Keys of which drops are counted for the table at the end.
const MAX_KEYS: usize = 10_000;

fn main() {
    divan::main();
}

#[divan::bench]
fn decode_record(bencher: Bencher<'_, '_>) {
    decode_all(bencher, &records(FLOOD, false));
}

#[divan::bench]
fn decode_record_with_stack(bencher: Bencher<'_, '_>) {
    decode_all(bencher, &records(FLOOD, true));
}

#[divan::bench]
fn render_text(bencher: Bencher<'_, '_>) {
    render(bencher, text(false, None), &records(FLOOD, false));
}

#[divan::bench]
fn render_json(bencher: Bencher<'_, '_>) {
    render(bencher, Json::new(sources()), &records(FLOOD, false));
}

#[divan::bench]
fn record_to_text(bencher: Bencher<'_, '_>) {
    whole_way(bencher, text(false, None), &records(FLOOD, false));
}

#[divan::bench]
fn record_to_text_with_all_context(bencher: Bencher<'_, '_>) {
    whole_way(bencher, text(true, None), &records(FLOOD, false));
}

#[divan::bench]
fn record_to_text_with_stack_seen_before(bencher: Bencher<'_, '_>) {
    whole_way(bencher, text(false, Some(StackMode::Once)), &records(FLOOD, true));
}

#[divan::bench]
fn record_to_text_with_stack_in_full(bencher: Bencher<'_, '_>) {
    whole_way(bencher, text(false, Some(StackMode::Full)), &records(FLOOD, true));
}

#[divan::bench]
fn record_to_text_in_a_trickle(bencher: Bencher<'_, '_>) {
    whole_way(bencher, text(false, None), &records(TRICKLE, false));
}

#[divan::bench]
fn record_to_json(bencher: Bencher<'_, '_>) {
    whole_way(bencher, Json::new(sources()), &records(FLOOD, false));
}

#[divan::bench]
fn record_to_json_with_stack(bencher: Bencher<'_, '_>) {
    whole_way(bencher, Json::new(sources()), &records(FLOOD, true));
}

#[divan::bench]
fn record_to_json_in_a_trickle(bencher: Bencher<'_, '_>) {
    whole_way(bencher, Json::new(sources()), &records(TRICKLE, false));
}

#[divan::bench]
fn symbol_seen_before(bencher: Bencher<'_, '_>) {
    let mut symbols = symbols();
    let addresses = world::stack(0);
    bencher.counter(ItemsCount::new(addresses.len())).bench_local(|| {
        for address in &addresses {
            black_box(symbols.frame(black_box(*address)));
        }
    });
}

/// Through the kernel's own symbols, which only root may read: else nothing is measured.
#[divan::bench]
fn symbol_seen_first(bencher: Bencher<'_, '_>) {
    let mut symbols = Symbols::of_running_kernel(false);
    let mut addresses = world::addresses_of_running_kernel().cycle();
    let found = addresses.next().is_some_and(|address| symbols.frame(address).symbol.is_some());
    assert!(found, "the kernel's symbols can be read");
    let mut round = 0;
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        // Never the same address twice.
        round += 1;
        let address = addresses.next().unwrap_or_default() + round % 16;
        black_box(symbols.frame(address));
    });
}

fn decode_all(bencher: Bencher<'_, '_>, records: &[Record]) {
    bencher.counter(ItemsCount::new(records.len())).bench_local(|| {
        for record in records {
            let _ = black_box(decode(black_box(record.bytes())));
        }
    });
}

fn render(bencher: Bencher<'_, '_>, mut format: impl Render, records: &[Record]) {
    let drops: Vec<Drop> = records.iter().flat_map(|record| decode(record.bytes())).collect();
    assert_eq!(drops.len(), records.len(), "whole records");
    let mut out = Vec::new();
    bencher.counter(ItemsCount::new(drops.len())).bench_local(|| {
        out.clear();
        for drop in &drops {
            format.drop(black_box(drop), &mut out);
        }
        black_box(&out);
    });
    assert!(!out.is_empty(), "something was rendered");
}

fn whole_way(bencher: Bencher<'_, '_>, mut format: impl Render, records: &[Record]) {
    let mut out = Vec::new();
    let mut counts = LocalCounts::new(MAX_KEYS, false);
    bencher.counter(ItemsCount::new(records.len())).bench_local(|| {
        out.clear();
        for record in records {
            if let Ok(drop) = &decode(black_box(record.bytes())) {
                format.drop(drop, &mut out);
                counts.add(drop);
            }
        }
        black_box(&out);
    });
    assert!(out.split(|&byte| byte == b'\n').count() > records.len(), "each was rendered");
}

fn text(details: bool, stack: Option<StackMode>) -> Text {
    let columns = Field::DEFAULT.to_vec();
    Text::new(sources(), TextConfig { columns, details, stack, color: false })
}
