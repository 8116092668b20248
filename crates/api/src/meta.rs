//! What every object says about itself.
//!
//! [`Meta`] reads `metadata` of a tree without copying. [`Head`] is the small owned part that is kept
//! beside the canonical bytes of every stored object, so that lists, watches and the garbage
//! collector need not open the bytes. [`check`] holds the rules of `metadata` that all kinds share.

pub mod check;
mod head;

use base::WallTime;

use crate::{Object, Value, time};

pub use head::{Head, Labels, Owner, Uid, label_mark, resource_version_at};

/// Reads `metadata` of an object.
#[derive(Clone, Copy, Debug)]
pub struct Meta<'a> {
    fields: Option<&'a Object>,
}

/// One entry of `ownerReferences`, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnerReference<'a> {
    /// `apiVersion`
    pub api_version: &'a str,
    /// `kind`
    pub kind: &'a str,
    /// `name`
    pub name: &'a str,
    /// `uid`
    pub uid: &'a str,
    /// `controller`
    pub controller: bool,
    /// `blockOwnerDeletion`
    pub block_owner_deletion: bool,
}

impl<'a> Meta<'a> {
    /// Returns the metadata of an object; a missing one reads as empty.
    #[must_use]
    pub fn of(object: &'a Value) -> Self {
        Self {
            fields: object.get("metadata").and_then(Value::as_object),
        }
    }

    /// Returns one field as it is.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields?.get(name)
    }

    fn text(&self, name: &str) -> &'a str {
        self.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns `name`, or nothing.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.text("name")
    }

    /// Returns `generateName`, or nothing.
    #[must_use]
    pub fn generate_name(&self) -> &'a str {
        self.text("generateName")
    }

    /// Returns `namespace`, or nothing.
    #[must_use]
    pub fn namespace(&self) -> &'a str {
        self.text("namespace")
    }

    /// Returns `uid`, or nothing.
    #[must_use]
    pub fn uid(&self) -> &'a str {
        self.text("uid")
    }

    /// Returns `resourceVersion`, or nothing.
    #[must_use]
    pub fn resource_version(&self) -> &'a str {
        self.text("resourceVersion")
    }

    /// Returns `generation`, or 0.
    #[must_use]
    pub fn generation(&self) -> i64 {
        self.get("generation")
            .and_then(Value::as_int)
            .unwrap_or_default()
    }

    /// Returns `creationTimestamp`, if it is there.
    #[must_use]
    pub fn creation_timestamp(&self) -> Option<WallTime> {
        time::parse(self.text("creationTimestamp")).ok()
    }

    /// Returns `deletionTimestamp`: the object is being deleted if there is one.
    #[must_use]
    pub fn deletion_timestamp(&self) -> Option<WallTime> {
        time::parse(self.text("deletionTimestamp")).ok()
    }

    /// Returns whether the object is being deleted.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        !matches!(self.get("deletionTimestamp"), None | Some(Value::Null))
    }

    /// Returns `deletionGracePeriodSeconds`, if it is there.
    #[must_use]
    pub fn deletion_grace_seconds(&self) -> Option<i64> {
        self.get("deletionGracePeriodSeconds")?.as_int()
    }

    /// Returns the labels in the order in which they are written.
    pub fn labels(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.texts("labels")
    }

    /// Returns the value of a label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&'a str> {
        self.get("labels")?.get(key)?.as_str()
    }

    /// Returns the annotations in the order in which they are written.
    pub fn annotations(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.texts("annotations")
    }

    /// Returns the value of an annotation.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&'a str> {
        self.get("annotations")?.get(key)?.as_str()
    }

    fn texts(&self, name: &str) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let object = self.get(name).and_then(Value::as_object);
        let entries = object.map(Object::fields).unwrap_or_default().iter();
        entries.map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()))
    }

    fn items(&self, name: &str) -> &'a [Value] {
        self.get(name).and_then(Value::as_array).unwrap_or_default()
    }

    /// Returns the finalizers.
    pub fn finalizers(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        let items = self.items("finalizers").iter();
        items.map(|item| item.as_str().unwrap_or_default())
    }

    /// Returns whether this finalizer is there.
    #[must_use]
    pub fn has_finalizer(&self, name: &str) -> bool {
        self.finalizers().any(|found| found == name)
    }

    /// Returns the owners.
    pub fn owner_references(&self) -> impl ExactSizeIterator<Item = OwnerReference<'a>> + use<'a> {
        let items = self.items("ownerReferences").iter();
        items.map(OwnerReference::of)
    }

    /// Returns the owner that manages this object.
    #[must_use]
    pub fn controller(&self) -> Option<OwnerReference<'a>> {
        self.owner_references().find(|owner| owner.controller)
    }

    /// Returns the entries of `managedFields`.
    #[must_use]
    pub fn managed_fields(&self) -> &'a [Value] {
        self.items("managedFields")
    }
}

impl<'a> OwnerReference<'a> {
    /// Reads one entry.
    #[must_use]
    pub fn of(value: &'a Value) -> Self {
        let text = |name| value.get(name).and_then(Value::as_str).unwrap_or_default();
        let flag = |name| value.get(name).and_then(Value::as_bool).unwrap_or(false);
        Self {
            api_version: text("apiVersion"),
            kind: text("kind"),
            name: text("name"),
            uid: text("uid"),
            controller: flag("controller"),
            block_owner_deletion: flag("blockOwnerDeletion"),
        }
    }
}

#[cfg(test)]
mod tests;
