//! What the fields of an object are declared as, made of its shape.
//!
//! An arena parallel to the part of the shape that expressions can see. Sizes that the cost
//! estimate works with are worked out on the way, with upstream's numbers.

use std::{collections::HashMap, sync::Arc};

use api::{Text, Value};

use super::{
    escape::escape,
    kind::{Object, Type},
};
use crate::{Form, ListKind, Node, Others, Rules, Scalar, ShapeId, Shapes, Struct};

/// The greatest request that upstream's estimates assume.
pub const REQUEST_SIZE_MAX: i64 = 3 * 1024 * 1024;

/// How long `metadata.name` may be.
const NAME_LENGTH_MAX: i64 = 253;

/// How deeply shapes are followed; those of custom resources cannot be deeper.
const DEPTH_MAX: usize = 1_100;

/// Place of a declaration in its arena.
pub type DeclId = u32;

/// An arena of declarations.
#[derive(Debug, Default)]
pub struct Decls {
    nodes: Vec<Decl>,
}

/// What one value is declared as.
#[derive(Debug)]
pub struct Decl {
    /// Its type and parts.
    pub kind: DeclKind,
    /// Greatest number of characters, items or entries.
    pub elements_max: i64,
    /// Fewest bytes a value takes as JSON.
    pub size_min: i64,
    /// `null` is a value.
    pub nullable: bool,
}

/// Type and parts of a declared value.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names are those of the types")]
pub enum DeclKind {
    /// Not to be seen by expressions; values are only compared.
    Hidden,
    IntOrString,
    Bool,
    Int,
    Double,
    String,
    Bytes,
    Duration,
    Date,
    DateTime,
    List {
        item: DeclId,
        kind: ListKind,
    },
    Map {
        value: DeclId,
    },
    Object {
        fields: Vec<DeclField>,
    },
}

/// A field of a declared object.
#[derive(Debug)]
pub struct DeclField {
    /// Name in the object.
    pub name: Text,
    /// Name in expressions, if it can be said there.
    pub escaped: Option<Text>,
    /// What the value is.
    pub decl: DeclId,
}

impl Decls {
    /// Returns the declaration at this place.
    #[must_use]
    pub fn get(&self, id: DeclId) -> &Decl {
        &self.nodes[id as usize]
    }

    /// Returns the type of values at this place; none if expressions cannot see them.
    #[must_use]
    pub fn type_of(&self, id: DeclId) -> Option<Type> {
        Some(match &self.get(id).kind {
            DeclKind::Hidden => return None,
            DeclKind::IntOrString => Type::Dyn,
            DeclKind::Bool => Type::Bool,
            DeclKind::Int => Type::Int,
            DeclKind::Double => Type::Double,
            DeclKind::String => Type::String,
            DeclKind::Bytes => Type::Bytes,
            DeclKind::Duration => Type::Duration,
            DeclKind::Date | DeclKind::DateTime => Type::Timestamp,
            DeclKind::List { item, .. } => Type::list(self.type_of(*item)?),
            DeclKind::Map { value } => Type::map(Type::String, self.type_of(*value)?),
            DeclKind::Object { .. } => Type::Object(Object {
                name: Arc::from("selfType"),
                decl: Some(id),
            }),
        })
    }

    /// Returns whether expressions can see values at this place.
    #[must_use]
    pub fn is_visible(&self, id: DeclId) -> bool {
        !matches!(self.get(id).kind, DeclKind::Hidden)
    }

    fn add(&mut self, decl: Decl) -> DeclId {
        self.nodes.push(decl);
        u32::try_from(self.nodes.len() - 1).expect("an arena has fewer than 2^32 declarations")
    }
}

impl Decl {
    fn new(kind: DeclKind, elements_max: i64, size_min: i64) -> Self {
        Self {
            kind,
            elements_max,
            size_min,
            nullable: false,
        }
    }

    /// Returns the field with this name in expressions.
    #[must_use]
    pub fn field(&self, escaped: &str) -> Option<&DeclField> {
        let DeclKind::Object { fields } = &self.kind else {
            return None;
        };
        let is_it = |field: &&DeclField| field.escaped.as_deref() == Some(escaped);
        fields.iter().find(is_it)
    }

    /// Returns the field with this name in the object.
    #[must_use]
    pub fn field_named(&self, name: &str) -> Option<&DeclField> {
        let DeclKind::Object { fields } = &self.kind else {
            return None;
        };
        fields.iter().find(|field| field.name == name)
    }
}

/// Whether a shape is that of a whole resource, whose kind and name can always be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A whole resource.
    Root,
    /// A part of one.
    Inside,
}

/// Makes declarations of shapes; places that were declared are declared once.
#[derive(Debug, Default)]
pub struct Declarer {
    /// What was declared so far.
    pub decls: Decls,
    known: HashMap<(ShapeId, bool), DeclId>,
}

impl Declarer {
    /// Returns the declaration of values of this shape.
    pub fn declare(&mut self, shapes: &Shapes, id: ShapeId, place: Place) -> DeclId {
        self.node(shapes, id, place == Place::Root, 0)
    }

    /// Returns a declarer that goes on in the same arena with shapes of another table.
    #[must_use]
    pub fn apart(self) -> Self {
        Self {
            decls: self.decls,
            known: HashMap::new(),
        }
    }

    fn node(&mut self, shapes: &Shapes, id: ShapeId, root: bool, depth: usize) -> DeclId {
        let node = shapes.node(id);
        let root = root || node.embedded;
        if let Some(known) = self.known.get(&(id, root)) {
            return *known;
        }
        let hidden = Decl::new(DeclKind::Hidden, 0, 0);
        let mut decl = if depth > DEPTH_MAX {
            hidden
        } else {
            self.decl(shapes, node, root, depth).unwrap_or(hidden)
        };
        decl.nullable = node.nullable;
        let made = self.decls.add(decl);
        self.known.insert((id, root), made);
        made
    }

    fn decl(&mut self, shapes: &Shapes, node: &Node, root: bool, depth: usize) -> Option<Decl> {
        let rules = node.rules.as_deref();
        match &node.form {
            Form::Any if root => Some(self.object(shapes, &Struct::default(), root, depth)),
            Form::Any => None,
            Form::Scalar(scalar) => scalar_decl(*scalar, rules),
            Form::List { item, kind } => {
                let item = self.node(shapes, *item, false, depth + 1);
                if !self.decls.is_visible(item) {
                    return None;
                }
                let size_min = self.decls.get(item).size_min;
                let declared = rules.and_then(|rules| rules.max_items);
                let most =
                    declared.map_or((REQUEST_SIZE_MAX - 2) / (size_min + 1), |most| most.max(0));
                let kind = kind.clone();
                Some(Decl::new(DeclKind::List { item, kind }, most, 2))
            }
            Form::Map { value, .. } => {
                let part = shapes.node(*value);
                // `additionalProperties: true` has no schema: an object without known fields.
                if matches!(part.form, Form::Any) && !part.untyped {
                    return Some(self.object(shapes, &Struct::default(), root, depth));
                }
                let value = self.node(shapes, *value, false, depth + 1);
                if !self.decls.is_visible(value) {
                    return None;
                }
                let size_min = self.decls.get(value).size_min;
                let declared = rules.and_then(|rules| rules.max_properties);
                let most =
                    declared.map_or((REQUEST_SIZE_MAX - 2) / (size_min + 6), |most| most.max(0));
                Some(Decl::new(DeclKind::Map { value }, most, 2))
            }
            Form::Struct(shape) => {
                if let (Others::Shaped(_), true) = (shape.others, shape.fields.is_empty()) {
                    return None;
                }
                Some(self.object(shapes, shape, root, depth))
            }
        }
    }

    fn object(&mut self, shapes: &Shapes, shape: &Struct, root: bool, depth: usize) -> Decl {
        let mut fields = Vec::with_capacity(shape.fields.len());
        let mut size_min = 2;
        let meta = root && !has_meta(shapes, shape);
        for field in &shape.fields {
            let replaced = matches!(field.name.as_str(), "kind" | "apiVersion" | "metadata");
            let id = if meta && replaced {
                self.meta_field(shapes, shape, &field.name)
            } else {
                self.node(shapes, field.shape, false, depth + 1)
            };
            let decl = self.decls.get(id);
            if field.required && field.default.is_none() && self.decls.is_visible(id) {
                let name = i64::try_from(field.name.len()).unwrap_or(i64::MAX);
                size_min += name + decl.size_min + 4;
            }
            fields.push(DeclField {
                name: field.name.clone(),
                escaped: escape(&field.name).map(Text::from),
                decl: id,
            });
        }
        for name in ["apiVersion", "kind", "metadata"] {
            if meta && shape.field(name).is_none() {
                fields.push(DeclField {
                    name: Text::new(name),
                    escaped: Some(Text::new(name)),
                    decl: self.meta_field(shapes, shape, name),
                });
            }
        }
        Decl::new(DeclKind::Object { fields }, 0, size_min)
    }

    /// Declares what every resource has.
    fn meta_field(&mut self, shapes: &Shapes, shape: &Struct, name: &str) -> DeclId {
        if name != "metadata" {
            let text = Decl::new(DeclKind::String, REQUEST_SIZE_MAX - 2, 2);
            return self.decls.add(text);
        }
        let fields = ["name", "generateName"].map(|name| {
            let most = NAME_LENGTH_MAX - i64::from(name == "generateName");
            let declared = inner(shapes, shape, "metadata", name)
                .and_then(|node| node.rules.as_deref()?.max_length);
            let most = declared.map_or(most, |declared| declared.min(most));
            let decl = Decl::new(DeclKind::String, most.max(0) * 4, 2);
            DeclField {
                name: Text::new(name),
                escaped: Some(Text::new(name)),
                decl: self.decls.add(decl),
            }
        });
        let fields = fields.into_iter().collect();
        (self.decls).add(Decl::new(DeclKind::Object { fields }, 0, 2))
    }
}

/// Returns the node of a field of a field.
fn inner<'a>(shapes: &'a Shapes, shape: &Struct, outer: &str, name: &str) -> Option<&'a Node> {
    match &shapes.node(shape.field(outer)?.shape).form {
        Form::Struct(inner) => Some(shapes.node(inner.field(name)?.shape)),
        _ => None,
    }
}

fn has_meta(shapes: &Shapes, shape: &Struct) -> bool {
    let is_text = |node: &Node| matches!(node.form, Form::Scalar(Scalar::String));
    let direct = |name: &str| {
        let field = shape.field(name);
        field.is_some_and(|field| is_text(shapes.node(field.shape)))
    };
    let below = |name: &str| inner(shapes, shape, "metadata", name).is_some_and(is_text);
    direct("kind") && direct("apiVersion") && below("name") && below("generateName")
}

fn scalar_decl(scalar: Scalar, rules: Option<&Rules>) -> Option<Decl> {
    let whole = REQUEST_SIZE_MAX - 2;
    let declared = rules.and_then(|rules| rules.max_length);
    let in_bytes = declared.map(|most| most.max(0).saturating_mul(4));
    let new = Decl::new;
    Some(match scalar {
        Scalar::IntOrString => new(DeclKind::IntOrString, in_bytes.unwrap_or(whole), 1),
        Scalar::Bool => new(DeclKind::Bool, 0, 4),
        Scalar::Int32 | Scalar::Int64 | Scalar::Integer => new(DeclKind::Int, 0, 1),
        Scalar::Float64 => new(DeclKind::Double, 0, 1),
        Scalar::Time | Scalar::MicroTime => new(DeclKind::DateTime, 32, 21),
        Scalar::Bytes => new(DeclKind::Bytes, whole, 2),
        Scalar::Duration | Scalar::Quantity => new(DeclKind::String, whole, 2),
        Scalar::String => {
            let format = rules.and_then(|rules| rules.format.as_deref());
            match format {
                Some("byte") => {
                    let most = declared.map_or(whole, |most| most.max(0));
                    new(DeclKind::Bytes, most, 2)
                }
                Some("duration") => new(DeclKind::Duration, 32, 3),
                Some("date") => new(DeclKind::Date, 12, 12),
                Some("date-time") => new(DeclKind::DateTime, 32, 21),
                _ => {
                    let most = in_bytes.or_else(|| enum_length(rules?));
                    new(DeclKind::String, most.unwrap_or(whole), 2)
                }
            }
        }
        _ => return None,
    })
}

fn enum_length(rules: &Rules) -> Option<i64> {
    if rules.enumeration.is_empty() {
        return None;
    }
    let lengths = rules.enumeration.iter().filter_map(Value::as_str);
    let longest = lengths.map(str::len).max().unwrap_or(0);
    i64::try_from(longest).ok()
}
