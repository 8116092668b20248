//! See `api::fuzz::json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| api::fuzz::json(data));
