//! See `fuzz_bodies::codec`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    fuzz_bodies::codec::check(input);
});
