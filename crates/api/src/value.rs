//! The value tree: one parsed object, owned, in the order in which its fields were written.
//!
//! A request's body becomes one tree, every step of a write works on that tree, and it is
//! serialised once. Strings up to 24 bytes lie inside the tree without an allocation, which is
//! nearly every key and most values of a Kubernetes object.

use std::fmt;

use hashbrown::HashMap;

/// A string of the tree. Short ones are stored inline.
pub type Text = compact_str::CompactString;

/// A JSON value. Numbers keep upstream's distinction of integers and floats.
#[derive(Clone, PartialEq, Default)]
pub enum Value {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number written without fraction and exponent that fits 64 bits.
    Int(i64),
    /// Any other number; never NaN, and infinite only by `json::read_unbounded`.
    Float(f64),
    /// A string.
    String(Text),
    /// An array.
    Array(Vec<Value>),
    /// An object.
    Object(Object),
}

/// The fields of an object in the order in which they were written; names are unique.
///
/// Lookup is a linear scan, which is fastest for the handful of fields that objects have. Whoever
/// looks up many names in an object of unknown size asks for its [`Index`] first.
#[derive(Clone, PartialEq, Default)]
pub struct Object {
    fields: Vec<(Text, Value)>,
}

/// From this many fields on [`Object::index`] hashes names instead of scanning them.
const INDEX_FROM: usize = 16;

/// Finds fields of one object by name in constant time, however many it has.
pub struct Index<'a> {
    object: &'a Object,
    places: Option<HashMap<&'a str, usize>>,
}

impl Value {
    /// Returns an empty object.
    #[must_use]
    pub fn object() -> Self {
        Self::Object(Object::default())
    }

    /// Returns a string value.
    #[must_use]
    pub fn string(text: impl Into<Text>) -> Self {
        Self::String(text.into())
    }

    /// Returns the string, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the integer, if it is one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns the boolean, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// Returns the items, if it is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the items for change, if it is an array.
    pub fn as_array_mut(&mut self) -> Option<&mut Vec<Value>> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the fields, if it is an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Returns the fields for change, if it is an object.
    pub fn as_object_mut(&mut self) -> Option<&mut Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Returns whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns the field with this name, if it is an object that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.as_object()?.get(name)
    }

    /// Returns the field with this name for change, if it is an object that has it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.as_object_mut()?.get_mut(name)
    }

    /// Returns what lies under these field names, one below the other.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// Returns the string under these field names.
    #[must_use]
    pub fn str_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// Returns what lies under these field names for change.
    pub fn at_mut(&mut self, path: &[&str]) -> Option<&mut Value> {
        path.iter()
            .try_fold(self, |value, name| value.get_mut(name))
    }

    /// Returns the fields of this value, which becomes an empty object if it is anything else.
    pub fn make_object(&mut self) -> &mut Object {
        if !matches!(self, Self::Object(_)) {
            *self = Self::object();
        }
        self.as_object_mut()
            .expect("it has just been made an object")
    }

    /// Sets what lies under these field names; missing or other values on the way become objects.
    pub fn set_at(&mut self, path: &[&str], value: Value) {
        let place = path
            .iter()
            .fold(self, |place, name| place.make_object().entry(name));
        *place = value;
    }

    /// Removes and returns what lies under these field names.
    pub fn remove_at(&mut self, path: &[&str]) -> Option<Value> {
        let (last, parents) = path.split_last()?;
        self.at_mut(parents)?.as_object_mut()?.remove(last)
    }

    /// Returns the JSON name of the value's type, as upstream's messages say it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) => "integer",
            Self::Float(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// Returns Go's word for the JSON type of the value, as its decoder says it.
    #[must_use]
    pub fn go_type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::Float(_) => "number",
            other => other.type_name(),
        }
    }
}

impl Object {
    /// Returns an object without fields and with room for `capacity` of them.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            fields: Vec::with_capacity(capacity),
        }
    }

    /// Returns an object of these fields, whose names are known to be unique.
    #[must_use]
    pub fn from_unique(fields: Vec<(Text, Value)>) -> Self {
        Self { fields }
    }

    /// Returns the number of fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Returns whether there is no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Returns the field with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.place(name).map(|place| &self.fields[place].1)
    }

    /// Returns the field with this name for change.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.place(name).map(|place| &mut self.fields[place].1)
    }

    /// Returns whether there is a field with this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.place(name).is_some()
    }

    /// Returns the field with this name, added as `null` at the end if it is missing.
    pub fn entry(&mut self, name: &str) -> &mut Value {
        let place = self.place(name).unwrap_or_else(|| {
            self.fields.push((Text::new(name), Value::Null));
            self.fields.len() - 1
        });
        &mut self.fields[place].1
    }

    /// Sets a field where it stands, or adds it at the end; returns the value it had.
    pub fn insert(&mut self, name: impl AsRef<str>, value: Value) -> Option<Value> {
        match self.get_mut(name.as_ref()) {
            Some(place) => Some(std::mem::replace(place, value)),
            None => {
                self.fields.push((Text::new(name.as_ref()), value));
                None
            }
        }
    }

    /// Adds a field that is known to be missing, without looking.
    pub fn push(&mut self, name: Text, value: Value) {
        self.fields.push((name, value));
    }

    /// Sets a field where it stands, or adds it behind those of the first fields that have one of
    /// these names.
    pub fn insert_behind(&mut self, names: &[&str], name: &str, value: Value) {
        if let Some(place) = self.get_mut(name) {
            *place = value;
            return;
        }
        let first = self.fields.iter();
        let place = first.take_while(|(known, _)| names.contains(&known.as_str()));
        let place = place.count();
        self.fields.insert(place, (Text::new(name), value));
    }

    /// Removes a field; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.place(name).map(|place| self.fields.remove(place).1)
    }

    /// Keeps the fields for which `keep` answers true.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &mut Value) -> bool) {
        self.fields.retain_mut(|(name, value)| keep(name, value));
    }

    /// Sorts the fields by name, as upstream writes objects that have no struct.
    pub fn sort(&mut self) {
        self.fields.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    }

    /// Returns the fields in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }

    /// Returns the fields in order, values for change.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&str, &mut Value)> {
        self.fields
            .iter_mut()
            .map(|(name, value)| (name.as_str(), value))
    }

    /// Returns the fields as they lie.
    #[must_use]
    pub fn fields(&self) -> &[(Text, Value)] {
        &self.fields
    }

    /// Returns the fields as they lie, for change of order. Names must stay unique.
    pub fn fields_mut(&mut self) -> &mut Vec<(Text, Value)> {
        &mut self.fields
    }

    /// Returns a finder for many lookups.
    #[must_use]
    pub fn index(&self) -> Index<'_> {
        let places = (self.fields.len() >= INDEX_FROM).then(|| {
            let names = self.fields.iter().enumerate();
            names
                .map(|(place, (name, _))| (name.as_str(), place))
                .collect()
        });
        Index {
            object: self,
            places,
        }
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|(known, _)| known == name)
    }
}

impl<'a> Index<'a> {
    /// Returns the field with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        match &self.places {
            Some(places) => places.get(name).map(|place| &self.object.fields[*place].1),
            None => self.object.get(name),
        }
    }
}

impl IntoIterator for Object {
    type Item = (Text, Value);
    type IntoIter = std::vec::IntoIter<(Text, Value)>;
    fn into_iter(self) -> Self::IntoIter {
        self.fields.into_iter()
    }
}

/// Collects fields; of two with one name the later wins, at the place of the earlier.
impl<K: Into<Text>> FromIterator<(K, Value)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(fields: I) -> Self {
        let mut places: HashMap<Text, usize> = HashMap::new();
        let mut object = Self::default();
        for (name, value) in fields {
            let name = name.into();
            match places.get(&name) {
                Some(place) => object.fields[*place].1 = value,
                None => {
                    places.insert(name.clone(), object.fields.len());
                    object.fields.push((name, value));
                }
            }
        }
        object
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(Text::new(text))
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::String(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::Array(items)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

/// Prints a value roughly as JSON, for test failures; `json::write` is the codec.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(flag) => write!(f, "{flag}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number:?}"),
            Self::String(text) => write!(f, "{text:?}"),
            Self::Array(items) => f.debug_list().entries(items).finish(),
            Self::Object(object) => object.fmt(f),
        }
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Builds a [`Value`] from JSON-like text: `value!({"a": 1, "b": [true, null], "c": (expression)})`.
///
/// Keys and literals stand as they are; any other Rust expression goes in parentheses and must
/// convert `Into<Value>`.
#[macro_export]
macro_rules! value {
    (null) => { $crate::Value::Null };
    ({}) => { $crate::Value::object() };
    ([$($item:tt),* $(,)?]) => { $crate::Value::Array(vec![$($crate::value!($item)),*]) };
    ({$($name:tt : $field:tt),* $(,)?}) => {
        $crate::Value::Object([$(($crate::Text::from($name), $crate::value!($field))),*]
            .into_iter().collect::<$crate::Object>())
    };
    ($other:expr) => { $crate::Value::from($other) };
}

#[cfg(test)]
mod tests {
    use super::{Object, Text, Value};

    #[test]
    fn is_small() {
        assert_eq!(size_of::<Value>(), 32);
        assert_eq!(size_of::<(Text, Value)>(), 56);
    }

    #[test]
    fn keeps_the_order_of_fields() {
        let mut value = value!({"b": 1, "a": {"x": [true, null, "s"]}, "c": (3 + 4)});
        value.set_at(&["a", "y"], Value::from(2));
        value.set_at(&["d", "e"], Value::from("f"));
        assert_eq!(
            format!("{value:?}"),
            r#"{"b": 1, "a": {"x": [true, null, "s"], "y": 2}, "c": 7, "d": {"e": "f"}}"#
        );
        assert_eq!(value.remove_at(&["a", "x", "z"]), None);
        assert_eq!(value.remove_at(&["b"]), Some(Value::Int(1)));
        assert_eq!(value.at(&["a", "y"]), Some(&Value::Int(2)));
    }

    #[test]
    fn index_finds_in_small_and_large_objects() {
        for size in [3, 100] {
            let object: Object = (0..size)
                .map(|n| (format!("k{n}"), Value::from(n)))
                .collect();
            let index = object.index();
            assert_eq!(index.get("k2"), Some(&Value::Int(2)));
            assert_eq!(index.get("k999"), None);
        }
    }
}
