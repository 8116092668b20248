//! Turns a parsed tree into the normal form of its shape, in place.
//!
//! Normal form means: known fields in the order in which they are written, unknown ones dropped
//! and reported, scalars in their one canonical spelling, and absent or zero fields left out or
//! written exactly as Go's encoder would. Serialising the tree then gives canonical bytes.
//!
//! Built-ins decode like Go structs ([`go`]): a value of the wrong type is an error. Custom
//! resources are pruned like structural schemas ([`custom`]): types are validation's business,
//! only `metadata` decodes like a Go struct.

mod custom;
mod go;
mod path;
mod scalar;

use std::collections::HashMap;

use api::Value;

use crate::{Shape, ShapeId, Shapes};

use path::{Path, Step};
pub(crate) use scalar::{BASE64, json_text};

/// How many unknown fields are reported at most, as upstream.
pub const UNKNOWN_MAX: usize = 100;

/// Why a tree does not fit its shape. The texts are those of upstream's decoder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A value has the wrong JSON type; the place is named as Go names it.
    #[error("json: cannot unmarshal {found} into Go {place} of type {wanted}")]
    Type {
        /// `string`, `number 1.5`, `object`, …
        found: String,
        /// `struct field ObjectMeta.metadata.labels`, or `value` for the root.
        place: String,
        /// Go type: `map[string]string`, `v1.PodSpec`.
        wanted: String,
    },
    /// A scalar's own parser refuses the text.
    #[error("{0}")]
    Scalar(String),
    /// `apiVersion`, `kind` or `metadata` of a custom or embedded object cannot be understood.
    #[error("{path}: Invalid value: {value}: {reason}")]
    Embedded {
        /// Path of the field.
        path: String,
        /// What was there, as JSON.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Takes note of fields that the shape does not know, if anybody asked.
#[derive(Clone, Debug, Default)]
pub struct Unknown {
    wanted: bool,
    paths: Vec<String>,
}

impl Unknown {
    /// Drops unknown fields silently (`fieldValidation=Ignore`).
    #[must_use]
    pub fn ignore() -> Self {
        Self::default()
    }

    /// Takes note of their paths (`fieldValidation=Warn` and `Strict`).
    #[must_use]
    pub fn collect() -> Self {
        Self {
            wanted: true,
            paths: Vec::new(),
        }
    }

    /// Returns the paths in the order in which they were met: `spec.containers[0].imag`.
    #[must_use]
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    /// Orders the paths of a custom resource: those of its metadata are told first, the others by
    /// name, as upstream prunes them.
    fn sort_pruned(&mut self) {
        self.paths
            .sort_by(|a, b| order_pruned(a).cmp(&order_pruned(b)));
    }

    fn note(&mut self, parent: &Path<'_>, name: &str) {
        if !self.wanted || self.paths.len() >= UNKNOWN_MAX {
            return;
        }
        let path = parent.field_path(name);
        if !self.paths.contains(&path) {
            self.paths.push(path);
        }
    }
}

fn order_pruned(path: &str) -> (bool, &str) {
    (!path.starts_with("metadata."), path)
}

/// Returns what strict decoding says of a body of a built-in kind, where fields given twice and
/// fields unknown are told in the order in which they stand. `parsed` is the tree of the body before
/// it was decoded.
#[must_use]
pub fn strict_errors_in_order(
    parsed: &Value,
    duplicates: &[String],
    unknown: &Unknown,
) -> Vec<String> {
    // What is unknown is passed over, whatever it holds and however often it stands there.
    let is_passed = |path: &String| {
        let mut unknown = unknown.paths.iter();
        unknown.any(|unknown| match path.strip_prefix(unknown.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with(['.', '[']),
            None => false,
        })
    };
    let duplicates: Vec<String> = duplicates
        .iter()
        .filter(|path| !is_passed(path))
        .cloned()
        .collect();
    let mut errors = strict_errors(&duplicates, unknown);
    if duplicates.is_empty() || unknown.paths.is_empty() {
        return errors;
    }
    let mut places = HashMap::new();
    number(parsed, &mut String::new(), &mut places);
    let place = |path: &String| places.get(path.as_str()).copied().unwrap_or(usize::MAX);
    let paths: Vec<usize> = duplicates.iter().chain(&unknown.paths).map(place).collect();
    let mut order: Vec<usize> = (0..errors.len()).collect();
    order.sort_by_key(|one| paths[*one]);
    order
        .into_iter()
        .map(|one| std::mem::take(&mut errors[one]))
        .collect()
}

/// Numbers every field in the order in which it ends.
fn number(value: &Value, path: &mut String, places: &mut HashMap<String, usize>) {
    let length = path.len();
    match value {
        Value::Object(object) => {
            for (name, value) in object.iter() {
                if length > 0 {
                    path.push('.');
                }
                path.push_str(name);
                number(value, path, places);
                let place = places.len();
                places.insert(path.clone(), place);
                path.truncate(length);
            }
        }
        Value::Array(items) => {
            for (place, value) in items.iter().enumerate() {
                path.push_str(&format!("[{place}]"));
                number(value, path, places);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

/// Returns what strict decoding says about fields given twice and fields unknown:
/// `duplicate field "spec.a"`, `unknown field "spec.b"`.
#[must_use]
pub fn strict_errors(duplicates: &[String], unknown: &Unknown) -> Vec<String> {
    let duplicates = duplicates
        .iter()
        .map(|path| format!("duplicate field {}", api::quote::quote(path)));
    let unknown = unknown
        .paths
        .iter()
        .map(|path| format!("unknown field {}", api::quote::quote(path)));
    duplicates.chain(unknown).take(UNKNOWN_MAX).collect()
}

/// Brings `value` into the normal form of `shape`.
///
/// # Errors
/// [`DecodeError`]; the tree is then in no defined form and must be thrown away.
pub fn decode(shape: &Shape, value: &mut Value, unknown: &mut Unknown) -> Result<(), DecodeError> {
    decode_from(shape, value, None, unknown)
}

/// As [`decode`], of a value that was read from this JSON: numbers are quoted as they stand there,
/// and quantities keep all their digits.
///
/// # Errors
/// As [`decode`].
pub fn decode_body(
    shape: &Shape,
    value: &mut Value,
    body: &[u8],
    unknown: &mut Unknown,
) -> Result<(), DecodeError> {
    decode_from(shape, value, Some(body), unknown)
}

fn decode_from(
    shape: &Shape,
    value: &mut Value,
    body: Option<&[u8]>,
    unknown: &mut Unknown,
) -> Result<(), DecodeError> {
    let (shapes, root) = (shape.table(), shape.root());
    match shapes.meta() {
        None => go::decode(shapes, root, value, &Path::root(), body, unknown),
        Some(meta) => {
            custom::Pruner::new(shapes, meta, unknown).object(root, value)?;
            unknown.sort_pruned();
            Ok(())
        }
    }
}

/// Prunes one part of a custom resource, as with a default in its schema.
pub(crate) fn prune_part(
    shapes: &Shapes,
    id: ShapeId,
    value: &mut Value,
    unknown: &mut Unknown,
) -> Result<(), DecodeError> {
    match shapes.meta() {
        None => Ok(()),
        Some(meta) => custom::Pruner::new(shapes, meta, unknown).part(id, value),
    }
}

/// Returns what stands for a value that was not given: the zero value as Go writes it.
#[must_use]
pub fn zero(shape: &Shape) -> Value {
    go::zero(shape.table(), shape.root())
}

pub(crate) use go::{fill, kept, zero as zero_at};
