//! A schema as upstream's internal form of it is printed in messages: Go's names, all fields.

use api::{Object, Text, Value, field::Shown, json};

/// How many schemas are printed within one. Each takes a kilobyte, and messages must stay bounded
/// where schemas may have a hundred thousand parts; the rest is printed as it was written.
const PRINTED_MAX: usize = 500;

/// What a field is if nothing is said.
#[derive(Clone, Copy)]
enum Zero {
    Text,
    Null,
    False,
}

/// How the value of a field is printed.
#[derive(Clone, Copy)]
enum As {
    Is,
    Schema,
    Schemas,
    Named,
    OrList,
    OrFlag,
    Dependencies,
    Rules,
    Docs,
}

const FIELDS: [(&str, &str, Zero, As); 43] = [
    ("id", "ID", Zero::Text, As::Is),
    ("$schema", "Schema", Zero::Text, As::Is),
    ("$ref", "Ref", Zero::Null, As::Is),
    ("description", "Description", Zero::Text, As::Is),
    ("type", "Type", Zero::Text, As::Is),
    ("nullable", "Nullable", Zero::False, As::Is),
    ("format", "Format", Zero::Text, As::Is),
    ("title", "Title", Zero::Text, As::Is),
    ("default", "Default", Zero::Null, As::Is),
    ("maximum", "Maximum", Zero::Null, As::Is),
    ("exclusiveMaximum", "ExclusiveMaximum", Zero::False, As::Is),
    ("minimum", "Minimum", Zero::Null, As::Is),
    ("exclusiveMinimum", "ExclusiveMinimum", Zero::False, As::Is),
    ("maxLength", "MaxLength", Zero::Null, As::Is),
    ("minLength", "MinLength", Zero::Null, As::Is),
    ("pattern", "Pattern", Zero::Text, As::Is),
    ("maxItems", "MaxItems", Zero::Null, As::Is),
    ("minItems", "MinItems", Zero::Null, As::Is),
    ("uniqueItems", "UniqueItems", Zero::False, As::Is),
    ("multipleOf", "MultipleOf", Zero::Null, As::Is),
    ("enum", "Enum", Zero::Null, As::Is),
    ("maxProperties", "MaxProperties", Zero::Null, As::Is),
    ("minProperties", "MinProperties", Zero::Null, As::Is),
    ("required", "Required", Zero::Null, As::Is),
    ("items", "Items", Zero::Null, As::OrList),
    ("allOf", "AllOf", Zero::Null, As::Schemas),
    ("oneOf", "OneOf", Zero::Null, As::Schemas),
    ("anyOf", "AnyOf", Zero::Null, As::Schemas),
    ("not", "Not", Zero::Null, As::Schema),
    ("properties", "Properties", Zero::Null, As::Named),
    (
        "additionalProperties",
        "AdditionalProperties",
        Zero::Null,
        As::OrFlag,
    ),
    (
        "patternProperties",
        "PatternProperties",
        Zero::Null,
        As::Named,
    ),
    ("dependencies", "Dependencies", Zero::Null, As::Dependencies),
    ("additionalItems", "AdditionalItems", Zero::Null, As::OrFlag),
    ("definitions", "Definitions", Zero::Null, As::Named),
    ("externalDocs", "ExternalDocs", Zero::Null, As::Docs),
    ("example", "Example", Zero::Null, As::Is),
    (
        "x-kubernetes-preserve-unknown-fields",
        "XPreserveUnknownFields",
        Zero::Null,
        As::Is,
    ),
    (
        "x-kubernetes-embedded-resource",
        "XEmbeddedResource",
        Zero::False,
        As::Is,
    ),
    (
        "x-kubernetes-int-or-string",
        "XIntOrString",
        Zero::False,
        As::Is,
    ),
    (
        "x-kubernetes-list-map-keys",
        "XListMapKeys",
        Zero::Null,
        As::Is,
    ),
    ("x-kubernetes-list-type", "XListType", Zero::Null, As::Is),
    ("x-kubernetes-map-type", "XMapType", Zero::Null, As::Is),
];

const RULE: [(&str, &str, Zero); 6] = [
    ("rule", "Rule", Zero::Text),
    ("message", "Message", Zero::Text),
    ("messageExpression", "MessageExpression", Zero::Text),
    ("reason", "Reason", Zero::Null),
    ("fieldPath", "FieldPath", Zero::Text),
    ("optionalOldSelf", "OptionalOldSelf", Zero::Null),
];

/// Returns a schema with the names and fields of upstream's internal form.
#[must_use]
pub fn schema(value: &Value) -> Value {
    let mut printer = Printer { left: PRINTED_MAX };
    printer.schema(value)
}

/// Returns a rule in that form, as it is printed.
#[must_use]
pub(crate) fn rule(raw: &Value) -> Shown {
    go_json(&rule_value(raw))
}

/// Prints a value as Go's JSON does: what HTML would read and the line separators are escaped.
#[must_use]
pub fn go_json(value: &Value) -> Shown {
    let mut out = Vec::new();
    json::write(value, &mut out);
    let text = String::from_utf8_lossy(&out);
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                shown.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            other => shown.push(other),
        }
    }
    Shown::bare(shown)
}

fn rule_value(raw: &Value) -> Value {
    let fields = RULE.iter().map(|(json, go, none)| {
        let said = raw.get(json).filter(|said| !said.is_null());
        let said = said.cloned().unwrap_or_else(|| none.value());
        (Text::from(*go), said)
    });
    Value::Object(Object::from_unique(fields.collect()))
}

impl Zero {
    fn value(self) -> Value {
        match self {
            Self::Text => Value::from(""),
            Self::Null => Value::Null,
            Self::False => Value::Bool(false),
        }
    }
}

struct Printer {
    left: usize,
}

impl Printer {
    fn schema(&mut self, value: &Value) -> Value {
        if self.left == 0 || !matches!(value, Value::Object(_)) {
            return value.clone();
        }
        self.left -= 1;
        let mut fields: Vec<(Text, Value)> = Vec::with_capacity(FIELDS.len() + 1);
        for (json, go, none, kind) in FIELDS {
            let said = value.get(json).filter(|said| !said.is_null());
            let shown = match said {
                Some(said) => self.field(said, kind),
                None => none.value(),
            };
            fields.push((Text::from(go), shown));
        }
        let rules = value.get("x-kubernetes-validations");
        let rules = rules.filter(|rules| !rules.is_null());
        let rules = rules.map_or(Value::Null, |rules| self.field(rules, As::Rules));
        fields.push((Text::from("XValidations"), rules));
        Value::Object(Object::from_unique(fields))
    }

    fn field(&mut self, said: &Value, kind: As) -> Value {
        let pair = |a: (&str, Value), b: (&str, Value)| {
            let fields = [a, b].map(|(name, value)| (Text::from(name), value));
            Value::Object(Object::from_unique(fields.into()))
        };
        match (kind, said) {
            (As::Schema, said) => self.schema(said),
            (As::Schemas, Value::Array(all)) => self.schemas(all),
            (As::Named, Value::Object(all)) => {
                let shown = all
                    .iter()
                    .map(|(name, one)| (Text::from(name), self.schema(one)));
                let mut shown = Object::from_unique(shown.collect());
                shown.sort();
                Value::Object(shown)
            }
            (As::OrList, Value::Array(all)) => {
                let all = self.schemas(all);
                pair(("Schema", Value::Null), ("JSONSchemas", all))
            }
            (As::OrList, one) => {
                let one = self.schema(one);
                pair(("Schema", one), ("JSONSchemas", Value::Null))
            }
            (As::OrFlag, Value::Bool(flag)) => {
                pair(("Allows", Value::Bool(*flag)), ("Schema", Value::Null))
            }
            (As::OrFlag, one) => {
                let one = self.schema(one);
                pair(("Allows", Value::Bool(true)), ("Schema", one))
            }
            (As::Dependencies, Value::Object(all)) => {
                let shown = all.iter().map(|(name, one)| {
                    let shown = match one {
                        Value::Array(_) => pair(("Schema", Value::Null), ("Property", one.clone())),
                        one => {
                            let one = self.schema(one);
                            pair(("Schema", one), ("Property", Value::Null))
                        }
                    };
                    (Text::from(name), shown)
                });
                let mut shown = Object::from_unique(shown.collect());
                shown.sort();
                Value::Object(shown)
            }
            (As::Rules, Value::Array(all)) => Value::Array(all.iter().map(rule_value).collect()),
            (As::Docs, said) => {
                let text = |name: &str| Value::string(said.str_at(&[name]).unwrap_or_default());
                pair(("Description", text("description")), ("URL", text("url")))
            }
            (_, said) => said.clone(),
        }
    }

    fn schemas(&mut self, all: &[Value]) -> Value {
        Value::Array(all.iter().map(|one| self.schema(one)).collect())
    }
}
