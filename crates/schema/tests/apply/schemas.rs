//! The schemas of the cases as shapes.

use std::{collections::HashMap, sync::Arc};

use api::{Text, Value};
use schema::{Field, Form, ListKind, Node, Others, Scalar, Shape, ShapeId, Shapes, Struct};

/// The schemas of one table, by number.
#[derive(Default)]
pub(crate) struct Schemas {
    known: HashMap<i64, HashMap<String, Shape>>,
}

impl Schemas {
    /// Takes note of a case that is a schema. Those with types that no shape can be (a struct or a
    /// scalar, as need be) are left out.
    pub(crate) fn add(&mut self, case: &Value) -> bool {
        let Some(number) = case.get("schema").and_then(Value::as_int) else {
            return false;
        };
        let types = case
            .get("types")
            .and_then(Value::as_array)
            .unwrap_or_default();
        if let Some(shapes) = build(types) {
            self.known.insert(number, shapes);
        }
        true
    }

    /// Returns the shape of a type; nothing if it is one that no shape can be.
    pub(crate) fn shape(&self, number: i64, name: &str) -> Option<&Shape> {
        self.known.get(&number)?.get(name)
    }
}

fn build(types: &[Value]) -> Option<HashMap<String, Shape>> {
    let mut builder = Builder {
        shapes: Shapes::new(),
        named: HashMap::new(),
    };
    let names = ["__untyped_atomic_", "__untyped_deduced_"];
    let of_types = types.iter().filter_map(|one| one.str_at(&["name"]));
    for name in names.into_iter().chain(of_types) {
        let id = builder.shapes.add(Node::default());
        builder.named.insert(name.to_owned(), (id, Value::Null));
    }
    let opaque = builder.named["__untyped_atomic_"].0;
    builder
        .shapes
        .replace(opaque, node(Form::Scalar(Scalar::RawExtension)));
    for one in types {
        let name = one.str_at(&["name"])?;
        builder.named.get_mut(name)?.1 = one.clone();
    }
    for one in types {
        let name = one.str_at(&["name"])?;
        let built = builder.atom(one, None)?;
        let id = builder.named[name].0;
        builder.shapes.replace(id, built);
    }
    let Builder { shapes, named } = builder;
    let table = shapes.finish();
    let shape = |id| Shape::new(Arc::clone(&table), id);
    Some(
        named
            .into_iter()
            .map(|(name, (id, _))| (name, shape(id)))
            .collect(),
    )
}

struct Builder {
    shapes: Shapes,
    named: HashMap<String, (ShapeId, Value)>,
}

fn node(form: Form) -> Node {
    Node {
        form,
        ..Node::default()
    }
}

impl Builder {
    fn reference(&mut self, of: &Value) -> Option<ShapeId> {
        let unit = of.str_at(&["elementRelationship"]);
        if let Some(name) = of.str_at(&["namedType"]) {
            let (id, of) = self.named.get(name)?.clone();
            if unit.is_none() {
                return Some(id);
            }
            let built = self.atom(&of, unit)?;
            return Some(self.shapes.add(built));
        }
        let built = self.atom(of, unit)?;
        Some(self.shapes.add(built))
    }

    fn atom(&mut self, of: &Value, unit: Option<&str>) -> Option<Node> {
        let (scalar, list, map) = (of.get("scalar"), of.get("list"), of.get("map"));
        let form = match (scalar, list, map) {
            (Some(_), Some(_), Some(map)) => match map.str_at(&["elementRelationship"]) {
                Some("atomic") => Form::Scalar(Scalar::RawExtension),
                _ if map.str_at(&["elementType", "namedType"]) == Some("__untyped_deduced_") => {
                    Form::Any
                }
                _ => return None,
            },
            (Some(scalar), None, None) => Form::Scalar(match scalar.as_str()? {
                "string" => Scalar::String,
                "numeric" => Scalar::Float64,
                "boolean" => Scalar::Bool,
                _ => Scalar::IntOrString,
            }),
            (None, Some(list), None) => self.list(list, unit)?,
            (None, None, Some(map)) => self.map(map, unit)?,
            _ => return None,
        };
        Some(node(form))
    }

    fn list(&mut self, list: &Value, unit: Option<&str>) -> Option<Form> {
        let item = self.reference(list.get("elementType")?)?;
        let keys: Vec<Text> = list
            .get("keys")
            .and_then(Value::as_array)
            .unwrap_or_default()
            .iter()
            .filter_map(|key| key.as_str().map(Text::from))
            .collect();
        let kind = match unit.or(list.str_at(&["elementRelationship"])) {
            Some("associative" | "separable") if keys.is_empty() => ListKind::Set,
            Some("associative") => ListKind::Map(keys),
            _ => ListKind::Atomic,
        };
        Some(Form::List { item, kind })
    }

    fn map(&mut self, map: &Value, unit: Option<&str>) -> Option<Form> {
        let atomic = unit.or(map.str_at(&["elementRelationship"])) == Some("atomic");
        let other = match map.get("elementType") {
            Some(other) if *other != Value::object() => Some(self.reference(other)?),
            _ => None,
        };
        let listed = map
            .get("fields")
            .and_then(Value::as_array)
            .unwrap_or_default();
        if let (true, Some(value)) = (listed.is_empty(), other) {
            return Some(Form::Map { value, atomic });
        }
        let mut fields = Vec::new();
        for field in listed {
            fields.push(Field {
                default: field.get("default").cloned().map(Box::new),
                ..Field::new(
                    field.str_at(&["name"])?,
                    self.reference(field.get("type")?)?,
                )
            });
        }
        let mut built = Struct::new(None, fields);
        built.atomic = atomic;
        built.others = other.map_or(Others::Drop, Others::Shaped);
        Some(Form::Struct(Box::new(built)))
    }
}
