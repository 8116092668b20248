//! Runs one fuzz target, or all, on mutated inputs for a while:
//! `cargo run --release -p api --example mutate -- SECONDS SEED [TARGET]`.

#![allow(
    clippy::disallowed_methods,
    reason = "a loop of so many seconds reads the clock"
)]

use std::time::{Duration, Instant};

use api::fuzz::TARGETS;

mod corpus;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize, usual: u64| {
        let text = arguments.get(place);
        text.and_then(|text| text.parse().ok()).unwrap_or(usual)
    };
    let seconds = number(0, 10);
    let corpus = corpus::corpus();
    for (name, target) in TARGETS {
        if arguments.get(2).is_some_and(|wanted| wanted != name) {
            continue;
        }
        let mut rng = base::Rng::from_seed(number(1, 1));
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut rounds = 0_u64;
        while Instant::now() < end {
            for _ in 0..100 {
                let input = corpus::mutated(&corpus, &mut rng);
                if std::panic::catch_unwind(|| target(&input)).is_err() {
                    println!(
                        "{name}, round {rounds}: {:?}",
                        String::from_utf8_lossy(&input)
                    );
                    return;
                }
                rounds += 1;
            }
        }
        println!("{name}: {rounds} inputs held");
    }
}
