//! The documents: which there are, their hashes, and those that are in use.

use std::{
    io::Read as _,
    sync::{Arc, Weak},
    time::Duration,
};

use api::{
    GroupVersion, Text, Value,
    json::{self, scan},
};
use base::Moment;
use bytes::Bytes;
use flate2::read::DeflateDecoder;
use hashbrown::HashMap;
use parking_lot::Mutex;
use ring::digest;
use schema::{
    Shape,
    openapi::{self, Gathered, Page, Release, Swagger, Texts, proto},
};

use super::Print;
use crate::{
    pages::discovery::{hash_of, root_of},
    registry::{ClusterId, Groups, Origin, Served, Table, Version},
    render::meta_shape,
};

/// Which program makes the documents.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// What a document is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Name {
    /// The resources of a group and version.
    Version(GroupVersion),
    /// Something beside them.
    Page(Page),
}

impl Name {
    /// Returns its path below `/openapi/v3/`.
    pub(super) fn path(&self) -> String {
        match self {
            Self::Version(group_version) => root_of(group_version),
            Self::Page(page) => page.name(),
        }
    }
}

/// What is served while a request is answered.
pub(super) struct Shelf<'a> {
    table: &'a Table,
    cluster: ClusterId,
    groups: Groups,
}

impl<'a> Shelf<'a> {
    pub(super) fn new(table: &'a Table, cluster: ClusterId) -> Self {
        let groups = table.groups(cluster);
        Self {
            table,
            cluster,
            groups,
        }
    }

    fn versions(&self) -> impl Iterator<Item = &Version> {
        self.groups.values().flat_map(|group| &group.versions)
    }

    fn version(&self, group_version: &GroupVersion) -> Option<&Version> {
        let group = self.groups.get(&group_version.group)?;
        let mut versions = group.versions.iter();
        versions.find(|version| version.group_version == *group_version)
    }

    /// Returns the kinds of which a document is made.
    fn kinds(&self, name: &Name) -> Vec<&Arc<Served>> {
        match name {
            Name::Version(group_version) => {
                let version = self.version(group_version).into_iter();
                version
                    .flat_map(|version| version.resources.values().map(|one| &one.served))
                    .collect()
            }
            Name::Page(_) => Vec::new(),
        }
    }

    /// Returns the shape of `ObjectMeta`, whose arena holds the other types of every document.
    fn meta(&self) -> Shape {
        let mut resources = self.versions().flat_map(|one| one.resources.values());
        resources.find_map(meta_shape).unwrap_or_else(Shape::any)
    }
}

/// Makes the documents and keeps what is in use.
pub(super) struct Library {
    texts: &'static [u8],
    release: Release,
    pages: Vec<Page>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    hashes: HashMap<Name, Known>,
    /// From here on only while in use.
    texts: Option<Arc<Texts>>,
    documents: HashMap<(Name, Print), (Text, Bytes)>,
    swagger: HashMap<Print, (Text, Bytes)>,
    used: Option<Moment>,
    is_watched: bool,
}

/// The hash of a document made of these kinds.
struct Known {
    kinds: Vec<Weak<Served>>,
    hash: Text,
}

impl Known {
    fn is_of(&self, kinds: &[&Arc<Served>]) -> bool {
        self.kinds.len() == kinds.len()
            && (self.kinds.iter().zip(kinds)).all(|(weak, kind)| weak.as_ptr() == Arc::as_ptr(kind))
    }
}

impl Library {
    pub(super) fn new(texts: &'static [u8], release: Release, pages: Vec<Page>) -> Self {
        Self {
            texts,
            release,
            pages,
            held: Mutex::default(),
        }
    }

    /// Returns what there are documents about.
    pub(super) fn names(&self, shelf: &Shelf<'_>) -> Vec<Name> {
        let mut names: Vec<Name> = self.pages.iter().cloned().map(Name::Page).collect();
        names.extend([Page::Versions, Page::Groups].map(Name::Page));
        for group in shelf.groups.values() {
            let mut is_built_in = false;
            for version in &group.versions {
                names.push(Name::Version(version.group_version.clone()));
                let mut kinds = version.resources.values();
                is_built_in |= kinds.any(|one| one.served.origin == Origin::BuiltIn);
            }
            // Groups of custom resources have no document of their own, as upstream.
            let first = group.versions.first();
            let name = first.map(|version| &version.group_version.group);
            if let Some(name) = name.filter(|name| is_built_in && !name.is_empty()) {
                names.push(Name::Page(Page::Group(name.clone())));
            }
        }
        names
    }

    /// Returns the hash of a document, which is only made if a kind in it is new.
    pub(super) fn hash(&self, shelf: &Shelf<'_>, name: &Name) -> Text {
        let kinds = shelf.kinds(name);
        if let Some(known) = self.held.lock().hashes.get(name)
            && known.is_of(&kinds)
        {
            return known.hash.clone();
        }
        let hash = match self.hash_of_definitions(shelf, name, &kinds) {
            Some(hash) => hash,
            None => Text::from(hash_of(&print(&self.make(shelf, name)))),
        };
        let known = Known {
            kinds: kinds.into_iter().map(Arc::downgrade).collect(),
            hash: hash.clone(),
        };
        let mut held = self.held.lock();
        held.hashes.insert(name.clone(), known);
        // Groups that are no longer served leave nothing behind.
        held.hashes.retain(|_, known| {
            let mut kinds = known.kinds.iter();
            known.kinds.is_empty() || kinds.any(|kind| kind.strong_count() > 0)
        });
        hash
    }

    /// Returns the hash of a document of custom resources alone. It is made of what their
    /// definitions say, of which each is looked at once: when one of thousands changes, nothing is
    /// done for the others.
    fn hash_of_definitions(
        &self,
        shelf: &Shelf<'_>,
        name: &Name,
        kinds: &[&Arc<Served>],
    ) -> Option<Text> {
        if !is_custom(kinds) {
            return None;
        }
        // What is made of a definition changes with the program.
        let mut all = format!("{} {} {}\n", name.path(), self.release.0, PROGRAM).into_bytes();
        for kind in kinds {
            let content = match kind.content() {
                Some(content) => content,
                None => kind.keep_content(content_of(shelf, kind)?),
            };
            all.extend_from_slice(&content);
        }
        Some(Text::from(hash_of(&all)))
    }

    /// Returns a document as it is sent.
    pub(super) fn document(&self, shelf: &Shelf<'_>, name: &Name, form: Print) -> Bytes {
        let hash = self.hash(shelf, name);
        let key = (name.clone(), form);
        if let Some((of, bytes)) = self.held.lock().documents.get(&key)
            && *of == hash
        {
            return bytes.clone();
        }
        let kinds = shelf.kinds(name);
        let bytes = Bytes::from(match (name, form) {
            (Name::Version(group_version), Print::Json) if is_custom(&kinds) => {
                let mut gathered = Gathered::default();
                for kind in kinds {
                    gathered.add(self.make_of(shelf, group_version, &[kind]));
                }
                gathered.write(&shelf.meta(), &self.texts())
            }
            (_, Print::Json) => print(&self.make(shelf, name)),
            (_, Print::Protobuf) => proto::write_v3(&self.make(shelf, name)),
        });
        let entry = (hash, bytes.clone());
        self.held.lock().documents.insert(key, entry);
        bytes
    }

    /// Returns the hash of the v2 document. It is made of all the others, so it changes when one of
    /// them does.
    pub(super) fn swagger_hash(&self, shelf: &Shelf<'_>) -> Text {
        let mut text = String::from("v2");
        for name in self.names(shelf) {
            text.push('\n');
            text.push_str(&name.path());
            text.push(' ');
            text.push_str(&self.hash(shelf, &name));
        }
        Text::from(hash_of(text.as_bytes()))
    }

    /// Returns the v2 document as it is sent.
    pub(super) fn swagger(&self, shelf: &Shelf<'_>, form: Print) -> Bytes {
        let hash = self.swagger_hash(shelf);
        if let Some((of, bytes)) = self.held.lock().swagger.get(&form)
            && *of == hash
        {
            return bytes.clone();
        }
        let mut swagger = Swagger::default();
        for name in self.names(shelf) {
            let kinds = shelf.kinds(&name);
            match &name {
                Name::Version(group_version) if is_custom(&kinds) => {
                    for kind in kinds {
                        swagger.add_written(self.make_of(shelf, group_version, &[kind]));
                    }
                }
                _ => swagger.add(self.make(shelf, &name)),
            }
        }
        let bytes = Bytes::from(match form {
            Print::Json => swagger.write(&self.release),
            Print::Protobuf => proto::write_v2(&swagger.finish(&self.release)),
        });
        let entry = (hash, bytes.clone());
        self.held.lock().swagger.insert(form, entry);
        bytes
    }

    fn make(&self, shelf: &Shelf<'_>, name: &Name) -> Value {
        match name {
            Name::Version(group_version) => self.make_of(shelf, group_version, &shelf.kinds(name)),
            Name::Page(page) => page.document(&shelf.meta(), &self.texts(), &self.release),
        }
    }

    /// Makes the document of some kinds of a group and version.
    fn make_of(
        &self,
        shelf: &Shelf<'_>,
        group_version: &GroupVersion,
        kinds: &[&Arc<Served>],
    ) -> Value {
        let texts = self.texts();
        let meta = shelf.meta();
        let schemas: Vec<Option<Value>> = kinds
            .iter()
            .map(|served| schema_of(shelf, served, &group_version.version))
            .collect();
        let resources: Vec<openapi::Resource<'_>> = kinds
            .iter()
            .zip(&schemas)
            .map(|(served, schema)| openapi::Resource {
                kind: &served.kind,
                schema: schema.as_ref(),
            })
            .collect();
        openapi::document(group_version, &resources, &meta, &texts, &self.release)
    }

    /// Returns the descriptions, unpacked while they are in use.
    fn texts(&self) -> Arc<Texts> {
        if let Some(texts) = &self.held.lock().texts {
            return Arc::clone(texts);
        }
        let mut text = String::new();
        // What cannot be unpacked describes nothing; a test of the crate that packs it sees to it.
        let _ = DeflateDecoder::new(self.texts).read_to_string(&mut text);
        let texts = Arc::new(Texts::read(text));
        self.held.lock().texts = Some(Arc::clone(&texts));
        texts
    }

    /// Notes a use; returns whether nobody watches yet for the time when there is none.
    pub(super) fn use_at(&self, now: Moment) -> bool {
        let mut held = self.held.lock();
        held.used = Some(now);
        !std::mem::replace(&mut held.is_watched, true)
    }

    /// Forgets everything but hashes if nothing was used for so long; returns whether it did.
    pub(super) fn forget(&self, now: Moment, idle: Duration) -> bool {
        let mut held = self.held.lock();
        if held.used.is_some_and(|used| now.since(used) < idle) {
            return false;
        }
        let hashes = std::mem::take(&mut held.hashes);
        *held = Held {
            hashes,
            ..Held::default()
        };
        true
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, bool) {
        let held = self.held.lock();
        let documents = held.documents.values().chain(held.swagger.values());
        let bytes = documents.map(|(_, bytes)| bytes.len()).sum();
        (bytes, held.texts.is_some())
    }
}

fn print(document: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    json::write(document, &mut out);
    out
}

/// Returns whether there are custom resources and nothing else.
fn is_custom(kinds: &[&Arc<Served>]) -> bool {
    !kinds.is_empty() && kinds.iter().all(|kind| kind.origin != Origin::BuiltIn)
}

/// Returns the bytes of the definition of a custom resource.
fn definition_of(shelf: &Shelf<'_>, served: &Served) -> Option<Bytes> {
    let Origin::Custom(name) = &served.origin else {
        return None;
    };
    let definitions = shelf.table.find_any(
        shelf.cluster,
        "apiextensions.k8s.io",
        "customresourcedefinitions",
    )?;
    let view = definitions.served.collection.peek()?;
    view.objects.get(name).map(|object| object.bytes.clone())
}

/// Returns a hash of what a definition says of its kind.
fn content_of(shelf: &Shelf<'_>, served: &Served) -> Option<[u8; 32]> {
    let bytes = definition_of(shelf, served)?;
    let mut hash = digest::Context::new(&digest::SHA256);
    let parts: [&[&str]; 2] = [&["spec"], &["status", "acceptedNames"]];
    for path in parts {
        let part = scan::find_field(&bytes, path).map_or(&b""[..], |range| &bytes[range]);
        hash.update(&part.len().to_le_bytes());
        hash.update(part);
    }
    let mut content = [0; 32];
    content.copy_from_slice(hash.finish().as_ref());
    Some(content)
}

/// Returns the schema of a custom resource as its definition has it.
fn schema_of(shelf: &Shelf<'_>, served: &Served, version: &str) -> Option<Value> {
    let definition = json::read(&definition_of(shelf, served)?).ok()?.value;
    let versions = definition.at(&["spec", "versions"])?.as_array()?;
    let found = versions
        .iter()
        .find(|one| one.str_at(&["name"]) == Some(version))?;
    found.at(&["schema", "openAPIV3Schema"]).cloned()
}

#[cfg(test)]
mod tests;
