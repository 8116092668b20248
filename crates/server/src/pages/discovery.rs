//! `/api`, `/apis` and below: what is served, for clients that do not know yet.
//!
//! Two forms: the older documents, one per group and version, and the aggregated one
//! (`apidiscovery.k8s.io/v2`), which tells everything at once. The large documents are made when
//! they are first asked for after the registry changed; the small ones when they are asked for.

use std::{fmt, sync::Arc};

use api::{GroupVersion, Object, Text, Value, json};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{HeaderValue, header};
use ring::digest::{SHA256, SHA512, digest};
use schema::{KindVersion, Scope, Subresource};

use crate::{
    Refusal,
    answer::Page,
    media::{self, Accepted, Media, Offer},
    registry::{ClusterId, Group, Registry, Resource, Shown, Table, Version},
    request::Request,
};

/// Priority of groups that nobody gave one, as upstream gives to custom resources.
const PRIORITY: i32 = 1_000;

/// What the aggregated form begins with.
const HEAD: &str = r#"{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","metadata":{},"items":["#;

/// Makes the documents, and keeps the large ones.
pub(crate) struct Discovery {
    /// Groups that come before others, higher numbers first.
    priorities: Vec<(Text, i32)>,
    /// Where clients find the server.
    address: Text,
    made: ArcSwapOption<Made>,
}

/// The large documents of one state of the registry.
struct Made {
    revision: u64,
    core: Document,
    groups: Document,
}

/// An aggregated document.
#[derive(Clone)]
struct Document {
    json: Bytes,
    etag: HeaderValue,
}

impl Discovery {
    pub(crate) fn new(priorities: Vec<(Text, i32)>, address: Text) -> Self {
        Self {
            priorities,
            address,
            made: ArcSwapOption::empty(),
        }
    }

    /// Returns the document at `path`, if it is one of discovery's.
    pub(crate) fn page(
        &self,
        registry: &Registry,
        cluster: ClusterId,
        request: &Request,
    ) -> Option<Result<Page, Refusal>> {
        let table = registry.table();
        let mut parts = request.path.trim_matches('/').split('/');
        let root = parts.next()?;
        let rest: Vec<&str> = parts.collect();
        let document = match (root, rest.as_slice()) {
            ("api", []) | ("apis", []) if asks_for_all(request) => {
                return Some(self.aggregated(&table, cluster, root, request));
            }
            ("api", []) => versions(&table, cluster, &self.address),
            ("apis", []) => self.groups(&table, cluster),
            ("api", [version]) => resources(find(&table, cluster, "", version)?),
            ("apis", [group]) => one_group(group, table.group(cluster, group)?, Kinded::Yes),
            ("apis", [group, version]) => resources(find(&table, cluster, group, version)?),
            _ => return None,
        };
        Some(plain(request, &document))
    }

    /// Returns the paths of every document, for the index.
    pub(crate) fn paths(&self, registry: &Registry, cluster: ClusterId) -> Vec<String> {
        let mut paths = vec!["/api".to_owned(), "/apis".to_owned(), "/apis/".to_owned()];
        for (name, group) in &registry.table().groups(cluster) {
            if !name.is_empty() {
                paths.push(format!("/apis/{name}"));
            }
            for version in &group.versions {
                paths.push(format!("/{}", root_of(&version.group_version)));
            }
        }
        paths
    }

    fn groups(&self, table: &Table, cluster: ClusterId) -> Value {
        let groups = self
            .in_order(table, cluster)
            .into_iter()
            .map(|(name, group)| one_group(&name, &group, Kinded::No))
            .collect();
        object([
            ("kind", Value::from("APIGroupList")),
            ("apiVersion", Value::from("v1")),
            ("groups", Value::Array(groups)),
        ])
    }

    /// Returns the groups but the core one, in the order in which clients prefer them.
    fn in_order(&self, table: &Table, cluster: ClusterId) -> Vec<(Text, Arc<Group>)> {
        let mut groups: Vec<(Text, Arc<Group>)> = table
            .groups(cluster)
            .iter()
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, group)| (name.clone(), Arc::clone(group)))
            .collect();
        // The sort is stable, and the groups come by name.
        groups.sort_by_key(|(name, _)| std::cmp::Reverse(self.priority(name)));
        groups
    }

    fn priority(&self, group: &str) -> i32 {
        let known = self.priorities.iter().find(|(name, _)| name == group);
        known.map_or(PRIORITY, |(_, priority)| *priority)
    }

    fn aggregated(
        &self,
        table: &Table,
        cluster: ClusterId,
        root: &str,
        request: &Request,
    ) -> Result<Page, Refusal> {
        let made = match self.made.load_full() {
            Some(made) if made.revision == table.revision => made,
            _ => {
                let made = Arc::new(self.make(table, cluster));
                self.made.store(Some(Arc::clone(&made)));
                made
            }
        };
        let document = if root == "api" {
            &made.core
        } else {
            &made.groups
        };
        document.page(request)
    }

    fn make(&self, table: &Table, cluster: ClusterId) -> Made {
        let core = table
            .group(cluster, "")
            .map(|group| (Text::default(), Arc::clone(group)));
        Made {
            revision: table.revision,
            core: Document::new(core.into_iter()),
            groups: Document::new(self.in_order(table, cluster).into_iter()),
        }
    }
}

impl Document {
    /// Joins what was written of each resource, so that a change of one among thousands costs what
    /// one costs, and the copying.
    fn new(groups: impl Iterator<Item = (Text, Arc<Group>)>) -> Self {
        let mut json = HEAD.as_bytes().to_vec();
        // The tag is made of the parts' own hashes; hashing the whole would take longer than
        // everything else.
        let mut tag = Vec::new();
        for (place, (name, group)) in groups.enumerate() {
            let mut metadata = Object::default();
            if !name.is_empty() {
                metadata.push(Text::const_new("name"), Value::String(name));
            }
            let start = json.len() + usize::from(place > 0);
            json.extend_from_slice(if place > 0 { b",{" } else { b"{" });
            json.extend_from_slice(b"\"metadata\":");
            json::write(&Value::Object(metadata), &mut json);
            json.extend_from_slice(b",\"versions\":[");
            tag.extend_from_slice(&json[start..]);
            for (place, version) in group.versions.iter().enumerate() {
                let start = json.len();
                json.extend_from_slice(if place > 0 { b",{" } else { b"{" });
                json.extend_from_slice(b"\"version\":");
                let name = version.group_version.version.clone();
                json::write(&Value::String(name), &mut json);
                json.extend_from_slice(b",\"resources\":[");
                tag.extend_from_slice(&json[start..]);
                for (place, resource) in version.resources.values().enumerate() {
                    let shown = resource.served.shown(resource.place, || shown(resource));
                    if place > 0 {
                        json.push(b',');
                    }
                    json.extend_from_slice(&shown.json);
                    tag.extend_from_slice(&shown.hash);
                }
                json.extend_from_slice(b"],\"freshness\":\"Current\"}");
            }
            json.extend_from_slice(b"]}");
        }
        json.extend_from_slice(b"]}\n");
        Self {
            etag: etag_of(&tag),
            json: Bytes::from(json),
        }
    }

    fn page(&self, request: &Request) -> Result<Page, Refusal> {
        let wanted = wants_all(request);
        let as_yaml = wanted == Some(Media::Yaml);
        let bytes = if as_yaml {
            let parsed = json::read(&self.json).map_err(api::Status::internal)?;
            let mut out = Vec::new();
            api::yaml::write(&parsed.value, &mut out);
            Bytes::from(out)
        } else {
            self.json.clone()
        };
        let content_type = if as_yaml {
            "application/yaml;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        } else {
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        };
        Ok(Page {
            code: 200,
            content_type: HeaderValue::from_static(content_type),
            bytes,
            etag: Some(self.etag.clone()),
            headers: vec![
                (header::VARY, HeaderValue::from_static("Accept")),
                (header::CACHE_CONTROL, HeaderValue::from_static("public")),
            ],
        })
    }
}

/// Returns the strong tag of a document: its hash in quotes, as upstream.
pub(crate) fn etag_of(bytes: &[u8]) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{}\"", hash_of(bytes)))
        .expect("hexadecimal digits are visible ASCII")
}

/// Returns the hash of a document in capital hexadecimal digits.
pub(crate) fn hash_of(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(128);
    for byte in digest(&SHA512, bytes).as_ref() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02X}");
    }
    text
}

fn asks_for_all(request: &Request) -> bool {
    wants_all(request).is_some()
}

/// Returns the media type if the first thing the client would take is the aggregated form.
fn wants_all(request: &Request) -> Option<Media> {
    let offers = [api::media::Format::Json, api::media::Format::Yaml];
    let wanted = api::media::wanted(media::accept(&request.headers), &offers);
    // A clause that asks for a form we do not have is passed over, as upstream does.
    let first = wanted.iter().find_map(|one| match one.convert {
        None => Some(None),
        Some(form) => {
            let is_ours = form.group == "apidiscovery.k8s.io"
                && form.version == "v2"
                && form.kind == "APIGroupDiscoveryList";
            is_ours.then_some(Some(Media::from(one.format)))
        }
    });
    first.flatten()
}

fn plain(request: &Request, document: &Value) -> Result<Page, Refusal> {
    let accepted: Accepted = media::agree(request, Offer::Document)?;
    Ok(Page::of_value(accepted, document))
}

/// `/api`: the versions of the core group.
fn versions(table: &Table, cluster: ClusterId, address: &Text) -> Value {
    let core = table.group(cluster, "");
    let versions = core.map_or_else(Vec::new, |group| {
        let names = group.versions.iter();
        names
            .map(|version| Value::String(version.group_version.version.clone()))
            .collect()
    });
    let found = object([
        ("clientCIDR", Value::from("0.0.0.0/0")),
        ("serverAddress", Value::String(address.clone())),
    ]);
    object([
        ("kind", Value::from("APIVersions")),
        ("versions", Value::Array(versions)),
        ("serverAddressByClientCIDRs", Value::Array(vec![found])),
    ])
}

/// Whether a document says its own kind; inside a list it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kinded {
    Yes,
    No,
}

fn one_group(name: &str, group: &Group, kinded: Kinded) -> Value {
    let version = |version: &Version| {
        let group_version = &version.group_version;
        object([
            ("groupVersion", Value::string(group_version.to_string())),
            ("version", Value::String(group_version.version.clone())),
        ])
    };
    let mut fields = Object::default();
    if kinded == Kinded::Yes {
        fields.push(Text::const_new("kind"), Value::from("APIGroup"));
        fields.push(Text::const_new("apiVersion"), Value::from("v1"));
    }
    fields.push(Text::const_new("name"), Value::from(name));
    let versions: Vec<Value> = group.versions.iter().map(version).collect();
    let preferred = versions.first().cloned();
    fields.push(Text::const_new("versions"), Value::Array(versions));
    if let Some(preferred) = preferred {
        fields.push(Text::const_new("preferredVersion"), preferred);
    }
    Value::Object(fields)
}

fn find<'a>(
    table: &'a Table,
    cluster: ClusterId,
    group: &str,
    version: &str,
) -> Option<&'a Version> {
    let group = table.group(cluster, group)?;
    let mut versions = group.versions.iter();
    versions.find(|known| known.group_version.version == version)
}

/// `/apis/GROUP/VERSION`: the resources, subresources among them.
fn resources(version: &Version) -> Value {
    let mut list = Vec::new();
    for resource in version.resources.values() {
        list.push(resource_entry(resource));
        for subresource in &resource.version().subresources {
            list.push(subresource_entry(resource, subresource));
        }
    }
    let mut fields = Object::default();
    fields.push(Text::const_new("kind"), Value::from("APIResourceList"));
    // Upstream leaves it out for the core group, and some clients compare documents.
    if !version.group_version.group.is_empty() {
        fields.push(Text::const_new("apiVersion"), Value::from("v1"));
    }
    let name = Value::string(version.group_version.to_string());
    fields.push(Text::const_new("groupVersion"), name);
    fields.push(Text::const_new("resources"), Value::Array(list));
    Value::Object(fields)
}

fn resource_entry(resource: &Resource) -> Value {
    let (names, version) = (&resource.kind().names, resource.version());
    let mut fields = Object::with_capacity(8);
    let mut put = |name, value| fields.push(Text::const_new(name), value);
    put("name", Value::String(names.plural.clone()));
    put("singularName", Value::String(names.singular.clone()));
    put(
        "namespaced",
        Value::Bool(resource.kind().scope == Scope::Namespaced),
    );
    put("kind", Value::String(names.kind.clone()));
    put("verbs", texts(&version.verbs));
    if !names.short_names.is_empty() {
        put("shortNames", texts(&names.short_names));
    }
    if !names.categories.is_empty() {
        put("categories", texts(&names.categories));
    }
    if !version.storage_hash.is_empty() {
        put(
            "storageVersionHash",
            Value::String(version.storage_hash.clone()),
        );
    }
    Value::Object(fields)
}

fn subresource_entry(resource: &Resource, subresource: &Subresource) -> Value {
    let plural = &resource.kind().names.plural;
    let mut fields = Object::with_capacity(7);
    let mut put = |name, value| fields.push(Text::const_new(name), value);
    put(
        "name",
        Value::string(format!("{plural}/{}", subresource.name)),
    );
    put("singularName", Value::from(""));
    put(
        "namespaced",
        Value::Bool(resource.kind().scope == Scope::Namespaced),
    );
    if subresource.group_version != resource.version().group_version {
        let GroupVersion { group, version } = &subresource.group_version;
        if !group.is_empty() {
            put("group", Value::String(group.clone()));
        }
        put("version", Value::String(version.clone()));
    }
    put("kind", Value::String(subresource.kind.clone()));
    put("verbs", texts(&subresource.verbs));
    Value::Object(fields)
}

/// Writes what the aggregated form says of a resource.
fn shown(resource: &Resource) -> Shown {
    let mut json = Vec::new();
    json::write(&aggregated_resource(resource), &mut json);
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, &json).as_ref());
    Shown {
        json: json.into(),
        hash,
    }
}

fn aggregated_resource(resource: &Resource) -> Value {
    let (names, version) = (&resource.kind().names, resource.version());
    let scope = match resource.kind().scope {
        Scope::Namespaced => "Namespaced",
        Scope::Cluster => "Cluster",
    };
    let mut fields = Object::with_capacity(8);
    let mut put = |name, value| fields.push(Text::const_new(name), value);
    put("resource", Value::String(names.plural.clone()));
    let kind = response_kind(resource, &version.group_version, &names.kind);
    put("responseKind", kind);
    put("scope", Value::from(scope));
    put("singularResource", Value::String(names.singular.clone()));
    put("verbs", texts(&version.verbs));
    if !names.short_names.is_empty() {
        put("shortNames", texts(&names.short_names));
    }
    if !names.categories.is_empty() {
        put("categories", texts(&names.categories));
    }
    if !version.subresources.is_empty() {
        put("subresources", aggregated_subresources(resource, version));
    }
    Value::Object(fields)
}

fn aggregated_subresources(resource: &Resource, version: &KindVersion) -> Value {
    let entry = |one: &Subresource| {
        object([
            ("subresource", Value::String(one.name.clone())),
            (
                "responseKind",
                response_kind(resource, &one.group_version, &one.kind),
            ),
            ("verbs", texts(&one.verbs)),
        ])
    };
    Value::Array(version.subresources.iter().map(entry).collect())
}

/// Upstream leaves group and version of built-in kinds empty where they are those of the resource,
/// and says those of custom resources.
fn response_kind(resource: &Resource, group_version: &GroupVersion, kind: &Text) -> Value {
    let is_own = *group_version == resource.version().group_version;
    let (group, version) = if is_own && !resource.kind().traits.custom {
        (Text::default(), Text::default())
    } else {
        (group_version.group.clone(), group_version.version.clone())
    };
    object([
        ("group", Value::String(group)),
        ("version", Value::String(version)),
        ("kind", Value::String(kind.clone())),
    ])
}

fn texts(all: &[Text]) -> Value {
    Value::Array(all.iter().map(|text| Value::String(text.clone())).collect())
}

fn object<const N: usize>(fields: [(&'static str, Value); N]) -> Value {
    let fields = fields.into_iter();
    Value::Object(Object::from_unique(
        fields
            .map(|(name, value)| (Text::const_new(name), value))
            .collect(),
    ))
}

/// `api/v1` or `apis/apps/v1`
pub(crate) fn root_of(group_version: &GroupVersion) -> String {
    let root = if group_version.group.is_empty() {
        "api"
    } else {
        "apis"
    };
    format!("{root}/{group_version}")
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
