//! What kit needs to know of any object: its key, its revision, its head.
//!
//! [`Head`] is an object's metadata with what controllers look at and nothing else; managed fields
//! are skipped while reading. Types that embed a `Head` cost a fraction of the full ones.

use std::{fmt, sync::Arc};

use base::WallTime;
use k8s_openapi::jiff;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An object that a cache can hold.
///
/// Every type of kube-rs (k8s-openapi, derived custom resources, `PartialObjectMeta`,
/// `DynamicObject`) is one; a projection of your own implements the two methods.
pub trait Object: Send + Sync + 'static {
    /// Returns the namespace and name.
    fn key(&self) -> Key;
    /// Returns the resource version as a number; 0 if it has none.
    fn revision(&self) -> u64;
}

impl<K> Object for K
where
    K: kube::Resource + Send + Sync + 'static,
{
    fn key(&self) -> Key {
        let meta = self.meta();
        Key::new(
            meta.namespace.as_deref().unwrap_or_default(),
            meta.name.as_deref().unwrap_or_default(),
        )
    }

    fn revision(&self) -> u64 {
        let version = self.meta().resource_version.as_deref();
        version
            .and_then(|version| version.parse().ok())
            .unwrap_or(0)
    }
}

/// Namespace and name of an object. Cheap to clone; ordered by namespace, then name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<str>);

impl Key {
    /// Returns a key; the namespace of a cluster-scoped object is empty.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        let mut text = String::with_capacity(namespace.len() + 1 + name.len());
        text.push_str(namespace);
        text.push('/');
        text.push_str(name);
        Self(text.into())
    }

    /// Returns the namespace; empty for cluster-scoped objects.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.0
            .split_once('/')
            .map_or("", |(namespace, _)| namespace)
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }
}

impl fmt::Display for Key {
    /// Prints `namespace/name`, or the name alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.strip_prefix('/').unwrap_or(&self.0))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The identity of an object through all its changes.
///
/// The server gives out UUIDs, kept as 16 bytes; an owner reference may hold any text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uid(Form);

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Form {
    Uuid([u8; 16]),
    Text(Box<str>),
}

impl Uid {
    /// Returns the identity written as `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(read_uuid(text).map_or_else(|| Form::Text(text.into()), Form::Uuid))
    }

    /// Returns whether the object has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Form::Text(text) if text.is_empty())
    }
}

/// Reads a lower-case UUID; anything that would not print the same again is not one.
fn read_uuid(text: &str) -> Option<[u8; 16]> {
    let text = text.as_bytes();
    if text.len() != 36 {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut uuid = [0; 16];
    let mut at = 0;
    for (index, byte) in uuid.iter_mut().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            if text[at] != b'-' {
                return None;
            }
            at += 1;
        }
        *byte = digit(text[at])? << 4 | digit(text[at + 1])?;
        at += 2;
    }
    Some(uuid)
}

impl Default for Uid {
    fn default() -> Self {
        Self::new("")
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Text(text) => f.write_str(text),
            Form::Uuid(uuid) => {
                for (index, byte) in uuid.iter().enumerate() {
                    if matches!(index, 4 | 6 | 8 | 10) {
                        f.write_str("-")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Uid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Uid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_str(deserializer, |text| Some(Self::new(text)))
    }
}

/// A point in time as metadata and conditions carry it: whole seconds, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub secs: i64,
}

impl Time {
    /// Returns the whole second of a wall clock's time.
    #[must_use]
    pub fn from_wall(wall: WallTime) -> Self {
        Self { secs: wall.secs() }
    }

    /// Returns the same time for the clock.
    #[must_use]
    pub fn wall(self) -> WallTime {
        WallTime::from_secs(self.secs)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A second outside jiff's range (year 9999) has no text in the API either.
        let time = jiff::Timestamp::from_second(self.secs).unwrap_or_default();
        write!(f, "{}", time.strftime("%Y-%m-%dT%H:%M:%SZ"))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_str(deserializer, |text| {
            let time: jiff::Timestamp = text.parse().ok()?;
            Some(Self {
                secs: time.as_second(),
            })
        })
    }
}

/// Labels or annotations: pairs in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Labels(Box<[(Box<str>, Box<str>)]>);

impl Labels {
    /// Returns the value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(held, _)| (**held).cmp(name));
        at.ok().map(|at| &*self.0[at].1)
    }

    /// Returns whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives the pairs in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Returns the same pairs and one more, or one replaced.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let others = self.iter().filter(|(held, _)| *held != name);
        others.chain([(name, value)]).collect()
    }

    /// Returns the same pairs without one.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        self.iter().filter(|(held, _)| *held != name).collect()
    }

    /// Returns whether every pair of `other` is among these.
    #[must_use]
    pub fn contains_all(&self, other: &Self) -> bool {
        other
            .iter()
            .all(|(name, value)| self.get(name) == Some(value))
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Labels {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        let mut pairs: Vec<(Box<str>, Box<str>)> = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        // The sort is stable, so of two pairs with one name the later is kept, as in JSON.
        pairs.sort_by(|(a, _), (b, _)| b.cmp(a));
        pairs.reverse();
        pairs.dedup_by(|(a, _), (b, _)| a == b);
        Self(pairs.into())
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> de::Visitor<'de> for Pairs {
            type Value = Labels;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of texts")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Labels, E> {
                Ok(Labels::default())
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
                let mut pairs: Vec<(Box<str>, Box<str>)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<Box<str>, Option<Box<str>>>()? {
                    pairs.push((name, value.unwrap_or_default()));
                }
                if !pairs.is_sorted_by(|(a, _), (b, _)| a < b) {
                    return Ok(pairs.iter().map(|(a, b)| (&**a, &**b)).collect());
                }
                Ok(Labels(pairs.into()))
            }
        }
        deserializer.deserialize_any(Pairs)
    }
}

/// A reference of a dependent to its owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Owner {
    /// Group and version of the owner.
    pub api_version: Box<str>,
    /// Kind of the owner.
    pub kind: Box<str>,
    /// Name of the owner, in the dependent's namespace or in the cluster.
    pub name: Box<str>,
    /// Identity of the owner.
    pub uid: Uid,
    /// Whether the owner is the one that manages the dependent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub controller: Option<bool>,
    /// Whether a foreground deletion of the owner waits for the dependent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_owner_deletion: Option<bool>,
}

/// The metadata that controllers look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Head {
    /// Name.
    pub name: Box<str>,
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: Box<str>,
    /// Identity.
    pub uid: Uid,
    /// Resource version as a number; 0 if it has none.
    #[serde(deserialize_with = "read_revision")]
    pub resource_version: u64,
    /// Counts changes of the wish.
    pub generation: i64,
    /// When it was created.
    pub creation_timestamp: Option<Time>,
    /// When its deletion was requested.
    pub deletion_timestamp: Option<Time>,
    /// Labels.
    pub labels: Labels,
    /// Annotations.
    pub annotations: Labels,
    /// Who owns it.
    #[serde(deserialize_with = "null_as_default")]
    pub owner_references: Box<[Owner]>,
    /// What must be done before it goes.
    #[serde(deserialize_with = "null_as_default")]
    pub finalizers: Box<[Box<str>]>,
}

impl Head {
    /// Returns the namespace and name.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::new(&self.namespace, &self.name)
    }

    /// Returns the owner that manages the object.
    #[must_use]
    pub fn controller(&self) -> Option<&Owner> {
        let mut owners = self.owner_references.iter();
        owners.find(|owner| owner.controller == Some(true))
    }

    /// Returns whether its deletion was requested.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.deletion_timestamp.is_some()
    }

    /// Returns whether this finalizer holds it.
    #[must_use]
    pub fn has_finalizer(&self, finalizer: &str) -> bool {
        self.finalizers.iter().any(|held| &**held == finalizer)
    }
}

/// An object of which only the metadata is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Partial {
    /// Its metadata.
    pub metadata: Head,
}

impl Object for Partial {
    fn key(&self) -> Key {
        self.metadata.key()
    }

    fn revision(&self) -> u64 {
        self.metadata.resource_version
    }
}

/// Reads `null` as the empty value, for `#[serde(deserialize_with)]`.
///
/// Servers written in Go print lists and maps without members as `null`.
///
/// # Errors
/// As the reader of `T`.
pub fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads `"123"` as a number; an opaque version of some other server counts as 0.
fn read_revision<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    read_str(deserializer, |text| Some(text.parse().unwrap_or(0)))
}

/// Reads a text without keeping it.
fn read_str<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    read: impl Fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    struct Text<F>(F);
    impl<T, F: Fn(&str) -> Option<T>> de::Visitor<'_> for Text<F> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            (self.0)(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_str(Text(read))
}

#[cfg(test)]
mod tests {
    use super::{Key, Labels, Object, Partial, Time, Uid};

    const POD: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"n",
        "uid":"0f8fad5b-d9cb-469f-a165-70867728950e","resourceVersion":"42","generation":3,
        "creationTimestamp":"2026-11-21T13:00:00Z","deletionTimestamp":null,
        "labels":{"b":"2","a":"1"},"finalizers":["x/y"],
        "managedFields":[{"manager":"m","fieldsV1":{"f:a":{}}}],
        "ownerReferences":[{"apiVersion":"v1","kind":"K","name":"o","uid":"odd","controller":true}]},
        "spec":{"containers":[{"name":"c"}]}}"#;

    #[test]
    fn reads_a_head_and_skips_the_rest() {
        let head = serde_json::from_str::<Partial>(POD).unwrap().metadata;
        assert_eq!(head.key(), Key::new("n", "a"));
        assert_eq!((head.resource_version, head.generation), (42, 3));
        assert_eq!(head.uid.to_string(), "0f8fad5b-d9cb-469f-a165-70867728950e");
        assert_eq!(
            head.creation_timestamp,
            Some(Time {
                secs: 1_795_266_000
            })
        );
        assert!(!head.is_leaving() && head.has_finalizer("x/y"));
        assert_eq!(head.labels.get("a"), Some("1"));
        assert_eq!(head.controller().unwrap().uid, Uid::new("odd"));
    }

    #[test]
    fn null_is_nothing() {
        let text =
            r#"{"metadata":{"name":"a","labels":null,"finalizers":null,"ownerReferences":null}}"#;
        let head = serde_json::from_str::<Partial>(text).unwrap().metadata;
        assert!(head.finalizers.is_empty() && head.owner_references.is_empty());
        assert!(head.labels.is_empty());
    }

    #[test]
    fn kube_types_are_objects() {
        let pod: k8s_openapi::api::core::v1::Pod = serde_json::from_str(POD).unwrap();
        assert_eq!((pod.key(), pod.revision()), (Key::new("n", "a"), 42));
    }

    #[test]
    fn keys_print_as_kubectl_does() {
        assert_eq!(Key::new("", "node").to_string(), "node");
        assert_eq!(Key::new("ns", "pod").to_string(), "ns/pod");
        assert_eq!(Key::new("", "node").name(), "node");
        assert_eq!(Key::new("ns", "pod").namespace(), "ns");
    }

    #[test]
    fn a_uid_prints_as_it_was_read() {
        for text in [
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "0F8FAD5B-d9cb-469f-a165-70867728950e",
            "0f8fad5b0d9cb-469f-a165-70867728950e",
            "",
            "odd",
        ] {
            assert_eq!(Uid::new(text).to_string(), text);
        }
        assert!(Uid::default().is_empty());
        assert_eq!(size_of::<Uid>(), 24);
    }

    #[test]
    fn labels_are_sorted_and_the_last_of_two_stays() {
        let labels: Labels = [("b", "1"), ("a", "2"), ("b", "3")].into_iter().collect();
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "2"), ("b", "3")]);
        let labels = labels.with("b", "4").with("c", "5").without("a");
        assert_eq!(
            serde_json::to_string(&labels).unwrap(),
            r#"{"b":"4","c":"5"}"#
        );
        assert!(labels.contains_all(&[("c", "5")].into_iter().collect()));
        assert!(!labels.contains_all(&[("c", "6")].into_iter().collect()));
    }

    #[test]
    fn a_time_is_whole_seconds() {
        let time: Time = serde_json::from_str("\"2026-11-21T13:00:00.9Z\"").unwrap();
        assert_eq!(time.to_string(), "2026-11-21T13:00:00Z");
        assert!(serde_json::from_str::<Time>("\"noon\"").is_err());
    }
}
