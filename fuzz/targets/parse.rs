//! See `fuzz_bodies::parse`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    _ = fuzz_bodies::parse::check(input);
});
