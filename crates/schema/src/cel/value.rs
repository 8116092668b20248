//! Values while an expression runs.
//!
//! They borrow from the object and from the program wherever they can; what an expression makes is
//! counted by reference on one thread.

mod compare;
mod made;
mod show;

use std::rc::Rc;

use api::{Object, Value};

use super::{
    declared::{DeclId, DeclKind, Decls},
    extension::Extension,
    time::Time,
};

pub use made::Made;

pub(super) use compare::{VISITS_MAX, contains, equal, equal_within, order};
pub(super) use show::{show, show_double};

/// A value.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are the language's own")]
pub enum Val<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(Str<'a>),
    Bytes(Octets<'a>),
    /// Nanoseconds.
    Duration(i64),
    Timestamp(Time),
    List(List<'a>),
    Map(Map<'a>),
    /// A type, by its name.
    Type(Str<'a>),
    Optional(Option<Rc<Val<'a>>>),
    /// A value of one of the libraries.
    Extension(Rc<Extension<'a>>),
    /// Something that expressions cannot see into; it can only be compared.
    Hidden(&'a Value),
}

/// A string that is borrowed or shared.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Str<'a> {
    Borrowed(&'a str),
    Shared(Rc<str>),
}

/// Bytes that are borrowed or shared.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Octets<'a> {
    Borrowed(&'a [u8]),
    Shared(Rc<[u8]>),
}

/// A list.
#[derive(Clone, Debug)]
pub enum List<'a> {
    /// A list of the object, of which more is known if it is declared.
    Node(&'a [Value], Option<Declared<'a>>),
    /// A list written in the expression.
    Const(&'a [Const]),
    /// A list that the expression made.
    Made(Rc<Made<Val<'a>>>),
}

/// A map, or an object with fields.
#[derive(Clone, Debug)]
pub enum Map<'a> {
    /// An object of the object, of which more is known if it is declared.
    Node(&'a Object, Option<Declared<'a>>),
    /// A map written in the expression.
    Const(&'a [(Const, Const)]),
    /// A map that the expression made.
    Made(Rc<Made<(Val<'a>, Val<'a>)>>),
}

/// What a value of the object is declared as.
#[derive(Clone, Copy, Debug)]
pub struct Declared<'a> {
    /// Where it is declared.
    pub decls: &'a Decls,
    /// Its place there.
    pub id: DeclId,
}

/// A value that is known before the expression runs.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are the language's own")]
pub enum Const {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(Box<str>),
    Bytes(Box<[u8]>),
    Duration(i64),
    Timestamp(Time),
    List(Vec<Const>),
    Map(Vec<(Const, Const)>),
    Type(Box<str>),
}

/// Why there is no value.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The expression was stopped because it cost too much.
    Budget,
    /// Something went wrong that other parts of the expression may make up for.
    Error(Rc<str>),
}

/// A value, or why there is none.
pub type Outcome<'a> = Result<Val<'a>, Fault>;

impl Fault {
    pub(super) fn new(text: impl AsRef<str>) -> Self {
        Self::Error(Rc::from(text.as_ref()))
    }

    pub(super) fn no_overload() -> Self {
        Self::new("no such overload")
    }

    /// Returns what went wrong.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Budget => "operation cancelled: actual cost limit exceeded",
            Self::Error(text) => text,
        }
    }
}

impl Str<'_> {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl Octets<'_> {
    /// Returns the bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl<'a> From<&'a Const> for Val<'a> {
    fn from(value: &'a Const) -> Self {
        match value {
            Const::Null => Self::Null,
            Const::Bool(value) => Self::Bool(*value),
            Const::Int(value) => Self::Int(*value),
            Const::Uint(value) => Self::Uint(*value),
            Const::Double(value) => Self::Double(*value),
            Const::String(text) => Self::String(Str::Borrowed(text)),
            Const::Bytes(bytes) => Self::Bytes(Octets::Borrowed(bytes)),
            Const::Duration(nanos) => Self::Duration(*nanos),
            Const::Timestamp(time) => Self::Timestamp(*time),
            Const::List(items) => Self::List(List::Const(items)),
            Const::Map(entries) => Self::Map(Map::Const(entries)),
            Const::Type(name) => Self::Type(Str::Borrowed(name)),
        }
    }
}

impl<'a> Val<'a> {
    /// Returns a string that the expression made.
    #[must_use]
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::String(Str::Shared(Rc::from(text.as_ref())))
    }

    /// Returns a list that the expression made.
    #[must_use]
    pub fn list(items: Vec<Val<'a>>) -> Self {
        Self::List(List::Made(Rc::new(Made::list(items))))
    }

    /// Returns a map that the expression made; no key is in it twice.
    #[must_use]
    pub fn map(entries: Vec<(Val<'a>, Val<'a>)>) -> Self {
        Self::Map(Map::Made(Rc::new(Made::map(entries))))
    }

    /// Returns an optional value that is there.
    #[must_use]
    pub fn some(value: Val<'a>) -> Self {
        Self::Optional(Some(Rc::new(value)))
    }

    /// Returns a value of which nothing is declared.
    #[must_use]
    pub fn plain(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Int(number) => Self::Int(*number),
            Value::Float(number) => Self::Double(*number),
            Value::String(text) => Self::String(Str::Borrowed(text)),
            Value::Array(items) => Self::List(List::Node(items, None)),
            Value::Object(object) => Self::Map(Map::Node(object, None)),
        }
    }

    /// Returns a value as it is declared.
    ///
    /// # Errors
    /// It is something else than declared.
    pub fn declared(value: &'a Value, declared: Declared<'a>) -> Outcome<'a> {
        let decl = declared.decls.get(declared.id);
        if value.is_null() {
            if decl.nullable || matches!(decl.kind, DeclKind::Hidden) {
                return Ok(Self::Null);
            }
            return Err(Fault::new(
                "invalid data, got null for schema with nullable=false",
            ));
        }
        #[allow(clippy::cast_precision_loss, reason = "numbers are floats")]
        Ok(match (&decl.kind, value) {
            (DeclKind::String, Value::String(text)) => Self::String(Str::Borrowed(text)),
            (DeclKind::Object { .. } | DeclKind::Map { .. }, Value::Object(object)) => {
                Self::Map(Map::Node(object, Some(declared)))
            }
            (DeclKind::List { .. }, Value::Array(items)) => {
                Self::List(List::Node(items, Some(declared)))
            }
            (DeclKind::Bool, Value::Bool(flag)) => Self::Bool(*flag),
            (DeclKind::Int, Value::Int(number)) => Self::Int(*number),
            (DeclKind::Double, Value::Int(number)) => Self::Double(*number as f64),
            (DeclKind::Double, Value::Float(number)) => Self::Double(*number),
            (DeclKind::IntOrString, Value::String(text)) => Self::String(Str::Borrowed(text)),
            (DeclKind::IntOrString, Value::Int(number)) => Self::Int(*number),
            (DeclKind::IntOrString, _) => {
                let words = "invalid data, expected XIntOrString value to be either a string \
                             or integer";
                return Err(Fault::new(words));
            }
            (DeclKind::Hidden, value) => Self::Hidden(value),
            (kind, Value::String(text)) => return super::time::formatted(kind, text),
            _ => return Err(Fault::new("invalid data, expected another type")),
        })
    }

    /// Returns the name of the value's type.
    #[must_use]
    pub fn type_name(&self) -> &str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Timestamp(_) => "google.protobuf.Timestamp",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Type(_) => "type",
            Self::Optional(_) => "optional_type",
            Self::Extension(extension) => extension.type_name(),
            Self::Hidden(_) => "unknown",
        }
    }

    /// Returns the size that costs are reckoned with.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::String(text) => count(text.as_str()) as u64,
            Self::Bytes(bytes) => bytes.as_slice().len() as u64,
            Self::List(list) => list.len() as u64,
            Self::Map(map) => map.len() as u64,
            Self::Extension(extension) => extension.size(),
            Self::Optional(Some(inner)) => inner.size(),
            _ => 1,
        }
    }

    /// Returns how many values are met by going through this one, as far as the expression made it.
    pub(super) fn weight(&self) -> u64 {
        match self {
            Self::List(List::Made(items)) => items.weight(),
            Self::Map(Map::Made(entries)) => entries.weight(),
            Self::List(list) => list.len() as u64,
            Self::Map(map) => map.len() as u64,
            Self::Optional(Some(inner)) => inner.weight().saturating_add(1),
            _ => 1,
        }
    }

    /// Returns the string, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// Returns whether it is the zero value of its type.
    pub(super) fn is_zero(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(value) => !value,
            Self::Int(value) | Self::Duration(value) => *value == 0,
            Self::Uint(value) => *value == 0,
            Self::Double(value) => *value == 0.0,
            Self::String(text) => text.as_str().is_empty(),
            Self::Bytes(bytes) => bytes.as_slice().is_empty(),
            Self::List(list) => list.len() == 0,
            Self::Map(map) => map.len() == 0,
            Self::Optional(inner) => inner.as_ref().is_none_or(|inner| inner.is_zero()),
            _ => false,
        }
    }
}

/// Returns the number of characters.
pub(super) fn count(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.chars().count()
    }
}

impl<'a> List<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Node(items, _) => items.len(),
            Self::Const(items) => items.len(),
            Self::Made(items) => items.len(),
        }
    }

    /// Returns the item at this place, which exists.
    pub(super) fn get(&self, place: usize) -> Outcome<'a> {
        Ok(match self {
            Self::Node(items, None) => Val::plain(&items[place]),
            Self::Node(items, Some(declared)) => {
                let DeclKind::List { item, .. } = &declared.decls.get(declared.id).kind else {
                    return Ok(Val::plain(&items[place]));
                };
                let decls = declared.decls;
                return Val::declared(&items[place], Declared { decls, id: *item });
            }
            Self::Const(items) => Val::from(&items[place]),
            Self::Made(items) => items[place].clone(),
        })
    }

    pub(super) fn items(&self) -> impl Iterator<Item = Outcome<'a>> + '_ {
        (0..self.len()).map(|place| self.get(place))
    }

    /// Returns all items.
    ///
    /// # Errors
    /// An item is something else than declared.
    pub fn to_vec(&self) -> Result<Vec<Val<'a>>, Fault> {
        self.items().collect()
    }
}

impl<'a> Map<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Node(object, _) => object.len(),
            Self::Const(entries) => entries.len(),
            Self::Made(entries) => entries.len(),
        }
    }

    /// Returns the value of a key; none if there is none.
    ///
    /// # Errors
    /// The value is something else than declared, or the key cannot be one.
    pub fn find(&self, key: &Val<'_>) -> Result<Option<Val<'a>>, Fault> {
        match self {
            Self::Node(object, declared) => {
                let Some(name) = key.as_str() else {
                    return match declared {
                        Some(_) => Err(Fault::no_overload()),
                        None => Ok(None),
                    };
                };
                find_in(object, *declared, name)
            }
            Self::Const(entries) => {
                let mut entries = entries.iter();
                let found = entries.find(|(known, _)| compare::same_key(&Val::from(known), key));
                Ok(found.map(|(_, value)| Val::from(value)))
            }
            Self::Made(entries) => {
                let mut entries = entries.iter();
                let found = entries.find(|(known, _)| compare::same_key(known, key));
                Ok(found.map(|(_, value)| value.clone()))
            }
        }
    }

    /// Returns the keys in order.
    #[must_use]
    pub fn keys(&self) -> Vec<Val<'a>> {
        match self {
            Self::Node(object, _) => {
                let names = object.fields().iter();
                names
                    .map(|(name, _)| Val::String(Str::Borrowed(name)))
                    .collect()
            }
            Self::Const(entries) => entries.iter().map(|(key, _)| Val::from(key)).collect(),
            Self::Made(entries) => entries.iter().map(|(key, _)| key.clone()).collect(),
        }
    }
}

fn find_in<'a>(
    object: &'a Object,
    declared: Option<Declared<'a>>,
    name: &str,
) -> Result<Option<Val<'a>>, Fault> {
    let Some(declared) = declared else {
        return Ok(object.get(name).map(Val::plain));
    };
    let decls = declared.decls;
    let decl = decls.get(declared.id);
    let (value, id) = match &decl.kind {
        DeclKind::Map { value } => (object.get(name), *value),
        DeclKind::Object { .. } => {
            let field = decl.field(name).or_else(|| decl.field_named(name));
            let Some(field) = field else { return Ok(None) };
            let value = object.get(&field.name);
            // A field that is null is a field that is not there.
            (value.filter(|value| !value.is_null()), field.decl)
        }
        _ => return Ok(None),
    };
    let value = value.map(|value| Val::declared(value, Declared { decls, id }));
    value.transpose()
}
