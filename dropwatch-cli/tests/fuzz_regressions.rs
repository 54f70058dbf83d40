//! What is fuzzed takes sound inputs, whole and cut anywhere, and does no harm with those that
//! fuzzing found something with.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::{fs, path::Path};

use targets::seeds;

fn run(target: &str, entry: fn(&[u8]) -> bool, seeds: &[Vec<u8>]) {
    for (number, seed) in seeds.iter().enumerate() {
        assert!(entry(seed), "seed {number} of {target} is not taken");
        for len in 0..seed.len() {
            entry(&seed[..len]);
        }
    }
    // There is a folder where something was found.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/regressions").join(target);
    for found in fs::read_dir(&folder).into_iter().flatten() {
        let path = found.expect("a file").path();
        eprintln!("{}", path.display());
        entry(&fs::read(&path).expect("an input"));
    }
}

#[test]
fn btf() {
    run("btf", targets::btf, &seeds::btf());
}

#[test]
fn split_btf() {
    run("split_btf", targets::split_btf, &seeds::split_btf());
}

#[test]
fn trace_event() {
    run("trace_event", targets::trace_event, &seeds::trace_event());
}

#[test]
fn record() {
    run("record", targets::record, &seeds::record());
}

#[test]
fn packet() {
    run("packet", targets::packet, &seeds::packet());
}

#[test]
fn count() {
    run("count", targets::count, &seeds::count());
}
