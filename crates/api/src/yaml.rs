//! YAML as sigs.k8s.io/yaml reads and writes it: the words of YAML 1.1 in the grammar of 1.2.
//!
//! Reading follows upstream's two steps, YAML to JSON to value: `yes` is true, `010` is 8, a date is a
//! string, `1.0` is the integer 1, keys that are numbers or booleans become strings, of two equal keys
//! the later wins. Only the first document is read, as upstream does. Anchors are bounded by the same
//! rule of proportion.
//!
//! Source: sigs.k8s.io/yaml and go.yaml.in/yaml/v2 (facts: word lists, bounds, quoting rules).

mod read;
mod resolve;
mod write;

use crate::Value;

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

/// Why bytes are not YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    /// The grammar is broken. The sentences are those of our parser, not upstream's.
    #[error("yaml: line {line}: {what}")]
    Grammar {
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// The bytes are not UTF-8.
    #[error("yaml: control characters are not allowed")]
    Encoding,
    /// The document nests too deeply.
    #[error("yaml: exceeded max depth of {0}")]
    TooDeep(usize),
    /// Aliases would make the document much larger than it is.
    #[error("yaml: document contains excessive aliasing")]
    Aliases,
    /// An anchor's value contains itself.
    #[error("yaml: anchor value contains itself")]
    Cycle,
    /// A key is a list or a map.
    #[error("yaml: invalid map key")]
    Key,
    /// A key is null.
    #[error("unsupported map key of type: %!s(<nil>), key: <nil>")]
    NullKey,
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

#[cfg(test)]
mod tests;
