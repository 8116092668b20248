//! Cells of tables: columns that a CRD declares by JSONPath, and ages for people.
//!
//! Source: apiextensions' tableconvertor, client-go's util/jsonpath, apimachinery's util/duration.

mod age;
mod path;

use std::sync::Arc;

use api::{Text, Value, meta::Meta};
use base::WallTime;

use crate::{Cell, Column, cel::Expression, decode::json_text};

pub use age::{age, human_duration};
pub use path::{JsonPath, PathError};

/// The columns of a custom resource, ready to be filled.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    columns: Vec<(Text, Source)>,
}

#[derive(Clone, Debug)]
enum Source {
    Name,
    Path(JsonPath),
    Computed(Arc<Expression>),
    /// A path nobody can read; its cells stay empty, as upstream.
    Nothing,
}

impl Columns {
    /// Makes columns ready. One without a path is the object's name.
    #[must_use]
    pub fn new(columns: &[Column]) -> Self {
        let source = |column: &Column| {
            if let Some(expression) = &column.expression {
                return Source::Computed(Arc::clone(expression));
            }
            if column.path.is_empty() {
                return Source::Name;
            }
            JsonPath::parse(&column.path).map_or(Source::Nothing, Source::Path)
        };
        let columns = columns
            .iter()
            .map(|column| (column.kind.clone(), source(column)));
        Self {
            columns: columns.collect(),
        }
    }

    /// Returns the cells of one object's row.
    #[must_use]
    pub fn cells(&self, object: &Value, now: WallTime) -> Vec<Cell> {
        self.columns
            .iter()
            .map(|(kind, source)| match source {
                Source::Name => Value::from(Meta::of(object).name()),
                Source::Nothing => Value::Null,
                // What cannot be computed is empty, as a path that leads nowhere.
                Source::Computed(expression) => match expression.value(object) {
                    Ok(Some(value)) => cell(kind, &value, now),
                    Ok(None) | Err(_) => Value::Null,
                },
                Source::Path(path) => path
                    .first(object)
                    .map_or(Value::Null, |found| cell(kind, found, now)),
            })
            .collect()
    }
}

/// Returns a value as a cell of this type; what does not fit is empty.
fn cell(kind: &str, value: &Value, now: WallTime) -> Cell {
    match (kind, value) {
        ("string", Value::Null) => Value::from("<no value>"),
        ("string", Value::String(text)) => Value::String(text.clone()),
        ("string", other) => Value::string(json_text(other)),
        ("integer", Value::Int(number)) => Value::Int(*number),
        #[allow(clippy::cast_possible_truncation, reason = "as upstream does")]
        ("integer", Value::Float(number)) => Value::Int(*number as i64),
        ("number", Value::Int(_) | Value::Float(_)) | ("boolean", Value::Bool(_)) => value.clone(),
        ("date", Value::String(text)) => match api::time::parse(text) {
            Ok(time) => Value::string(age(Some(time), now)),
            Err(_) => Value::from("<invalid>"),
        },
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::Columns;
    use crate::Column;
    use api::{Text, json};
    use base::WallTime;

    #[track_caller]
    fn check(kind: &str, path: &str, expected: &str) {
        let object = json::read(
            br#"{"metadata":{"name":"n","creationTimestamp":"2026-01-01T00:00:00Z"},"spec":{"size":3,"ratio":1.5,"on":true,"none":null,"list":["a","b"],"map":{"x":1}},"status":{"conditions":[{"type":"A","status":"True"},{"type":"Ready","status":"False","n":7}]}}"#,
        )
        .expect("it is JSON")
        .value;
        let column = Column {
            kind: Text::new(kind),
            path: Text::new(path),
            name: Text::default(),
            format: Text::default(),
            description: Text::default(),
            priority: 0,
            expression: None,
        };
        let now = WallTime::from_secs(1_767_225_600 + 90);
        let cells = Columns::new(&[column]).cells(&object, now);
        assert_eq!(format!("{:?}", cells[0]), expected);
    }

    #[test]
    fn fills_cells_by_type() {
        check("string", "", r#""n""#);
        check("string", ".spec.size", r#""3""#);
        check("integer", ".spec.size", "3");
        check("integer", ".spec.ratio", "1");
        check("number", ".spec.ratio", "1.5");
        check("boolean", ".spec.on", "true");
        check("boolean", ".spec.size", "null");
        check("string", ".spec.none", r#""<no value>""#);
        check("string", ".spec.missing.more", "null");
        check("string", ".spec.list", r#""[\"a\",\"b\"]""#);
        check("string", ".spec.map", r#""{\"x\":1}""#);
        check("date", ".metadata.creationTimestamp", r#""90s""#);
        check("date", ".metadata.name", r#""<invalid>""#);
    }

    #[test]
    fn follows_paths() {
        check(
            "string",
            r#".status.conditions[?(@.type=="Ready")].status"#,
            r#""False""#,
        );
        check(
            "string",
            ".status.conditions[?(@.type=='Nope')].status",
            "null",
        );
        check("string", ".status.conditions[?(@.n>5)].type", r#""Ready""#);
        check("string", ".status.conditions[-1].type", r#""Ready""#);
        check("string", ".status.conditions[0:1].type", r#""A""#);
        check("string", ".status.conditions[*].type", r#""A""#);
        check("string", ".spec['size']", r#""3""#);
        check("string", "..status[?(@.n)].type", "null");
        check("string", ".spec.list[5]", "null");
        check("string", ".spec[", "null");
    }
}
