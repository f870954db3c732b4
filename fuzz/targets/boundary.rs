//! See `fuzz_bodies::boundary`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    fuzz_bodies::boundary::check(input);
});
