//! The small parsers of `api::fuzz`; the first byte chooses: label and field selectors, continue
//! tokens and resource versions, quantities, media types, names, times and durations.
#![no_main]

use api::fuzz::{Target, continue_tokens, media, names, quantities, selectors, times};

/// Selectors have the largest language, so they come twice.
const TARGETS: [Target; 7] = [
    selectors,
    continue_tokens,
    quantities,
    media,
    names,
    times,
    selectors,
];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some((choice, rest)) = data.split_first() {
        TARGETS[usize::from(*choice) % TARGETS.len()](rest);
    }
});
