//! See `fuzz_bodies::seal`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    fuzz_bodies::seal::check(input);
});
