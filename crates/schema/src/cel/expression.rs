//! One expression over a whole object: compiled once, run on any object of its shape, its result
//! as a value of an object.
//!
//! For what a definition computes beyond rules: printer columns, conversions.

use api::{Text, Value};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    Dialect, Env, Program, Type, Version,
    declared::{DeclId, Declarer, Decls, Place},
    rules::CALL_COST_MAX,
    time::show_duration,
    value::{Declared, Val},
};
use crate::Shape;

/// How deeply a result may be nested.
const DEPTH_MAX: usize = 100;

/// A compiled expression, which knows the object as `self`.
#[derive(Debug)]
pub struct Expression {
    source: String,
    decls: Decls,
    root: DeclId,
    program: Program,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Expression {}

impl Expression {
    /// Compiles an expression over objects of a shape.
    ///
    /// # Errors
    /// What is wrong with it, in the words in which rules are refused.
    pub fn compile(source: &str, shape: &Shape) -> Result<Self, String> {
        let mut declarer = Declarer::default();
        let root = declarer.declare(shape.table(), shape.root(), Place::Root);
        let decls = declarer.decls;
        let env = Env {
            version: Version::Stored,
            dialect: Dialect::Kubernetes,
            variables: vec![("self", decls.type_of(root).unwrap_or(Type::Dyn))],
            decls: &decls,
        };
        let program = Program::compile(source, &env, Some(root))
            .map_err(|error| format!("compilation failed: {error}"))?;
        Ok(Self {
            source: source.to_owned(),
            root,
            program,
            decls,
        })
    }

    /// Returns the expression as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the type of a column that shows the result.
    #[must_use]
    pub fn column_type(&self) -> &'static str {
        match self.program.kind() {
            Type::Int | Type::Uint => "integer",
            Type::Double => "number",
            Type::Bool => "boolean",
            Type::Timestamp => "date",
            _ => "string",
        }
    }

    /// Runs the expression; none for `null` and for an optional without a value.
    ///
    /// # Errors
    /// Why there is no value: a field that is missing, too much work.
    pub fn value(&self, object: &Value) -> Result<Option<Value>, String> {
        let declared = Declared {
            decls: &self.decls,
            id: self.root,
        };
        let own = Val::declared(object, declared).map_err(|fault| fault.text().to_owned())?;
        let run = self.program.run(&[Some(own)], CALL_COST_MAX);
        let found = run.outcome.map_err(|fault| fault.text().to_owned())?;
        written(&found, 0)
    }
}

/// Returns a value as it stands in an object.
pub(crate) fn written(value: &Val<'_>, depth: usize) -> Result<Option<Value>, String> {
    if depth > DEPTH_MAX {
        return Err("the result is nested too deeply".to_owned());
    }
    let below = |value: &Val<'_>| written(value, depth + 1);
    Ok(Some(match value {
        Val::Null | Val::Optional(None) => return Ok(None),
        Val::Optional(Some(value)) => return below(value),
        Val::Bool(flag) => Value::Bool(*flag),
        Val::Int(number) => Value::Int(*number),
        Val::Uint(number) => {
            let number = i64::try_from(*number).map_err(|_| "integer overflow".to_owned())?;
            Value::Int(number)
        }
        Val::Double(number) if number.is_finite() => Value::Float(*number),
        Val::Double(_) => return Err("the result is no finite number".to_owned()),
        Val::String(text) => Value::from(text.as_str()),
        Val::Bytes(bytes) => Value::string(STANDARD.encode(bytes.as_slice())),
        Val::Duration(nanos) => Value::string(show_duration(*nanos)),
        Val::Timestamp(time) => Value::string(time.to_string()),
        Val::List(list) => {
            let items = list.to_vec().map_err(|fault| fault.text().to_owned())?;
            let items = items
                .iter()
                .map(|item| Ok(below(item)?.unwrap_or_default()));
            Value::Array(items.collect::<Result<Vec<Value>, String>>()?)
        }
        Val::Map(map) => {
            let mut object = Value::object();
            for key in map.keys() {
                let Some(name) = key.as_str() else {
                    return Err("a key of the result is no string".to_owned());
                };
                let found = map.find(&key).map_err(|fault| fault.text().to_owned())?;
                if let Some(value) = found.as_ref().map(below).transpose()?.flatten() {
                    object.make_object().insert(Text::new(name), value);
                }
            }
            object
        }
        Val::Hidden(value) => (*value).clone(),
        Val::Type(_) | Val::Extension(_) => {
            return Err(format!("a {} cannot stand in an object", value.type_name()));
        }
    }))
}

#[cfg(test)]
mod tests {
    use api::{json, value};

    use super::Expression;
    use crate::{Shape, structural};

    #[track_caller]
    fn check(source: &str, expected: &str) {
        let schema = value!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "size": {"type": "integer"}, "names": {"type": "array", "items": {"type": "string"}},
            "since": {"type": "string", "format": "date-time"}}}}});
        let shape = structural::compile(&schema, &Shape::any()).expect("the schema is well formed");
        let object =
            value!({"spec": {"size": 3, "names": ["a", "b"], "since": "2026-01-01T00:00:00Z"}});
        let found = Expression::compile(source, &shape).and_then(|expression| {
            let value = expression.value(&object)?;
            let mut out = Vec::new();
            json::write(&value.unwrap_or_default(), &mut out);
            let text = String::from_utf8(out).expect("JSON is text");
            Ok(format!("{} {text}", expression.column_type()))
        });
        let found = found.unwrap_or_else(|why| why.lines().next().unwrap_or_default().to_owned());
        assert_eq!(found, expected, "{source}");
    }

    #[test]
    fn results_become_values() {
        check("self.spec.size + 1", "integer 4");
        check("self.spec.size > 2", "boolean true");
        check("self.spec.names.map(n, n + '!')", r#"string ["a!","b!"]"#);
        check("{'n': self.spec.size, 'x': 2}", r#"string {"n":3,"x":2}"#);
        check("self.spec.since", r#"date "2026-01-01T00:00:00Z""#);
        check("self.spec.?size", "string 3");
        check("has(self.spec.size) ? 'big' : 'small'", r#"string "big""#);
        check("type(1)", "a type cannot stand in an object");
        check("self.spec.names[7]", "index out of bounds: 7");
        check(
            "self.nothing",
            "compilation failed: ERROR: <input>:1:5: undefined field 'nothing'",
        );
    }
}
