//! One object as it lies in memory: its bytes, and what has been read from them so far.

use std::sync::OnceLock;

use api::{Text, json::scan, meta::Head};
use bytes::Bytes;
use parking_lot::Mutex;
use schema::Selectable;
use store::Revision;

use crate::convert::Converted;

/// One object: canonical JSON of the stored version, resourceVersion inside.
///
/// What is read from the bytes is read when it is first needed and kept: most objects are only ever
/// handed out as they lie.
pub struct Stored {
    /// The JSON.
    pub bytes: Bytes,
    /// When it was last written.
    pub revision: Revision,
    /// Written by an earlier server or under an earlier definition: defaults may be missing.
    pub loaded: bool,
    head: OnceLock<Option<Box<Head>>>,
    mark: OnceLock<u64>,
    fields: OnceLock<Box<[Text]>>,
    protobuf: OnceLock<Bytes>,
    converted: Mutex<Option<Box<Converted>>>,
}

impl Stored {
    /// Returns an object that was just written.
    #[must_use]
    pub fn new(bytes: Bytes, revision: Revision) -> Self {
        Self {
            bytes,
            revision,
            loaded: false,
            head: OnceLock::new(),
            mark: OnceLock::new(),
            fields: OnceLock::new(),
            protobuf: OnceLock::new(),
            converted: Mutex::new(None),
        }
    }

    /// Returns an object that lay in the store already.
    #[must_use]
    pub fn loaded(bytes: Bytes, revision: Revision) -> Self {
        Self {
            loaded: true,
            ..Self::new(bytes, revision)
        }
    }

    /// Returns what selectors and rules look at; nothing for bytes that are no object.
    pub fn head(&self) -> Option<&Head> {
        let head = self
            .head
            .get_or_init(|| Head::scan(&self.bytes).map(Box::new));
        head.as_deref()
    }

    /// Returns the value of a label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.head()?.labels.get(name)
    }

    /// Returns the mark of the object's labels.
    pub fn mark(&self) -> u64 {
        let labels = || self.head().map_or(0, |head| head.labels.mark());
        *self.mark.get_or_init(labels)
    }

    /// Returns the values of the stored version's selectable fields, in their order.
    pub fn fields(&self, selectable: &[Selectable]) -> &[Text] {
        self.fields.get_or_init(|| {
            let read = |field: &Selectable| read_field(&self.bytes, field);
            selectable.iter().map(read).collect()
        })
    }

    /// Returns the protobuf message of the stored version, made by the first who asks.
    ///
    /// # Errors
    /// What `make` answers; nothing is kept then.
    pub fn protobuf<E>(&self, make: impl FnOnce(&[u8]) -> Result<Bytes, E>) -> Result<Bytes, E> {
        if let Some(known) = self.protobuf.get() {
            return Ok(known.clone());
        }
        let made = make(&self.bytes)?;
        Ok(self.protobuf.get_or_init(|| made).clone())
    }

    /// Keeps the protobuf message of the stored version, if nobody has made it yet.
    pub fn keep_protobuf(&self, message: Bytes) {
        let _ = self.protobuf.set(message);
    }

    /// Returns what `read` finds in the object as it was last converted by a webhook.
    pub(crate) fn converted<T>(&self, read: impl FnOnce(&Converted) -> Option<T>) -> Option<T> {
        self.converted.lock().as_deref().and_then(read)
    }

    /// Keeps the object as it was converted, instead of what was kept before.
    pub(crate) fn keep_converted(&self, converted: Converted) {
        *self.converted.lock() = Some(Box::new(converted));
    }

    /// Returns the bytes with another resourceVersion in them.
    #[must_use]
    pub fn at(&self, revision: Revision) -> Bytes {
        let Some(at) = self.head().map(|head| head.rv_at.clone()) else {
            return self.bytes.clone();
        };
        let (start, end) = (at.start as usize, at.end as usize);
        let mut bytes = Vec::with_capacity(self.bytes.len() + 4);
        bytes.extend_from_slice(&self.bytes[..start]);
        bytes.extend_from_slice(itoa::Buffer::new().format(revision.0).as_bytes());
        bytes.extend_from_slice(&self.bytes[end..]);
        Bytes::from(bytes)
    }

    /// Returns the value that says the same under whatever revision it is written at.
    #[must_use]
    pub fn stamped(&self) -> Option<store::Value> {
        let at = self.head()?.rv_at.clone();
        let (start, end) = (at.start as usize, at.end as usize);
        let (before, after) = (self.bytes.slice(..start), self.bytes.slice(end..));
        (start < end).then(|| store::Value::stamped(before, after))
    }

    /// Returns the bytes of `metadata`.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        let found = scan::find_field(&self.bytes, &["metadata"]);
        found.map_or(b"{}", |range| &self.bytes[range])
    }
}

/// Returns what a selectable field holds, as text.
fn read_field(bytes: &[u8], field: &Selectable) -> Text {
    let read = |path: &[Text]| {
        let path: Vec<&str> = path.iter().map(Text::as_str).collect();
        let value = &bytes[scan::find_field(bytes, &path)?];
        (value != b"null").then(|| text(value))
    };
    let first = read(&field.path);
    let found = match (&first, field.otherwise.is_empty()) {
        (_, true) => first,
        (Some(found), _) if !found.is_empty() => first,
        _ => read(&field.otherwise),
    };
    found.unwrap_or_else(|| field.absent.clone())
}

/// Returns a scalar as text: a string without its quotes and escapes, anything else as written.
fn text(value: &[u8]) -> Text {
    if let Some(plain) = scan::plain_str(value) {
        return Text::new(plain);
    }
    match api::json::read(value) {
        Ok(parsed) => match parsed.value {
            api::Value::String(text) => text,
            _ => Text::from_utf8_lossy(value),
        },
        Err(_) => Text::from_utf8_lossy(value),
    }
}

/// Returns the end of an object's key.
#[must_use]
pub fn place_of(namespace: &str, name: &str) -> Text {
    if namespace.is_empty() {
        return Text::new(name);
    }
    let mut place = Text::with_capacity(namespace.len() + 1 + name.len());
    place.push_str(namespace);
    place.push('/');
    place.push_str(name);
    place
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use store::Revision;

    use super::Stored;

    #[test]
    fn reads_what_selectors_look_at() {
        let json = br#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","uid":"u-1","deletionTimestamp":"2026-01-01T00:00:00Z","labels":{"app":"web","tier":""},"ownerReferences":[{"kind":"RS","uid":"o-1"},{"uid":"o-2"}]},"spec":{"nodeName":"n"}}"#;
        let stored = Stored::new(Bytes::from_static(json), Revision(7));
        let head = stored.head().expect("it has metadata");
        assert_eq!(head.uid, api::meta::Uid::new("u-1"));
        assert!(head.deletion_timestamp.is_some());
        assert_eq!(head.owners.len(), 2);
        assert_eq!(stored.label("app"), Some("web"));
        assert_eq!(stored.label("tier"), Some(""));
        assert_eq!(stored.label("none"), None);
        let selectable = [
            ("spec.nodeName", "spec nodeName", "", ""),
            ("status.phase", "status phase", "", "Unknown"),
            ("where", "spec place", "spec nodeName", ""),
            ("who", "spec nodeName", "metadata name", ""),
            ("what", "spec a", "spec b", "Nothing"),
        ]
        .map(|(label, path, otherwise, absent)| schema::Selectable {
            label: label.into(),
            path: path.split(' ').map(Into::into).collect(),
            otherwise: otherwise.split_whitespace().map(Into::into).collect(),
            absent: absent.into(),
        });
        assert_eq!(
            *stored.fields(&selectable),
            ["n", "Unknown", "n", "n", "Nothing"]
        );
    }
}
