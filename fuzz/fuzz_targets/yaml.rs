//! See `api::fuzz::yaml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| api::fuzz::yaml(data));
