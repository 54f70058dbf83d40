//! Fuzzes `dropwatch_fuzz::split_btf`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    dropwatch_fuzz::split_btf(bytes);
});
