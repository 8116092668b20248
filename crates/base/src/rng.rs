//! Chance that a seed repeats.

use ring::rand::{SecureRandom, SystemRandom};

/// A small, fast, seeded generator (xoshiro256++). It is not for keys or tokens.
#[derive(Clone, Debug)]
pub struct Rng([u64; 4]);

impl Rng {
    /// Returns a generator that gives the same numbers for the same seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        // SplitMix64 spreads the seed, as the authors of xoshiro advise: an all-zero state never moves.
        let mut state = seed;
        Self(std::array::from_fn(|_| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        }))
    }

    /// Returns a generator seeded by the operating system.
    #[must_use]
    pub fn from_os() -> Self {
        let mut seed = [0; 8];
        SystemRandom::new()
            .fill(&mut seed)
            .expect("the operating system gives entropy");
        Self::from_seed(u64::from_le_bytes(seed))
    }

    /// Returns 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Returns a number in `0..bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Multiply-shift; its bias is below bound / 2^64 and of no matter here.
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Returns a number in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Fills `bytes` with random bits.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn repeats_for_the_same_seed() {
        let (mut a, mut b) = (Rng::from_seed(7), Rng::from_seed(7));
        assert!((0..100).all(|_| a.next_u64() == b.next_u64()));
        assert_ne!(Rng::from_seed(8).next_u64(), Rng::from_seed(7).next_u64());
    }

    #[test]
    fn stays_below_the_bound() {
        let mut rng = Rng::from_seed(1);
        let seen: Vec<u64> = (0..1_000).map(|_| rng.below(10)).collect();
        assert!((0..10).all(|n| seen.contains(&n)) && seen.iter().all(|&n| n < 10));
        assert_eq!(rng.below(0), 0);
    }
}
