//! Makes shapes of the lines that describe Go types.

use std::{collections::HashMap, sync::Arc};

use api::{Text, Value, json};
use schema::{Field, Form, ListKind, Node, Omit, Patch, Rules, Scalar, ShapeId, Shapes, Struct};

use crate::data::{DataError, Line};

/// How deeply inlined structs may lie in one another.
const INLINE_MAX: usize = 2;

/// The types of the data file, by the lines that describe them.
#[derive(Debug, Default)]
pub(crate) struct Types<'a> {
    packages: Vec<Package<'a>>,
    types: Vec<Type<'a>>,
    /// Short package name and type name, to the place in `types`.
    places: HashMap<(&'a str, &'a str), usize>,
}

#[derive(Debug)]
struct Package<'a> {
    short: &'a str,
    openapi: &'a str,
}

#[derive(Debug)]
struct Type<'a> {
    package: usize,
    name: &'a str,
    /// Whether it has a name in OpenAPI.
    published: bool,
    atomic: bool,
    /// Discriminators of unions, as JSON: OpenAPI shows them.
    unions: Option<&'a str>,
    fields: Vec<Line<'a>>,
}

impl<'a> Types<'a> {
    pub(crate) fn package(&mut self, mut line: Line<'a>) -> Result<(), DataError> {
        self.packages.push(Package {
            short: line.word("the package")?,
            openapi: line.word("its name in OpenAPI")?,
        });
        Ok(())
    }

    pub(crate) fn open(&mut self, mut line: Line<'a>) -> Result<(), DataError> {
        let number = line.number;
        let package = self
            .packages
            .last()
            .ok_or(DataError::Stray { line: number })?;
        let name = line.word("the type")?;
        self.places.insert((package.short, name), self.types.len());
        let mut made = Type {
            package: self.packages.len() - 1,
            name,
            published: true,
            atomic: false,
            unions: None,
            fields: Vec::new(),
        };
        for (option, value) in line.clone().options() {
            match (option, value) {
                ("unpublished", _) => made.published = false,
                ("mapType", "atomic") => made.atomic = true,
                ("unions", text) => made.unions = Some(text),
                _ => return Err(line.unknown(option)),
            }
        }
        self.types.push(made);
        Ok(())
    }

    pub(crate) fn field(&mut self, line: Line<'a>) -> Result<(), DataError> {
        let number = line.number;
        let last = self.types.last_mut();
        last.ok_or(DataError::Stray { line: number })?
            .fields
            .push(line);
        Ok(())
    }

    pub(crate) fn maker(self) -> Maker<'a> {
        Maker {
            made: vec![None; self.types.len()],
            types: self,
            shapes: Shapes::new(),
            plain: HashMap::new(),
            lists: HashMap::new(),
        }
    }
}

/// Makes shapes of the types.
pub(crate) struct Maker<'a> {
    types: Types<'a>,
    shapes: Shapes,
    /// What each type became.
    made: Vec<Option<ShapeId>>,
    /// Scalars without rules, which many fields share.
    plain: HashMap<&'a str, ShapeId>,
    /// Plain lists and maps, by item and sort, which many fields share.
    lists: HashMap<(ShapeId, Sort), ShapeId>,
}

/// The sorts of lists and maps that are worth sharing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Sort {
    Atomic,
    Set,
    Wrapped,
    Map,
    AtomicMap,
}

/// What a field's line says besides its name, class and number.
#[derive(Default)]
struct Words<'a> {
    omit: Omit,
    required: bool,
    patch: Patch,
    list: ListKind,
    /// `mapType`, where the field has one of its own.
    atomic: Option<bool>,
    enumeration: Vec<&'a str>,
    default: Option<&'a str>,
}

/// Where a struct's fields lie: the numbers of the messages around them.
type Way = [u16; INLINE_MAX];

impl<'a> Maker<'a> {
    /// Makes every type.
    pub(crate) fn all(&mut self) -> Result<(), DataError> {
        for place in 0..self.types.types.len() {
            self.of_type(place)?;
        }
        Ok(())
    }

    /// Returns the shape of the type with this name, package included.
    pub(crate) fn named(&mut self, name: &'a str, line: usize) -> Result<ShapeId, DataError> {
        let place = self.place(name, usize::MAX, line)?;
        self.of_type(place)
    }

    pub(crate) fn finish(self) -> Arc<Shapes> {
        self.shapes.finish()
    }

    fn place(&self, name: &'a str, package: usize, line: usize) -> Result<usize, DataError> {
        let (short, base) = name.split_once('.').unwrap_or_else(|| {
            let own = self.types.packages.get(package);
            (own.map_or("", |own| own.short), name)
        });
        let found = self.types.places.get(&(short, base));
        found.copied().ok_or_else(|| DataError::NoType {
            line,
            name: name.to_owned(),
        })
    }

    fn of_type(&mut self, place: usize) -> Result<ShapeId, DataError> {
        if let Some(id) = self.made[place] {
            return Ok(id);
        }
        // The node is there before its fields are, because types refer to themselves.
        let id = self.shapes.add(Node::default());
        self.made[place] = Some(id);
        let built = self.build(place)?;
        let of = &self.types.types[place];
        if let Some(name) = &built.name {
            self.shapes.name(id, name.clone());
        }
        let atomic = of.atomic;
        self.shapes.replace(id, structure(built, atomic));
        Ok(id)
    }

    fn build(&mut self, place: usize) -> Result<Struct, DataError> {
        let mut fields = Vec::with_capacity(self.types.types[place].fields.len() + 1);
        self.fields(place, [0; INLINE_MAX], true, &mut fields)?;
        let of = &self.types.types[place];
        let package = &self.types.packages[of.package];
        let name = of
            .published
            .then(|| Text::from(format!("{}.{}", package.openapi, of.name)));
        let mut zero_defaults = Vec::new();
        self.zero_defaults(place, &mut zero_defaults)?;
        let mut built = Struct::new(name, fields);
        built.zero_defaults = zero_defaults.into();
        built.unions = of
            .unions
            .and_then(|unions| json::read(unions.as_bytes()).ok())
            .map(|parsed| Box::new(parsed.value));
        Ok(built)
    }

    /// Adds the declared defaults that Go leaves out because they are zero.
    fn zero_defaults(&self, place: usize, into: &mut Vec<(Text, Value)>) -> Result<(), DataError> {
        let of = &self.types.types[place];
        for line in &of.fields {
            let mut line = line.clone();
            let name = line.word("a field")?;
            let class = line.word("its class")?;
            if name == "inline" {
                let inner = self.place(class, of.package, line.number)?;
                self.zero_defaults(inner, into)?;
                continue;
            }
            line.word("its number")?;
            let words = words(line)?;
            let is_left_out = !class.starts_with('*') && words.omit == Omit::Empty;
            let default = words.default.filter(|_| is_left_out);
            let default = default.and_then(|text| json::read(text.as_bytes()).ok());
            if let Some(parsed) = default.filter(|parsed| is_zero(&parsed.value)) {
                into.push((Text::new(name), parsed.value));
            }
        }
        Ok(())
    }

    /// Adds the fields of a type, those of inlined structs in their places.
    fn fields(
        &mut self,
        place: usize,
        way: Way,
        on_wire: bool,
        into: &mut Vec<Field>,
    ) -> Result<(), DataError> {
        let package = self.types.types[place].package;
        for at in 0..self.types.types[place].fields.len() {
            let mut line = self.types.types[place].fields[at].clone();
            let name = line.word("a field")?;
            let class = line.word("its class")?;
            let number = line.word("its number")?;
            let proto: u32 = match number {
                "-" => 0,
                number => number.parse().map_err(|_| line.unknown(number))?,
            };
            if name == "inline" {
                let inner = self.place(class, package, line.number)?;
                let outer = u16::try_from(proto).map_err(|_| line.unknown(number))?;
                let way = match way {
                    _ if outer == 0 => way,
                    [0, _] => [outer, 0],
                    [first, 0] => [first, outer],
                    _ => return Err(line.unknown(number)),
                };
                self.fields(inner, way, on_wire && outer != 0, into)?;
                continue;
            }
            into.push(self.field(name, class, package, line)?);
            let field = into.last_mut().expect("it was just pushed");
            field.proto = if on_wire { proto } else { 0 };
            field.inline = way;
        }
        Ok(())
    }

    fn field(
        &mut self,
        name: &str,
        class: &'a str,
        package: usize,
        line: Line<'a>,
    ) -> Result<Field, DataError> {
        let number = line.number;
        let (class, pointer) = match class.strip_prefix('*') {
            Some(class) => (class, true),
            None => (class, false),
        };
        let words = words(line)?;
        let shape = self.shape(class, package, number, &words)?;
        let Words {
            omit,
            required,
            patch,
            default,
            ..
        } = words;
        let default = default
            .and_then(|default| json::read(default.as_bytes()).ok())
            .map(|parsed| parsed.value)
            // What Go leaves out when it is zero cannot be set to zero.
            .filter(|value| pointer || omit != Omit::Empty || !is_zero(value));
        Ok(Field {
            omit,
            pointer,
            patch: (patch != Patch::default()).then(|| Box::new(patch)),
            required,
            default: default.map(Box::new),
            ..Field::new(name, shape)
        })
    }

    /// Returns the shape of a field's value.
    fn shape(
        &mut self,
        class: &'a str,
        package: usize,
        line: usize,
        words: &Words<'a>,
    ) -> Result<ShapeId, DataError> {
        if let Some(item) = class.strip_prefix("[]") {
            let item = self.inner(item, package, line, words)?;
            let sort = match &words.list {
                ListKind::Atomic => Sort::Atomic,
                ListKind::Set => Sort::Set,
                kind @ ListKind::Map(_) => {
                    let kind = kind.clone();
                    return Ok(self.add(Form::List { item, kind }));
                }
            };
            return Ok(self.container(item, sort));
        }
        if let Some(value) = class.strip_prefix("map:") {
            let value = self.inner(value, package, line, words)?;
            let sort = if words.atomic == Some(true) {
                Sort::AtomicMap
            } else {
                Sort::Map
            };
            return Ok(self.container(value, sort));
        }
        if class == "Items" {
            let item = self.scalar("string", Scalar::String);
            return Ok(self.container(item, Sort::Wrapped));
        }
        self.single(class, package, line, words)
    }

    /// Returns the shape of an item, to which the enumeration of a field belongs.
    fn inner(
        &mut self,
        class: &'a str,
        package: usize,
        line: usize,
        words: &Words<'a>,
    ) -> Result<ShapeId, DataError> {
        let words = Words {
            enumeration: words.enumeration.clone(),
            ..Words::default()
        };
        self.shape(class.trim_start_matches('*'), package, line, &words)
    }

    fn single(
        &mut self,
        class: &'a str,
        package: usize,
        line: usize,
        words: &Words<'a>,
    ) -> Result<ShapeId, DataError> {
        if class == "any" {
            return Ok(self.add(Form::Any));
        }
        if let Some(scalar) = self.scalar_of(class, line)? {
            if words.enumeration.is_empty() {
                return Ok(self.scalar(class, scalar));
            }
            let rules = Rules {
                enumeration: words
                    .enumeration
                    .iter()
                    .map(|word| enumerated(word))
                    .collect(),
                ..Rules::default()
            };
            return Ok(self.shapes.add(Node {
                form: Form::Scalar(scalar),
                rules: Some(Box::new(rules)),
                ..Node::default()
            }));
        }
        let place = self.place(class, package, line)?;
        match words.atomic {
            // The field sees its struct otherwise than the type says; it gets one of its own.
            Some(atomic) if atomic != self.types.types[place].atomic => {
                let built = self.build(place)?;
                Ok(self.shapes.add(structure(built, atomic)))
            }
            _ => self.of_type(place),
        }
    }

    fn scalar_of(&mut self, class: &str, line: usize) -> Result<Option<Scalar>, DataError> {
        let schema = "apiextensions/v1.JSONSchemaProps";
        Ok(Some(match class {
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
            "JSONSchemaPropsOrArray" => Scalar::SchemaOrArray(self.named(schema, line)?),
            "JSONSchemaPropsOrBool" => Scalar::SchemaOrBool(self.named(schema, line)?),
            "JSONSchemaPropsOrStringArray" => Scalar::SchemaOrStrings(self.named(schema, line)?),
            _ => return Ok(None),
        }))
    }

    fn scalar(&mut self, class: &'a str, scalar: Scalar) -> ShapeId {
        if let Some(id) = self.plain.get(class) {
            return *id;
        }
        let id = self.add(Form::Scalar(scalar));
        self.plain.insert(class, id);
        id
    }

    fn container(&mut self, inner: ShapeId, sort: Sort) -> ShapeId {
        if let Some(id) = self.lists.get(&(inner, sort)) {
            return *id;
        }
        let list = |kind| Form::List { item: inner, kind };
        let map = |atomic| Form::Map {
            value: inner,
            atomic,
        };
        let id = self.shapes.add(Node {
            form: match sort {
                Sort::Atomic | Sort::Wrapped => list(ListKind::Atomic),
                Sort::Set => list(ListKind::Set),
                Sort::Map => map(false),
                Sort::AtomicMap => map(true),
            },
            wrapped: sort == Sort::Wrapped,
            ..Node::default()
        });
        self.lists.insert((inner, sort), id);
        id
    }

    fn add(&mut self, form: Form) -> ShapeId {
        self.shapes.add(Node {
            form,
            ..Node::default()
        })
    }
}

fn structure(mut built: Struct, atomic: bool) -> Node {
    built.atomic = atomic;
    Node {
        form: Form::Struct(Box::new(built)),
        ..Node::default()
    }
}

fn words(line: Line<'_>) -> Result<Words<'_>, DataError> {
    let mut words = Words {
        omit: Omit::Never,
        ..Words::default()
    };
    let mut keys = Vec::new();
    let mut list_type = "";
    for (option, value) in line.clone().options() {
        match option {
            // omitzero also omits what omitempty does.
            "omitzero" => words.omit = Omit::Zero,
            "omitempty" if words.omit == Omit::Never => words.omit = Omit::Empty,
            "omitempty" => {}
            "required" => words.required = true,
            "patchStrategy" => {
                for strategy in value.split(',') {
                    match strategy {
                        "merge" => words.patch.merge = true,
                        "replace" => words.patch.replace = true,
                        "retainKeys" => words.patch.retain_keys = true,
                        _ => return Err(line.unknown(strategy)),
                    }
                }
            }
            "patchMergeKey" => words.patch.merge_key = Some(value.into()),
            "listType" => list_type = value,
            "listMapKeys" => keys = value.split(',').map(Text::from).collect(),
            "mapType" => words.atomic = Some(value == "atomic"),
            "enum" => words.enumeration = value.split(',').collect(),
            "default" => words.default = Some(value),
            _ => return Err(line.unknown(option)),
        }
    }
    words.list = match list_type {
        "map" => ListKind::Map(keys),
        "set" => ListKind::Set,
        "" | "atomic" => ListKind::Atomic,
        other => return Err(line.unknown(other)),
    };
    Ok(words)
}

/// Reads one value of an enumeration; those with signs in them stand in quotes.
fn enumerated(word: &str) -> Value {
    match json::read(word.as_bytes()) {
        Ok(parsed) if word.starts_with('"') => parsed.value,
        _ => Value::from(word),
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) => true,
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}
