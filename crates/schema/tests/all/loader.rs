//! Makes shapes of the built-in kinds out of the data file of `kinds`, for tests of this room.
//!
//! `kinds` has its own loader; this one is kept small and apart so that codec and data prove each other.

use std::{collections::HashMap, sync::Arc};

use schema::{Field, Form, ListKind, Node, Omit, Patch, Scalar, Shape, ShapeId, Shapes, Struct};

struct Loader<'a> {
    shapes: Shapes,
    /// Short package and type name to its lines.
    types: HashMap<String, (String, Vec<&'a str>)>,
    made: HashMap<String, ShapeId>,
}

/// Returns the shape of each kind by `group/version Kind`.
pub(crate) fn load(text: &str) -> HashMap<String, Shape> {
    let mut loader = Loader {
        shapes: Shapes::new(),
        types: HashMap::new(),
        made: HashMap::new(),
    };
    let (mut short, mut open, mut current) = ("", "", String::new());
    let mut kinds = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[0] {
            "package" => (short, open) = (words[1], words[2]),
            "type" => {
                current = format!("{short}.{}", words[1]);
                let name = format!("{open}.{}", words[1]);
                loader.types.insert(current.clone(), (name, Vec::new()));
            }
            "kind" => kinds.push((format!("{} {}", words[1], words[2]), words[3].to_owned())),
            "" if loader.types.contains_key(&current) => {
                let lines = &mut loader.types.get_mut(&current).expect("it is there").1;
                lines.push(&line[1..]);
            }
            _ => current.clear(),
        }
    }
    let roots: Vec<(String, ShapeId)> = kinds
        .into_iter()
        .map(|(kind, name)| (kind, loader.of_type(&name)))
        .collect();
    let table: Arc<Shapes> = loader.shapes.finish();
    let mut shapes: HashMap<String, Shape> = roots
        .into_iter()
        .map(|(kind, id)| (kind, Shape::new(Arc::clone(&table), id)))
        .collect();
    // The kinds of requests and watches are known in every group, and the corpus has them in core's.
    let words: Vec<(String, Shape)> = shapes
        .iter()
        .filter_map(|(kind, shape)| {
            Some((kind.strip_prefix("meta.k8s.io/")?.to_owned(), shape.clone()))
        })
        .collect();
    for (kind, shape) in words {
        shapes.entry(kind).or_insert(shape);
    }
    shapes
}

impl Loader<'_> {
    fn of_type(&mut self, name: &str) -> ShapeId {
        if let Some(id) = self.made.get(name) {
            return *id;
        }
        let id = self.shapes.add(Node::default());
        self.made.insert(name.to_owned(), id);
        let fields = self.fields(name, [0, 0]);
        let open = self.types[name].0.clone();
        self.shapes.replace(
            id,
            Node {
                form: Form::Struct(Box::new(Struct::new(Some(open.into()), fields))),
                ..Node::default()
            },
        );
        id
    }

    fn fields(&mut self, name: &str, inline: [u16; 2]) -> Vec<Field> {
        let package = name
            .rsplit_once('.')
            .expect("types have packages")
            .0
            .to_owned();
        let lines = self.types[name].1.clone();
        let mut fields = Vec::new();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            if words[0] == "inline" {
                let inner = qualify(&package, words[1]);
                let way = match (words[2], inline) {
                    ("-", _) => inline,
                    (number, [0, 0]) => [number.parse().expect("a number"), 0],
                    (number, [outer, _]) => [outer, number.parse().expect("a number")],
                };
                let mut inlined = self.fields(&inner, way);
                if words[2] == "-" {
                    inlined.iter_mut().for_each(|field| field.proto = 0);
                }
                fields.extend(inlined);
                continue;
            }
            let (class, pointer) = match words[1].strip_prefix('*') {
                Some(class) => (class, true),
                None => (words[1], false),
            };
            let shape = self.class(class, &package);
            let word = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
            let strategies = word("patchStrategy=").unwrap_or_default();
            let patch = Patch {
                merge: strategies.contains("merge"),
                retain_keys: strategies.contains("retainKeys"),
                replace: strategies.contains("replace"),
                merge_key: word("patchMergeKey=").map(Into::into),
            };
            fields.push(Field {
                patch: (patch != Patch::default()).then(|| Box::new(patch)),
                pointer,
                proto: words[2].parse().unwrap_or(0),
                inline,
                omit: if words.contains(&"omitzero") {
                    Omit::Zero
                } else if words.contains(&"omitempty") {
                    Omit::Empty
                } else {
                    Omit::Never
                },
                ..Field::new(words[0], shape)
            });
        }
        fields
    }

    fn class(&mut self, class: &str, package: &str) -> ShapeId {
        if let Some(item) = class.strip_prefix("[]") {
            let item = self.class(item.trim_start_matches('*'), package);
            return self.list(item, false);
        }
        if let Some(value) = class.strip_prefix("map:") {
            let value = self.class(value.trim_start_matches('*'), package);
            return self.shapes.add(Node {
                form: Form::Map {
                    value,
                    atomic: false,
                },
                ..Node::default()
            });
        }
        if class == "Items" {
            let item = self.class("string", package);
            return self.list(item, true);
        }
        if class == "any" {
            return self.shapes.add(Node::default());
        }
        let schema = "apiextensions/v1.JSONSchemaProps";
        let scalar = match class {
            "string" => Scalar::String,
            "bool" => Scalar::Bool,
            "int32" => Scalar::Int32,
            "int64" => Scalar::Int64,
            "float64" => Scalar::Float64,
            "bytes" => Scalar::Bytes,
            "Quantity" => Scalar::Quantity,
            "IntOrString" => Scalar::IntOrString,
            "Time" => Scalar::Time,
            "MicroTime" => Scalar::MicroTime,
            "Duration" => Scalar::Duration,
            "RawExtension" => Scalar::RawExtension,
            "FieldsV1" => Scalar::FieldsV1,
            "JSON" => Scalar::Json,
            "JSONSchemaPropsOrArray" => Scalar::SchemaOrArray(self.of_type(schema)),
            "JSONSchemaPropsOrBool" => Scalar::SchemaOrBool(self.of_type(schema)),
            "JSONSchemaPropsOrStringArray" => Scalar::SchemaOrStrings(self.of_type(schema)),
            name => return self.of_type(&qualify(package, name)),
        };
        self.shapes.add(Node {
            form: Form::Scalar(scalar),
            ..Node::default()
        })
    }

    fn list(&mut self, item: ShapeId, wrapped: bool) -> ShapeId {
        self.shapes.add(Node {
            form: Form::List {
                item,
                kind: ListKind::Atomic,
            },
            wrapped,
            ..Node::default()
        })
    }
}

fn qualify(package: &str, name: &str) -> String {
    if name.contains('.') {
        name.to_owned()
    } else {
        format!("{package}.{name}")
    }
}
