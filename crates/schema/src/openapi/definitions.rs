//! Definitions of the types that kinds are made of.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use api::{GroupVersion, Object, Text, Value};

use super::{
    GVK, group_version_kind, reference,
    texts::{About, Texts},
};
use crate::{Field, Form, ListKind, Omit, Others, Scalar, Shape, ShapeId, Shapes, Struct};

/// Go's package for the words of every object.
pub(super) const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";
const EXTENSIONS: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1";

/// The definitions of one document, gathered by following references.
pub(super) struct Definitions<'a> {
    meta: Shape,
    texts: &'a Texts,
    all: BTreeMap<Text, Value>,
}

impl<'a> Definitions<'a> {
    pub(super) fn new(meta: &Shape, texts: &'a Texts) -> Self {
        Self {
            meta: meta.clone(),
            texts,
            all: BTreeMap::new(),
        }
    }

    /// Returns what is said of a definition.
    pub(super) fn about(&self, name: &str) -> About<'a> {
        self.texts.of(name)
    }

    /// Returns the shape of a built-in type, if the kinds of this document are built with it.
    pub(super) fn shape(&self, name: &str) -> Option<Shape> {
        let table = self.meta.table();
        Some(Shape::new(Arc::clone(table), table.named(name)?))
    }

    /// Defines a built-in type by its name, and what it refers to.
    pub(super) fn named(&mut self, name: &str) -> Text {
        let table = Arc::clone(self.meta.table());
        match table.named(name) {
            Some(id) => self.define(&table, id),
            None => {
                let empty = object([("type", Value::from("object"))]);
                self.add_described(Text::new(name), empty);
                Text::new(name)
            }
        }
    }

    /// Adds a definition that was made elsewhere, with what is said of it.
    pub(super) fn add_described(&mut self, name: Text, mut definition: Value) {
        if let (Some(text), Value::Object(definition)) =
            (self.texts.of(&name).whole(), &mut definition)
        {
            definition.insert("description", Value::from(&*text));
        }
        self.all.entry(name).or_insert(definition);
    }

    /// Defines a kind and everything below it; returns the definition's name.
    pub(super) fn kind(&mut self, shape: &Shape, group_version: &GroupVersion, kind: &str) -> Text {
        let name = self.define(shape.table(), shape.root());
        self.mark(&name, group_version, kind);
        name
    }

    /// Defines a type of `meta/v1`; returns its name.
    pub(super) fn meta_type(&mut self, short: &str) -> Text {
        self.named(&format!("{META}.{short}"))
    }

    /// Defines the shape that metadata of custom resources has; returns its name.
    pub(super) fn object_meta(&mut self) -> Text {
        let meta = self.meta.clone();
        self.define(meta.table(), meta.root())
    }

    /// Defines the list of a built-in kind, if its arena has one.
    pub(super) fn list(
        &mut self,
        shape: &Shape,
        item: &str,
        group_version: &GroupVersion,
        list_kind: &str,
    ) -> Option<Text> {
        let prefix = item.rsplit_once('.')?.0;
        let name = format!("{prefix}.{list_kind}");
        let id = shape.table().named(&name)?;
        let name = self.define(shape.table(), id);
        self.mark(&name, group_version, list_kind);
        // The items of a list of objects have no list type: nobody merges them.
        let items = self.all.get_mut(&name);
        if let Some(Value::Object(items)) =
            items.and_then(|list| list.at_mut(&["properties", "items"]))
        {
            items.remove("x-kubernetes-list-type");
        }
        Some(name)
    }

    /// Adds a definition that was made elsewhere.
    pub(super) fn add(&mut self, name: Text, definition: Value) {
        self.all.insert(name, definition);
    }

    /// Writes at a definition which kind it is.
    pub(super) fn mark(&mut self, name: &str, group_version: &GroupVersion, kind: &str) {
        let gvk = group_version_kind(group_version, kind);
        let Some(Value::Object(definition)) = self.all.get_mut(name) else {
            return;
        };
        match definition.get_mut(GVK) {
            Some(Value::Array(known)) if known.contains(&gvk) => {}
            Some(Value::Array(known)) => known.push(gvk),
            _ => definition.push(Text::const_new(GVK), Value::Array(vec![gvk])),
        }
    }

    pub(super) fn finish(self) -> Value {
        Value::Object(self.all.into_iter().collect())
    }

    /// Defines the type at `id` and what it refers to; returns its name, empty if it has none.
    fn define(&mut self, shapes: &Arc<Shapes>, id: ShapeId) -> Text {
        let mut waiting = vec![id];
        let mut first = Text::default();
        while let Some(id) = waiting.pop() {
            let Some(name) = name_of(shapes, id) else {
                continue;
            };
            if first.is_empty() {
                first = name.clone();
            }
            if self.all.contains_key(&name) {
                continue;
            }
            let about = self.texts.of(&name);
            // A field may see a type otherwise than the type says; the definition is the type's.
            let id = shapes.named(&name).unwrap_or(id);
            let definition = match &shapes.node(id).form {
                Form::Struct(shape) => structure(shapes, shape, &about, &mut waiting),
                Form::Scalar(kind) => named_scalar(*kind, &mut waiting),
                _ => continue,
            };
            let is_kind = is_core_kind(&name, &shapes.node(id).form);
            self.add_described(name.clone(), definition);
            if let Some(kind) = is_kind {
                self.mark(&name, &GroupVersion::new("", "v1"), kind);
            }
        }
        first
    }
}

/// Returns the kind that a type of `core/v1` is, if it is one: it may lie in kinds of other groups.
fn is_core_kind<'a>(name: &'a str, form: &Form) -> Option<&'a str> {
    let kind = name.strip_prefix("io.k8s.api.core.v1.")?;
    let Form::Struct(shape) = form else {
        return None;
    };
    let names = ["apiVersion", "kind", "metadata"];
    let is_whole = names.iter().all(|name| shape.field(name).is_some());
    is_whole.then_some(kind)
}

pub(super) fn object<const N: usize>(fields: [(&'static str, Value); N]) -> Value {
    let fields = fields.into_iter();
    Value::Object(
        fields
            .map(|(name, value)| (Text::const_new(name), value))
            .collect(),
    )
}

/// Returns the name under which a type is defined, if it is not written where it is used.
fn name_of(shapes: &Shapes, id: ShapeId) -> Option<Text> {
    let meta = |short: &str| Some(Text::from(format!("{META}.{short}")));
    let extension = |short: &str| Some(Text::from(format!("{EXTENSIONS}.{short}")));
    match &shapes.node(id).form {
        Form::Struct(shape) => shape.name.clone(),
        Form::Scalar(kind) => match kind {
            Scalar::Quantity => Some(Text::const_new(
                "io.k8s.apimachinery.pkg.api.resource.Quantity",
            )),
            Scalar::Time => meta("Time"),
            Scalar::MicroTime => meta("MicroTime"),
            Scalar::Duration => meta("Duration"),
            Scalar::FieldsV1 => meta("FieldsV1"),
            Scalar::IntOrString => Some(Text::const_new(
                "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
            )),
            Scalar::RawExtension => Some(Text::const_new(
                "io.k8s.apimachinery.pkg.runtime.RawExtension",
            )),
            Scalar::Json => extension("JSON"),
            Scalar::SchemaOrArray(_) => extension("JSONSchemaPropsOrArray"),
            Scalar::SchemaOrBool(_) => extension("JSONSchemaPropsOrBool"),
            Scalar::SchemaOrStrings(_) => extension("JSONSchemaPropsOrStringArray"),
            Scalar::String
            | Scalar::Bool
            | Scalar::Int32
            | Scalar::Int64
            | Scalar::Integer
            | Scalar::Float64
            | Scalar::Bytes => None,
        },
        _ => None,
    }
}

fn named_scalar(kind: Scalar, waiting: &mut Vec<ShapeId>) -> Value {
    let either = |one: &'static str, other: &'static str| {
        let branch = |name| object([("type", Value::from(name))]);
        Value::Array(vec![branch(one), branch(other)])
    };
    let string = |format: &'static str| {
        object([
            ("format", Value::from(format)),
            ("type", Value::from("string")),
        ])
    };
    match kind {
        Scalar::Quantity => object([("oneOf", either("string", "number"))]),
        Scalar::Time | Scalar::MicroTime => string("date-time"),
        Scalar::Duration => object([("type", Value::from("string"))]),
        Scalar::IntOrString => object([
            ("format", Value::from("int-or-string")),
            ("oneOf", either("integer", "string")),
        ]),
        Scalar::RawExtension | Scalar::FieldsV1 => object([("type", Value::from("object"))]),
        Scalar::SchemaOrArray(schema)
        | Scalar::SchemaOrBool(schema)
        | Scalar::SchemaOrStrings(schema) => {
            waiting.push(schema);
            Value::object()
        }
        _ => Value::object(),
    }
}

fn structure(
    shapes: &Shapes,
    shape: &Struct,
    about: &About<'_>,
    waiting: &mut Vec<ShapeId>,
) -> Value {
    let mut properties: Object = shape
        .fields
        .iter()
        .map(|field| {
            let mut value = property(shapes, shape, field, about, waiting);
            // Almost every field is described; where descriptions are not known, the form stays
            // that of a described one.
            if about.is_told() {
                value = bare(value);
            }
            (field.name.clone(), value)
        })
        .collect();
    properties.sort();
    let required: Vec<Value> = shape
        .fields
        .iter()
        .filter(|field| field.required)
        .map(|field| Value::String(field.name.clone()))
        .collect();
    let mut definition = Object::default();
    if !properties.is_empty() {
        definition.push(Text::const_new("properties"), Value::Object(properties));
    }
    if !required.is_empty() {
        definition.push(Text::const_new("required"), Value::Array(required));
    }
    definition.push(Text::const_new("type"), Value::from("object"));
    if shape.atomic {
        definition.push(
            Text::const_new("x-kubernetes-map-type"),
            Value::from("atomic"),
        );
    }
    if let Some(unions) = &shape.unions {
        let name = Text::const_new("x-kubernetes-unions");
        definition.push(name, Value::clone(unions));
    }
    Value::Object(definition)
}

/// Returns what upstream says of the two fields by which every object tells what it is.
fn of_every_object(shape: &Struct, field: &Field) -> Option<&'static str> {
    let name = shape.name.as_deref()?;
    // Only whole objects have both; an OwnerReference has them too, and says so itself.
    let is_list = name.ends_with("List") && shape.field("items").is_some();
    match &*field.name {
        "apiVersion" if is_list => Some(super::custom::API_VERSION),
        "kind" if is_list => Some(super::custom::KIND),
        _ => None,
    }
}

fn property(
    shapes: &Shapes,
    shape: &Struct,
    field: &Field,
    about: &About<'_>,
    waiting: &mut Vec<ShapeId>,
) -> Value {
    let text = about.field(&field.name);
    let text = text.as_deref().or_else(|| of_every_object(shape, field));
    let default = default_of(shapes, shape, field);
    let mut value = part(shapes, field.shape, default, waiting);
    if let Value::Object(object) = &mut value {
        if let Some(text) = text {
            let text = match object.get("enum").and_then(Value::as_array) {
                Some(values) => with_values(text, values),
                None => text.to_owned(),
            };
            object.push(Text::const_new("description"), Value::string(text));
        }
        if let Some(patch) = &field.patch {
            if let Some(key) = &patch.merge_key {
                let name = Text::const_new("x-kubernetes-patch-merge-key");
                object.push(name, Value::String(key.clone()));
            }
            let words = [
                (patch.merge, "merge"),
                (patch.replace, "replace"),
                (patch.retain_keys, "retainKeys"),
            ];
            let words: Vec<&str> = words
                .iter()
                .filter(|(set, _)| *set)
                .map(|(_, word)| *word)
                .collect();
            if !words.is_empty() {
                let name = Text::const_new("x-kubernetes-patch-strategy");
                object.push(name, Value::string(words.join(",")));
            }
        }
        object.sort();
    }
    value
}

/// Adds to a description which values there are, in upstream's form.
fn with_values(text: &str, values: &[Value]) -> String {
    let mut text = format!("{text}\n\nPossible enum values:");
    for value in values.iter().filter_map(Value::as_str) {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n - `\"{value}\"`");
    }
    text
}

/// Returns the default that OpenAPI shows: the declared one, or the zero value of what Go holds by
/// value and always writes.
fn default_of(shapes: &Shapes, shape: &Struct, field: &Field) -> Option<Value> {
    if let Some(default) = &field.default {
        return Some(Value::clone(default));
    }
    let mut declared = shape.zero_defaults.iter();
    if let Some((_, zero)) = declared.find(|(name, _)| *name == field.name) {
        return Some(zero.clone());
    }
    if field.pointer || field.omit == Omit::Absent {
        return None;
    }
    match &shapes.node(field.shape).form {
        Form::Struct(_) => Some(Value::object()),
        Form::Scalar(kind) => match kind {
            Scalar::String if field.omit == Omit::Never => Some(Value::from("")),
            Scalar::Bool if field.omit == Omit::Never => Some(Value::Bool(false)),
            Scalar::Int32 | Scalar::Int64 | Scalar::Float64 if field.omit == Omit::Never => {
                Some(Value::Int(0))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Returns the schema of a value whose type has a name: a reference, and what stands beside it.
fn referred(shapes: &Shapes, id: ShapeId, name: &str, default: Option<Value>) -> Value {
    let reference = reference(name);
    // Nothing may stand beside a reference, and fields have words of their own.
    let mut object = Object::default();
    if let (Form::Struct(seen), Some(Form::Struct(own))) = (
        &shapes.node(id).form,
        shapes.named(name).map(|id| &shapes.node(id).form),
    ) && seen.atomic != own.atomic
    {
        let kind = if seen.atomic { "atomic" } else { "granular" };
        object.push(Text::const_new("x-kubernetes-map-type"), Value::from(kind));
    }
    object.push(Text::const_new("allOf"), Value::Array(vec![reference]));
    if let Some(default) = default {
        object.push(Text::const_new("default"), default);
    }
    Value::Object(object)
}

/// Returns the schema of a value where it is used: a reference, or the schema itself.
fn part(shapes: &Shapes, id: ShapeId, default: Option<Value>, waiting: &mut Vec<ShapeId>) -> Value {
    if let Some(name) = name_of(shapes, id) {
        waiting.push(id);
        return referred(shapes, id, &name, default);
    }
    let node = shapes.node(id);
    let mut object = Object::default();
    let mut put = |name: &'static str, value: Value| object.push(Text::const_new(name), value);
    match &node.form {
        Form::Any => {}
        Form::Scalar(kind) => {
            let (kind, format) = match kind {
                Scalar::Bool => ("boolean", ""),
                Scalar::Int32 => ("integer", "int32"),
                Scalar::Int64 => ("integer", "int64"),
                Scalar::Integer => ("integer", ""),
                Scalar::Float64 => ("number", "double"),
                Scalar::Bytes => ("string", "byte"),
                _ => ("string", ""),
            };
            if !format.is_empty() {
                put("format", Value::from(format));
            }
            put("type", Value::from(kind));
        }
        Form::Map { value, atomic } => {
            put(
                "additionalProperties",
                without_list_type(bare(part(shapes, *value, None, waiting))),
            );
            put("type", Value::from("object"));
            if *atomic {
                put("x-kubernetes-map-type", Value::from("atomic"));
            }
        }
        Form::List { item, kind } => {
            put("items", bare(part(shapes, *item, None, waiting)));
            put("type", Value::from("array"));
            match kind {
                // What is a message of its own has no room for the word.
                ListKind::Atomic if node.wrapped => {}
                ListKind::Atomic => put("x-kubernetes-list-type", Value::from("atomic")),
                ListKind::Set => put("x-kubernetes-list-type", Value::from("set")),
                ListKind::Map(keys) => {
                    let keys = keys.iter().cloned().map(Value::String).collect();
                    put("x-kubernetes-list-map-keys", Value::Array(keys));
                    put("x-kubernetes-list-type", Value::from("map"));
                }
            }
        }
        Form::Struct(shape) => {
            let mut inner = structure(shapes, shape, &About::default(), waiting);
            if let (Others::Keep, Value::Object(inner)) = (shape.others, &mut inner) {
                let name = Text::const_new("x-kubernetes-preserve-unknown-fields");
                inner.push(name, Value::Bool(true));
            }
            return inner;
        }
    }
    if let Some(rules) = &node.rules {
        if !rules.enumeration.is_empty() {
            let mut values = rules.enumeration.clone();
            values.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            put("enum", Value::Array(values));
        }
        if let Some(format) = rules.format.clone() {
            put("format", Value::String(format));
        }
    }
    if let Some(default) = default {
        put("default", default);
    }
    object.sort();
    Value::Object(object)
}

/// Takes the list type away, which only fields say.
fn without_list_type(mut value: Value) -> Value {
    if let Value::Object(object) = &mut value {
        object.remove("x-kubernetes-list-type");
    }
    value
}

/// Takes the `allOf` away from a reference beside which nothing stands.
fn bare(mut value: Value) -> Value {
    if let Value::Object(object) = &mut value
        && object.len() == 1
        && let Some(Value::Array(only)) = object.get_mut("allOf")
        && let Some(reference) = only.pop()
    {
        return reference;
    }
    value
}
