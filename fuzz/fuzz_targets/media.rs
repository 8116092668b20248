//! See `api::fuzz::media`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| api::fuzz::media(data));
