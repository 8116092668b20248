//! What holds for every custom resource beyond its schema's form.

use api::{
    Cause, Gvk, Value,
    field::{self, Error, Path},
};
use schema::Shape;

/// Returns what is wrong with a custom resource by its schema, and by what it says it is.
pub(crate) fn validate(
    gvk: &Gvk,
    shape: &Shape,
    object: &Value,
    old: Option<&Value>,
) -> Vec<Cause> {
    let mut errors = Vec::new();
    let api_version = gvk.group_version.to_string();
    for (name, wanted) in [("kind", gvk.kind.as_str()), ("apiVersion", &api_version)] {
        let found = object.str_at(&[name]).unwrap_or_default();
        if found != wanted {
            let why = format!("must be {wanted}");
            errors.push(Error::invalid(&Path::new(name), found, why));
        }
    }
    errors.extend(schema::validate::validate(shape, object, old));
    field::causes(&errors)
}
