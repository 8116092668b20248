//! Writes that several controllers make the same way.

use std::collections::BTreeMap;

use bytes::Bytes;
use kit::{Client, Error, Head, Partial, Resource, Uid};
use serde::Serialize;
use serde_json::{json, value::RawValue};

/// Returns delete options that hit only this object, and only in this revision if one is named.
#[must_use]
pub fn preconditions(uid: &Uid, revision: Option<u64>) -> Bytes {
    let mut preconditions = json!({"uid": uid});
    if let Some(revision) = revision {
        preconditions["resourceVersion"] = revision.to_string().into();
    }
    Bytes::from(json!({"preconditions": preconditions}).to_string())
}

/// Writes JSON.
///
/// # Errors
/// [`Error::Decode`] if a value has no form in JSON.
pub fn text(value: &impl Serialize) -> Result<Bytes, Error> {
    let own = |source| Error::Decode {
        what: "an own text",
        source,
    };
    serde_json::to_vec(value).map(Bytes::from).map_err(own)
}

/// Replaces an object's status, and some of its annotations, and returns the new revision.
///
/// The object is read from the server first: a status is replaced with the whole object, and kit's
/// caches do not keep whole objects. Everything else in it goes back as the bytes it came in.
///
/// # Errors
/// As [`Client::replace`]; [`Error::Other`] if another object has the name by now.
pub async fn status(
    client: &Client,
    resource: &Resource,
    head: &Head,
    annotations: &[(&str, &str)],
    status: &impl Serialize,
) -> Result<u64, Error> {
    let path = resource.path_to(&head.namespace, &head.name);
    let own = |source| Error::Decode {
        what: "an own text",
        source,
    };
    let mut object: BTreeMap<String, Box<RawValue>> = client.get(&path).await?;
    if let Some(metadata) = object.get_mut("metadata") {
        let found: Head = serde_json::from_str(metadata.get()).map_err(own)?;
        if found.uid != head.uid {
            return Err(Error::other("another object has the name by now"));
        }
        if !annotations.is_empty() {
            let mut edited: serde_json::Value =
                serde_json::from_str(metadata.get()).map_err(own)?;
            for (name, value) in annotations {
                edited["annotations"][name] = (*value).into();
            }
            *metadata = serde_json::value::to_raw_value(&edited).map_err(own)?;
        }
    }
    let raw = serde_json::value::to_raw_value(status).map_err(own)?;
    object.insert("status".to_owned(), raw);
    let written: Partial = client
        .replace(&format!("{path}/status"), text(&object)?)
        .await?;
    Ok(written.metadata.resource_version)
}

#[cfg(test)]
mod tests {
    use kit::Uid;

    use super::preconditions;

    #[test]
    fn preconditions_name_what_is_meant() {
        let uid = Uid::new("u");
        assert_eq!(
            &preconditions(&uid, None)[..],
            br#"{"preconditions":{"uid":"u"}}"#
        );
        assert_eq!(
            &preconditions(&uid, Some(7))[..],
            br#"{"preconditions":{"resourceVersion":"7","uid":"u"}}"#
        );
    }
}
