//! See `api::fuzz::times`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| api::fuzz::times(data));
