//! `/openapi/v3`: the shapes of what is served, one document per group and version.
//!
//! A document is made when it is asked for and not kept; its hash is, for as long as its kinds
//! stay the same. Clients keep documents by hash, so most of the time only the hash is needed.

use std::{
    fmt::Write as _,
    sync::{Arc, Weak},
};

use api::{GroupVersion, Text, Value, json};
use bytes::Bytes;
use hashbrown::HashMap;
use http::{
    HeaderValue,
    header::{CACHE_CONTROL, IF_NONE_MATCH, LOCATION, VARY},
};
use parking_lot::Mutex;
use schema::{Shape, openapi};

use super::discovery::{hash_of, root_of};
use crate::{
    Refusal,
    answer::Page,
    media,
    registry::{ClusterId, Origin, Registry, Served, Table, Version},
    render::meta_shape,
    request::Request,
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Makes the documents and keeps their hashes.
#[derive(Default)]
pub(crate) struct OpenApi {
    hashes: Mutex<HashMap<GroupVersion, Known>>,
}

/// The hash of a document made of these kinds.
struct Known {
    kinds: Vec<Weak<Served>>,
    hash: Text,
}

impl OpenApi {
    /// Returns the page at `path`, if it is one of these.
    pub(crate) fn page(
        &self,
        registry: &Registry,
        cluster: ClusterId,
        request: &Request,
    ) -> Option<Result<Page, Refusal>> {
        let rest = request.path.strip_prefix("/openapi/v3")?;
        let table = registry.table();
        let rest = match rest.trim_end_matches('/') {
            "" => return Some(Ok(self.index(&table, cluster))),
            rest => rest.strip_prefix('/')?,
        };
        let groups = table.groups(cluster);
        let mut versions = groups.values().flat_map(|group| &group.versions);
        let version = versions.find(|version| root_of(&version.group_version) == rest)?;
        Some(self.document(&table, cluster, version, request))
    }

    fn index(&self, table: &Table, cluster: ClusterId) -> Page {
        let groups = table.groups(cluster);
        let versions = groups.values().flat_map(|group| &group.versions);
        let mut entries: Vec<(String, Text)> = versions
            .map(|version| {
                let hash = self.hash(table, cluster, version);
                (root_of(&version.group_version), hash)
            })
            .collect();
        entries.sort_unstable();
        let mut text = String::from("{\"paths\":{");
        for (place, (root, hash)) in entries.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            // Writing to a string cannot fail; no group's name needs escaping.
            let _ = write!(
                text,
                "{comma}\"{root}\":{{\"serverRelativeURL\":\"/openapi/v3/{root}?hash={hash}\"}}"
            );
        }
        text.push_str("}}");
        let mut page = Page::json(text);
        page.content_type = HeaderValue::from_static("text/plain; charset=utf-8");
        page
    }

    fn document(
        &self,
        table: &Table,
        cluster: ClusterId,
        version: &Version,
        request: &Request,
    ) -> Result<Page, Refusal> {
        let accept = media::accept(&request.headers);
        if api::media::wanted(accept, &[api::media::Format::Json]).is_empty() {
            return Err(Refusal::page(406, ""));
        }
        let hash = self.hash(table, cluster, version);
        let etag = HeaderValue::from_str(&format!("\"{hash}\"")).ok();
        let mut page = Page {
            code: 200,
            content_type: JSON,
            bytes: Bytes::new(),
            etag,
            headers: vec![(VARY, HeaderValue::from_static("Accept"))],
        };
        match request.query.get("hash") {
            Some(asked) if asked != hash => {
                let root = root_of(&version.group_version);
                let location = format!("/openapi/v3/{root}?hash={hash}");
                page.code = 301;
                let location = HeaderValue::from_str(&location);
                page.headers
                    .extend(location.ok().map(|location| (LOCATION, location)));
                return Ok(page);
            }
            Some(_) => {
                let forever = HeaderValue::from_static("public, immutable");
                page.headers.push((CACHE_CONTROL, forever));
            }
            None => {}
        }
        let held = request.headers.get(IF_NONE_MATCH);
        if held.is_none() || held != page.etag.as_ref() {
            page.bytes = make(table, cluster, version);
        }
        Ok(page)
    }

    /// Returns the hash of a document, which is only made if a kind in it is new.
    fn hash(&self, table: &Table, cluster: ClusterId, version: &Version) -> Text {
        let kinds = || version.resources.values().map(|one| &one.served);
        let is_same = |known: &Known| {
            known.kinds.len() == version.resources.len()
                && known
                    .kinds
                    .iter()
                    .zip(kinds())
                    .all(|(weak, served)| weak.as_ptr() == Arc::as_ptr(served))
        };
        if let Some(known) = self.hashes.lock().get(&version.group_version)
            && is_same(known)
        {
            return known.hash.clone();
        }
        let hash = Text::from(hash_of(&make(table, cluster, version)));
        let known = Known {
            kinds: kinds().map(Arc::downgrade).collect(),
            hash: hash.clone(),
        };
        let mut hashes = self.hashes.lock();
        hashes.insert(version.group_version.clone(), known);
        // Groups that are no longer served leave nothing behind.
        hashes.retain(|_, known| known.kinds.iter().any(|kind| kind.strong_count() > 0));
        hash
    }
}

fn make(table: &Table, cluster: ClusterId, version: &Version) -> Bytes {
    let schemas: Vec<Option<Value>> = version
        .resources
        .values()
        .map(|one| schema_of(table, cluster, &one.served, &version.group_version.version))
        .collect();
    let resources: Vec<openapi::Resource<'_>> = version
        .resources
        .values()
        .zip(&schemas)
        .map(|(resource, schema)| openapi::Resource {
            kind: resource.kind(),
            schema: schema.as_ref(),
        })
        .collect();
    let meta = version.resources.values().find_map(meta_shape);
    let document = openapi::document(
        &version.group_version,
        &resources,
        &meta.unwrap_or_else(Shape::any),
    );
    let mut out = Vec::new();
    json::write(&document, &mut out);
    Bytes::from(out)
}

/// Returns the schema of a custom resource as its definition has it.
fn schema_of(table: &Table, cluster: ClusterId, served: &Served, version: &str) -> Option<Value> {
    let Origin::Custom(name) = &served.origin else {
        return None;
    };
    let definitions =
        table.find_any(cluster, "apiextensions.k8s.io", "customresourcedefinitions")?;
    let view = definitions.served.collection.peek()?;
    let definition = json::read(&view.objects.get(name)?.bytes).ok()?.value;
    let versions = definition.at(&["spec", "versions"])?.as_array()?;
    let found = versions
        .iter()
        .find(|one| one.str_at(&["name"]) == Some(version))?;
    found.at(&["schema", "openAPIV3Schema"]).cloned()
}
