//! Objects of built-in kinds, made up by their shapes.

use api::{Object, Value, value};
use base::Rng;
use schema::{Field, Form, ListKind, Scalar, Shape, ShapeId, Shapes};

/// Between them they have every form a field can take.
const KINDS: [&str; 5] = [
    "v1 Pod",
    "v1 Service",
    "apps/v1 Deployment",
    "networking.k8s.io/v1 NetworkPolicy",
    "v1 PersistentVolume",
];

/// Deeper than this nothing is made up.
const DEPTH_MAX: u32 = 7;

/// One field in so many is there.
const FIELDS_SHARE: u64 = 4;

pub(crate) fn shapes() -> Vec<Shape> {
    let mut all = crate::loader::load(include_str!("../../../kinds/data/kinds.txt"));
    let take = |kind| all.remove(kind).expect("it is built in");
    KINDS.map(take).into()
}

/// Makes a configuration of this shape. Nothing in it is empty: nobody owns an empty list whose
/// items are told apart, and what is emptied by taking its parts away is null first and empty by
/// the second apply; and a label is always there, because what is made of a configuration that owns
/// nothing is owned by `before-first-apply` from the second on. These are upstream's rules.
pub(crate) fn config(shape: &Shape, rng: &mut Rng) -> Value {
    let Form::Struct(fields) = &shape.node().form else {
        panic!("a kind is a struct");
    };
    let mut made = value!({"apiVersion": "v1", "kind": "K", "metadata": {"name": "x"}});
    made.set_at(&["metadata", "labels"], value!({"l": (word(rng))}));
    if rng.below(2) == 0 {
        let finalizers = value!([(format!("example.com/{}", word(rng)).as_str())]);
        made.set_at(&["metadata", "finalizers"], finalizers);
    }
    for field in &fields.fields {
        if matches!(field.name.as_str(), "apiVersion" | "kind" | "metadata") {
            continue;
        }
        if let Some(part) = part(shape.table(), field, 1, rng) {
            made.set_at(&[&field.name], part);
        }
    }
    made
}

fn word(rng: &mut Rng) -> &'static str {
    ["p", "q"][usize::from(rng.below(2) == 0)]
}

/// Makes the value of a field; none rather than an empty one.
fn part(table: &Shapes, field: &Field, depth: u32, rng: &mut Rng) -> Option<Value> {
    if depth > DEPTH_MAX {
        return None;
    }
    let Form::List { item, kind } = &table.node(field.shape).form else {
        return any(table, field.shape, depth, rng);
    };
    let mut keys: Vec<&str> = match kind {
        ListKind::Map(keys) => keys.iter().map(|key| key.as_str()).collect(),
        ListKind::Atomic | ListKind::Set => Vec::new(),
    };
    let patch = field.patch.as_deref();
    keys.extend(patch.and_then(|patch| patch.merge_key.as_deref()));
    let is_keyed = !keys.is_empty() || *kind == ListKind::Set;
    let mut items = Vec::new();
    for number in 0..3 {
        if rng.below(2) == 0 {
            continue;
        }
        let mut one = match is_keyed && keys.is_empty() {
            true => Some(numbered(table, *item, number)),
            false => any(table, *item, depth + 1, rng),
        };
        if !keys.is_empty() {
            let mut keyed = one.unwrap_or_else(Value::object);
            for key in &keys {
                let Form::Struct(fields) = &table.node(*item).form else {
                    panic!("items with keys are structs");
                };
                let field = fields.field(key).expect("its key is a field");
                keyed.set_at(&[key], numbered(table, field.shape, number));
            }
            one = Some(keyed);
        }
        items.extend(one);
    }
    (!items.is_empty()).then_some(Value::Array(items))
}

/// Makes a scalar that tells items apart.
fn numbered(table: &Shapes, id: ShapeId, number: i64) -> Value {
    match &table.node(id).form {
        Form::Scalar(Scalar::Int32 | Scalar::Int64) => Value::Int(number + 1),
        _ => Value::from(format!("k{number}").as_str()),
    }
}

fn any(table: &Shapes, id: ShapeId, depth: u32, rng: &mut Rng) -> Option<Value> {
    if depth > DEPTH_MAX {
        return None;
    }
    match &table.node(id).form {
        Form::Any => Some(value!({"any": (word(rng))})),
        Form::Scalar(kind) => scalar(*kind, rng),
        Form::Map { value, .. } => {
            let made = any(table, *value, depth + 1, rng)?;
            let mut object = Object::default();
            object.insert(word(rng), made);
            Some(Value::Object(object))
        }
        Form::List { item, .. } => {
            let one = any(table, *item, depth + 1, rng)?;
            Some(Value::Array(vec![one]))
        }
        Form::Struct(shape) => {
            let mut object = Object::default();
            for field in &shape.fields {
                if rng.below(FIELDS_SHARE) == 0
                    && let Some(made) = part(table, field, depth + 1, rng)
                {
                    object.insert(field.name.as_str(), made);
                }
            }
            (!object.is_empty()).then_some(Value::Object(object))
        }
    }
}

/// Makes a value that is not zero, which is as good as absent.
fn scalar(kind: Scalar, rng: &mut Rng) -> Option<Value> {
    let number = 1 + rng.below(2);
    Some(match kind {
        Scalar::String => Value::from(word(rng)),
        Scalar::Bool => Value::Bool(true),
        Scalar::Int32 | Scalar::Int64 | Scalar::Integer | Scalar::IntOrString => {
            Value::Int(i64::from(number == 1) + 1)
        }
        Scalar::Float64 => Value::Float(1.5),
        Scalar::Bytes => Value::from("YWI="),
        Scalar::Quantity => Value::from(format!("{number}Gi").as_str()),
        Scalar::Time => Value::from("2026-01-02T03:04:05Z"),
        Scalar::MicroTime => Value::from("2026-01-02T03:04:05.000001Z"),
        Scalar::Duration => Value::from("1s"),
        Scalar::RawExtension | Scalar::Json => value!({"raw": (word(rng))}),
        Scalar::FieldsV1
        | Scalar::SchemaOrArray(_)
        | Scalar::SchemaOrBool(_)
        | Scalar::SchemaOrStrings(_) => return None,
    })
}

/// Sorts the items of every list.
pub(crate) fn sort_items(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(sort_items);
            items.sort_by_key(crate::shown);
        }
        Value::Object(fields) => fields.iter_mut().for_each(|(_, part)| sort_items(part)),
        _ => {}
    }
}
