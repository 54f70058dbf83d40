//! Fuzzes `dropwatch_fuzz::count`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    dropwatch_fuzz::count(bytes);
});
