//! See `api::fuzz::quantities`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| api::fuzz::quantities(data));
