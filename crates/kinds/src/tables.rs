//! Cells of the tables that `kubectl get` shows, one file per group.
//!
//! A table's columns are data; here is what stands in them. Cells of the wide form come last and
//! are always made. Kinds without a table of their own show their name and when they were created.

mod apps;
mod certificates;
mod cluster;
mod core_group;
mod events;
mod extensions;
mod human;
mod networking;
mod pods;
mod scaling;
mod storage;

use api::{Value, time};
use schema::{Cell, Occasion};

use human::human;

pub(crate) use pods::PARTS as POD_PARTS;

/// Makes the cells of one row.
pub(crate) type Cells = fn(Row<'_>) -> Vec<Cell>;

/// What stands where nothing was given.
const NONE: &str = "<none>";
/// What stands where a choice was left open.
const UNSET: &str = "<unset>";
/// What stands where it cannot be known.
const UNKNOWN: &str = "<unknown>";

/// One object about to become a row, or a part of it.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    object: &'a Value,
    occasion: Occasion<'a>,
}

/// Returns the function that makes a kind's cells.
pub(crate) fn of(group: &str, kind: &str) -> Option<Cells> {
    Some(match group {
        "" => core_group::of(kind)?,
        "apps" | "batch" => apps::of(kind)?,
        "networking.k8s.io" | "discovery.k8s.io" => networking::of(kind)?,
        "storage.k8s.io" => storage::of(kind)?,
        "certificates.k8s.io" => certificates::of(kind)?,
        "admissionregistration.k8s.io" | "apiextensions.k8s.io" | "apiregistration.k8s.io" => {
            extensions::of(kind)?
        }
        "autoscaling" => scaling::of(kind)?,
        "events.k8s.io" => events::of(kind)?,
        _ => cluster::of(kind)?,
    })
}

/// Returns the cells of kinds without a table of their own.
pub(crate) fn plain(row: Row<'_>) -> Vec<Cell> {
    vec![row.name(), row.created()]
}

/// Returns a cell of text.
fn text(text: impl Into<api::Text>) -> Cell {
    Value::string(text)
}

/// Returns a cell of text, or of the other if there is none.
fn text_or(text: &str, other: &str) -> Cell {
    Value::from(if text.is_empty() { other } else { text })
}

impl<'a> Row<'a> {
    pub(crate) fn new(object: &'a Value, occasion: Occasion<'a>) -> Self {
        Self { object, occasion }
    }

    /// Returns another value as seen on the same occasion.
    fn part(self, object: &'a Value) -> Self {
        Self { object, ..self }
    }

    /// Returns what lies at a path of names, unless it is null.
    fn at(self, path: &[&str]) -> Option<Row<'a>> {
        let found = self.object.at(path).filter(|value| !value.is_null())?;
        Some(self.part(found))
    }

    /// Returns the text at a path, empty if there is none.
    fn text(self, path: &[&str]) -> &'a str {
        self.object.str_at(path).unwrap_or_default()
    }

    /// Returns the number at a path, 0 if there is none.
    fn int(self, path: &[&str]) -> i64 {
        let found = self.object.at(path).and_then(Value::as_int);
        found.unwrap_or_default()
    }

    /// Returns the answer at a path, if it was given.
    fn flag(self, path: &[&str]) -> Option<bool> {
        self.object.at(path).and_then(Value::as_bool)
    }

    /// Returns the items of the list at a path.
    fn items(self, path: &[&str]) -> impl DoubleEndedIterator<Item = Row<'a>> + ExactSizeIterator {
        let items = self.object.at(path).and_then(Value::as_array);
        let items = items.unwrap_or_default().iter();
        items.map(move |item| self.part(item))
    }

    /// Returns the texts of the list at a path.
    fn texts(self, path: &[&str]) -> Vec<&'a str> {
        self.items(path).map(|item| item.text(&[])).collect()
    }

    /// Returns the names and texts of the map at a path, sorted.
    fn pairs(self, path: &[&str]) -> Vec<(&'a str, &'a str)> {
        let map = self.object.at(path).and_then(Value::as_object);
        let mut pairs: Vec<(&str, &str)> = map
            .into_iter()
            .flat_map(|map| map.iter())
            .map(|(name, value)| (name, value.as_str().unwrap_or_default()))
            .collect();
        pairs.sort_unstable();
        pairs
    }

    /// Returns how many entries the list or map at a path has.
    fn count(self, path: &[&str]) -> i64 {
        let count = match self.object.at(path) {
            Some(Value::Array(items)) => items.len(),
            Some(Value::Object(entries)) => entries.len(),
            _ => 0,
        };
        i64::try_from(count).unwrap_or(i64::MAX)
    }

    /// Returns the first condition of this type under a path.
    fn condition(self, path: &[&str], kind: &str) -> Option<Row<'a>> {
        self.items(path)
            .find(|condition| condition.text(&["type"]) == kind)
    }

    /// Returns the time at a path, in microseconds since the epoch.
    fn micros(self, path: &[&str]) -> Option<i64> {
        let text = self.object.str_at(path)?;
        time::parse(text).ok().map(|time| time.micros)
    }

    /// Returns the time at a path as how long ago it was.
    fn since(self, path: &[&str]) -> String {
        match self.micros(path) {
            Some(then) => human(self.occasion.now.micros - then),
            None => UNKNOWN.to_owned(),
        }
    }

    fn name(self) -> Cell {
        Value::from(self.text(&["metadata", "name"]))
    }

    fn age(self) -> Cell {
        text(self.since(&["metadata", "creationTimestamp"]))
    }

    fn created(self) -> Cell {
        match self.text(&["metadata", "creationTimestamp"]) {
            // Go's zero time.
            "" => Value::from("0001-01-01T00:00:00Z"),
            created => Value::from(created),
        }
    }

    fn is_leaving(self) -> bool {
        self.at(&["metadata", "deletionTimestamp"]).is_some()
    }

    fn annotation(self, name: &str) -> &'a str {
        self.text(&["metadata", "annotations", name])
    }
}

#[cfg(test)]
mod tests;
