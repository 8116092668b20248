//! From a definition to the kind it defines.
//!
//! Source: k8s.io/apiextensions-apiserver, pkg/apiserver/customresource_{discovery_controller,handler}.go.

use std::sync::Arc;

use api::{GroupVersion, Text, Value};
use base64::Engine;
use schema::{
    Behavior, Column, Conversion, Generation, Kind, KindVersion, Names, Plain, ScalePaths, Scope,
    Selectable, Shape, Subresource, Traits, View, kind::Verbs, structural::compile_any,
};

use super::{
    computed::{self, Converting},
    definition::{flag, versions},
    source::{Shelf, Source},
};
use crate::registry::rank;

const VERBS: [&str; 8] = [
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
];
const SUBRESOURCE_VERBS: [&str; 3] = ["get", "patch", "update"];

/// Shapes that custom resources share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    /// Of `metadata`.
    pub(crate) meta: Shape,
    /// Of autoscaling/v1 `Scale`.
    pub(crate) scale: Shape,
    /// Those that are made of schemas.
    pub(crate) shelf: Arc<Shelf>,
}

/// Makes the kind of a definition, whose accepted names count.
///
/// Its schemas are read in `source` when they are first needed.
pub(crate) fn kind(object: &Value, source: &Arc<Source>, shared: &Shared) -> Kind {
    let nothing = Value::Null;
    let spec = object.get("spec").unwrap_or(&nothing);
    let group = spec.str_at(&["group"]).unwrap_or_default();
    let accepted = object.at(&["status", "acceptedNames"]);
    let names = names(accepted.unwrap_or(spec));
    let plural = names.plural.clone();
    let mut all: Vec<(bool, KindVersion)> = versions(object)
        .iter()
        .map(|one| {
            let made = version(one, group, &names.kind, object, source, shared);
            (flag(one, "storage"), made)
        })
        .collect();
    all.sort_by(|(_, a), (_, b)| {
        rank(&b.group_version.version).cmp(&rank(&a.group_version.version))
    });
    let storage = all.iter().position(|(is_stored, _)| *is_stored);
    let conversion = match spec.str_at(&["conversion", "strategy"]) {
        Some("Webhook") => {
            let webhook = spec.at(&["conversion", "webhook"]).cloned();
            Conversion::Webhook(webhook.unwrap_or_default())
        }
        _ => Conversion::None,
    };
    let shapes: Vec<(Text, Shape)> = all
        .iter()
        .map(|(_, one)| (one.group_version.version.clone(), one.shape.clone()))
        .collect();
    let (conversion, behavior): (Conversion, Arc<dyn Behavior>) =
        match (Converting::of(object, &shapes), conversion) {
            (Some(converting), Conversion::None) => (Conversion::Behavior, Arc::new(converting)),
            (_, conversion) => (conversion, Arc::new(Plain)),
        };
    Kind {
        scope: match spec.str_at(&["scope"]) {
            Some("Cluster") => Scope::Cluster,
            _ => Scope::Namespaced,
        },
        versions: all.into_iter().map(|(_, version)| version).collect(),
        storage: storage.unwrap_or(0),
        key_prefix: Text::from(format!("{group}/{plural}")),
        conversion,
        behavior,
        traits: Traits {
            generation: Generation::AllButStatus,
            custom: true,
            lifetime: super::lifetime::of(object),
            ..Traits::default()
        },
        names,
    }
}

fn names(value: &Value) -> Names {
    let text = |name: &str| Text::new(value.str_at(&[name]).unwrap_or_default());
    let list = |name: &str| -> Vec<Text> {
        let texts = super::status::texts(value, name);
        texts.into_iter().map(Text::from).collect()
    };
    Names {
        plural: text("plural"),
        singular: text("singular"),
        kind: text("kind"),
        list_kind: text("listKind"),
        short_names: list("shortNames"),
        categories: list("categories"),
    }
}

fn verbs(words: &[&'static str]) -> Verbs {
    words.iter().map(|word| Text::const_new(word)).collect()
}

fn version(
    one: &Value,
    group: &str,
    kind: &Text,
    object: &Value,
    source: &Arc<Source>,
    shared: &Shared,
) -> KindVersion {
    let name = one.str_at(&["name"]).unwrap_or_default();
    let group_version = GroupVersion::new(group, name);
    let keeps_all = object.at(&["spec", "preserveUnknownFields"]) == Some(&Value::Bool(true));
    let schema = one.at(&["schema", "openAPIV3Schema"]);
    let shape = match schema {
        Some(_) if !keeps_all => {
            let (source, version) = (Arc::clone(source), Text::new(name));
            let (shelf, meta) = (Arc::clone(&shared.shelf), shared.meta.clone());
            Shape::later(move || shelf.shape(&source, &version, &meta))
        }
        _ => compile_any(&shared.meta),
    };
    let deprecation = flag(one, "deprecated").then(|| {
        let text = one.str_at(&["deprecationWarning"]);
        text.map_or_else(
            || Text::from(deprecation(object, group, name, kind)),
            Text::new,
        )
    });
    KindVersion {
        served: flag(one, "served"),
        verbs: verbs(&VERBS),
        subresources: {
            let mut made = subresources(one, &group_version, kind, &shape, shared);
            super::subresources::add(object, &group_version, kind, &shape, &mut made);
            made
        },
        columns: {
            let mut columns = columns(one);
            columns.extend(computed::columns(object, &shape));
            columns
        },
        deprecation,
        selectable: selectable(one),
        storage_hash: storage_hash(group, object, kind),
        group_version,
        shape,
    }
}

/// Returns the warning of a deprecated version that brings none: it names the best newer version
/// that is not deprecated.
fn deprecation(object: &Value, group: &str, name: &str, kind: &str) -> String {
    let newer = versions(object).iter().filter(|one| {
        let newer = one.str_at(&["name"]).unwrap_or_default();
        flag(one, "served") && !flag(one, "deprecated") && rank(newer) > rank(name)
    });
    let names = newer.filter_map(|one| one.str_at(&["name"]));
    let mut text = format!("{group}/{name} {kind} is deprecated");
    if let Some(best) = names.max_by_key(|name| rank(name)) {
        text.push_str(&format!("; use {group}/{best} {kind}"));
    }
    text
}

/// Returns the hash in discovery that changes when the stored form does.
fn storage_hash(group: &str, object: &Value, kind: &str) -> Text {
    let stored = versions(object)
        .iter()
        .find(|one| flag(one, "storage"))
        .and_then(|one| one.str_at(&["name"]));
    let text = format!("{group}/{}/{kind}", stored.unwrap_or_default());
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    // The first eight bytes, as upstream.
    Text::from(base64::engine::general_purpose::STANDARD.encode(&digest.as_ref()[..8]))
}

fn subresources(
    one: &Value,
    group_version: &GroupVersion,
    kind: &Text,
    shape: &Shape,
    shared: &Shared,
) -> Vec<Subresource> {
    let mut made = Vec::new();
    if one.at(&["subresources", "status"]).is_some() {
        made.push(Subresource {
            name: Text::const_new("status"),
            kind: kind.clone(),
            group_version: group_version.clone(),
            shape: shape.clone(),
            verbs: verbs(&SUBRESOURCE_VERBS),
            view: View::Status,
        });
    }
    if let Some(scale) = one.at(&["subresources", "scale"]) {
        let path = |name: &str| -> Vec<Text> {
            let text = scale.str_at(&[name]).unwrap_or_default();
            path(text)
        };
        made.push(Subresource {
            name: Text::const_new("scale"),
            kind: Text::const_new("Scale"),
            group_version: GroupVersion::new("autoscaling", "v1"),
            shape: shared.scale.clone(),
            verbs: verbs(&SUBRESOURCE_VERBS),
            view: View::Scale(ScalePaths {
                spec: path("specReplicasPath"),
                status: path("statusReplicasPath"),
                selector: path("labelSelectorPath"),
            }),
        });
    }
    made
}

/// Takes a simple JSON path apart: `.spec.replicas`.
fn path(text: &str) -> Vec<Text> {
    let parts = text.trim_start_matches('.').split('.');
    parts
        .filter(|part| !part.is_empty())
        .map(Text::new)
        .collect()
}

fn columns(one: &Value) -> Vec<Column> {
    let mut columns = vec![Column {
        name: Text::const_new("Name"),
        kind: Text::const_new("string"),
        format: Text::const_new("name"),
        description: Text::const_new(NAME_DESCRIPTION),
        priority: 0,
        path: Text::default(),
        expression: None,
    }];
    let given = one
        .get("additionalPrinterColumns")
        .and_then(Value::as_array);
    for column in given.unwrap_or_default() {
        let text = |name: &str| Text::new(column.str_at(&[name]).unwrap_or_default());
        let description = text("description");
        columns.push(Column {
            name: text("name"),
            kind: text("type"),
            format: text("format"),
            description: if description.is_empty() {
                Text::from(format!(
                    "Custom resource definition column (in JSONPath format): {}",
                    text("jsonPath")
                ))
            } else {
                description
            },
            priority: column
                .get("priority")
                .and_then(Value::as_int)
                .and_then(|priority| i32::try_from(priority).ok())
                .unwrap_or(0),
            path: text("jsonPath"),
            expression: None,
        });
    }
    if given.is_none_or(<[Value]>::is_empty) {
        columns.push(Column {
            name: Text::const_new("Age"),
            kind: Text::const_new("date"),
            format: Text::default(),
            description: Text::const_new(AGE_DESCRIPTION),
            priority: 0,
            path: Text::const_new(".metadata.creationTimestamp"),
            expression: None,
        });
    }
    columns
}

const NAME_DESCRIPTION: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
const AGE_DESCRIPTION: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

fn selectable(one: &Value) -> Vec<Selectable> {
    let fields = one.get("selectableFields").and_then(Value::as_array);
    fields
        .unwrap_or_default()
        .iter()
        .map(|field| {
            let text = field.str_at(&["jsonPath"]).unwrap_or_default();
            Selectable {
                label: Text::new(text.trim_start_matches('.')),
                path: path(text),
                otherwise: Vec::new(),
                absent: Text::default(),
            }
        })
        .collect()
}
