//! The files of the store, damaged or made up: opened or refused, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| store::embedded::fuzz::recover(data));
