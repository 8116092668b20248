//! What a version says, or all versions say alike: schema, subresources, columns, selectable fields.

use api::{
    Value,
    field::{Error, Path},
};
use schema::structural::{CheckOptions, StatusDoor, check};

use super::{Judge, schema_of};

/// How many fields of a version may be selected by.
const SELECTABLE_MAX: usize = 8;

const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];

const COLUMN_FORMATS: [&str; 8] = [
    "byte",
    "date",
    "date-time",
    "double",
    "float",
    "int32",
    "int64",
    "password",
];

/// Whether something is said by one version or by all of them alike.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    One,
    All,
}

/// A version, or what all versions say.
pub(super) struct Part<'a> {
    pub(super) version: &'a Value,
    pub(super) whose: Whose,
    pub(super) status: StatusDoor,
}

impl Part<'_> {
    /// Says what is wrong with one of the shared fields.
    pub(super) fn wrong(
        &self,
        field: &str,
        path: &Path<'_>,
        judge: Judge<'_>,
        errors: &mut Vec<Error>,
    ) {
        let version = self.version;
        let name = version.str_at(&["name"]).unwrap_or_default();
        let was = judge.update.and_then(|update| update.version(name));
        match field {
            "schema" => {
                let place = path.child(match self.whose {
                    Whose::One => "schema",
                    Whose::All => "validation",
                });
                let place = place.child("openAPIV3Schema");
                let Some(schema) = schema_of(version) else {
                    return;
                };
                let options = CheckOptions {
                    status: self.status,
                    before: judge.update.map(|update| &update.before),
                    unchanged: was.and_then(schema_of) == Some(schema),
                };
                errors.extend(check(schema, &place, judge.meta, options));
            }
            "subresources" => wrong_scale(version, path, errors),
            "additionalPrinterColumns" => {
                let columns = version.get(field).and_then(Value::as_array);
                let place = path.child("additionalPrinterColumns");
                for (at, column) in columns.unwrap_or_default().iter().enumerate() {
                    wrong_column(column, &place.index(at), errors);
                }
            }
            _ => self.wrong_selectable(was, path, errors),
        }
    }

    fn wrong_selectable(&self, was: Option<&Value>, path: &Path<'_>, errors: &mut Vec<Error>) {
        let version = self.version;
        let place = path.child("selectableFields");
        let fields = version.get("selectableFields").and_then(Value::as_array);
        let fields = fields.unwrap_or_default();
        let Some(schema) = schema_of(version) else {
            if !fields.is_empty() {
                let why = match self.whose {
                    Whose::One => {
                        "may only be set when `version.schema.openAPIV3Schema` is not included"
                    }
                    Whose::All => "may only be set when validations.schema is included",
                };
                errors.push(Error::invalid(&place, "", why));
            }
            return;
        };
        let mut known: Vec<&str> = Vec::new();
        for (at, field) in fields.iter().enumerate() {
            let place = place.index(at);
            let place = place.child("jsonPath");
            let text = field.str_at(&["jsonPath"]).unwrap_or_default();
            if text.is_empty() {
                errors.push(Error::required(&place, ""));
                continue;
            }
            let kind = match selected(text, schema) {
                Ok(kind) => kind,
                Err(why) => {
                    let why = format!("is an invalid path: {why}");
                    errors.push(Error::invalid(&place, text, why));
                    continue;
                }
            };
            if text.split('.').nth(1) == Some("metadata") {
                let why = "must not point to fields in metadata";
                errors.push(Error::invalid(&place, text, why));
            }
            if !matches!(kind, "string" | "boolean" | "integer") {
                let why = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
                errors.push(Error::invalid(&place, text, why));
            }
            if known.contains(&text) {
                errors.push(Error::duplicate(&place, text));
            } else {
                known.push(text);
            }
        }
        let was = was.and_then(|was| was.get("selectableFields"));
        let stays = was.is_some_and(|was| Some(was) == version.get("selectableFields"));
        if known.len() > SELECTABLE_MAX && !stays {
            errors.push(Error::too_many(&place, known.len(), SELECTABLE_MAX));
        }
    }
}

/// Returns the type of the field at the end of a path; lists are not gone into.
fn selected<'a>(path: &str, schema: &'a Value) -> Result<&'a str, String> {
    let Some(steps) = path.strip_prefix('.') else {
        if path.starts_with('[') {
            return Err(String::from("array notation is not allowed"));
        }
        let first = path.split(['.', '[', ']']).next().unwrap_or_default();
        return Err(format!("expected [ or . but got: {first}"));
    };
    if steps.is_empty() {
        return Err(String::from("unexpected end of JSON path"));
    }
    let mut at = schema;
    for step in steps.strip_suffix('.').unwrap_or(steps).split('.') {
        if step.contains('[') {
            return Err(String::from("array notation is not allowed"));
        }
        let property = at.at(&["properties", step]);
        let additional = at
            .get("additionalProperties")
            .filter(|_| at.get("properties").is_none());
        at = property
            .or(additional)
            .filter(|_| !step.is_empty())
            .ok_or("does not refer to a valid field")?;
    }
    if steps.ends_with('.') {
        return Err(String::from("unexpected end of JSON path"));
    }
    Ok(at.str_at(&["type"]).unwrap_or_default())
}

fn wrong_scale(version: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    let Some(scale) = version.at(&["subresources", "scale"]) else {
        return;
    };
    let place = path.child("subresources");
    let mut one = |name: &str, roots: &[&str], needed: bool, why: &str| {
        let field = format!("scale.{name}");
        let place = place.child(&field);
        let text = scale.str_at(&[name]).unwrap_or_default();
        if text.is_empty() {
            if needed {
                errors.push(Error::required(&place, ""));
            }
        } else if !wrong_path(text, &place, errors)
            && !roots.iter().any(|root| text.starts_with(root))
        {
            errors.push(Error::invalid(&place, text, why));
        }
    };
    one(
        "specReplicasPath",
        &[".spec."],
        true,
        "should be a json path under .spec",
    );
    one(
        "statusReplicasPath",
        &[".status."],
        true,
        "should be a json path under .status",
    );
    one(
        "labelSelectorPath",
        &[".spec.", ".status."],
        false,
        "should be a json path under either .spec or .status",
    );
}

fn wrong_column(column: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    let text = |name: &str| column.str_at(&[name]).unwrap_or_default();
    if text("name").is_empty() {
        errors.push(Error::required(&path.child("name"), ""));
    }
    let kind = text("type");
    let why = format!("must be one of {}", COLUMN_TYPES.join(","));
    if kind.is_empty() {
        errors.push(Error::required(&path.child("type"), why));
    } else if !COLUMN_TYPES.contains(&kind) {
        errors.push(Error::invalid(&path.child("type"), kind, why));
    }
    let format = text("format");
    if !format.is_empty() && !COLUMN_FORMATS.contains(&format) {
        let mut sorted = COLUMN_FORMATS;
        sorted.sort_unstable();
        let why = format!("must be one of {}", sorted.join(","));
        errors.push(Error::invalid(&path.child("format"), format, why));
    }
    let place = path.child("JSONPath");
    match text("jsonPath") {
        "" => errors.push(Error::required(&place, "")),
        text => {
            wrong_path(text, &place, errors);
        }
    }
}

/// Checks a simple JSON path; tells whether it is wrong.
fn wrong_path(text: &str, place: &Path<'_>, errors: &mut Vec<Error>) -> bool {
    let is_wrong = !text.starts_with('.');
    if is_wrong {
        let why = "must be a simple json path starting with .";
        errors.push(Error::invalid(place, text, why));
    }
    is_wrong
}
