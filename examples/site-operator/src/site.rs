//! The type `Site`, in `site.crd.json` for servers and here for Rust.
//!
//! kube-rs can derive this file (`#[derive(CustomResource)]`); written out it needs no macro.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::TypeMeta;
use serde::{Deserialize, Serialize};

/// The definition, as it is installed into a cluster.
pub const DEFINITION: &str = include_str!("../site.crd.json");

/// Group of the type.
pub const GROUP: &str = "example.pintle.dev";
/// Kind of the type.
pub const KIND: &str = "Site";

/// A page of text that is served by a few web servers.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Site {
    /// Version and kind: what is sent must say what it is.
    #[serde(flatten)]
    pub types: Option<TypeMeta>,
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: SiteSpec,
    /// What is.
    #[serde(default)]
    pub status: Option<SiteStatus>,
}

/// What is wanted.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SiteSpec {
    /// The page.
    pub page: String,
    /// Number of servers.
    #[serde(default)]
    pub replicas: i32,
}

/// What is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SiteStatus {
    /// Number of servers that are ready.
    #[serde(default)]
    pub ready_replicas: i32,
}

impl kube::Resource for Site {
    type DynamicType = ();
    type Scope = kube::core::NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        KIND.into()
    }
    fn group((): &()) -> Cow<'_, str> {
        GROUP.into()
    }
    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }
    fn plural((): &()) -> Cow<'_, str> {
        "sites".into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
