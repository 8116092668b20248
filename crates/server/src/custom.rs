//! What holds for every custom resource beyond its schema's form.

use api::{Cause, Value};
use schema::Shape;

/// Returns what is wrong with a custom resource by its schema.
pub(crate) fn validate(_shape: &Shape, _object: &Value, _old: Option<&Value>) -> Vec<Cause> {
    Vec::new()
}
