//! Decides which objects a controller takes, keeps and lets go.
//!
//! A parent owns what carries its controller reference. It adopts what its selector means and
//! nobody owns, and releases what it owns and its selector no longer means. A parent that is being
//! deleted adopts nothing.

use std::sync::Arc;

use bytes::Bytes;
use kit::{Client, Error, Head, Patch, Resource, Selector};
use serde_json::json;

/// An object with metadata.
pub trait Headed {
    /// Returns its metadata.
    fn head(&self) -> &Head;
}

impl Headed for kit::Partial {
    fn head(&self) -> &Head {
        &self.metadata
    }
}

/// Makes a struct with a field `metadata` of [`Head`] an object that caches hold.
macro_rules! headed {
    ($kind:ty) => {
        impl kit::Object for $kind {
            fn key(&self) -> kit::Key {
                self.metadata.key()
            }

            fn revision(&self) -> u64 {
                self.metadata.resource_version
            }
        }

        impl $crate::claim::Headed for $kind {
            fn head(&self) -> &kit::Head {
                &self.metadata
            }
        }
    };
}
pub(crate) use headed;

/// What is to be done with the objects a parent might own.
#[derive(Debug)]
pub struct Claims<T> {
    /// Owned and meant.
    pub keep: Vec<Arc<T>>,
    /// Meant and owned by nobody.
    pub adopt: Vec<Arc<T>>,
    /// Owned and no longer meant.
    pub release: Vec<Arc<T>>,
}

/// Sorts objects of the parent's namespace into what is kept, adopted and released.
#[must_use]
pub fn claim<T: Headed>(parent: &Head, selector: &Selector, seen: &[Arc<T>]) -> Claims<T> {
    let mut claims = Claims {
        keep: Vec::new(),
        adopt: Vec::new(),
        release: Vec::new(),
    };
    // An empty selector means nothing here: validation refuses it, and a net that takes every
    // object of a namespace would be a catastrophe.
    let means = |head: &Head| !selector.is_empty() && selector.matches(&head.labels);
    for object in seen {
        let head = object.head();
        match head.controller() {
            Some(owner) if owner.uid != parent.uid => {}
            Some(_) if means(head) => claims.keep.push(Arc::clone(object)),
            // A parent on its way out leaves its children to the garbage collector.
            Some(_) if parent.is_leaving() => {}
            Some(_) => claims.release.push(Arc::clone(object)),
            None if parent.is_leaving() || head.is_leaving() => {}
            None if means(head) => claims.adopt.push(Arc::clone(object)),
            None => {}
        }
    }
    claims
}

/// Gives the values of the index that finds a parent's children and the orphans of a namespace.
pub fn by_controller<T: Headed>(object: &T, found: &mut dyn FnMut(&str)) {
    match object.head().controller() {
        Some(owner) => found(&owner.uid.to_string()),
        None => found(&orphans_of(&object.head().namespace)),
    }
}

/// Returns the index value of the orphans of a namespace.
#[must_use]
pub fn orphans_of(namespace: &str) -> String {
    // No uid begins with a slash.
    format!("/{namespace}")
}

/// Returns the controller reference of a parent as JSON.
#[must_use]
pub fn controller_ref(resource: &Resource, parent: &Head) -> serde_json::Value {
    json!({
        "apiVersion": resource.api_version(),
        "kind": *resource.kind,
        "name": *parent.name,
        "uid": parent.uid,
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// Makes a parent the controller of a child; returns false if the child is gone.
///
/// # Errors
/// As [`Client::patch`], and a refusal if the child has another controller by now.
pub async fn adopt(
    client: &Client,
    (parents, parent): (&Resource, &Head),
    (children, child): (&Resource, &Head),
) -> Result<bool, Error> {
    let patch = json!({"metadata": {
        "uid": child.uid,
        "ownerReferences": [controller_ref(parents, parent)],
    }});
    change(client, children, child, &patch).await
}

/// Takes a parent's reference off a child; returns false if the child is gone.
///
/// # Errors
/// As [`Client::patch`].
pub async fn release(
    client: &Client,
    parent: &Head,
    (children, child): (&Resource, &Head),
) -> Result<bool, Error> {
    let patch = json!({"metadata": {
        "uid": child.uid,
        "ownerReferences": [{"$patch": "delete", "uid": parent.uid}],
    }});
    match change(client, children, child, &patch).await {
        // The reference was gone already, or another object has the name by now.
        Err(error) if error.is("Invalid") || error.is_conflict() => Ok(false),
        other => other,
    }
}

async fn change(
    client: &Client,
    children: &Resource,
    child: &Head,
    patch: &serde_json::Value,
) -> Result<bool, Error> {
    let path = children.path_to(&child.namespace, &child.name);
    let body = Bytes::from(patch.to_string());
    match client
        .patch::<kit::Partial>(&path, Patch::Strategic, body)
        .await
    {
        Ok(_) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Returns an error unless a parent still exists, with the same uid, and is not being deleted.
///
/// Asked of the server and not of a cache before the first adoption of a round: an orphaned child
/// must not be taken back by a parent that was deleted to orphan it.
///
/// # Errors
/// As [`Client::get`]; [`Error::Other`] if it is another object or is leaving.
pub async fn may_adopt(client: &Client, parents: &Resource, parent: &Head) -> Result<(), Error> {
    let path = parents.path_to(&parent.namespace, &parent.name);
    let fresh: kit::Partial = client.get(&path).await?;
    if fresh.metadata.uid != parent.uid {
        return Err(Error::other("the parent was replaced by another object"));
    }
    if fresh.metadata.is_leaving() {
        return Err(Error::other("the parent has just been deleted"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kit::{Partial, Selector};

    use super::claim;

    /// Words are children: `name:labels:owner`, with `-` behind the name of one that leaves.
    /// The parent `me` means `app=x`.
    #[track_caller]
    fn check(leaving: &str, children: &str, expected: &str) {
        let parent: Partial = serde_json::from_value(serde_json::json!({"metadata": {
            "name": "p", "uid": "me",
            "deletionTimestamp": (!leaving.is_empty()).then_some("2026-01-01T00:00:00Z"),
        }}))
        .unwrap();
        let selector: Selector = serde_json::from_str(r#"{"matchLabels":{"app":"x"}}"#).unwrap();
        let children: Vec<Arc<Partial>> = children
            .split_whitespace()
            .map(|word| {
                let parts: Vec<&str> = word.split(':').collect();
                let owners = if parts[2].is_empty() {
                    serde_json::json!([])
                } else {
                    serde_json::json!([{"uid": parts[2], "controller": true}])
                };
                let child = serde_json::from_value(serde_json::json!({"metadata": {
                    "name": parts[0].trim_end_matches('-'),
                    "labels": {"app": parts[1]},
                    "ownerReferences": owners,
                    "deletionTimestamp": parts[0].ends_with('-').then_some("2026-01-01T00:00:00Z"),
                }}));
                Arc::new(child.unwrap())
            })
            .collect();
        let claims = claim(&parent.metadata, &selector, &children);
        let names = |objects: &[Arc<Partial>]| {
            let names: Vec<&str> = objects
                .iter()
                .map(|object| &*object.metadata.name)
                .collect();
            names.join(",")
        };
        let out = format!(
            "keep {} adopt {} release {}",
            names(&claims.keep),
            names(&claims.adopt),
            names(&claims.release)
        );
        assert_eq!(out, expected);
    }

    #[test]
    fn keeps_adopts_and_releases() {
        check(
            "",
            "a:x:me b:x: c:y:me d:y: e:x:other",
            "keep a adopt b release c",
        );
    }

    #[test]
    fn does_not_adopt_what_leaves() {
        check("", "a-:x:me b-:x: c-:y:me", "keep a adopt  release c");
    }

    #[test]
    fn a_parent_that_leaves_changes_nothing() {
        check("leaving", "a:x:me b:x: c:y:me", "keep a adopt  release ");
    }
}
