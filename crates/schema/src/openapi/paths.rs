//! Paths: which operations a resource has, with which parameters, on which kind.

use api::{GroupVersion, Object, Text, Value};

use super::{
    GVK,
    custom::name_of,
    definitions::{Definitions, object},
    group_version_kind, reference,
};
use crate::{Kind, KindVersion, Scope, Subresource, View};

/// Adds the paths of one resource; `name` is its definition's.
pub(super) fn add(
    kind: &Kind,
    version: &KindVersion,
    name: &str,
    definitions: &mut Definitions,
    paths: &mut Object,
) {
    let group_version = &version.group_version;
    let plural = &kind.names.plural;
    let prefix = if group_version.group.is_empty() {
        format!("/api/{}", group_version.version)
    } else {
        format!("/apis/{group_version}")
    };
    let list = match definitions.list(&version.shape, name, group_version, &kind.names.list_kind) {
        Some(list) => list,
        None => name_of(
            &group_version.group,
            &group_version.version,
            &kind.names.list_kind,
        ),
    };
    let has = |verb: &str| version.verbs.iter().any(|known| known == verb);
    let operations = Operations::of(kind, version, definitions);
    let within = match kind.scope {
        Scope::Namespaced => format!("{prefix}/namespaces/{{namespace}}/{plural}"),
        Scope::Cluster => format!("{prefix}/{plural}"),
    };
    let mut collection = Object::default();
    if has("list") {
        collection.push(
            Text::const_new("get"),
            operations.read("list", &list, &LIST),
        );
    }
    if has("create") {
        collection.push(
            Text::const_new("post"),
            operations.write("post", name, &WRITE),
        );
    }
    if has("deletecollection") {
        collection.push(
            Text::const_new("delete"),
            operations.delete("deletecollection", &DELETE_MANY),
        );
    }
    if !collection.is_empty() {
        if kind.scope == Scope::Namespaced {
            collection.push(Text::const_new("parameters"), in_path(&["namespace"]));
            if has("list") {
                let mut everywhere = Object::default();
                everywhere.push(
                    Text::const_new("get"),
                    operations.read("list", &list, &LIST),
                );
                paths.insert(format!("{prefix}/{plural}"), Value::Object(everywhere));
            }
        }
        paths.insert(within.as_str(), Value::Object(collection));
    }
    let parameters: &[&str] = match kind.scope {
        Scope::Namespaced => &["name", "namespace"],
        Scope::Cluster => &["name"],
    };
    let one = operations.on_object(name, &has);
    if !one.is_empty() {
        let mut one = one;
        one.push(Text::const_new("parameters"), in_path(parameters));
        paths.insert(format!("{within}/{{name}}"), Value::Object(one));
    }
    for subresource in &version.subresources {
        let path = format!("{within}/{{name}}/{}", subresource.name);
        let item = below(&operations, subresource, name, definitions);
        if let Some(mut item) = item {
            item.push(Text::const_new("parameters"), in_path(parameters));
            paths.insert(path, Value::Object(item));
        }
    }
}

/// Returns the operations of a subresource that has bodies.
fn below(
    main: &Operations,
    subresource: &Subresource,
    name: &str,
    definitions: &mut Definitions,
) -> Option<Object> {
    if matches!(subresource.view, View::Service) {
        return None;
    }
    let group_version = &subresource.group_version;
    let body = match subresource.view {
        View::Status => Text::new(name),
        _ => definitions.kind(&subresource.shape, group_version, &subresource.kind),
    };
    let operations = Operations {
        gvk: match subresource.view {
            View::Status => main.gvk.clone(),
            _ => group_version_kind(group_version, &subresource.kind),
        },
        ..main.clone()
    };
    let has = |verb: &str| subresource.verbs.iter().any(|known| known == verb);
    let mut item = operations.on_object(&body, &has);
    if has("create") {
        item.push(
            Text::const_new("post"),
            operations.write("post", &body, &WRITE),
        );
    }
    (!item.is_empty()).then_some(item)
}

/// What all operations of one resource share.
#[derive(Clone)]
struct Operations {
    gvk: Value,
    tag: Text,
    status: Text,
    delete_options: Text,
    patch: Text,
    custom: bool,
}

type Parameters = [(&'static str, &'static str)];

const PRETTY: (&str, &str) = ("pretty", "string");
const LIST: [(&str, &str); 11] = [
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    PRETTY,
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
    ("watch", "boolean"),
];
const WRITE: [(&str, &str); 4] = [
    ("dryRun", "string"),
    ("fieldManager", "string"),
    ("fieldValidation", "string"),
    PRETTY,
];
const PATCH: [(&str, &str); 5] = [
    ("dryRun", "string"),
    ("fieldManager", "string"),
    ("fieldValidation", "string"),
    ("force", "boolean"),
    PRETTY,
];
const DELETE: [(&str, &str); 6] = [
    ("dryRun", "string"),
    ("gracePeriodSeconds", "integer"),
    (
        "ignoreStoreReadErrorWithClusterBreakingPotential",
        "boolean",
    ),
    ("orphanDependents", "boolean"),
    PRETTY,
    ("propagationPolicy", "string"),
];
const DELETE_MANY: [(&str, &str); 9] = [
    ("continue", "string"),
    ("dryRun", "string"),
    ("fieldSelector", "string"),
    ("gracePeriodSeconds", "integer"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    PRETTY,
    ("propagationPolicy", "string"),
    ("resourceVersion", "string"),
];

impl Operations {
    fn of(kind: &Kind, version: &KindVersion, definitions: &mut Definitions) -> Self {
        let group_version = &version.group_version;
        let deletes = version.verbs.iter().any(|verb| verb.starts_with("delete"));
        let patches = version.verbs.iter().any(|verb| verb == "patch");
        let mut type_for = |needed: bool, short: &str| {
            if needed {
                definitions.meta_type(short)
            } else {
                Text::default()
            }
        };
        let (status, delete_options, patch) = (
            type_for(deletes, "Status"),
            type_for(deletes, "DeleteOptions"),
            type_for(patches, "Patch"),
        );
        let core = GroupVersion::new("", "v1");
        definitions.mark(&delete_options, &core, "DeleteOptions");
        definitions.mark(&delete_options, group_version, "DeleteOptions");
        definitions.mark(&status, &core, "Status");
        Self {
            gvk: group_version_kind(group_version, &kind.names.kind),
            tag: tag(&group_version.group, &group_version.version),
            status,
            delete_options,
            patch,
            custom: kind.traits.custom,
        }
    }

    /// Returns what can be done with one object, by the verbs that are known.
    fn on_object(&self, name: &str, has: &dyn Fn(&str) -> bool) -> Object {
        let mut item = Object::default();
        if has("delete") {
            item.push(Text::const_new("delete"), self.delete("delete", &DELETE));
        }
        if has("get") {
            item.push(Text::const_new("get"), self.read("get", name, &[PRETTY]));
        }
        if has("patch") {
            item.push(Text::const_new("patch"), self.change(name));
        }
        if has("update") {
            item.push(Text::const_new("put"), self.write("put", name, &WRITE));
        }
        item
    }

    fn read(&self, action: &'static str, name: &str, parameters: &Parameters) -> Value {
        self.operation(action, parameters, None, name)
    }

    fn write(&self, action: &'static str, name: &str, parameters: &Parameters) -> Value {
        let body = content(&["*/*"], name);
        self.operation(action, parameters, Some((body, true)), name)
    }

    fn delete(&self, action: &'static str, parameters: &Parameters) -> Value {
        let body = content(&["*/*"], &self.delete_options);
        self.operation(action, parameters, Some((body, false)), &self.status)
    }

    fn change(&self, name: &str) -> Value {
        let types: &[&str] = if self.custom {
            &[
                "application/apply-patch+yaml",
                "application/json-patch+json",
                "application/merge-patch+json",
            ]
        } else {
            &[
                "application/apply-patch+yaml",
                "application/json-patch+json",
                "application/merge-patch+json",
                "application/strategic-merge-patch+json",
            ]
        };
        self.operation(
            "patch",
            &PATCH,
            Some((content(types, &self.patch), true)),
            name,
        )
    }

    fn operation(
        &self,
        action: &'static str,
        parameters: &Parameters,
        body: Option<(Value, bool)>,
        answer: &str,
    ) -> Value {
        let parameters = parameters
            .iter()
            .map(|(name, kind)| {
                let schema = object([
                    ("type", Value::from(*kind)),
                    ("uniqueItems", Value::Bool(true)),
                ]);
                object([
                    ("in", Value::from("query")),
                    ("name", Value::from(*name)),
                    ("schema", schema),
                ])
            })
            .collect();
        let mut types = vec!["application/json", "application/yaml"];
        if !self.custom {
            types.insert(1, "application/vnd.kubernetes.protobuf");
        }
        let ok = object([
            ("content", content(&types, answer)),
            ("description", Value::from("OK")),
        ]);
        let mut operation = Object::default();
        let mut put =
            |name: &'static str, value: Value| operation.push(Text::const_new(name), value);
        put("parameters", Value::Array(parameters));
        if let Some((content, required)) = body {
            let mut body = Object::default();
            body.push(Text::const_new("content"), content);
            if required {
                body.push(Text::const_new("required"), Value::Bool(true));
            }
            put("requestBody", Value::Object(body));
        }
        put("responses", object([("200", ok)]));
        put("tags", Value::Array(vec![Value::String(self.tag.clone())]));
        put("x-kubernetes-action", Value::from(action));
        put(GVK, self.gvk.clone());
        Value::Object(operation)
    }
}

fn content(types: &[&str], name: &str) -> Value {
    let one = || object([("schema", reference(name))]);
    Value::Object(types.iter().map(|kind| (Text::new(kind), one())).collect())
}

fn in_path(names: &[&str]) -> Value {
    let one = |name: &&str| {
        let schema = object([
            ("type", Value::from("string")),
            ("uniqueItems", Value::Bool(true)),
        ]);
        object([
            ("in", Value::from("path")),
            ("name", Value::from(*name)),
            ("required", Value::Bool(true)),
            ("schema", schema),
        ])
    };
    Value::Array(names.iter().map(one).collect())
}

/// Returns the tag of a group-version's operations: `apps_v1`, `core_v1`.
fn tag(group: &str, version: &str) -> Text {
    let short = group.strip_suffix(".k8s.io").unwrap_or(group);
    let group = match short.split('.').next() {
        None | Some("") => "core",
        Some(first) => first,
    };
    Text::from(format!("{group}_{version}"))
}
