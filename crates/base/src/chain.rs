//! Prints an error with all its sources, once, where it stops being passed up.

use std::{error::Error, fmt};

/// Displays an error and its sources, joined by `: `.
///
/// Errors of this project never print their own source (STYLE.md), so the chain repeats nothing.
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(error) = next {
            write!(f, ": {error}")?;
            next = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Chain;

    #[derive(Debug, thiserror::Error)]
    #[error("failed to open the book")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn joins_each_source_once() {
        let error = Outer(std::io::Error::other("page 3 is torn"));
        assert_eq!(
            Chain(&error).to_string(),
            "failed to open the book: page 3 is torn"
        );
    }
}
