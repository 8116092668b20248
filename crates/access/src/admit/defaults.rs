//! Classes that are chosen by default, and the taint of a fresh node.
//!
//! Source: k8s.io/kubernetes, plugin/pkg/admission/{storage/storageclass,network,nodetaint}.

use std::sync::Arc;

use api::{Meta, Text, Value, value};
use base::WallTime;

use super::{Around, Operation, Refusal, Request, list_at};
use crate::world::{Compiled, Resource};

const DEFAULT_STORAGE: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];
const DEFAULT_INGRESS: &str = "ingressclass.kubernetes.io/is-default-class";
const BETA_STORAGE: &str = "volume.beta.kubernetes.io/storage-class";
const INGRESS_CLASS: &str = "kubernetes.io/ingress.class";
const NOT_READY: &str = "node.kubernetes.io/not-ready";

/// The classes that are marked as default, the newest of each sort.
pub struct Classes {
    storage: Compiled<Default, Option<Text>>,
    ingress: Compiled<Default, Option<Text>>,
}

struct Default {
    name: Text,
    created: Option<WallTime>,
}

impl std::default::Default for Classes {
    fn default() -> Self {
        Self {
            storage: Compiled::new(
                Resource::STORAGE_CLASSES,
                |object| Default::of(object, &DEFAULT_STORAGE),
                newest,
            ),
            ingress: Compiled::new(
                Resource::INGRESS_CLASSES,
                |object| Default::of(object, &[DEFAULT_INGRESS]),
                newest,
            ),
        }
    }
}

impl Default {
    fn of(object: &Value, annotations: &[&str]) -> Option<Self> {
        let meta = Meta::of(object);
        let marked = annotations
            .iter()
            .any(|name| meta.annotation(name) == Some("true"));
        marked.then(|| Self {
            name: Text::new(meta.name()),
            created: meta.creation_timestamp(),
        })
    }
}

/// Returns the newest; of two of one age the first by name.
fn newest(all: Vec<Arc<Default>>) -> Option<Text> {
    let newest = all
        .iter()
        .max_by(|a, b| a.created.cmp(&b.created).then_with(|| b.name.cmp(&a.name)));
    newest.map(|class| class.name.clone())
}

impl Classes {
    pub(super) fn default_storage(
        &self,
        request: &Request<'_>,
        object: &mut Value,
        around: &Around<'_>,
    ) -> Result<(), Refusal> {
        if !request.creates("", "persistentvolumeclaims") {
            return Ok(());
        }
        let named = Meta::of(object).annotation(BETA_STORAGE).is_some();
        let path = ["spec", "storageClassName"];
        if named || object.str_at(&path).is_some() {
            return Ok(());
        }
        if let Some(name) = &*self.storage.get(around.world).1 {
            object.set_at(&path, Value::String(name.clone()));
        }
        Ok(())
    }

    pub(super) fn default_ingress(
        &self,
        request: &Request<'_>,
        object: &mut Value,
        around: &Around<'_>,
    ) -> Result<(), Refusal> {
        if !request.creates("networking.k8s.io", "ingresses") {
            return Ok(());
        }
        let named = Meta::of(object).annotation(INGRESS_CLASS).is_some();
        let path = ["spec", "ingressClassName"];
        if named || object.str_at(&path).is_some() {
            return Ok(());
        }
        if let Some(name) = &*self.ingress.get(around.world).1 {
            object.set_at(&path, Value::String(name.clone()));
        }
        Ok(())
    }
}

/// Taints a fresh node, so that no pod comes before it is ready.
pub(super) fn taint_node(request: &Request<'_>, object: &mut Value) -> Result<(), Refusal> {
    if !request.is_on("", "nodes") || request.operation != Operation::Create {
        return Ok(());
    }
    let taints = object.at(&["spec", "taints"]).and_then(Value::as_array);
    let tainted = taints.unwrap_or_default().iter().any(|taint| {
        taint.str_at(&["key"]) == Some(NOT_READY) && taint.str_at(&["effect"]) == Some("NoSchedule")
    });
    if !tainted {
        let taint = value!({"key": NOT_READY, "effect": "NoSchedule"});
        list_at(object, &["spec", "taints"]).push(taint);
    }
    Ok(())
}
