//! JSON as upstream's decoder reads it and upstream's encoder writes it.
//!
//! [`read`] makes one [`Value`] out of bytes: names are case-sensitive, of two fields with one name
//! the later wins and is reported, a number without fraction and exponent that fits is an integer.
//! [`write`] makes the bytes Go's `encoding/json` would make of the same fields in the same order.
//! [`written`] finds a number as it was written, for those who quote it.
//! [`read_parts`] makes a tree of some fields only.
//! [`scan`] finds single fields in canonical bytes without building a tree.
//!
//! Source: sigs.k8s.io/json and Go's encoding/json (facts: error texts, escapes, number rules).

mod parts;
mod read;
pub mod scan;
mod write;
mod written;

use std::fmt;

use crate::Value;

pub use parts::{Part, read_parts};
pub use read::{read, read_unbounded};
pub use write::{write, write_float, write_pretty, write_string};
pub use written::{Step, written};

/// How deeply objects and arrays may nest, as upstream.
///
/// Trees are read without recursion, but walked and dropped by it: whoever handles what strangers
/// send does so on a stack of `base::stack::BYTES`.
pub const DEPTH_MAX: usize = 10_000;

/// How many strict errors are reported at most, as upstream.
pub const DUPLICATES_MAX: usize = 100;

/// What [`read`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The tree.
    pub value: Value,
    /// Paths of fields that were given twice, as upstream prints them: `spec.foo`, `a[0].b`.
    pub duplicates: Vec<String>,
}

/// Why bytes are not JSON. The texts are those of Go's `encoding/json`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The input ends inside a value; send the rest.
    #[error("unexpected end of JSON input")]
    End,
    /// A byte stands where it may not.
    #[error("invalid character {} {context}", Quoted(*byte))]
    Character {
        /// The byte.
        byte: u8,
        /// Where it was met.
        context: &'static str,
        /// How many bytes were read, the wrong one included.
        offset: usize,
    },
    /// A number is too large for 64 bits of floating point.
    #[error("json: cannot unmarshal number {text} into Go value of type float64")]
    Number {
        /// The number as written.
        text: String,
        /// How many bytes were read, the number included.
        offset: usize,
    },
}

impl JsonError {
    /// Returns how many bytes were read when the error was met, if it has a place.
    #[must_use]
    pub fn offset(&self) -> Option<usize> {
        match self {
            Self::End => None,
            Self::Character { offset, .. } | Self::Number { offset, .. } => Some(*offset),
        }
    }
}

/// A byte as Go quotes a character in its messages.
struct Quoted(u8);

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            b'\'' => f.write_str(r"'\''"),
            b'\\' => f.write_str(r"'\\'"),
            0x07 => f.write_str(r"'\a'"),
            0x08 => f.write_str(r"'\b'"),
            0x0c => f.write_str(r"'\f'"),
            b'\n' => f.write_str(r"'\n'"),
            b'\r' => f.write_str(r"'\r'"),
            b'\t' => f.write_str(r"'\t'"),
            0x0b => f.write_str(r"'\v'"),
            byte @ (0x00..0x20 | 0x7f) => write!(f, "'\\x{byte:02x}'"),
            byte @ (0x80..=0xa0 | 0xad) => write!(f, "'\\u{byte:04x}'"),
            byte => write!(f, "'{}'", char::from(byte)),
        }
    }
}

#[cfg(test)]
mod tests;
