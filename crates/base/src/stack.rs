//! A stack that is deep enough for what strangers send.
//!
//! What comes from outside may nest ten thousand levels, and whoever walks it does so by recursion.
//! Threads that the binary makes have a stack of [`BYTES`]; on any other thread, such as that of a
//! test, [`deep`] goes on with one for as long as it takes. Memory is used only as far
//! as the stack is.

/// The stack of a thread that handles what strangers send.
///
/// The tests `go_as_deep_as_upstream` of the server hold that half of it is enough for what takes
/// the most, without optimisation.
pub const BYTES: usize = 128 * 1024 * 1024;

/// With less than this left, [`deep`] takes a new stack.
const LEFT_BYTES_MIN: usize = BYTES / 2;

/// Calls `work` on a stack of which at least half of [`BYTES`] is left.
pub fn deep<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(LEFT_BYTES_MIN, BYTES, work)
}

#[cfg(test)]
mod tests {
    use super::deep;

    /// Takes a KiB of stack for each level.
    fn walk(depth: usize) -> usize {
        let ballast = std::hint::black_box([depth as u8; 1024]);
        match depth {
            0 => usize::from(ballast[0]),
            _ => walk(depth - 1) + usize::from(ballast[1] == depth as u8),
        }
    }

    /// Threads of tests have 2 MiB, and this takes more than 20.
    const LEVELS: usize = 20_000;

    #[test]
    fn goes_deeper_than_the_thread() {
        assert_eq!(deep(|| walk(LEVELS)), LEVELS);
        assert_eq!(deep(|| deep(|| walk(LEVELS))), LEVELS);
    }
}
