//! The owners of an object seen through its scale: only the wanted number of replicas is there, under
//! another path.
//!
//! Source of the facts: k8s.io/apimachinery v0.37.1, util/managedfields (scale).

use super::{
    element::Element,
    managers::{Identity, Operation, Owned, Owners},
    set::Set,
};

/// Where the wanted number lies in each version of a kind; nothing for versions without scale, or
/// that there are not.
pub trait ReplicasPaths {
    /// Returns the path, if the version has one.
    fn path(&self, version: &str) -> Option<Vec<Element>>;
}

fn in_scale() -> Vec<Element> {
    ["spec", "replicas"]
        .map(|name| Element::Field(name.into()))
        .to_vec()
}

fn only(path: &[Element]) -> Set {
    let mut set = Set::new();
    set.insert(path);
    set
}

/// Returns who owns the number, as owners of a scale of this version.
#[must_use]
pub fn to_scale(parent: &Owners, paths: &dyn ReplicasPaths, version: &str) -> Owners {
    let mut scale = Owners::default();
    for (identity, owned) in parent.iter() {
        let Some(path) = paths.path(&owned.version) else {
            continue;
        };
        if owned.set.has(&path) {
            let Identity {
                manager,
                operation,
                subresource,
                ..
            } = identity;
            let seen = Identity::new(manager, *operation, version, subresource);
            scale.put(
                seen.clone(),
                Owned {
                    set: only(&in_scale()),
                    version: version.into(),
                },
            );
            scale.stamp(&seen, parent.time(identity).map(Into::into));
        }
    }
    scale
}

/// Returns the owners of the object after its scale was written: who owns the number now, and
/// everything else as it was. `version` is that of the object through whose scale it was written.
#[must_use]
pub fn to_parent(
    mut parent: Owners,
    scale: &Owners,
    paths: &dyn ReplicasPaths,
    version: &str,
) -> Owners {
    let holders: Vec<&Identity> = scale
        .iter()
        .filter(|(_, owned)| owned.set.has(&in_scale()))
        .map(|(identity, _)| identity)
        .collect();
    let is_one = |a: &Identity, b: &Identity| {
        (&a.manager, a.operation, &a.subresource) == (&b.manager, b.operation, &b.subresource)
    };
    let mut known: Vec<&Identity> = Vec::new();
    let mut stolen: Vec<(Identity, Set)> = Vec::new();
    for (identity, owned) in parent.iter() {
        let Some(path) = paths
            .path(&owned.version)
            .filter(|path| owned.set.has(path))
        else {
            continue;
        };
        match holders.iter().find(|holder| is_one(holder, identity)) {
            Some(holder) => known.push(holder),
            None => stolen.push((identity.clone(), only(&path))),
        }
    }
    let new: Vec<Identity> = holders
        .iter()
        .filter(|holder| !known.iter().any(|known| known == *holder))
        .map(|holder| {
            Identity::new(
                &holder.manager,
                holder.operation,
                version,
                &holder.subresource,
            )
        })
        .collect();
    for (identity, path) in stolen {
        if let Some(owned) = parent.get_mut(&identity) {
            owned.set = owned.set.difference(&path);
        }
    }
    parent.retain(|owned| !owned.set.is_empty());
    if let Some(path) = paths.path(version) {
        for identity in new {
            // Upstream gives these entries no time.
            let set = match parent.get(&identity) {
                Some(owned) => owned.set.union(&only(&path)),
                None => only(&path),
            };
            debug_assert!(identity.operation == Operation::Apply || !identity.version.is_empty());
            parent.put(
                identity,
                Owned {
                    set,
                    version: version.into(),
                },
            );
        }
    }
    parent
}
