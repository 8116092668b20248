//! What this room may know of the cluster: a few resources, handed in.
//!
//! `server` implements [`World`] over its live collections. Whatever is decided per request is
//! decided from *compiled* indexes ([`Compiled`]), which are made anew when a revision has changed:
//! nothing is decoded while a request waits.

use std::sync::Arc;

use api::{Meta, Value, json};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock};

/// A resource that configures this room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Plural.
    pub plural: &'static str,
}

impl Resource {
    const fn new(group: &'static str, plural: &'static str) -> Self {
        Self { group, plural }
    }

    /// `namespaces`
    pub const NAMESPACES: Self = Self::new("", "namespaces");
    /// `nodes`
    pub const NODES: Self = Self::new("", "nodes");
    /// `pods`
    pub const PODS: Self = Self::new("", "pods");
    /// `secrets`
    pub const SECRETS: Self = Self::new("", "secrets");
    /// `serviceaccounts`
    pub const SERVICE_ACCOUNTS: Self = Self::new("", "serviceaccounts");
    /// `roles`
    pub const ROLES: Self = Self::new("rbac.authorization.k8s.io", "roles");
    /// `rolebindings`
    pub const ROLE_BINDINGS: Self = Self::new("rbac.authorization.k8s.io", "rolebindings");
    /// `clusterroles`
    pub const CLUSTER_ROLES: Self = Self::new("rbac.authorization.k8s.io", "clusterroles");
    /// `clusterrolebindings`
    pub const CLUSTER_ROLE_BINDINGS: Self =
        Self::new("rbac.authorization.k8s.io", "clusterrolebindings");
    /// `priorityclasses`
    pub const PRIORITY_CLASSES: Self = Self::new("scheduling.k8s.io", "priorityclasses");
    /// `storageclasses`
    pub const STORAGE_CLASSES: Self = Self::new("storage.k8s.io", "storageclasses");
    /// `ingressclasses`
    pub const INGRESS_CLASSES: Self = Self::new("networking.k8s.io", "ingressclasses");
    /// `runtimeclasses`
    pub const RUNTIME_CLASSES: Self = Self::new("node.k8s.io", "runtimeclasses");
    /// `limitranges`
    pub const LIMIT_RANGES: Self = Self::new("", "limitranges");

    /// Every resource that this room reads; who implements [`World`] keeps these live.
    pub const ALL: [Self; 14] = [
        Self::NAMESPACES,
        Self::NODES,
        Self::PODS,
        Self::SECRETS,
        Self::SERVICE_ACCOUNTS,
        Self::ROLES,
        Self::ROLE_BINDINGS,
        Self::CLUSTER_ROLES,
        Self::CLUSTER_ROLE_BINDINGS,
        Self::PRIORITY_CLASSES,
        Self::STORAGE_CLASSES,
        Self::INGRESS_CLASSES,
        Self::RUNTIME_CLASSES,
        Self::LIMIT_RANGES,
    ];
}

/// The cluster, as far as this room may know it. Objects are canonical JSON of the stored version.
///
/// Reading never waits: what is not there yet reads as missing.
pub trait World: Send + Sync {
    /// Returns a number that changes whenever an object of this resource does.
    fn revision(&self, resource: Resource) -> u64;

    /// Returns all objects of a resource. The bytes of an unchanged object are the same allocation
    /// every time, so that they can be recognised.
    fn list(&self, resource: Resource) -> Vec<Bytes>;

    /// Returns one object; the namespace is empty for what lies in none.
    fn get(&self, resource: Resource, namespace: &str, name: &str) -> Option<Bytes>;
}

/// What one resource's objects were compiled to; made anew when they change, object by object.
///
/// `T` is made of one object, `I` of all of them.
pub struct Compiled<T, I> {
    resource: Resource,
    compile: fn(&Value) -> Option<T>,
    join: fn(Vec<Arc<T>>) -> I,
    now: ArcSwapOption<(u64, Arc<I>)>,
    parts: Mutex<HashMap<Place, Part<T>>>,
}

/// The bytes of one object, and what it was compiled to.
type Part<T> = (Bytes, Option<Arc<T>>);

/// Where bytes lie. The bytes are held as long as the place is known, so it cannot be reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place(usize, usize);

impl Place {
    fn of(bytes: &Bytes) -> Self {
        Self(bytes.as_ptr() as usize, bytes.len())
    }
}

impl<T, I> Compiled<T, I> {
    /// Returns an index of a resource: `compile` makes one part (none leaves the object out), `join`
    /// the whole.
    #[must_use]
    pub fn new(
        resource: Resource,
        compile: fn(&Value) -> Option<T>,
        join: fn(Vec<Arc<T>>) -> I,
    ) -> Self {
        Self {
            resource,
            compile,
            join,
            now: ArcSwapOption::empty(),
            parts: Mutex::new(HashMap::new()),
        }
    }

    /// Returns the index of the objects as they are now, and its revision.
    pub fn get(&self, world: &dyn World) -> (u64, Arc<I>) {
        let revision = world.revision(self.resource);
        if let Some(now) = &*self.now.load()
            && now.0 == revision
        {
            return (revision, Arc::clone(&now.1));
        }
        self.renew(world)
    }

    fn renew(&self, world: &dyn World) -> (u64, Arc<I>) {
        let mut parts = self.parts.lock();
        // Someone else may have done it meanwhile. The revision is taken before the objects: if they
        // change in between, the next reader does this again.
        let revision = world.revision(self.resource);
        if let Some(now) = &*self.now.load()
            && now.0 == revision
        {
            return (revision, Arc::clone(&now.1));
        }
        let objects = world.list(self.resource);
        let mut fresh = HashMap::with_capacity(objects.len());
        let mut all = Vec::with_capacity(objects.len());
        for bytes in objects {
            let place = Place::of(&bytes);
            let known = parts.remove(&place);
            let (bytes, part) = known.unwrap_or_else(|| {
                let parsed = json::read(&bytes).ok();
                let part = parsed.and_then(|parsed| (self.compile)(&parsed.value));
                (bytes, part.map(Arc::new))
            });
            all.extend(part.clone());
            fresh.insert(place, (bytes, part));
        }
        *parts = fresh;
        let index = Arc::new((self.join)(all));
        self.now
            .store(Some(Arc::new((revision, Arc::clone(&index)))));
        (revision, index)
    }
}

/// A world that stands still until told otherwise; for tests and for what needs no cluster.
#[derive(Default)]
pub struct Still(RwLock<Inner>);

#[derive(Default)]
struct Inner {
    revision: u64,
    objects: Vec<(Resource, String, String, Bytes)>,
}

impl Still {
    /// Returns an empty world.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts an object in, in place of one with its namespace and name.
    pub fn put(&self, resource: Resource, object: &Value) {
        let meta = Meta::of(object);
        let (namespace, name) = (meta.namespace().to_owned(), meta.name().to_owned());
        self.remove(resource, &namespace, &name);
        let mut bytes = Vec::new();
        json::write(object, &mut bytes);
        let mut inner = self.0.write();
        inner
            .objects
            .push((resource, namespace, name, Bytes::from(bytes)));
    }

    /// Takes an object out.
    pub fn remove(&self, resource: Resource, namespace: &str, name: &str) {
        let mut inner = self.0.write();
        inner.revision += 1;
        inner
            .objects
            .retain(|one| (one.0, one.1.as_str(), one.2.as_str()) != (resource, namespace, name));
    }
}

impl World for Still {
    fn revision(&self, _resource: Resource) -> u64 {
        self.0.read().revision
    }

    fn list(&self, resource: Resource) -> Vec<Bytes> {
        let inner = self.0.read();
        let found = inner.objects.iter().filter(|one| one.0 == resource);
        found.map(|one| one.3.clone()).collect()
    }

    fn get(&self, resource: Resource, namespace: &str, name: &str) -> Option<Bytes> {
        let inner = self.0.read();
        let wanted = (resource, namespace, name);
        let mut found = inner.objects.iter();
        found
            .find(|one| (one.0, one.1.as_str(), one.2.as_str()) == wanted)
            .map(|one| one.3.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use api::{Meta, Value, value};

    use super::{Compiled, Resource, Still};

    static COMPILED: AtomicUsize = AtomicUsize::new(0);

    fn compile(object: &Value) -> Option<String> {
        COMPILED.fetch_add(1, Ordering::Relaxed);
        let name = Meta::of(object).name();
        (name != "left-out").then(|| name.to_owned())
    }

    fn join(parts: Vec<Arc<String>>) -> Vec<String> {
        parts.iter().map(|part| part.to_string()).collect()
    }

    #[test]
    fn compiles_only_what_has_changed() {
        let world = Still::new();
        let index = Compiled::new(Resource::NODES, compile, join);
        let put = |name: &str| {
            world.put(Resource::NODES, &value!({"metadata": {"name": (name)}}));
        };
        assert!(index.get(&world).1.is_empty());
        put("a");
        put("left-out");
        assert_eq!(*index.get(&world).1, ["a"]);
        assert_eq!(COMPILED.load(Ordering::Relaxed), 2);
        put("b");
        assert_eq!(*index.get(&world).1, ["a", "b"]);
        assert_eq!(*index.get(&world).1, ["a", "b"]);
        assert_eq!(COMPILED.load(Ordering::Relaxed), 3);
        world.remove(Resource::NODES, "", "a");
        assert_eq!(*index.get(&world).1, ["b"]);
        assert_eq!(COMPILED.load(Ordering::Relaxed), 3);
    }
}
