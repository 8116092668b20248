//! The table of what is served: every kind, in every version, in every cluster.
//!
//! The table is immutable and swapped whole, so a request reads it without waiting and sees one
//! state of it. It is built of persistent maps: changing one kind among ten thousand copies a few
//! nodes. Built-in kinds and kinds compiled from CustomResourceDefinitions lie here as the same
//! value.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use api::{GroupVersion, Gvk, Gvr, Text, names::qualified};
use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use schema::{Kind, KindVersion};
use tokio::sync::watch;

use crate::{collection::Collection, sharing::Sharing};

/// A logical cluster: everything that is kept is kept under one. There is one today.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(u32);

impl ClusterId {
    /// The one cluster there is.
    pub const ONLY: Self = Self(0);
}

/// Where a kind comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was handed to the server when it started.
    BuiltIn,
    /// It was compiled from the CustomResourceDefinition of this name.
    Custom(Text),
}

/// A kind that is served, with its one live collection.
///
/// A changed kind is a new value: whoever holds the old one (an open watch) is told that it ended.
pub struct Served {
    /// In which cluster.
    pub cluster: ClusterId,
    /// The kind.
    pub kind: Kind,
    /// Where it comes from.
    pub origin: Origin,
    /// Its objects.
    pub collection: Collection,
    /// Creates are refused because its definition is being deleted.
    terminating: AtomicBool,
    /// The scarce values its objects take, if they do.
    sharing: OnceLock<Arc<Sharing>>,
    /// A hash of what its definition says, once somebody wanted it.
    content: OnceLock<[u8; 32]>,
    /// What discovery says of each version, once somebody wanted it.
    shown: Box<[OnceLock<Shown>]>,
}

/// What discovery says of one version of a kind.
pub(crate) struct Shown {
    /// As it is sent.
    pub(crate) json: Box<[u8]>,
    /// Its hash.
    pub(crate) hash: [u8; 32],
}

/// One version of a served kind: what a path names.
#[derive(Clone)]
pub struct Resource {
    /// The kind.
    pub served: Arc<Served>,
    /// Place in the kind's versions.
    pub place: usize,
}

/// One state of what is served. Cheap to clone.
#[derive(Clone, Default)]
pub struct Table {
    /// Counts changes; the same number means the same table.
    pub revision: u64,
    clusters: imbl::HashMap<ClusterId, Groups>,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({})", self.revision)
    }
}

/// API groups of one cluster by name.
pub type Groups = imbl::OrdMap<Text, Arc<Group>>;

/// One API group.
#[derive(Clone, Default)]
pub struct Group {
    /// Its versions, preferred first.
    pub versions: Vec<Version>,
}

/// One version of an API group.
#[derive(Clone)]
pub struct Version {
    /// Group and version.
    pub group_version: GroupVersion,
    /// Resources by plural name.
    pub resources: imbl::OrdMap<Text, Resource>,
}

/// Holds the table, swaps it, and tells who asks that it changed.
pub struct Registry {
    table: ArcSwap<Table>,
    /// Held while a new table is made; readers never take it.
    change: Mutex<()>,
    revision: watch::Sender<u64>,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// Returns a registry that serves nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            table: ArcSwap::from_pointee(Table::default()),
            change: Mutex::new(()),
            revision: watch::Sender::new(0),
        }
    }

    /// Returns the table as it is now.
    #[must_use]
    pub fn table(&self) -> Guard<Arc<Table>> {
        self.table.load()
    }

    /// Returns what is served under this group, version and resource.
    #[must_use]
    pub fn find(
        &self,
        cluster: ClusterId,
        group: &str,
        version: &str,
        resource: &str,
    ) -> Option<Resource> {
        self.table().find(cluster, group, version, resource)
    }

    /// Serves `served`, instead of `old` if there is one.
    pub fn put(&self, served: &Arc<Served>, old: Option<&Arc<Served>>) {
        self.change(|table| {
            if let Some(old) = old {
                table.remove(old);
            }
            table.insert(served);
        });
        if let Some(old) = old {
            old.collection.end();
        }
    }

    /// Stops serving `served`; its watches end.
    pub fn remove(&self, served: &Arc<Served>) {
        self.change(|table| table.remove(served));
        served.collection.end();
    }

    /// Serves all of these at once, as at start.
    pub fn put_all(&self, all: &[Arc<Served>]) {
        self.change(|table| {
            for served in all {
                table.insert(served);
            }
        });
    }

    /// Returns a receiver that learns of each change of the table.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    fn change(&self, edit: impl FnOnce(&mut Table)) {
        let _held = self.change.lock();
        let mut table = Table::clone(&self.table.load());
        edit(&mut table);
        table.revision += 1;
        let revision = table.revision;
        self.table.store(Arc::new(table));
        self.revision.send_replace(revision);
    }
}

impl Table {
    /// Returns what is served under this group, version and resource.
    #[must_use]
    pub fn find(
        &self,
        cluster: ClusterId,
        group: &str,
        version: &str,
        resource: &str,
    ) -> Option<Resource> {
        let group = self.clusters.get(&cluster)?.get(group)?;
        let version = group
            .versions
            .iter()
            .find(|known| known.group_version.version == version)?;
        version.resources.get(resource).cloned()
    }

    /// Returns the preferred version of a resource that is served in any version of the group.
    #[must_use]
    pub fn find_any(&self, cluster: ClusterId, group: &str, resource: &str) -> Option<Resource> {
        let group = self.clusters.get(&cluster)?.get(group)?;
        let mut versions = group.versions.iter();
        versions.find_map(|version| version.resources.get(resource).cloned())
    }

    /// Returns the groups of a cluster, by name.
    #[must_use]
    pub fn groups(&self, cluster: ClusterId) -> Groups {
        self.clusters.get(&cluster).cloned().unwrap_or_default()
    }

    /// Returns the group with this name.
    #[must_use]
    pub fn group(&self, cluster: ClusterId, name: &str) -> Option<&Arc<Group>> {
        self.clusters.get(&cluster)?.get(name)
    }

    /// Returns every kind of a cluster once.
    pub fn served(&self, cluster: ClusterId) -> impl Iterator<Item = Arc<Served>> {
        let groups = self.groups(cluster);
        let mut all: Vec<Arc<Served>> = Vec::new();
        for group in groups.values() {
            for version in &group.versions {
                for resource in version.resources.values() {
                    let first = resource.served.kind.versions.iter().position(|v| v.served);
                    if first == Some(resource.place) {
                        all.push(Arc::clone(&resource.served));
                    }
                }
            }
        }
        all.into_iter()
    }

    fn insert(&mut self, served: &Arc<Served>) {
        let groups = self.clusters.entry(served.cluster).or_default();
        for (place, version) in served.kind.versions.iter().enumerate() {
            if !version.served {
                continue;
            }
            let name = &version.group_version.group;
            let group = Arc::make_mut(groups.entry(name.clone()).or_default());
            let resource = Resource {
                served: Arc::clone(served),
                place,
            };
            group
                .version_mut(&version.group_version)
                .resources
                .insert(served.kind.names.plural.clone(), resource);
        }
    }

    fn remove(&mut self, served: &Arc<Served>) {
        let Some(groups) = self.clusters.get_mut(&served.cluster) else {
            return;
        };
        for version in &served.kind.versions {
            let name = &version.group_version.group;
            let Some(group) = groups.get_mut(name) else {
                continue;
            };
            let group = Arc::make_mut(group);
            for known in &mut group.versions {
                let plural = &served.kind.names.plural;
                let ours = known
                    .resources
                    .get(plural)
                    .is_some_and(|resource| Arc::ptr_eq(&resource.served, served));
                if ours {
                    known.resources.remove(plural);
                }
            }
            group.versions.retain(|known| !known.resources.is_empty());
            if group.versions.is_empty() {
                groups.remove(name);
            }
        }
    }
}

impl Group {
    fn version_mut(&mut self, group_version: &GroupVersion) -> &mut Version {
        let found = self
            .versions
            .iter()
            .position(|known| known.group_version == *group_version);
        let place = found.unwrap_or_else(|| {
            let rank = rank(&group_version.version);
            let place = self
                .versions
                .iter()
                .position(|known| self::rank(&known.group_version.version) < rank)
                .unwrap_or(self.versions.len());
            let version = Version {
                group_version: group_version.clone(),
                resources: imbl::OrdMap::new(),
            };
            self.versions.insert(place, version);
            place
        });
        &mut self.versions[place]
    }
}

/// How much a version is preferred: GA over beta over alpha, larger numbers over smaller ones, and
/// names that are no such version last, in the order of the alphabet.
#[must_use]
pub fn rank(version: &str) -> (u8, u64, u64, std::cmp::Reverse<Text>) {
    let last = (0, 0, 0, std::cmp::Reverse(Text::new(version)));
    let Some(rest) = version.strip_prefix('v') else {
        return last;
    };
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (major, rest) = rest.split_at(end);
    let Ok(major) = major.parse::<u64>() else {
        return last;
    };
    let (stage, minor) = match rest {
        "" => return (3, major, 0, std::cmp::Reverse(Text::default())),
        _ => match (rest.strip_prefix("beta"), rest.strip_prefix("alpha")) {
            (Some(minor), _) => (2, minor),
            (_, Some(minor)) => (1, minor),
            _ => return last,
        },
    };
    match minor.parse::<u64>() {
        Ok(minor) => (stage, major, minor, std::cmp::Reverse(Text::default())),
        Err(_) => last,
    }
}

impl Served {
    /// Returns a kind with its collection, which is read when it is first used.
    #[must_use]
    pub fn new(cluster: ClusterId, kind: Kind, origin: Origin, collection: Collection) -> Self {
        let shown = kind.versions.iter().map(|_| OnceLock::new());
        Self {
            shown: shown.collect(),
            cluster,
            kind,
            origin,
            collection,
            terminating: AtomicBool::new(false),
            sharing: OnceLock::new(),
            content: OnceLock::new(),
        }
    }

    /// Returns who holds what of the scarce values that objects of this kind take.
    pub(crate) fn sharing(&self) -> Option<&Arc<Sharing>> {
        self.sharing.get()
    }

    /// Lets objects of this kind take scarce values. Only the first word counts.
    pub(crate) fn share(&self, sharing: Sharing) {
        // Rules given twice for one kind would be a mistake of the program.
        let _ = self.sharing.set(Arc::new(sharing));
    }

    /// Returns what discovery says of the version at a place, which is written once.
    pub(crate) fn shown(&self, place: usize, write: impl FnOnce() -> Shown) -> &Shown {
        self.shown[place].get_or_init(write)
    }

    /// Returns whether discovery was asked for the version at a place.
    #[cfg(test)]
    pub(crate) fn was_shown(&self, place: usize) -> bool {
        self.shown[place].get().is_some()
    }

    /// Returns the hash of what its definition says, if it was made.
    pub(crate) fn content(&self) -> Option<[u8; 32]> {
        self.content.get().copied()
    }

    /// Keeps the hash of what its definition says. Only the first word counts.
    pub(crate) fn keep_content(&self, content: [u8; 32]) -> [u8; 32] {
        *self.content.get_or_init(|| content)
    }

    /// Returns whether creates are refused because the definition is being deleted.
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        self.terminating.load(Ordering::Acquire)
    }

    /// Refuses creates from now on.
    pub fn terminate(&self) {
        self.terminating.store(true, Ordering::Release);
    }
}

impl Resource {
    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.served.kind
    }

    /// Returns the version.
    #[must_use]
    pub fn version(&self) -> &KindVersion {
        &self.served.kind.versions[self.place]
    }

    /// Returns whether this version is the stored one.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.place == self.served.kind.storage
    }

    /// Returns group, version and kind as they are shown.
    #[must_use]
    pub fn gvk(&self) -> Gvk {
        Gvk {
            group_version: self.version().group_version.clone(),
            kind: self.kind().names.kind.clone(),
        }
    }

    /// Returns group, version and resource.
    #[must_use]
    pub fn gvr(&self) -> Gvr {
        Gvr {
            group_version: self.version().group_version.clone(),
            resource: self.kind().names.plural.clone(),
        }
    }

    /// Returns the group of the version asked for.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.version().group_version.group
    }

    /// Returns the plural name.
    #[must_use]
    pub fn plural(&self) -> &str {
        &self.kind().names.plural
    }

    /// Returns `deployments.apps`, as messages name a resource.
    #[must_use]
    pub fn qualified(&self) -> Text {
        qualified(self.group(), self.plural())
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.version().group_version, self.plural())
    }
}

#[cfg(test)]
mod tests {
    use super::rank;

    #[test]
    fn prefers_versions_as_upstream_does() {
        let mut versions = [
            "foo10",
            "v1",
            "v11alpha2",
            "v10",
            "v3beta1",
            "v11beta2",
            "v12alpha1",
            "foo1",
            "v2",
            "v10beta3",
        ];
        versions.sort_by_key(|version| std::cmp::Reverse(rank(version)));
        assert_eq!(
            versions,
            [
                "v10",
                "v2",
                "v1",
                "v11beta2",
                "v10beta3",
                "v3beta1",
                "v12alpha1",
                "v11alpha2",
                "foo1",
                "foo10"
            ]
        );
    }
}
