//! See `server::fuzz::request_line`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| server::fuzz::request_line(data));
