//! What a definition computes in CEL, as it says in annotations of our own: printer columns, and
//! conversions between its versions.
//!
//! `columns.pintle.dev/NAME` holds an expression whose result is the cell of a column of that name.
//! `conversion.pintle.dev/FROM-to-TO` holds a map in YAML from paths of fields to expressions over
//! the object as it is in version FROM; what is not named stays where it is, what is `null` goes.
//! No other server knows them.

use std::sync::Arc;

use api::{
    GroupVersion, Status, Text, Value,
    field::{Error, Path},
    meta::Meta,
};
use schema::{
    Behavior, Column, Shape,
    cel::Expression,
    structural::{compile, compile_any},
};

use super::definition::versions;

/// Annotations of computed columns begin so.
const COLUMNS: &str = "columns.pintle.dev/";

/// Annotations of conversions begin so.
const CONVERSIONS: &str = "conversion.pintle.dev/";

/// How many fields one conversion may compute: each costs an evaluation for every object.
const FIELDS_MAX: usize = 100;

/// Returns the annotations that say how the kind of a definition is made here.
pub(super) fn ours(definition: &Value) -> Vec<(Text, Text)> {
    let is_ours = |key: &str| {
        let domain = key.split('/').next().unwrap_or_default();
        domain == "pintle.dev" || domain.ends_with(".pintle.dev")
    };
    let annotations = Meta::of(definition).annotations();
    let ours = annotations.filter(|(key, _)| is_ours(key));
    let mut ours: Vec<(Text, Text)> = ours
        .map(|(key, value)| (Text::new(key), Text::new(value)))
        .collect();
    ours.sort();
    ours
}

/// Returns the computed columns of a version; those that cannot be compiled for it are left out,
/// as they were refused when they were written.
pub(super) fn columns(definition: &Value, shape: &Shape) -> Vec<Column> {
    let ours = ours(definition);
    let given = ours
        .iter()
        .filter_map(|(key, source)| Some((key.strip_prefix(COLUMNS)?, source)));
    let column = |(name, source): (&str, &Text)| {
        let expression = Expression::compile(source, shape).ok()?;
        Some(Column {
            name: Text::new(name),
            kind: Text::const_new(expression.column_type()),
            format: Text::default(),
            description: Text::from(format!("Computed column (in CEL): {source}")),
            priority: 0,
            path: Text::default(),
            expression: Some(Arc::new(expression)),
        })
    };
    given.filter_map(column).collect()
}

/// Converts by the expressions of a definition.
#[derive(Debug)]
pub(super) struct Converting {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    from: Text,
    to: Text,
    fields: Vec<(Vec<Text>, Expression)>,
}

impl Converting {
    /// Returns what converts the objects of a definition; none if it says nothing of it.
    pub(super) fn of(definition: &Value, shapes: &[(Text, Shape)]) -> Option<Self> {
        let ours = ours(definition);
        let rules = ours.iter().filter_map(|(key, text)| {
            let between = key.strip_prefix(CONVERSIONS)?;
            rule(between, text, shapes).ok()
        });
        let rules: Vec<Rule> = rules.collect();
        (!rules.is_empty()).then_some(Self { rules })
    }
}

impl Behavior for Converting {
    fn convert(&self, object: Value, to: &GroupVersion) -> Result<Value, Status> {
        let stands = object.str_at(&["apiVersion"]).unwrap_or_default();
        let from = stands.rsplit('/').next().unwrap_or_default().to_owned();
        let mut rules = self.rules.iter();
        let rule = rules.find(|rule| *rule.from == from && rule.to == to.version);
        let mut converted = object.clone();
        for (path, expression) in rule.map(|rule| rule.fields.as_slice()).unwrap_or_default() {
            let found = expression.value(&object).map_err(|why| {
                let path = path.join(".");
                Status::internal(format!(
                    "conversion from {from} to {}: {path}: {why}",
                    to.version
                ))
            })?;
            let path: Vec<&str> = path.iter().map(Text::as_str).collect();
            match found {
                Some(value) => converted.set_at(&path, value),
                None => {
                    converted.remove_at(&path);
                }
            }
        }
        converted.set_at(&["apiVersion"], Value::string(to.to_string()));
        Ok(converted)
    }
}

/// Reads one conversion.
fn rule(between: &str, text: &str, shapes: &[(Text, Shape)]) -> Result<Rule, String> {
    let (from, to) = between
        .split_once("-to-")
        .ok_or("must be named FROM-to-TO after two versions")?;
    let shape = |wanted: &str| {
        let found = shapes.iter().find(|(name, _)| name == wanted);
        found.ok_or_else(|| format!("there is no version {wanted}"))
    };
    let (_, source) = shape(from)?;
    shape(to)?;
    let read = api::yaml::read(text.as_bytes()).map_err(|error| error.to_string())?;
    let fields = read.value.as_object().ok_or("must be a map in YAML")?;
    if fields.len() > FIELDS_MAX {
        return Err(format!("must not have more than {FIELDS_MAX} fields"));
    }
    let field = |(path, expression): (&str, &Value)| {
        let steps: Vec<Text> = path
            .trim_start_matches('.')
            .split('.')
            .map(Text::new)
            .collect();
        let first = steps.first().map(Text::as_str).unwrap_or_default();
        if matches!(first, "" | "apiVersion" | "kind" | "metadata")
            || steps.iter().any(|step| step.is_empty())
        {
            return Err(format!(
                "{path}: must be the path of a field beside metadata"
            ));
        }
        let text = expression
            .as_str()
            .ok_or_else(|| format!("{path}: must be an expression"))?;
        let expression =
            Expression::compile(text, source).map_err(|why| format!("{path}: {why}"))?;
        Ok((steps, expression))
    };
    Ok(Rule {
        from: Text::new(from),
        to: Text::new(to),
        fields: fields.iter().map(field).collect::<Result<_, String>>()?,
    })
}

/// Returns the shapes of the versions of a definition, with their names.
pub(super) fn shapes(definition: &Value, meta: &Shape) -> Vec<(Text, Shape)> {
    let shape = |one: &Value| {
        let schema = one.at(&["schema", "openAPIV3Schema"]);
        let shape = schema.and_then(|schema| compile(schema, meta).ok());
        let name = Text::new(one.str_at(&["name"]).unwrap_or_default());
        (name, shape.unwrap_or_else(|| compile_any(meta)))
    };
    versions(definition).iter().map(shape).collect()
}

/// Returns what is wrong with the annotations of a definition.
pub(super) fn wrong(definition: &Value, meta: &Shape) -> Vec<Error> {
    let ours = ours(definition);
    let is_computed =
        |(key, _): &&(Text, Text)| key.starts_with(COLUMNS) || key.starts_with(CONVERSIONS);
    let computed: Vec<&(Text, Text)> = ours.iter().filter(is_computed).collect();
    if computed.is_empty() {
        return Vec::new();
    }
    let shapes = shapes(definition, meta);
    let metadata = Path::new("metadata");
    let annotations = metadata.child("annotations");
    let mut errors = Vec::new();
    for (key, text) in computed {
        let why = match key.strip_prefix(CONVERSIONS) {
            Some(between) => rule(between, text, &shapes).err(),
            None => shapes.iter().find_map(|(version, shape)| {
                let why = Expression::compile(text, shape).err()?;
                Some(format!("version {version}: {why}"))
            }),
        };
        if let Some(why) = why {
            errors.push(Error::invalid(&annotations.key(key), text, why));
        }
    }
    errors
}
