//! The table of a kind's fields.
//!
//! A [`Shapes`] is an arena of nodes, because built-in types share sub-types and some recurse
//! (JSONSchemaProps). A [`Shape`] is one node of it together with the arena, cheap to clone.
//!
//! Two families use it. Built-ins are Go structs upstream: fields have a declared order, protobuf
//! numbers and omission rules, and unknown fields are dropped. Custom resources are structural
//! schemas: fields are written sorted by name, absent ones are absent, and value validation
//! hangs on the nodes as [`Rules`].

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use api::{Text, Value};

use crate::{cel::rules::Validator, validate::Pattern};

/// The place of a node in its arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShapeId(pub u32);

/// An arena of nodes that may refer to each other, also in circles.
///
/// Filled with [`Shapes::add`] and [`Shapes::name`], then closed with [`Shapes::finish`], which
/// works out what decoding and protobuf want to know of each struct beforehand.
#[derive(Debug, Default)]
pub struct Shapes {
    nodes: Vec<Node>,
    /// Named definitions: `io.k8s.api.core.v1.Pod` to its node.
    names: HashMap<Text, ShapeId>,
    /// Shape of `ObjectMeta` for custom resources; absent in the arena of the built-ins.
    meta: Option<Shape>,
    /// For each node, whether a default is declared in it or below; set by [`Shapes::finish`].
    defaults: Vec<bool>,
    finished: bool,
    /// Rules in CEL, compiled when the first object is validated; most schemas never are.
    rules: OnceLock<Option<Box<Validator>>>,
}

/// One node of an arena: what a value at this place looks like.
#[derive(Clone, Debug)]
pub struct Shape(Source);

/// Where a shape comes from.
#[derive(Clone, Debug)]
enum Source {
    Made {
        table: Arc<Shapes>,
        root: ShapeId,
    },
    /// Of a custom resource, made when it is first looked at.
    Later(Arc<Later>),
}

type Maker = Box<dyn FnOnce() -> Shape + Send>;

struct Later {
    maker: Mutex<Option<Maker>>,
    made: OnceLock<(Arc<Shapes>, ShapeId)>,
}

impl Later {
    fn made(&self) -> &(Arc<Shapes>, ShapeId) {
        self.made.get_or_init(|| {
            let mut maker = self.maker.lock().unwrap_or_else(PoisonError::into_inner);
            let shape = maker.take().map_or_else(Shape::any, |make| make());
            (Arc::clone(shape.table()), shape.root())
        })
    }
}

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.made.get() {
            Some(_) => "Later(made)",
            None => "Later",
        })
    }
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
    /// The schema names no type, so values of any are well (with `x-kubernetes-preserve-unknown-fields`).
    pub untyped: bool,
    /// In protobuf a list of this type is a message with the items in field 1 (`ExtraValue`, `Verbs`).
    pub wrapped: bool,
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
    Struct(Box<Struct>),
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
    /// apiextensions `JSONSchemaPropsOrArray`: the schema (whose shape this is), or a list of schemas.
    SchemaOrArray(ShapeId),
    /// apiextensions `JSONSchemaPropsOrBool`
    SchemaOrBool(ShapeId),
    /// apiextensions `JSONSchemaPropsOrStringArray`
    SchemaOrStrings(ShapeId),
}

/// Named fields, and what becomes of names that are not among them.
#[derive(Clone, Debug, Default)]
pub struct Struct {
    /// Definition name for OpenAPI, if it has one: `io.k8s.api.core.v1.PodSpec`.
    pub name: Option<Text>,
    /// Fields in the order in which they are written.
    pub fields: Vec<Field>,
    /// What becomes of other names.
    pub others: Others,
    /// `structType: atomic` / `mapType: atomic`: owned and replaced as one.
    pub atomic: bool,
    /// `x-kubernetes-unions`, which OpenAPI shows and nothing here works with.
    pub unions: Option<Box<Value>>,
    /// Defaults that are zero and omitted: OpenAPI shows them, and setting them changes nothing.
    pub zero_defaults: Box<[(Text, Value)]>,
    /// Hash table of places in `fields` plus one; 0 is a free slot. Its length is a power of two.
    index: Box<[u16]>,
    /// Places of fields that are written even if absent; set by [`Shapes::finish`].
    pub(crate) forced: Box<[u16]>,
    /// Places of fields that travel in protobuf, ascending by (outer) number; set by [`Shapes::finish`].
    pub(crate) wire: Box<[u16]>,
    /// For each field its place in `wire` plus one; 0 for those that do not travel.
    pub(crate) wire_places: Box<[u16]>,
    /// For each place in `wire` what is written when the field is absent.
    pub(crate) zeros: Box<[Box<[u8]>]>,
    /// The fields that travel have one order in JSON and on the wire, and none is inlined.
    pub(crate) straight: bool,
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
    /// Numbers of the protobuf messages, from outside, that hold the field where Go inlines structs
    /// in JSON: `[2, 0]` for what `VolumeSource` brings into `Volume`, `[2, 2]` for what `Rule`
    /// brings into `RuleWithOperations` and that into `NamedRuleWithOperations`; `[0, 0]` otherwise.
    pub inline: [u16; 2],
    /// How strategic merge patch treats it, if it says so.
    pub patch: Option<Box<Patch>>,
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
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the names are OpenAPI's own")]
pub struct Rules {
    pub format: Option<Text>,
    pub pattern: Option<Pattern>,
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

    /// Makes this the arena of custom resources, whose `metadata` has this shape.
    pub fn set_meta(&mut self, meta: Shape) {
        self.meta = Some(meta);
    }

    /// Returns the shape of `ObjectMeta` if this is an arena of custom resources.
    #[must_use]
    pub fn meta(&self) -> Option<&Shape> {
        self.meta.as_ref()
    }

    /// Closes the arena: nothing can be added any more, and shapes can be made of it.
    #[must_use]
    pub fn finish(mut self) -> Arc<Self> {
        self.nodes.shrink_to_fit();
        for place in 0..self.nodes.len() {
            let Form::Struct(shape) = &self.nodes[place].form else {
                continue;
            };
            let (forced, wire) = (self.forced(shape), wire(shape));
            if let Form::Struct(shape) = &mut self.nodes[place].form {
                shape.forced = forced;
                shape.straight =
                    wire.is_sorted() && shape.fields.iter().all(|field| field.inline == [0, 0]);
                shape.wire_places = wire_places(&wire, shape.fields.len());
                shape.wire = wire;
            }
        }
        // Zero values hold those of other structs, so this comes when the order of all is known.
        for place in 0..self.nodes.len() {
            let Form::Struct(shape) = &self.nodes[place].form else {
                continue;
            };
            let zeros = crate::proto::zeros(&self, shape);
            if let Form::Struct(shape) = &mut self.nodes[place].form {
                shape.zeros = zeros;
            }
        }
        self.defaults = self.find_defaults();
        self.finished = true;
        Arc::new(self)
    }

    /// Marks nodes with defaults in or below them, going round until nothing changes, because
    /// nodes may refer to each other in circles.
    fn find_defaults(&self) -> Vec<bool> {
        let mut marked = vec![false; self.nodes.len()];
        loop {
            let mut changed = false;
            for (place, node) in self.nodes.iter().enumerate().rev() {
                let is_marked = |id: &ShapeId| marked[id.0 as usize];
                let mark = match &node.form {
                    Form::Any | Form::Scalar(_) => false,
                    Form::Map { value, .. } => is_marked(value),
                    Form::List { item, .. } => is_marked(item),
                    Form::Struct(shape) => {
                        let below =
                            |field: &Field| field.default.is_some() || is_marked(&field.shape);
                        shape.fields.iter().any(below)
                            || matches!(&shape.others, Others::Shaped(part) if is_marked(part))
                    }
                };
                changed |= mark != marked[place];
                marked[place] = mark;
            }
            if !changed {
                return marked;
            }
        }
    }

    /// Returns the compiled rules of the schema whose root this is; none if it has none.
    pub(crate) fn cel_rules(&self, root: ShapeId) -> Option<&Validator> {
        let compile = || Validator::of(self, root).map(Box::new);
        self.rules.get_or_init(compile).as_deref()
    }

    /// Returns whether a default is declared at this node or below.
    pub(crate) fn has_defaults(&self, id: ShapeId) -> bool {
        self.defaults[id.0 as usize]
    }

    fn forced(&self, shape: &Struct) -> Box<[u16]> {
        let forced = |field: &Field| match field.omit {
            Omit::Never => true,
            Omit::Empty => !field.pointer && self.is_go_struct(field.shape),
            Omit::Absent | Omit::Zero => false,
        };
        let places = (0..).zip(&shape.fields);
        places
            .filter(|(_, field)| forced(field))
            .map(|(place, _)| place)
            .collect()
    }

    /// Returns whether Go holds the value as a struct, which `omitempty` never omits.
    pub(crate) fn is_go_struct(&self, id: ShapeId) -> bool {
        match self.node(id).form {
            Form::Struct(_) => true,
            Form::Scalar(scalar) => scalar.is_go_struct(),
            _ => false,
        }
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

impl Scalar {
    fn is_go_struct(self) -> bool {
        !matches!(
            self,
            Self::String
                | Self::Bool
                | Self::Int32
                | Self::Int64
                | Self::Integer
                | Self::Float64
                | Self::Bytes
        )
    }
}

/// Orders the fields as gogo writes them; those of an inlined message stand together.
fn wire(shape: &Struct) -> Box<[u16]> {
    let places = (0..).zip(&shape.fields);
    let mut wire: Vec<(u16, [u32; 3])> = places
        .filter(|(_, field)| field.proto != 0)
        .map(|(place, field)| (place, [0, 1, 2].map(|level| field.wire_number(level))))
        .collect();
    wire.sort_unstable_by_key(|(_, numbers)| *numbers);
    wire.into_iter().map(|(place, _)| place).collect()
}

fn wire_places(wire: &[u16], count: usize) -> Box<[u16]> {
    if wire.is_empty() {
        return Box::default();
    }
    let mut places = vec![0; count].into_boxed_slice();
    for (place, field) in (1..).zip(wire) {
        places[usize::from(*field)] = place;
    }
    places
}

impl Shape {
    /// Returns the shape with this root in a finished arena.
    ///
    /// # Panics
    /// When the arena was not closed with [`Shapes::finish`], which is a mistake of the program.
    #[must_use]
    pub fn new(table: Arc<Shapes>, root: ShapeId) -> Self {
        assert!(
            table.finished,
            "an arena is finished before shapes of it are used"
        );
        Self(Source::Made { table, root })
    }

    /// Returns the shape of a custom resource that is made when it is first looked at.
    ///
    /// If making it panics, it is the shape that keeps anything from then on.
    #[must_use]
    pub fn later(make: impl FnOnce() -> Self + Send + 'static) -> Self {
        Self(Source::Later(Arc::new(Later {
            maker: Mutex::new(Some(Box::new(make))),
            made: OnceLock::new(),
        })))
    }

    /// Returns whether it is there already, and not only promised.
    #[must_use]
    pub fn is_made(&self) -> bool {
        match &self.0 {
            Source::Made { .. } => true,
            Source::Later(later) => later.made.get().is_some(),
        }
    }

    /// Returns the shape that keeps anything.
    #[must_use]
    pub fn any() -> Self {
        let mut table = Shapes::new();
        let root = table.add(Node::default());
        Self::new(table.finish(), root)
    }

    /// Returns the root's place.
    #[must_use]
    pub fn root(&self) -> ShapeId {
        match &self.0 {
            Source::Made { root, .. } => *root,
            Source::Later(later) => later.made().1,
        }
    }

    /// Returns the arena.
    #[must_use]
    pub fn table(&self) -> &Arc<Shapes> {
        match &self.0 {
            Source::Made { table, .. } => table,
            Source::Later(later) => &later.made().0,
        }
    }

    /// Returns the root node.
    #[must_use]
    pub fn node(&self) -> &Node {
        self.table().node(self.root())
    }

    /// Returns whether this is the shape of a custom resource.
    #[must_use]
    pub fn is_custom(&self) -> bool {
        match &self.0 {
            Source::Made { table, .. } => table.meta.is_some(),
            Source::Later(_) => true,
        }
    }

    /// Returns another node of the same arena as a shape.
    #[must_use]
    pub fn part(&self, id: ShapeId) -> Self {
        Self::new(Arc::clone(self.table()), id)
    }
}

impl Struct {
    /// Returns a struct with these fields, ready for lookup.
    #[must_use]
    pub fn new(name: Option<Text>, fields: Vec<Field>) -> Self {
        let index = index(&fields);
        Self {
            name,
            fields,
            index,
            ..Self::default()
        }
    }

    /// Returns the place of the field with this name.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        if self.index.is_empty() {
            return None;
        }
        let mask = self.index.len() - 1;
        let mut slot = hash(name) & mask;
        // At least half of the slots are free, so the walk ends.
        while let Some(place) = usize::from(self.index[slot]).checked_sub(1) {
            if self.fields[place].name == name {
                return Some(place);
            }
            slot = (slot + 1) & mask;
        }
        None
    }

    /// Returns the field with this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.place(name).map(|place| &self.fields[place])
    }
}

fn index(fields: &[Field]) -> Box<[u16]> {
    if fields.is_empty() {
        return Box::default();
    }
    let size = (fields.len() * 2).next_power_of_two();
    let mut slots = vec![0_u16; size].into_boxed_slice();
    for (place, field) in fields.iter().enumerate() {
        let mut slot = hash(&field.name) & (size - 1);
        while slots[slot] != 0 {
            slot = (slot + 1) & (size - 1);
        }
        slots[slot] = u16::try_from(place + 1).expect("a struct has fewer than 65,535 fields");
    }
    slots
}

/// Mixes the length, the ends and the middle of a name: enough to tell the fields of one struct apart.
fn hash(name: &str) -> usize {
    let bytes = name.as_bytes();
    let length = bytes.len();
    let word = |at: usize| {
        let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
        four.map_or(0, u32::from_le_bytes)
    };
    let mixed = if length >= 4 {
        word(0) ^ word(length - 4).rotate_left(13) ^ word(length / 2 - 2).rotate_left(23)
    } else {
        bytes
            .iter()
            .fold(0, |sum: u32, byte| (sum << 8) | u32::from(*byte))
    };
    let spread = (mixed ^ u32::try_from(length).unwrap_or(0)).wrapping_mul(0x9E37_79B1);
    (spread >> 12) as usize
}

impl Field {
    /// Returns the number under which the field, or the inlined message that holds it, lies in the
    /// message this many levels down.
    pub(crate) fn wire_number(&self, level: usize) -> u32 {
        match self.inline.get(level) {
            Some(outer) if *outer != 0 => u32::from(*outer),
            _ => self.proto,
        }
    }

    /// Returns whether the field lies deeper than this many levels of inlined messages.
    pub(crate) fn is_inlined(&self, level: usize) -> bool {
        self.inline.get(level).is_some_and(|outer| *outer != 0)
    }

    /// Returns a field that is written when present, as custom resources have them.
    #[must_use]
    pub fn new(name: impl Into<Text>, shape: ShapeId) -> Self {
        Self {
            name: name.into(),
            shape,
            omit: Omit::Absent,
            pointer: false,
            proto: 0,
            inline: [0, 0],
            patch: None,
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
        assert!(size_of::<super::Node>() <= 64 && size_of::<Field>() <= 64);
        for (place, field) in built.fields.iter().enumerate() {
            assert_eq!(built.place(&field.name), Some(place));
        }
        assert_eq!(built.place("b"), None);
    }
}
