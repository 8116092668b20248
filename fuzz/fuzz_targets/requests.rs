//! What a client writes into a request line and into the body of a delete; the first byte chooses.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| match data.split_first() {
    Some((b'!', rest)) => server::fuzz::delete_options(rest),
    _ => server::fuzz::request_line(data),
});
