//! What the server fills in where a client said nothing, beyond the defaults that shapes declare.
//!
//! Upstream has one function per Go type, called wherever that type stands. Here a table says per
//! type what it gets ([`Rule`]); [`Plan::compile`] hangs the rules on the nodes of the shapes once,
//! so that a pod template has its rules wherever a template stands. [`Plan::apply`] then walks an
//! object once, from outside to inside, and goes only where there are rules.
//!
//! Objects come in normal form. What most objects get is added at its place, so that they are still
//! in normal form afterwards; what few get is put in order when the object is next brought into it.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/*/v*/defaults.go and zz_generated.defaults.go, with
//! the feature gates that are on by default. Upstream also sets defaults when it reads from etcd;
//! here what is stored was defaulted when it was written.

mod admission;
mod apps;
mod autoscaling;
mod batch;
mod cluster;
mod extensions;
mod flowcontrol;
mod images;
mod networking;
mod pods;
mod rbac;
mod resource;
mod services;
mod storage;

pub(crate) use cluster::set_name_label;

use std::{fmt, sync::Arc};

use api::{GroupVersion, Gvk, Object, Quantity, Text, Value};
use schema::{Form, Occasion, ShapeId, Shapes, Struct};

/// What each type gets, by its name in OpenAPI without [`PREFIX`]. A type stands in one table once.
type Table = &'static [(&'static str, &'static [Rule])];

/// What the names of most types begin with.
const PREFIX: &str = "io.k8s.api.";

const TABLES: [Table; 13] = [
    admission::TABLE,
    apps::TABLE,
    autoscaling::TABLE,
    batch::TABLE,
    cluster::TABLE,
    extensions::TABLE,
    flowcontrol::TABLE,
    networking::TABLE,
    pods::TABLE,
    rbac::TABLE,
    resource::TABLE,
    services::TABLE,
    storage::TABLE,
];

/// One thing that a type gets.
#[derive(Clone, Copy)]
enum Rule {
    /// A field that is open gets this value.
    Set(&'static str, Given),
    /// Quantities in this map are rounded up to thousandths.
    Round(&'static str),
    /// What is more than a value for a field.
    Call(fn(&mut Fields<'_>, Occasion<'_>)),
}

/// The value of a default.
#[derive(Clone, Copy)]
enum Given {
    Text(&'static str),
    Int(i64),
    Flag(bool),
    /// An empty object.
    Empty,
    /// A list of one text.
    Listed(&'static str),
}

impl Given {
    fn value(self) -> Value {
        match self {
            // Short texts lie inside the value without an allocation.
            Self::Text(text) => Value::from(text),
            Self::Int(number) => Value::Int(number),
            Self::Flag(flag) => Value::Bool(flag),
            Self::Empty => Value::object(),
            Self::Listed(text) => Value::Array(vec![Value::from(text)]),
        }
    }
}

/// The fields of one object and the struct they belong to.
struct Fields<'a> {
    shape: &'a Struct,
    object: &'a mut Object,
}

impl Fields<'_> {
    /// Returns the value of a field.
    fn get(&self, name: &str) -> Option<&Value> {
        self.object.get(name)
    }

    /// Returns the value of a field for change.
    fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.object.get_mut(name)
    }

    /// Returns the text of a field; one that is absent is empty.
    fn text(&self, name: &str) -> &str {
        self.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns whether a list or map has anything in it.
    fn has_items(&self, name: &str) -> bool {
        self.get(name).is_some_and(has_items)
    }

    /// Returns whether nobody has given the field: it is absent, or the zero that Go writes for it.
    fn is_open(&self, name: &str) -> bool {
        match self.get(name) {
            None | Some(Value::Null) => true,
            Some(value) if is_zero(value) => self.shape.field(name).is_some_and(|it| !it.pointer),
            Some(_) => false,
        }
    }

    /// Gives an open field its value.
    fn fill(&mut self, name: &str, given: Given) {
        if self.is_open(name) {
            self.set(name, given.value());
        }
    }

    /// Sets a field where it stands, or adds it at its place in the struct.
    fn set(&mut self, name: &str, value: Value) {
        if let Some(place) = self.object.get_mut(name) {
            *place = value;
            return;
        }
        let Some(own) = self.shape.place(name) else {
            return;
        };
        let fields = self.object.fields_mut();
        let is_before = |(other, _): &(Text, Value)| self.shape.place(other) < Some(own);
        let before = fields.iter().rposition(is_before);
        let at = before.map_or(0, |before| before + 1);
        fields.insert(at, (self.shape.fields[own].name.clone(), value));
    }

    fn remove(&mut self, name: &str) {
        self.object.remove(name);
    }
}

/// Returns whether a value is the zero that Go writes for a scalar that nobody gave.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Int(number) => *number == 0,
        _ => false,
    }
}

fn has_items(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(object) => !object.is_empty(),
        _ => false,
    }
}

/// Returns the items of a list for change; none if there is no list.
fn items(value: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    let list = value.and_then(Value::as_array_mut);
    list.into_iter().flatten()
}

/// Copies entries of one map that another lacks, keeping the order of names.
fn copy_missing(into: &mut Value, from: Option<&Object>) {
    let into = into.make_object();
    for (name, value) in from.into_iter().flat_map(Object::iter) {
        if !into.contains(name) {
            into.push(Text::new(name), value.clone());
        }
    }
    into.sort();
}

/// The rules on the nodes of the shapes.
pub(crate) struct Plan {
    shapes: Arc<Shapes>,
    nodes: Vec<Node>,
    /// Where each kind that gets anything begins, sorted.
    roots: Vec<(Gvk, usize)>,
}

/// One struct that has rules, or has some below.
struct Node {
    shape: ShapeId,
    rules: &'static [Rule],
    steps: Box<[Step]>,
}

/// A field below which there are rules.
struct Step {
    name: Text,
    node: usize,
}

impl Plan {
    /// Hangs every rule on the nodes of the types it names.
    pub(crate) fn compile(shapes: &Arc<Shapes>, kinds: &[(Gvk, ShapeId)]) -> Self {
        let rules = rules_by_node(shapes);
        let useful = useful(shapes, &rules);
        let mut maker = Maker {
            shapes,
            rules: &rules,
            useful: &useful,
            places: vec![None; shapes.len()],
            nodes: Vec::new(),
        };
        let mut roots: Vec<(Gvk, usize)> = kinds
            .iter()
            .filter_map(|(gvk, id)| Some((gvk.clone(), maker.node(*id)?)))
            .collect();
        roots.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let nodes = maker.nodes.into_iter().flatten().collect();
        Self {
            shapes: Arc::clone(shapes),
            nodes,
            roots,
        }
    }

    /// Returns where the objects of a kind begin, in each of its versions.
    pub(crate) fn roots(&self, kind: &str) -> Vec<(GroupVersion, usize)> {
        let own = self.roots.iter().filter(|(gvk, _)| gvk.kind == kind);
        own.map(|(gvk, root)| (gvk.group_version.clone(), *root))
            .collect()
    }

    /// Sets every default of an object, which begins at this root.
    pub(crate) fn apply(&self, root: usize, value: &mut Value, occasion: Occasion<'_>) {
        match value {
            Value::Object(object) => self.object(root, object, occasion),
            Value::Array(items) => {
                for item in items {
                    self.apply(root, item, occasion);
                }
            }
            _ => {}
        }
    }

    fn object(&self, node: usize, object: &mut Object, occasion: Occasion<'_>) {
        let node = &self.nodes[node];
        if !node.rules.is_empty()
            && let Form::Struct(shape) = &self.shapes.node(node.shape).form
        {
            let mut fields = Fields { shape, object };
            for rule in node.rules {
                match *rule {
                    Rule::Set(name, given) => fields.fill(name, given),
                    Rule::Round(name) => round(fields.get_mut(name)),
                    Rule::Call(call) => call(&mut fields, occasion),
                }
            }
        }
        for step in &node.steps {
            if let Some(value) = object.get_mut(&step.name) {
                self.apply(step.node, value, occasion);
            }
        }
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plan({} nodes)", self.nodes.len())
    }
}

/// Rounds quantities up to thousandths, as upstream has always done with lists of resources.
fn round(list: Option<&mut Value>) {
    let Some(Value::Object(list)) = list else {
        return;
    };
    for (_, value) in list.iter_mut() {
        let is_fine = |text: &str| text.ends_with(['n', 'u']) || text.contains("e-");
        if value.as_str().is_some_and(is_fine)
            && let Ok(quantity) = Quantity::from_value(value)
        {
            *value = Quantity::from_milli(quantity.milli_value(), quantity.format()).to_value();
        }
    }
}

/// Returns the rules of each node, which has those of its type.
fn rules_by_node(shapes: &Shapes) -> Vec<&'static [Rule]> {
    let of = |name: &str| {
        let short = name.strip_prefix(PREFIX).unwrap_or(name);
        let entry = TABLES.into_iter().flatten().find(|entry| entry.0 == short);
        entry.map_or(&[][..], |entry| entry.1)
    };
    let ids = (0..shapes.len()).map(id);
    ids.map(|id| match &shapes.node(id).form {
        Form::Struct(shape) => shape.name.as_deref().map_or(&[][..], of),
        _ => &[],
    })
    .collect()
}

/// Marks nodes with rules in or below them, going round until nothing changes, because nodes may
/// refer to each other in circles.
fn useful(shapes: &Shapes, rules: &[&'static [Rule]]) -> Vec<bool> {
    let mut marked: Vec<bool> = rules.iter().map(|rules| !rules.is_empty()).collect();
    loop {
        let mut changed = false;
        for place in (0..marked.len()).rev() {
            let is_marked = |id: &ShapeId| marked[id.0 as usize];
            let below = match &shapes.node(id(place)).form {
                Form::Any | Form::Scalar(_) => false,
                // No rule belongs to a type that stands in a map.
                Form::Map { .. } => false,
                Form::List { item, .. } => is_marked(item),
                Form::Struct(shape) => shape.fields.iter().any(|it| is_marked(&it.shape)),
            };
            let mark = marked[place] || below;
            changed |= mark != marked[place];
            marked[place] = mark;
        }
        if !changed {
            return marked;
        }
    }
}

fn id(place: usize) -> ShapeId {
    ShapeId(u32::try_from(place).expect("an arena has fewer than 2^32 nodes"))
}

struct Maker<'a> {
    shapes: &'a Shapes,
    rules: &'a [&'static [Rule]],
    useful: &'a [bool],
    places: Vec<Option<usize>>,
    /// `None` only while a node is being made.
    nodes: Vec<Option<Node>>,
}

impl Maker<'_> {
    /// Returns the place of a struct's node, or of a list's items, if there are rules.
    fn node(&mut self, id: ShapeId) -> Option<usize> {
        let at = id.0 as usize;
        if !self.useful[at] {
            return None;
        }
        let shapes = self.shapes;
        let shape = match &shapes.node(id).form {
            Form::Struct(shape) => shape,
            Form::List { item, .. } => return self.node(*item),
            _ => return None,
        };
        if let Some(place) = self.places[at] {
            return Some(place);
        }
        let place = self.nodes.len();
        self.places[at] = Some(place);
        self.nodes.push(None);
        let steps = shape.fields.iter().filter_map(|field| {
            let node = self.node(field.shape)?;
            let name = field.name.clone();
            Some(Step { name, node })
        });
        let steps = steps.collect();
        self.nodes[place] = Some(Node {
            shape: id,
            rules: self.rules[at],
            steps,
        });
        Some(place)
    }
}

/// Returns whether a type and the fields that its rules name exist, for the tests of this room.
#[cfg(test)]
fn unknown_names(shapes: &Arc<Shapes>) -> Vec<String> {
    let mut unknown = Vec::new();
    for (name, rules) in TABLES.into_iter().flatten() {
        let long = format!("{PREFIX}{name}");
        let Some(id) = shapes.named(&long).or_else(|| shapes.named(name)) else {
            unknown.push((*name).to_owned());
            continue;
        };
        let Form::Struct(fields) = &shapes.node(id).form else {
            unknown.push((*name).to_owned());
            continue;
        };
        for rule in *rules {
            if let Rule::Set(field, _) | Rule::Round(field) = rule
                && fields.place(field).is_none()
            {
                unknown.push(format!("{name}.{field}"));
            }
        }
    }
    unknown
}

#[cfg(test)]
mod tests;
