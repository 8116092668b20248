//! What merging must know of the value at one place, read off the shape.
//!
//! A place may hold a scalar, a list, a map, or (where nothing is known) any of them; which it is
//! then follows from the value.

use api::{Text, Value};

use super::element::Element;
use crate::{Field, Form, ListKind, Node, Omit, Others, Scalar, Shape, ShapeId, Shapes, Struct};

/// The type of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Type<'a> {
    /// A node of an arena.
    Shape(&'a Shapes, ShapeId),
    /// A text: `apiVersion` and `kind` of a whole custom object.
    Text,
    /// Nothing is known: maps are merged by key, lists are one value.
    Deduced,
    /// Nothing is known, and whatever it is is one value.
    Opaque,
    /// The field is not declared.
    Undeclared,
}

/// How a value is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Part by part.
    Parts,
    /// As one value.
    Whole,
}

/// What scalars are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Number,
    Text,
    Flag,
    Any,
}

/// What may stand at a place. A value of a form that may not stand there is treated like `null`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Atom<'a> {
    pub(super) scalar: Option<Sort>,
    pub(super) list: Option<List<'a>>,
    pub(super) map: Option<Map<'a>>,
}

/// A list.
#[derive(Clone, Copy, Debug)]
pub(super) struct List<'a> {
    pub(super) item: Type<'a>,
    pub(super) kind: &'a ListKind,
}

/// A map or a struct.
#[derive(Clone, Copy, Debug)]
pub(super) struct Map<'a> {
    shapes: Option<&'a Shapes>,
    fields: Option<&'a Struct>,
    /// A whole custom object, which has apiVersion, kind and metadata whatever its schema says.
    whole: bool,
    other: Type<'a>,
    pub(super) unit: Unit,
}

/// Which of its forms a place takes with a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chosen<'a> {
    Map(Map<'a>),
    Scalar(Sort),
    List(List<'a>),
    /// The shape says nothing that a value could fit.
    Nothing,
}

impl<'a> Type<'a> {
    pub(super) fn of(shape: &'a Shape) -> Self {
        Self::Shape(shape.table(), shape.root())
    }

    pub(super) fn is_declared(self) -> bool {
        !matches!(self, Self::Undeclared)
    }

    pub(super) fn atom(self, root: bool) -> Atom<'a> {
        let nothing = Atom {
            scalar: None,
            list: None,
            map: None,
        };
        let untyped = |item, map| Atom {
            scalar: Some(Sort::Any),
            list: Some(List {
                item,
                kind: &ListKind::Atomic,
            }),
            map: Some(map),
        };
        match self {
            Self::Undeclared => nothing,
            Self::Text => Atom {
                scalar: Some(Sort::Text),
                ..nothing
            },
            Self::Deduced => untyped(Self::Opaque, Map::free(Self::Deduced, Unit::Parts)),
            Self::Opaque => untyped(Self::Opaque, Map::free(Self::Opaque, Unit::Whole)),
            Self::Shape(shapes, id) => match &shapes.node(id).form {
                Form::Any => Self::Deduced.atom(root),
                Form::Scalar(scalar) => match sort(*scalar) {
                    Some(sort) => Atom {
                        scalar: Some(sort),
                        ..nothing
                    },
                    None if *scalar == Scalar::RawExtension => Self::Opaque.atom(root),
                    None => Self::Deduced.atom(root),
                },
                Form::List { item, kind } => {
                    let item = Self::Shape(shapes, *item);
                    Atom {
                        list: Some(List { item, kind }),
                        ..nothing
                    }
                }
                Form::Map { .. } | Form::Struct(_) => Atom {
                    map: Some(Map::of(shapes, shapes.node(id), root)),
                    ..nothing
                },
            },
        }
    }
}

/// Returns what upstream's published schema says of a scalar; nothing if it is more than one.
fn sort(scalar: Scalar) -> Option<Sort> {
    Some(match scalar {
        Scalar::String | Scalar::Bytes => Sort::Text,
        Scalar::Bool => Sort::Flag,
        Scalar::Int32 | Scalar::Int64 | Scalar::Integer | Scalar::Float64 => Sort::Number,
        Scalar::Duration => Sort::Text,
        Scalar::Quantity | Scalar::Time | Scalar::MicroTime | Scalar::IntOrString => Sort::Any,
        Scalar::RawExtension
        | Scalar::FieldsV1
        | Scalar::Json
        | Scalar::SchemaOrArray(_)
        | Scalar::SchemaOrBool(_)
        | Scalar::SchemaOrStrings(_) => return None,
    })
}

impl<'a> Atom<'a> {
    /// Returns the form that fits a value; for `null` and for what fits nothing, the first there is.
    pub(super) fn choose(self, value: Option<&Value>) -> Chosen<'a> {
        let fitting = match value {
            None | Some(Value::Null) => None,
            Some(Value::Array(_)) => self.list.map(Chosen::List),
            Some(Value::Object(_)) => self.map.map(Chosen::Map),
            Some(_) => self.scalar.map(Chosen::Scalar),
        };
        fitting.unwrap_or(match (self.map, self.scalar, self.list) {
            (Some(map), ..) => Chosen::Map(map),
            (None, Some(sort), _) => Chosen::Scalar(sort),
            (None, None, Some(list)) => Chosen::List(list),
            (None, None, None) => Chosen::Nothing,
        })
    }

    /// Returns whether both values take the same form here.
    pub(super) fn agree(self, a: &Value, b: &Value) -> bool {
        let form = |value: &Value| match value {
            Value::Null => 0,
            Value::Array(_) if self.list.is_some() => 1,
            Value::Object(_) if self.map.is_some() => 2,
            Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_)
                if self.scalar.is_some() =>
            {
                3
            }
            _ => 0,
        };
        let forms = [
            self.map.is_some(),
            self.scalar.is_some(),
            self.list.is_some(),
        ];
        forms.iter().filter(|form| **form).count() < 2 || form(a) == form(b)
    }
}

impl<'a> Map<'a> {
    fn free(other: Type<'a>, unit: Unit) -> Self {
        Self {
            shapes: None,
            fields: None,
            whole: false,
            other,
            unit,
        }
    }

    fn of(shapes: &'a Shapes, node: &'a Node, root: bool) -> Self {
        let (fields, other, atomic) = match &node.form {
            Form::Struct(shape) => {
                let other = match shape.others {
                    // An object of which nothing is said is free, as in OpenAPI.
                    Others::Drop if shape.fields.is_empty() => Type::Deduced,
                    Others::Drop => Type::Undeclared,
                    Others::Keep => Type::Deduced,
                    Others::Shaped(id) => Type::Shape(shapes, id),
                };
                (Some(&**shape), other, shape.atomic)
            }
            Form::Map { value, atomic } => (None, Type::Shape(shapes, *value), *atomic),
            _ => (None, Type::Deduced, false),
        };
        Self {
            shapes: Some(shapes),
            fields,
            whole: shapes.meta().is_some() && (root || node.embedded),
            other,
            unit: if atomic { Unit::Whole } else { Unit::Parts },
        }
    }

    /// Returns the type of the field with this name, if it is declared by name.
    pub(super) fn named(&self, name: &str) -> Option<Type<'a>> {
        let shapes = self.shapes?;
        if self.whole {
            match name {
                "apiVersion" | "kind" => return Some(Type::Text),
                "metadata" => return shapes.meta().map(Type::of),
                _ => {}
            }
        }
        let field = self.fields?.field(name)?;
        Some(Type::Shape(shapes, field.shape))
    }

    /// Returns the type of the field with this name, and whether it is declared by name. `guess` is
    /// where the field may stand among the declared ones.
    pub(super) fn field_near(&self, name: &str, guess: &mut usize) -> (Type<'a>, bool) {
        if let (Some(shapes), Some(fields), false) = (self.shapes, self.fields, self.whole) {
            let place = match fields.fields.get(*guess) {
                Some(field) if field.name == name => Some(*guess),
                _ => fields.place(name),
            };
            return match place {
                Some(place) => {
                    *guess = place + 1;
                    (Type::Shape(shapes, fields.fields[place].shape), true)
                }
                None => (self.other, false),
            };
        }
        self.field(name)
    }

    /// Returns the type of the field with this name, and whether it is declared by name.
    pub(super) fn field(&self, name: &str) -> (Type<'a>, bool) {
        match self.named(name) {
            Some(known) => (known, true),
            None => (self.other, false),
        }
    }

    /// Returns whether nothing is declared here and whatever comes is deduced.
    pub(super) fn is_free(&self) -> bool {
        self.fields.is_none_or(|fields| fields.fields.is_empty())
            && !self.whole
            && match self.other {
                Type::Deduced => true,
                Type::Shape(shapes, id) => matches!(
                    shapes.node(id).form,
                    Form::Any | Form::Scalar(Scalar::IntOrString)
                ),
                _ => false,
            }
    }

    fn declared(&self, name: &str) -> Option<(&'a Shapes, &'a Field)> {
        Some((self.shapes?, self.fields?.field(name)?))
    }
}

impl List<'_> {
    /// Returns by which element an item of the list is known.
    ///
    /// # Errors
    /// Why it is by none.
    pub(super) fn element(&self, item: &Value) -> Result<Element, String> {
        match self.kind {
            ListKind::Atomic => Err("invalid indexing of non-associative list".to_owned()),
            ListKind::Map(keys) => self.key(keys, item),
            ListKind::Set => match item {
                Value::Object(_) => {
                    Err("associative list without keys has an element that's a map type")
                }
                Value::Array(_) => Err("not supported: associative list with lists as elements"),
                Value::Null => {
                    Err("associative list without keys has an element that's an explicit null")
                }
                scalar => return Ok(Element::Value(scalar.clone())),
            }
            .map_err(str::to_owned),
        }
    }

    fn key(&self, keys: &[Text], item: &Value) -> Result<Element, String> {
        let object = match item {
            Value::Object(object) => object,
            Value::Null => {
                return Err("associative list with keys may not have a null element".to_owned());
            }
            _ => return Err("associative list with keys may not have non-map elements".to_owned()),
        };
        let mut found: Vec<(Text, Value)> = Vec::with_capacity(keys.len());
        for name in keys {
            if let Some(value) = object.get(name) {
                found.push((name.clone(), value.clone()));
            } else if let Some(value) = self.key_default(name)? {
                found.push((name.clone(), value));
            }
        }
        if found.is_empty() && !keys.is_empty() {
            let names: Vec<String> = keys.iter().map(|key| api::quote::quote(key)).collect();
            return Err(format!(
                "associative list with keys has an element that omits all key fields [{}] (and doesn't have default values for any key fields)",
                names.join(" ")
            ));
        }
        if found.len() > 1 {
            found.sort_by(|a, b| a.0.cmp(&b.0));
        }
        Ok(Element::Key(found.into_boxed_slice()))
    }

    /// Returns what an absent key field counts as. Fields of built-ins that are always written are
    /// published with their zero value as default.
    fn key_default(&self, name: &str) -> Result<Option<Value>, String> {
        let Some(map) = self.item.atom(false).map else {
            return Err(format!(
                "couldn't find default value for {name}: associative list may not have non-map types"
            ));
        };
        let Some((shapes, field)) = map.declared(name) else {
            return Ok(None);
        };
        if let Some(default) = &field.default {
            return Ok(Some(Value::clone(default)));
        }
        if shapes.meta().is_some() || field.omit != Omit::Never || field.pointer {
            return Ok(None);
        }
        Ok(match &shapes.node(field.shape).form {
            Form::Scalar(_) => Some(crate::decode::zero_at(shapes, field.shape)),
            _ => None,
        })
    }
}
