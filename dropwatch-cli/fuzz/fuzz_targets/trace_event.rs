//! Fuzzes `dropwatch_fuzz::trace_event`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    dropwatch_fuzz::trace_event(bytes);
});
