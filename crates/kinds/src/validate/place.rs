//! A field of an object together with its path, and the errors found there.
//!
//! A [`Place`] costs nothing until an error is printed: it borrows the value and hangs its path on
//! that of its parent. A check walks down by [`Place::child`], [`Place::items`] and
//! [`Place::entries`] and says what is wrong to [`Findings`].

use std::collections::BTreeSet;

use api::{
    Value,
    field::{self, Error, Path, Shown},
};
use schema::Occasion;

/// How many errors are reported at most: what a client can read, not what an attacker can ask for.
const ERRORS_MAX: usize = 1_000;

/// What is to be checked: an object, what it was before, and what is known of the request.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The object as it would be written, defaulted and prepared.
    pub(crate) object: &'a Value,
    /// What is written now; absent on create.
    pub(crate) old: Option<&'a Value>,
    /// When, in which version and through which subresource.
    pub(crate) occasion: Occasion<'a>,
}

impl<'a> Subject<'a> {
    /// Returns the whole object as a place; its path prints as nothing.
    pub(crate) fn root(&self) -> Place<'a> {
        Place::new(Some(self.object), Path::ROOT)
    }

    /// Returns the object as it was, at the same path; everything in it is absent on create.
    pub(crate) fn old_root(&self) -> Place<'a> {
        Place::new(self.old, Path::ROOT)
    }
}

/// A field: its value if it is there (`null` counts as absent), and its path.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    value: Option<&'a Value>,
    path: Path<'a>,
}

impl<'a> Place<'a> {
    /// A value at a path.
    pub(crate) fn new(value: Option<&'a Value>, path: Path<'a>) -> Self {
        Self {
            value: value.filter(|value| !value.is_null()),
            path,
        }
    }

    /// Returns the field of this name.
    pub(crate) fn child(&'a self, name: &'a str) -> Place<'a> {
        let value = self.value.and_then(|value| value.get(name));
        Place::new(value, self.path.child(name))
    }

    /// Returns the entry of a map.
    pub(crate) fn key(&'a self, key: &'a str) -> Place<'a> {
        let value = self.value.and_then(|value| value.get(key));
        Place::new(value, self.path.key(key))
    }

    /// Returns the item of a list.
    pub(crate) fn index(&'a self, index: usize) -> Place<'a> {
        Place::new(self.list().get(index), self.path.index(index))
    }

    /// Returns the items of a list, none if it is absent.
    pub(crate) fn items(&'a self) -> impl ExactSizeIterator<Item = Place<'a>> {
        let items = self.list().iter().enumerate();
        items.map(|(index, item)| Place::new(Some(item), self.path.index(index)))
    }

    /// Returns the entries of a map with their keys, none if it is absent.
    pub(crate) fn entries(&'a self) -> impl Iterator<Item = (&'a str, Place<'a>)> {
        let object = self.value.and_then(Value::as_object);
        let entries = object.into_iter().flat_map(api::Object::iter);
        entries.map(|(key, value)| (key, Place::new(Some(value), self.path.key(key))))
    }

    /// Returns the value of the field of this name, for which no path is needed.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        let value = self.value.and_then(|value| value.get(name));
        value.filter(|value| !value.is_null())
    }

    /// Whether the field of this name is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Returns the text of the field of this name; empty if it is absent.
    pub(crate) fn text_of(&self, name: &str) -> &'a str {
        self.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the whole number of the field of this name, if it is there.
    pub(crate) fn int_of(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(Value::as_int)
    }

    /// Returns the flag of the field of this name, if it is there.
    pub(crate) fn flag_of(&self, name: &str) -> Option<bool> {
        self.get(name).and_then(Value::as_bool)
    }

    /// Returns the items of the list of this name, none if it is absent.
    pub(crate) fn list_of(&self, name: &str) -> &'a [Value] {
        self.get(name).and_then(Value::as_array).unwrap_or_default()
    }

    /// Returns the path.
    pub(crate) fn path(&self) -> &Path<'a> {
        &self.path
    }

    /// Returns the value.
    pub(crate) fn value(&self) -> Option<&'a Value> {
        self.value
    }

    /// Whether the field is there and not `null`.
    pub(crate) fn is_set(&self) -> bool {
        self.value.is_some()
    }

    /// Returns the text; empty if it is absent, as in Go.
    pub(crate) fn text(&self) -> &'a str {
        self.str().unwrap_or_default()
    }

    /// Returns the text, if it is there.
    pub(crate) fn str(&self) -> Option<&'a str> {
        self.value.and_then(Value::as_str)
    }

    /// Returns the whole number, if it is there.
    pub(crate) fn int(&self) -> Option<i64> {
        self.value.and_then(Value::as_int)
    }

    /// Whether the field is there and `true`.
    pub(crate) fn is_true(&self) -> bool {
        self.value.and_then(Value::as_bool).unwrap_or(false)
    }

    /// Returns the items of a list, none if it is absent.
    pub(crate) fn list(&self) -> &'a [Value] {
        self.value.and_then(Value::as_array).unwrap_or_default()
    }

    /// Returns how many entries the map or list has.
    pub(crate) fn len(&self) -> usize {
        match self.value {
            Some(Value::Object(object)) => object.len(),
            Some(Value::Array(items)) => items.len(),
            _ => 0,
        }
    }

    /// Returns the value as errors print it; an absent one as Go prints a nil pointer or slice.
    pub(crate) fn shown(&self) -> Shown {
        Shown::from(self.value.unwrap_or(&Value::Null))
    }

    /// Whether both hold the same; order of keys does not matter.
    pub(crate) fn is_same(&self, other: &Place<'_>) -> bool {
        self.value == other.value
    }
}

/// Texts that were seen before. A few lie on the stack, so that most objects cost nothing.
pub(crate) struct Seen<'a> {
    few: [&'a str; FEW],
    count: usize,
    many: BTreeSet<&'a str>,
}

/// How many texts lie on the stack: more containers, volumes or ports than most pods have.
const FEW: usize = 12;

impl<'a> Seen<'a> {
    /// Nothing was seen.
    pub(crate) fn new() -> Self {
        Self {
            few: [""; FEW],
            count: 0,
            many: BTreeSet::new(),
        }
    }

    /// Whether this text was seen.
    pub(crate) fn has(&self, text: &str) -> bool {
        self.few[..self.count].contains(&text) || self.many.contains(text)
    }

    /// Takes a text in and says whether it is new.
    pub(crate) fn insert(&mut self, text: &'a str) -> bool {
        if self.has(text) {
            return false;
        }
        if self.count < FEW {
            self.few[self.count] = text;
            self.count += 1;
        } else {
            self.many.insert(text);
        }
        true
    }
}

/// The errors of one object, in the order in which they were found.
#[derive(Default)]
pub(crate) struct Findings {
    errors: Vec<Error>,
}

impl Findings {
    /// Adds one error.
    pub(crate) fn push(&mut self, error: Error) {
        // Upstream says each thing once.
        if self.errors.len() < ERRORS_MAX && !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// The field must be there.
    pub(crate) fn required(&mut self, place: &Place<'_>, detail: &str) {
        self.push(Error::required(place.path(), detail));
    }

    /// The field's value is wrong.
    pub(crate) fn invalid(&mut self, place: &Place<'_>, detail: impl Into<String>) {
        self.push(Error::invalid(place.path(), place.shown(), detail));
    }

    /// The text is wrong; one that is absent is printed as the empty text that Go holds.
    pub(crate) fn invalid_text(&mut self, place: &Place<'_>, detail: impl Into<String>) {
        self.push(Error::invalid(place.path(), place.text(), detail));
    }

    /// The text is wrong in each of these ways; none if it is right.
    pub(crate) fn each_invalid_text(
        &mut self,
        place: &Place<'_>,
        details: impl IntoIterator<Item = String>,
    ) {
        for detail in details {
            self.invalid_text(place, detail);
        }
    }

    /// The number is wrong; one that is absent is printed as the zero that Go holds.
    pub(crate) fn invalid_number(&mut self, place: &Place<'_>, detail: impl Into<String>) {
        let number = place.int().unwrap_or(0);
        self.push(Error::invalid(place.path(), number, detail));
    }

    /// Whether nothing was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// Returns how many errors were found.
    pub(crate) fn len(&self) -> usize {
        self.errors.len()
    }

    /// The field's value is wrong in each of these ways; none if it is right.
    pub(crate) fn each_invalid(
        &mut self,
        place: &Place<'_>,
        details: impl IntoIterator<Item = String>,
    ) {
        for detail in details {
            self.invalid(place, detail);
        }
    }

    /// The field's value is not one of these, which are printed in this order.
    pub(crate) fn not_supported(&mut self, place: &Place<'_>, supported: &[&str]) {
        let shown = Shown::from(place.text());
        self.push(Error::not_supported(place.path(), shown, supported));
    }

    /// The field's value is there already.
    pub(crate) fn duplicate(&mut self, place: &Place<'_>) {
        self.push(Error::duplicate(place.path(), place.shown()));
    }

    /// The field leads nowhere.
    pub(crate) fn not_found(&mut self, place: &Place<'_>) {
        self.push(Error::not_found(place.path(), place.shown()));
    }

    /// The field may not be set, or not so.
    pub(crate) fn forbidden(&mut self, place: &Place<'_>, detail: &str) {
        self.push(Error::forbidden(place.path(), detail));
    }

    /// Returns the errors, in order.
    #[cfg(test)]
    pub(crate) fn errors(&self) -> &[Error] {
        &self.errors
    }

    /// Returns the causes of a refusal, in order.
    pub(crate) fn causes(&self) -> Vec<api::status::Cause> {
        field::causes(&self.errors)
    }
}
