//! A request, parsed once. After this file no one looks at a URL or a header name again.
//!
//! Life of one: the edge makes a [`Request`] out of URL and headers; phases identify, allow and
//! route it; then it becomes a [`Call`]: a request on a resource that is served, with its options
//! checked, its media type agreed, its body read and its caller known.

pub mod fuzz;
pub mod options;
pub mod path;
pub mod query;
mod read;

use std::{net::SocketAddr, sync::Arc};

use api::{GroupVersion, Text};
use base::{Moment, WallTime};
use bytes::Bytes;
use http::{HeaderMap, Method};

pub use options::{FieldValidation, Options};
pub use query::Query;

use access::User;

use crate::{media::Accepted, registry::Table};

/// Largest body of a write, as upstream.
pub const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;

/// What a request wants to do, in upstream's words (authorization and metrics use them).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are upstream's own words")]
pub enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
    /// The deprecated `/proxy/` path prefix.
    Proxy,
    // On paths that are no resource the verb is the method.
    Post,
    Put,
    Head,
    Options,
    Connect,
    Trace,
    /// A method that means nothing on a resource.
    None,
}

/// A request, parsed once from URL and headers.
#[derive(Clone, Debug)]
pub struct Request {
    /// What it wants to do.
    pub verb: Verb,
    /// The HTTP method.
    pub method: Method,
    /// What it is about.
    pub target: Target,
    /// The whole path, percent-decoded.
    pub path: Text,
    /// The query.
    pub query: Query,
    /// Headers without credentials and identity; mounted services get them.
    pub headers: HeaderMap,
    /// What the body is, by `Content-Type`.
    pub body_type: BodyType,
    /// `User-Agent`; empty if absent.
    pub user_agent: Text,
    /// `Audit-ID`: the client's, or made here.
    pub audit_id: Text,
    /// Date and time of arrival.
    pub received: WallTime,
    /// Moment of arrival.
    pub arrived: Moment,
    /// When it must be answered; absent for long-running requests (watches, connects).
    pub deadline: Option<Moment>,
    /// Where it comes from; absent for in-process callers.
    pub peer: Option<SocketAddr>,
}

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A resource below `/api/v1` or `/apis/GROUP/VERSION`, served or not.
    Resource(ResourcePath),
    /// Any other path.
    Path,
}

/// What a path below `/api` or `/apis` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourcePath {
    /// Group and version.
    pub group_version: GroupVersion,
    /// Namespace; empty for all or for cluster-scoped resources. Of a namespace itself: its name.
    pub namespace: Text,
    /// Plural: `pods`
    pub resource: Text,
    /// Name; empty for a collection. A list or watch with the field selector `metadata.name=x` has
    /// it too, so that authorization by name works: look at [`Self::selected_by_name`].
    pub name: Text,
    /// True when `name` comes from the field selector and the request is about the collection.
    pub selected_by_name: bool,
    /// Subresource: `status`; empty for the object itself.
    pub subresource: Text,
    /// What follows the subresource, with its leading slash and slashes inside; empty for nothing.
    pub rest: Text,
    /// Came as `/watch/…` or `/proxy/…`: authorization ignores selectors.
    pub verb_by_path: bool,
}

/// What the body of a request is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BodyType {
    /// JSON, or no `Content-Type`.
    #[default]
    Json,
    /// `application/yaml`
    Yaml,
    /// `application/vnd.kubernetes.protobuf`
    Protobuf,
    /// One of the patch types.
    Patch(PatchType),
    /// Anything else, as it was written.
    Other(Text),
}

/// How a patch is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PatchType {
    /// `application/json-patch+json`
    Json,
    /// `application/merge-patch+json`
    Merge,
    /// `application/strategic-merge-patch+json`
    StrategicMerge,
    /// `application/apply-patch+yaml`
    Apply,
}

/// A request on a served resource, allowed and with everything it brings.
#[derive(Clone, Debug)]
pub struct Call {
    /// What it wants to do.
    pub verb: Verb,
    /// The object or collection.
    pub path: ResourcePath,
    /// Its options; those that its verb does not have are at their defaults.
    pub options: Options,
    /// The whole query, for services that have options of their own.
    pub query: Query,
    /// What the answer shall look like.
    pub accepted: Accepted,
    /// What the body is.
    pub body_type: BodyType,
    /// The body, at most [`BODY_BYTES_MAX`]; empty for reads.
    pub body: Bytes,
    /// Who asks, after impersonation.
    pub user: Arc<User>,
    /// Date and time of arrival.
    pub received: WallTime,
    /// When it must be answered; absent for watches.
    pub deadline: Option<Moment>,
    /// Warnings to send along, refusals included; repeated ones are sent once.
    pub warnings: Vec<String>,
    /// What was served when the call began: a body may say that it is any of it.
    pub table: Arc<Table>,
    /// `Audit-ID`, for webhooks and logs.
    pub audit_id: Text,
    /// `User-Agent`: the manager of fields when none is named.
    pub user_agent: Text,
}

impl Verb {
    /// Returns the word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
            Self::Proxy => "proxy",
            Self::Post => "post",
            Self::Put => "put",
            Self::Head => "head",
            Self::Options => "options",
            Self::Connect => "connect",
            Self::Trace => "trace",
            Self::None => "",
        }
    }

    /// Returns whether the request changes nothing, as upstream's in-flight limits count it.
    #[must_use]
    pub fn is_read(self) -> bool {
        matches!(self, Self::Get | Self::List | Self::Watch)
    }
}

impl PatchType {
    /// Returns the media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json-patch+json",
            Self::Merge => "application/merge-patch+json",
            Self::StrategicMerge => "application/strategic-merge-patch+json",
            Self::Apply => "application/apply-patch+yaml",
        }
    }
}

impl BodyType {
    /// Reads a `Content-Type`; parameters do not matter.
    #[must_use]
    pub fn parse(content_type: &str) -> Self {
        let name = content_type.split(';').next().unwrap_or_default().trim();
        match name.to_ascii_lowercase().as_str() {
            "" if content_type.is_empty() => Self::Json,
            "application/json" => Self::Json,
            "application/yaml" => Self::Yaml,
            "application/vnd.kubernetes.protobuf" => Self::Protobuf,
            "application/json-patch+json" => Self::Patch(PatchType::Json),
            "application/merge-patch+json" => Self::Patch(PatchType::Merge),
            "application/strategic-merge-patch+json" => Self::Patch(PatchType::StrategicMerge),
            "application/apply-patch+yaml" => Self::Patch(PatchType::Apply),
            _ => Self::Other(Text::new(name)),
        }
    }
}

impl ResourcePath {
    /// Returns whether the request is about one named object (or something below it).
    #[must_use]
    pub fn is_named(&self) -> bool {
        !self.name.is_empty() && !self.selected_by_name
    }
}
