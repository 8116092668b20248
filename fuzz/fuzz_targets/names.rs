//! See `api::fuzz::names`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| api::fuzz::names(data));
