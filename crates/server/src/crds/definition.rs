//! What a CustomResourceDefinition is beyond its data: defaults, what the server sets, what is wrong
//! with one.
//!
//! Source: k8s.io/apiextensions-apiserver, pkg/apis/apiextensions/{v1/defaults,validation/validation}.go
//! and pkg/registry/customresourcedefinition/strategy.go.

use std::sync::Arc;

use api::{Cause, Status, Value, field, meta::Meta};
use base::WallTime;
use schema::{Behavior, Cell, Occasion, Shape};

use super::wrong::wrong;

/// The behaviour of CustomResourceDefinitions, around the one that came with the kind.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) inner: Arc<dyn Behavior>,
    /// Shape of the metadata of custom resources.
    pub(crate) meta: Shape,
}

impl Behavior for Definition {
    fn default(&self, occasion: Occasion<'_>, object: &mut Value) {
        self.inner.default(occasion, object);
    }

    fn prepare(&self, occasion: Occasion<'_>, object: &mut Value, old: Option<&Value>) {
        if old.is_none() {
            object.make_object().remove("status");
        }
        self.inner.prepare(occasion, object, old);
        if !occasion.subresource.is_empty() {
            return;
        }
        let Some(stored) = storage_version(object).map(str::to_owned) else {
            return;
        };
        let status = object.make_object().entry("status").make_object();
        let known = status.entry("storedVersions");
        if !matches!(known, Value::Array(_)) {
            *known = Value::Array(Vec::new());
        }
        if let Value::Array(known) = known
            && !known.iter().any(|one| one.as_str() == Some(&stored))
        {
            known.push(Value::string(stored));
        }
    }

    fn validate(&self, occasion: Occasion<'_>, object: &Value, old: Option<&Value>) -> Vec<Cause> {
        let mut causes = self.inner.validate(occasion, object, old);
        // Through the status door the spec is the old one, which was good enough once.
        if occasion.subresource.is_empty() {
            causes.extend(field::causes(&wrong(object, old, &self.meta)));
        }
        causes
    }

    fn warn(&self, occasion: Occasion<'_>, object: &Value, old: Option<&Value>) -> Vec<String> {
        self.inner.warn(occasion, object, old)
    }

    fn table(&self, occasion: Occasion<'_>, object: &Value) -> Option<Vec<Cell>> {
        self.inner.table(occasion, object)
    }

    fn convert(&self, object: Value, to: &api::GroupVersion) -> Result<Value, Status> {
        self.inner.convert(object, to)
    }

    fn grace_seconds(&self, object: &Value, asked: Option<i64>) -> Option<i64> {
        self.inner.grace_seconds(object, asked)
    }
}

/// Returns the versions of a definition.
pub(crate) fn versions(object: &Value) -> &[Value] {
    let versions = object.at(&["spec", "versions"]);
    versions.and_then(Value::as_array).unwrap_or_default()
}

/// Returns the name of the stored version.
fn storage_version(object: &Value) -> Option<&str> {
    let mut versions = versions(object).iter();
    let stored = versions.find(|version| flag(version, "storage"))?;
    stored.str_at(&["name"])
}

pub(crate) fn flag(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool) == Some(true)
}

/// Marks a definition as leaving: its objects are deleted first.
pub(crate) fn hold(object: &mut Value, now: WallTime) {
    let has = Meta::of(object).has_finalizer(super::CLEANUP);
    let meta = crate::write::meta::of(object);
    if !meta.contains("deletionTimestamp") {
        meta.insert("deletionTimestamp", api::time::to_value(now));
    }
    if !has {
        let finalizers = meta.entry("finalizers");
        if !matches!(finalizers, Value::Array(_)) {
            *finalizers = Value::Array(Vec::new());
        }
        if let Value::Array(finalizers) = finalizers {
            finalizers.push(Value::from(super::CLEANUP));
        }
    }
    super::status::set(
        object,
        super::status::Condition {
            kind: "Terminating",
            is: super::status::Is::True,
            reason: "InstanceDeletionPending",
            message: "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon".to_owned(),
        },
        now,
    );
}
