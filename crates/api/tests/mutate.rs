//! Runs every fuzz target on mutated inputs of the Go tables: a seeded loop that repeats.
//!
//! For a long run there is `cargo run --release -p api --example mutate`.

use api::fuzz::TARGETS;

#[path = "../examples/mutate/corpus.rs"]
mod corpus;

#[test]
fn holds_for_mutated_inputs() {
    let corpus = corpus::corpus();
    let mut rng = base::Rng::from_seed(1);
    for (name, target) in TARGETS {
        for round in 0..20_000 {
            let input = corpus::mutated(&corpus, &mut rng);
            let shown = String::from_utf8_lossy(&input).into_owned();
            let held = std::panic::catch_unwind(|| target(&input));
            assert!(held.is_ok(), "{name}, round {round}: {shown:?}");
        }
    }
}
