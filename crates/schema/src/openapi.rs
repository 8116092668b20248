//! OpenAPI v3 documents, one per group-version, from kinds and their shapes.
//!
//! They hold what clients read: definitions with types, required fields, enums, defaults, list and
//! map types and patch tags; and the paths with their parameters, by which kubectl finds the kind
//! of a resource and learns that fields are validated and dry runs work. Descriptions of built-in
//! fields are not here; those of custom resources come from their CRDs.
//!
//! A document is made on demand and not kept: see [`document`].

mod custom;
mod definitions;
mod paths;

use api::{GroupVersion, Object, Text, Value};

use crate::{Kind, Shape};

use definitions::Definitions;

/// What goes into a document: one kind, served in the document's group and version.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    /// The kind.
    pub kind: &'a Kind,
    /// `openAPIV3Schema` of the version, if it is a custom resource that has one.
    pub schema: Option<&'a Value>,
}

/// Returns the OpenAPI v3 document of a group-version.
///
/// `meta` is the shape of `ObjectMeta`; the definitions of its arena (`Status`, `DeleteOptions`,
/// `ListMeta`) are used where operations need them.
#[must_use]
pub fn document(group_version: &GroupVersion, resources: &[Resource<'_>], meta: &Shape) -> Value {
    let mut definitions = Definitions::new(meta);
    let mut paths = Object::default();
    for resource in resources {
        let Some(version) = resource.kind.version(group_version) else {
            continue;
        };
        let name = if version.shape.is_custom() {
            custom::define(resource, version, &mut definitions)
        } else {
            definitions.kind(&version.shape, group_version, &resource.kind.names.kind)
        };
        paths::add(resource.kind, version, &name, &mut definitions, &mut paths);
    }
    paths.sort();
    let mut info = Object::default();
    info.push(Text::const_new("title"), Value::from("Kubernetes"));
    info.push(Text::const_new("version"), Value::from("unversioned"));
    let mut components = Object::default();
    components.push(Text::const_new("schemas"), definitions.finish());
    let mut document = Object::with_capacity(4);
    document.push(Text::const_new("components"), Value::Object(components));
    document.push(Text::const_new("info"), Value::Object(info));
    document.push(Text::const_new("openapi"), Value::from("3.0.0"));
    document.push(Text::const_new("paths"), Value::Object(paths));
    Value::Object(document)
}

/// Returns a reference to a definition.
fn reference(name: &str) -> Value {
    let mut object = Object::default();
    let target = format!("#/components/schemas/{name}");
    object.push(Text::const_new("$ref"), Value::string(target));
    Value::Object(object)
}

/// Returns the words by which clients find the kind of a definition or operation.
fn group_version_kind(group_version: &GroupVersion, kind: &str) -> Value {
    let mut object = Object::default();
    let group = group_version.group.clone();
    object.push(Text::const_new("group"), Value::String(group));
    object.push(Text::const_new("kind"), Value::from(kind));
    let version = group_version.version.clone();
    object.push(Text::const_new("version"), Value::String(version));
    Value::Object(object)
}

/// The word under which [`group_version_kind`] stands.
const GVK: &str = "x-kubernetes-group-version-kind";
