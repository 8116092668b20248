//! The small part of an object that is kept open.

use std::{fmt, ops::Range};

use base::WallTime;

use super::{Meta, OwnerReference};
use crate::{
    Object, Text, Value,
    json::{self, scan},
};

/// Fields of metadata that a head keeps.
const KEPT: [&str; 8] = [
    "name",
    "namespace",
    "uid",
    "generation",
    "deletionTimestamp",
    "labels",
    "ownerReferences",
    "finalizers",
];

/// What is kept of a stored object beside its bytes.
///
/// Tens of thousands are kept, so texts lie in exactly sized allocations and uids in 16 bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Namespace and name, one behind the other.
    names: Box<str>,
    namespace_len: u16,
    /// Whether there is any finalizer.
    pub has_finalizers: bool,
    /// Where the digits of the resource version lie in the canonical bytes, without quotes.
    pub rv_at: Range<u32>,
    /// Unique in space and time.
    pub uid: Uid,
    /// The labels.
    pub labels: Labels,
    /// Who owns the object.
    pub owners: Box<[Owner]>,
    /// Since when the object is being deleted.
    pub deletion_timestamp: Option<WallTime>,
    /// Counts changes of the spec.
    pub generation: i64,
}

/// A unique id. Those of the usual form take 16 bytes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Uid {
    /// `01234567-89ab-cdef-0123-456789abcdef`, in lower case.
    Usual([u8; 16]),
    /// Anything else, as some client wrote it; empty if there is none.
    Other(Box<str>),
}

/// Labels in one allocation, sorted by key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Labels {
    /// Keys and values in turn, each ended by a zero byte, which none of them can contain.
    text: Box<str>,
}

/// Who owns an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Uid of the owner.
    pub uid: Uid,
    /// Whether the owner manages the object.
    pub controller: bool,
    /// Whether the owner's foreground deletion waits for the object.
    pub block_owner_deletion: bool,
}

impl Head {
    /// Returns the head of a tree that was written as `bytes`.
    #[must_use]
    pub fn of(object: &Value, bytes: &[u8]) -> Self {
        Self::with(&Meta::of(object), resource_version_at(bytes))
    }

    /// Returns the head of canonical bytes; of their metadata only what is kept is opened.
    ///
    /// Returns none if there is no metadata.
    #[must_use]
    pub fn scan(bytes: &[u8]) -> Option<Self> {
        let place = scan::find_field(bytes, &["metadata"])?;
        let mut kept = Object::with_capacity(KEPT.len());
        let mut rv_at = None;
        for (name, value) in scan::fields_at(bytes, place.start)? {
            if let Some(known) = KEPT.iter().find(|known| known.as_bytes() == name) {
                let parsed = json::read(&bytes[value]).ok()?;
                kept.push(Text::const_new(known), parsed.value);
            } else if name == b"resourceVersion" {
                rv_at = digits_at(bytes, value);
            }
        }
        let meta = Meta {
            fields: Some(&kept),
        };
        Some(Self::with(&meta, rv_at))
    }

    fn with(meta: &Meta<'_>, rv_at: Option<Range<u32>>) -> Self {
        let (namespace, name) = (meta.namespace(), meta.name());
        Self {
            names: [namespace, name].concat().into_boxed_str(),
            namespace_len: u16::try_from(namespace.len()).unwrap_or(0),
            has_finalizers: meta.finalizers().len() > 0,
            rv_at: rv_at.unwrap_or(0..0),
            uid: Uid::new(meta.uid()),
            labels: Labels::new(meta.labels()),
            owners: meta.owner_references().map(Owner::of).collect(),
            deletion_timestamp: meta.deletion_timestamp(),
            generation: meta.generation(),
        }
    }

    /// Returns the namespace; empty for what lies in none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.names[..usize::from(self.namespace_len)]
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.names[usize::from(self.namespace_len)..]
    }

    /// Returns the resource version that stands in the canonical bytes of this object.
    #[must_use]
    pub fn resource_version<'a>(&self, bytes: &'a [u8]) -> &'a str {
        let digits = bytes.get(self.rv_at.start as usize..self.rv_at.end as usize);
        std::str::from_utf8(digits.unwrap_or_default()).unwrap_or_default()
    }
}

/// Returns where the digits of `metadata.resourceVersion` lie, without quotes.
#[must_use]
pub fn resource_version_at(bytes: &[u8]) -> Option<Range<u32>> {
    digits_at(
        bytes,
        scan::find_field(bytes, &["metadata", "resourceVersion"])?,
    )
}

fn digits_at(bytes: &[u8], place: Range<usize>) -> Option<Range<u32>> {
    scan::plain_str(&bytes[place.clone()])?;
    let at = |at: usize| u32::try_from(at).ok();
    Some(at(place.start + 1)?..at(place.end - 1)?)
}

impl Owner {
    fn of(reference: OwnerReference<'_>) -> Self {
        Self {
            uid: Uid::new(reference.uid),
            controller: reference.controller,
            block_owner_deletion: reference.block_owner_deletion,
        }
    }
}

impl Uid {
    /// Returns the id that this text says.
    #[must_use]
    pub fn new(text: &str) -> Self {
        match usual(text) {
            Some(bytes) => Self::Usual(bytes),
            None => Self::Other(text.into()),
        }
    }

    /// Returns a new id of the usual form (version 4).
    #[must_use]
    pub fn random(rng: &mut base::Rng) -> Self {
        let mut bytes = [0; 16];
        rng.fill(&mut bytes);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self::Usual(bytes)
    }

    /// Returns whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Other(text) if text.is_empty())
    }
}

fn usual(text: &str) -> Option<[u8; 16]> {
    let text: &[u8; 36] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; 16];
    let mut at = 0;
    for byte in &mut bytes {
        if matches!(at, 8 | 13 | 18 | 23) {
            if text[at] != b'-' {
                return None;
            }
            at += 1;
        }
        *byte = digit(text[at])? << 4 | digit(text[at + 1])?;
        at += 2;
    }
    Some(bytes)
}

fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usual(bytes) => {
                for (place, byte) in bytes.iter().enumerate() {
                    if matches!(place, 4 | 6 | 8 | 10) {
                        f.write_str("-")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Labels {
    /// Returns the labels sorted by key. What contains a zero byte is no label and is left out.
    #[must_use]
    pub fn new<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let labels = labels.into_iter();
        let mut labels: Vec<(&str, &str)> = labels
            .filter(|(key, value)| !key.contains('\0') && !value.contains('\0'))
            .collect();
        if labels.is_empty() {
            return Self::default();
        }
        labels.sort_unstable();
        let text: String = labels
            .iter()
            .flat_map(|(key, value)| [key, "\0", value, "\0"])
            .collect();
        Self { text: text.into() }
    }

    /// Returns keys and values, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut parts = self.text.split_terminator('\0');
        std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
    }

    /// Returns the value of a label.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self.iter().find(|(found, _)| *found >= key)?;
        (found.0 == key).then_some(found.1)
    }

    /// Returns a mark of all labels: it holds [`label_mark`] of each, so that most objects a
    /// selector does not mean can be told without a look at their labels.
    #[must_use]
    pub fn mark(&self) -> u64 {
        let marks = self.iter().map(|(key, value)| label_mark(key, value));
        marks.fold(0, |all, mark| all | mark)
    }

    /// Returns whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// Returns a number with two bits, which ones depends on the label: a Bloom filter of 64 bits, in
/// which the usual handful of labels leaves one chance in fifty to be taken for another.
#[must_use]
pub fn label_mark(key: &str, value: &str) -> u64 {
    // FNV-1a, then spread: the high bits of a product depend on all of the low ones.
    let bytes = key.bytes().chain([0]).chain(value.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let spread = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    1 << (spread >> 58) | 1 << (spread >> 52 & 63)
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
