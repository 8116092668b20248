//! `resourceVersion` as a number.

use std::fmt;

use crate::quote::quote;

/// A point in the history of the store. 0 is "any", which is also what an empty text means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceVersion(pub u64);

/// Why a text is no revision; the text is Go's, which upstream passes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("strconv.ParseUint: parsing {}: {why}", quote(text))]
pub struct RevisionError {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl ResourceVersion {
    /// Reads what a request or an object says. An empty text is 0.
    ///
    /// # Errors
    /// [`RevisionError`] if the text is not a decimal number of 64 bits.
    pub fn parse(text: &str) -> Result<Self, RevisionError> {
        if text.is_empty() {
            return Ok(Self(0));
        }
        let fail = |why| RevisionError {
            text: text.to_owned(),
            why,
        };
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(fail("invalid syntax"));
        }
        let number = text.parse().map_err(|_| fail("value out of range"))?;
        Ok(Self(number))
    }

    /// Reads a revision that objects may be compared by: decimal, positive, no leading zero.
    #[must_use]
    pub fn parse_comparable(text: &str) -> Option<Self> {
        let revision = Self::parse(text).ok()?;
        (revision.0 > 0 && !text.starts_with('0')).then_some(revision)
    }

    /// Returns whether it stands for "any".
    #[must_use]
    pub fn is_any(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for ResourceVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::ResourceVersion;

    #[test]
    fn reads_what_upstream_reads() {
        let check = |text: &str, expected: &str| {
            let printed = match ResourceVersion::parse(text) {
                Ok(revision) => revision.to_string(),
                Err(error) => error.to_string(),
            };
            assert_eq!(printed, expected);
        };
        check("", "0");
        check("0", "0");
        check("42", "42");
        check("007", "7");
        check("-1", "strconv.ParseUint: parsing \"-1\": invalid syntax");
        check("+1", "strconv.ParseUint: parsing \"+1\": invalid syntax");
        check(
            "18446744073709551616",
            "strconv.ParseUint: parsing \"18446744073709551616\": value out of range",
        );
        assert_eq!(
            ResourceVersion::parse_comparable("7"),
            Some(ResourceVersion(7))
        );
        assert_eq!(ResourceVersion::parse_comparable("07"), None);
        assert_eq!(ResourceVersion::parse_comparable("0"), None);
        assert_eq!(ResourceVersion::parse_comparable(""), None);
    }
}
