//! OpenAPI documents, from kinds and their shapes.
//!
//! There is one v3 document for each group and version ([`document`]) and one for each page beside
//! them ([`Page`]); [`Swagger`] makes of all of them the one document of v2. They hold what clients
//! read: definitions with types, required fields, enums, defaults, list and map types and patch
//! tags; and the paths with their operations and parameters, by which kubectl finds the kind of a
//! resource and learns that fields are validated and dry runs work. Descriptions of built-in types
//! are not here but come as [`Texts`]; those of custom resources come from their CRDs.
//!
//! [`proto`] writes either document in protobuf.
//!
//! A document is made on demand and not kept: whoever serves it decides for how long it is needed.

mod custom;
mod definitions;
mod operation;
mod pages;
mod paths;
pub mod proto;
mod swagger;
mod texts;
mod written;

pub use pages::Page;
pub use swagger::Swagger;
pub use texts::Texts;
pub use written::Gathered;

use api::{GroupVersion, Object, Text, Value};

use crate::{Kind, Shape};

use definitions::{Definitions, object};

/// What goes into a document: one kind, served in the document's group and version.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    /// The kind.
    pub kind: &'a Kind,
    /// `openAPIV3Schema` of the version, if it is a custom resource that has one.
    pub schema: Option<&'a Value>,
}

/// The release that documents name: `1.37`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release(pub Text);

/// Returns the OpenAPI v3 document of a group-version.
///
/// `meta` is the shape of `ObjectMeta`; the definitions of its arena (`Status`, `DeleteOptions`,
/// `ListMeta`) are used where operations need them.
#[must_use]
pub fn document(
    group_version: &GroupVersion,
    resources: &[Resource<'_>],
    meta: &Shape,
    texts: &Texts,
    release: &Release,
) -> Value {
    let mut definitions = Definitions::new(meta, texts);
    let mut paths = Object::default();
    let mut has_built_in = false;
    for resource in resources {
        let Some(version) = resource.kind.version(group_version) else {
            continue;
        };
        let name = if version.shape.is_custom() {
            custom::define(resource, version, &mut definitions)
        } else {
            has_built_in = true;
            definitions.kind(&version.shape, group_version, &resource.kind.names.kind)
        };
        paths::add(resource.kind, version, &name, &mut definitions, &mut paths);
    }
    if has_built_in {
        pages::resources(group_version, &mut definitions, &mut paths);
    }
    document_of(definitions, paths, has_built_in.then_some(release))
}

/// Returns a whole document; those of custom resources name no release, as upstream's.
fn document_of(
    definitions: Definitions<'_>,
    mut paths: Object,
    release: Option<&Release>,
) -> Value {
    paths.sort();
    let info = match release {
        Some(release) => [
            ("title", Value::from("Kubernetes")),
            ("version", Value::String(release.0.clone())),
        ],
        None => [
            ("title", Value::from("Kubernetes CRD Swagger")),
            ("version", Value::from("v0.1.0")),
        ],
    };
    let mut components = Object::default();
    components.push(Text::const_new("schemas"), definitions.finish());
    if release.is_some() {
        let token = object([
            ("description", Value::from("Bearer Token authentication")),
            ("in", Value::from("header")),
            ("name", Value::from("authorization")),
            ("type", Value::from("apiKey")),
        ]);
        let schemes = object([("BearerToken", token)]);
        components.push(Text::const_new("securitySchemes"), schemes);
    }
    object([
        ("openapi", Value::from("3.0.0")),
        ("info", object(info)),
        ("paths", Value::Object(paths)),
        ("components", Value::Object(components)),
    ])
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
