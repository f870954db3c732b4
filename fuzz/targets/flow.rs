//! See `fuzz_bodies::flow`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    fuzz_bodies::flow::check(input);
});
