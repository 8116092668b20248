//! YAML as sigs.k8s.io/yaml reads and writes it: the words of YAML 1.1 in the grammar of 1.2.
//!
//! Reading follows upstream's two steps, YAML to JSON to value: `yes` is true, `010` is 8, a date is a
//! string, `1.0` is the integer 1, keys that are numbers or booleans become strings, of two equal keys
//! the later wins. Only the first document is read, as upstream does. Anchors are bounded by the same
//! rule of proportion.
//!
//! Source: sigs.k8s.io/yaml and go.yaml.in/yaml/v2 (facts: word lists, bounds, quoting rules).

mod decode;
mod events;
mod flow;
mod read;
mod resolve;
mod write;

use std::fmt;

use crate::{
    Value,
    json::{DEPTH_MAX, JsonError},
};

pub use read::read;
pub use write::write;

/// What [`read`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct YamlParsed {
    /// The tree.
    pub value: Value,
    /// Upstream's one strict error, if a key was given twice:
    /// `yaml: unmarshal errors:\n  line 10: key "foo" already set in map`.
    pub strict: Option<String>,
}

/// Why bytes are not YAML. The texts are those of go.yaml.in/yaml/v2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    /// The grammar is broken.
    #[error("yaml: {}{what}", Line(*line))]
    Grammar {
        /// Line as upstream counts it; it does not name the first, which is 0.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// The bytes are no text: broken UTF-8 or UTF-16, or characters that YAML forbids.
    #[error("yaml: {0}")]
    Encoding(&'static str),
    /// The document nests too deeply for YAML.
    #[error("yaml: {}exceeded max depth of {DEPTH_MAX}", Line(*line))]
    TooDeep {
        /// Line as upstream counts it.
        line: usize,
    },
    /// What the document says nests too deeply for JSON, which upstream makes of it.
    #[error("{0}")]
    Json(JsonError),
    /// An alias is of no anchor.
    #[error("yaml: unknown anchor '{0}' referenced")]
    Anchor(String),
    /// Aliases would make the document much larger than it is.
    #[error("yaml: document contains excessive aliasing")]
    Aliases,
    /// An anchor's value contains itself.
    #[error("yaml: anchor '{0}' value contains itself")]
    Cycle(String),
    /// A key is a list or a map; it is printed as Go does.
    #[error("yaml: invalid map key: {0}")]
    Key(String),
    /// A key is null; its value is printed as Go does.
    #[error("unsupported map key of type: %!s(<nil>), key: <nil>, value: {0}")]
    NullKey(String),
    /// `<<` stands before something else than a map.
    #[error("yaml: map merge requires map or sequence of maps as the value")]
    Merge,
    /// A value does not fit its tag.
    #[error("yaml: cannot decode {found} `{text}` as a {wanted}")]
    Tag {
        /// What the text is.
        found: &'static str,
        /// The text.
        text: String,
        /// What the tag says.
        wanted: String,
    },
    /// Text that is tagged as binary is not base64.
    #[error("yaml: !!binary value contains invalid base64 data")]
    Binary,
    /// JSON has no such number.
    #[error("json: unsupported value: {0}")]
    Number(&'static str),
}

/// A line in front of an error, as upstream prints it.
struct Line(usize);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            line => write!(f, "line {line}: "),
        }
    }
}

#[cfg(test)]
mod tests;
