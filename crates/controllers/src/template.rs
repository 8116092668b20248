//! A pod template: its bytes as they came, and its fingerprint.
//!
//! The template is never taken apart: it goes from a deployment into a replica set and from there
//! into pods as the bytes it is. Two templates are the same if their canonical texts (members
//! sorted, no spaces) are, the label that tells generations apart left out.

use kit::Labels;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Label that tells the generations of a deployment's pods apart.
pub const HASH_LABEL: &str = "pod-template-hash";

/// A pod template.
#[derive(Debug)]
pub struct Template {
    /// Its text; absent where nobody will need it (a replica set without replicas).
    pub raw: Option<Box<RawValue>>,
    /// Labels of the pods.
    pub labels: Labels,
    /// Same for equal templates.
    pub fingerprint: u128,
}

/// The parts of a template from which a pod is made.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Parts<'a> {
    /// Labels, annotations and finalizers.
    pub metadata: PartsMeta<'a>,
    /// Specification of the pod.
    #[serde(borrow)]
    pub spec: Option<&'a RawValue>,
}

/// What a template's metadata gives to its pods.
#[derive(Debug, Default, Deserialize, serde::Serialize)]
#[serde(default)]
pub struct PartsMeta<'a> {
    /// Labels.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub labels: Option<&'a RawValue>,
    /// Annotations.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<&'a RawValue>,
    /// Finalizers.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub finalizers: Option<&'a RawValue>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// If the text is no JSON object.
    pub fn read(raw: Box<RawValue>) -> Result<Self, serde_json::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Outer {
            metadata: Inner,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Inner {
            labels: Labels,
        }
        let outer: Outer = serde_json::from_str(raw.get())?;
        let canonical = canonical_without_hash(serde_json::from_str(raw.get())?);
        Ok(Self {
            labels: outer.metadata.labels,
            fingerprint: fnv128(canonical.as_bytes()),
            raw: Some(raw),
        })
    }

    /// Returns the text; empty object if it was not kept.
    #[must_use]
    pub fn text(&self) -> &str {
        self.raw.as_ref().map_or("{}", |raw| raw.get())
    }

    /// Returns the hash that names this generation: as upstream's, a 32-bit FNV-1a of the template
    /// and the collision count, in letters that make no words. Upstream hashes Go's dump of its own
    /// structures; here it is the canonical text, so the names differ and are as stable.
    #[must_use]
    pub fn hash(&self, collisions: Option<i32>) -> String {
        let value = serde_json::from_str(self.text()).unwrap_or_default();
        let mut hash = fnv32(0x811c_9dc5, canonical_without_hash(value).as_bytes());
        if let Some(collisions) = collisions {
            let mut bytes = [0; 8];
            bytes[..4].copy_from_slice(&collisions.to_le_bytes());
            hash = fnv32(hash, &bytes);
        }
        safe_encode(&hash.to_string())
    }
}

/// Writes a value with sorted members, the hash label left out of its metadata.
fn canonical_without_hash(mut value: serde_json::Value) -> String {
    let labels = value
        .pointer_mut("/metadata/labels")
        .and_then(serde_json::Value::as_object_mut);
    if let Some(labels) = labels {
        labels.remove(HASH_LABEL);
        if labels.is_empty() {
            value["metadata"]
                .as_object_mut()
                .map(|metadata| metadata.remove("labels"));
        }
    }
    let mut text = String::new();
    canonical(&value, &mut text);
    text
}

fn canonical(value: &serde_json::Value, out: &mut String) {
    match value {
        serde_json::Value::Object(map) => {
            let mut members: Vec<_> = map.iter().filter(|(_, value)| !value.is_null()).collect();
            members.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (name, value) in members {
                out.push_str(&serde_json::Value::from(name.as_str()).to_string());
                out.push(':');
                canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        serde_json::Value::Array(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn fnv32(seed: u32, bytes: &[u8]) -> u32 {
    let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    bytes.iter().fold(seed, step)
}

fn fnv128(bytes: &[u8]) -> u128 {
    let step = |hash: u128, byte: &u8| {
        (hash ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013B)
    };
    bytes
        .iter()
        .fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, step)
}

/// Writes digits in an alphabet without vowels, as upstream's names are.
fn safe_encode(text: &str) -> String {
    const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    text.bytes()
        .map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Template, fnv32, safe_encode};

    fn template(text: &str) -> Template {
        Template::read(serde_json::value::RawValue::from_string(text.to_owned()).unwrap()).unwrap()
    }

    #[test]
    fn the_hash_label_and_the_order_do_not_count() {
        let one =
            template(r#"{"metadata":{"labels":{"a":"1","b":"2"}},"spec":{"x":[1],"y":null}}"#);
        let two = template(
            r#"{"spec":{"x":[1]},"metadata":{"labels":{"pod-template-hash":"h","b":"2","a":"1"}}}"#,
        );
        assert_eq!(one.fingerprint, two.fingerprint);
        assert_eq!(one.hash(None), two.hash(None));
        assert_eq!(two.labels.get("pod-template-hash"), Some("h"));
        let other = template(r#"{"metadata":{"labels":{"a":"1","b":"2"}},"spec":{"x":[2]}}"#);
        assert_ne!(one.fingerprint, other.fingerprint);
    }

    #[test]
    fn a_collision_changes_the_hash() {
        let one = template("{}");
        assert_ne!(one.hash(None), one.hash(Some(1)));
        assert_ne!(one.hash(Some(1)), one.hash(Some(2)));
    }

    #[test]
    fn the_numbers_are_those_of_fnv_and_the_letters_upstreams() {
        assert_eq!(fnv32(0x811c_9dc5, b"foobar"), 0xbf9c_f968);
        assert_eq!(safe_encode("0123456789"), "456789bcdf");
    }

    #[test]
    fn nonsense_is_refused() {
        let raw = serde_json::value::RawValue::from_string("7".to_owned()).unwrap();
        assert!(Template::read(raw).is_err());
    }
}
