//! See `api::fuzz::continue_tokens`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| api::fuzz::continue_tokens(data));
