//! The table of a kind's fields.
//!
//! A [`Shapes`] is an arena of nodes, because built-in types share sub-types and some recurse
//! (JSONSchemaProps). A [`Shape`] is one node of it together with the arena, cheap to clone.
//!
//! Two families use it. Built-ins are Go structs upstream: fields have a declared order, protobuf
//! numbers and omission rules, and unknown fields are dropped. Custom resources are structural
//! schemas: fields are written sorted by name, absent ones are absent, and value validation
//! hangs on the nodes as [`Rules`].

use std::{collections::HashMap, sync::Arc};

use api::{Text, Value};

/// The place of a node in its arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShapeId(pub u32);

/// An arena of nodes that may refer to each other, also in circles.
#[derive(Debug, Default)]
pub struct Shapes {
    nodes: Vec<Node>,
    /// Named definitions: `io.k8s.api.core.v1.Pod` to its node.
    names: HashMap<Text, ShapeId>,
}

/// One node of an arena: what a value at this place looks like.
#[derive(Clone, Debug)]
pub struct Shape {
    table: Arc<Shapes>,
    root: ShapeId,
}

/// What one value looks like.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Its structure.
    pub form: Form,
    /// `null` is a value here (CRDs: `nullable`; built-ins: never, null means absent).
    pub nullable: bool,
    /// The value is a whole object with apiVersion, kind and metadata (`x-kubernetes-embedded-resource`).
    pub embedded: bool,
    /// Value validation; absent for most nodes.
    pub rules: Option<Box<Rules>>,
}

/// The structure of a value.
#[derive(Clone, Debug, Default)]
pub enum Form {
    /// Anything: kept as it is (`x-kubernetes-preserve-unknown-fields` without properties, JSON).
    #[default]
    Any,
    /// One value without parts.
    Scalar(Scalar),
    /// Named fields.
    Struct(Struct),
    /// Free keys, all values of one shape.
    Map {
        /// Shape of each value.
        value: ShapeId,
        /// `mapType: atomic`: owned and replaced as one.
        atomic: bool,
    },
    /// Items of one shape.
    List {
        /// Shape of each item.
        item: ShapeId,
        /// How items are told apart when merging.
        kind: ListKind,
    },
}

/// A value without parts, by its Go or OpenAPI type. The codec knows JSON and protobuf form of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the types' own")]
pub enum Scalar {
    String,
    Bool,
    Int32,
    Int64,
    /// OpenAPI `integer` without format: any whole number.
    Integer,
    Float64,
    /// Base64 in JSON, bytes in protobuf.
    Bytes,
    Quantity,
    Time,
    MicroTime,
    /// Go duration string in JSON, nanoseconds in protobuf.
    Duration,
    IntOrString,
    /// A whole object inside another: verbatim JSON; protobuf message with the bytes in field 1.
    RawExtension,
    /// `FieldsV1` of managedFields: verbatim JSON; protobuf message with the bytes in field 1.
    FieldsV1,
    /// apiextensions `JSON`: verbatim JSON; protobuf message with the bytes in field 1.
    Json,
    /// apiextensions `JSONSchemaPropsOrArray`: the schema, or a list of schemas.
    SchemaOrArray,
    /// apiextensions `JSONSchemaPropsOrBool`
    SchemaOrBool,
    /// apiextensions `JSONSchemaPropsOrStringArray`
    SchemaOrStrings,
}

/// Named fields, and what becomes of names that are not among them.
#[derive(Clone, Debug, Default)]
pub struct Struct {
    /// Definition name for OpenAPI, if it has one: `io.k8s.api.core.v1.PodSpec`.
    pub name: Option<Text>,
    /// Fields in the order in which they are written.
    pub fields: Vec<Field>,
    /// Places in `fields`, sorted by field name, for lookup.
    pub sorted: Vec<u16>,
    /// What becomes of other names.
    pub others: Others,
    /// `structType: atomic` / `mapType: atomic`: owned and replaced as one.
    pub atomic: bool,
}

/// What becomes of fields that a struct does not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Others {
    /// Dropped, and reported when the client asked for it.
    #[default]
    Drop,
    /// Kept as they are (`x-kubernetes-preserve-unknown-fields: true`).
    Keep,
    /// Kept and of this shape (`properties` beside `additionalProperties`).
    Shaped(ShapeId),
}

/// One named field of a struct.
#[derive(Clone, Debug)]
pub struct Field {
    /// Name in JSON.
    pub name: Text,
    /// Shape of the value.
    pub shape: ShapeId,
    /// When the field is left out of JSON.
    pub omit: Omit,
    /// Whether Go holds it by pointer; a value that is no pointer is always in protobuf.
    pub pointer: bool,
    /// Protobuf field number; 0 when it has none.
    pub proto: u32,
    /// How strategic merge patch treats it.
    pub patch: Patch,
    /// Must be present (OpenAPI `required`).
    pub required: bool,
    /// Value to set when absent.
    pub default: Option<Box<Value>>,
}

/// When a field is left out of JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Omit {
    /// Only when absent: custom resources write what was given.
    #[default]
    Absent,
    /// Go `omitempty`: false, 0, "", null pointer, empty list or map; structs are always written.
    Empty,
    /// Go `omitzero`: also a struct whose fields are all zero.
    Zero,
    /// No tag: always written, as zero value if need be (null for pointers, lists and maps).
    Never,
}

/// How the items of a list are told apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ListKind {
    /// The list is one value.
    #[default]
    Atomic,
    /// Items are unique scalars.
    Set,
    /// Items are objects; these fields together are the key.
    Map(Vec<Text>),
}

/// How strategic merge patch treats a field (`patchStrategy`, `patchMergeKey` tags).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// `merge`: the patch's items go into the list instead of replacing it.
    pub merge: bool,
    /// `retainKeys`: fields that the patch does not list under `$retainKeys` are cleared.
    pub retain_keys: bool,
    /// `replace`: the object is replaced instead of merged.
    pub replace: bool,
    /// The field that identifies an item.
    pub merge_key: Option<Text>,
}

/// OpenAPI value validation of one node, as structural schemas allow it.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names are OpenAPI's own")]
pub struct Rules {
    pub format: Option<Text>,
    pub pattern: Option<Text>,
    pub min_length: Option<i64>,
    pub max_length: Option<i64>,
    pub minimum: Option<f64>,
    pub maximum: Option<f64>,
    pub exclusive_minimum: bool,
    pub exclusive_maximum: bool,
    pub multiple_of: Option<f64>,
    pub min_items: Option<i64>,
    pub max_items: Option<i64>,
    pub unique_items: bool,
    pub min_properties: Option<i64>,
    pub max_properties: Option<i64>,
    pub enumeration: Vec<Value>,
    pub all_of: Vec<Rules>,
    pub any_of: Vec<Rules>,
    pub one_of: Vec<Rules>,
    pub not: Option<Box<Rules>>,
    /// Inside junctors: rules for named fields, for items and for additional properties.
    pub required: Vec<Text>,
    pub properties: Vec<(Text, Rules)>,
    pub items: Option<Box<Rules>>,
    pub additional: Option<Box<Rules>>,
    /// `x-kubernetes-validations`, kept and published; enforced by the issue on custom resources.
    pub cel: Vec<Value>,
}

impl Shapes {
    /// Returns an arena without nodes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node.
    pub fn add(&mut self, node: Node) -> ShapeId {
        let id = u32::try_from(self.nodes.len()).expect("an arena has fewer than 2^32 nodes");
        self.nodes.push(node);
        ShapeId(id)
    }

    /// Replaces a node that was added before its parts were known.
    pub fn replace(&mut self, id: ShapeId, node: Node) {
        self.nodes[id.0 as usize] = node;
    }

    /// Gives a node a definition name.
    pub fn name(&mut self, id: ShapeId, name: impl Into<Text>) {
        self.names.insert(name.into(), id);
    }

    /// Returns the node at this place.
    #[must_use]
    pub fn node(&self, id: ShapeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// Returns the node with this definition name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<ShapeId> {
        self.names.get(name).copied()
    }

    /// Returns the number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

impl Shape {
    /// Returns the shape with this root.
    #[must_use]
    pub fn new(table: Arc<Shapes>, root: ShapeId) -> Self {
        Self { table, root }
    }

    /// Returns the shape that keeps anything.
    #[must_use]
    pub fn any() -> Self {
        let mut table = Shapes::new();
        let root = table.add(Node::default());
        Self::new(Arc::new(table), root)
    }

    /// Returns the root's place.
    #[must_use]
    pub fn root(&self) -> ShapeId {
        self.root
    }

    /// Returns the arena.
    #[must_use]
    pub fn table(&self) -> &Arc<Shapes> {
        &self.table
    }

    /// Returns the root node.
    #[must_use]
    pub fn node(&self) -> &Node {
        self.table.node(self.root)
    }

    /// Returns another node of the same arena as a shape.
    #[must_use]
    pub fn part(&self, id: ShapeId) -> Self {
        Self::new(Arc::clone(&self.table), id)
    }
}

impl Struct {
    /// Returns a struct with these fields, ready for lookup.
    #[must_use]
    pub fn new(name: Option<Text>, fields: Vec<Field>) -> Self {
        let count = u16::try_from(fields.len()).expect("a struct has fewer than 65,536 fields");
        let mut sorted: Vec<u16> = (0..count).collect();
        sorted.sort_unstable_by(|a, b| {
            fields[usize::from(*a)]
                .name
                .cmp(&fields[usize::from(*b)].name)
        });
        Self {
            name,
            fields,
            sorted,
            others: Others::Drop,
            atomic: false,
        }
    }

    /// Returns the place of the field with this name.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        self.sorted
            .binary_search_by(|place| self.fields[usize::from(*place)].name.as_str().cmp(name))
            .ok()
            .map(|found| usize::from(self.sorted[found]))
    }

    /// Returns the field with this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.place(name).map(|place| &self.fields[place])
    }
}

impl Field {
    /// Returns a field that is written when present, as custom resources have them.
    #[must_use]
    pub fn new(name: impl Into<Text>, shape: ShapeId) -> Self {
        Self {
            name: name.into(),
            shape,
            omit: Omit::Absent,
            pointer: false,
            proto: 0,
            patch: Patch::default(),
            required: false,
            default: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Field, Form, Node, Scalar, Shapes, Struct};

    #[test]
    fn finds_fields_whatever_their_order() {
        let mut shapes = Shapes::new();
        let text = shapes.add(Node {
            form: Form::Scalar(Scalar::String),
            ..Node::default()
        });
        let fields = ["kind", "apiVersion", "metadata", "a"]
            .map(|name| Field::new(name, text))
            .to_vec();
        let built = Struct::new(None, fields);
        for (place, field) in built.fields.iter().enumerate() {
            assert_eq!(built.place(&field.name), Some(place));
        }
        assert_eq!(built.place("b"), None);
    }
}
