//! How long to wait before the next try.

use std::time::Duration;

use crate::Rng;

/// Doubling delays with jitter, between a first and a longest one.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    tries: u32,
}

impl Backoff {
    /// Returns delays that start at `first` and never pass `longest`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            tries: 0,
        }
    }

    /// Returns the next delay: the doubled one, less up to a quarter by chance so that many
    /// waiters do not come back together.
    pub fn next_delay(&mut self, rng: &mut Rng) -> Duration {
        // Past 2^20 every sensible `first` has reached `longest`; the cap keeps the shift in range.
        let factor = 1_u32 << self.tries.min(20);
        self.tries = self.tries.saturating_add(1);
        let full = self.first.saturating_mul(factor).min(self.longest);
        full.mul_f64(1.0 - rng.unit() / 4.0)
    }

    /// Starts again at the first delay, after a success.
    pub fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Backoff, Rng};

    #[test]
    fn doubles_up_to_the_longest_and_resets() {
        let mut rng = Rng::from_seed(3);
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(1_000));
        let within = |delay: Duration, full: u64| {
            let full = Duration::from_millis(full);
            delay <= full && delay >= full.mul_f64(0.75)
        };
        for full in [100, 200, 400, 800, 1_000, 1_000] {
            assert!(within(backoff.next_delay(&mut rng), full), "{full}");
        }
        backoff.reset();
        assert!(within(backoff.next_delay(&mut rng), 100));
    }
}
