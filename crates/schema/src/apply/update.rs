//! Who owns what after a write: the rules of ownership over sets.
//!
//! Source of the facts: structured-merge-diff v6, merge (order of steps).

use std::collections::BTreeMap;

use api::{Text, Value};

use super::{
    Conflict, Difference, Refusal,
    compare::compare,
    fields::{fields, with_named},
    managers::{Identity, Owned, Owners},
    merge::{merge, remove},
    reconcile::reconcile,
    set::Set,
};
use crate::Shape;

/// The versions of a kind, as ownership needs them: fields are owned in the version in which they
/// were written.
pub trait Versions {
    /// Returns the shape of a version; nothing if there is no such version any more.
    fn shape(&self, version: &str) -> Option<&Shape>;

    /// Returns the object in a version that has a shape.
    ///
    /// # Errors
    /// Why it cannot be converted.
    fn convert(&self, object: &Value, version: &str) -> Result<Value, String>;

    /// Returns the fields that nobody owns in a version, because writes through this door do not
    /// reach them.
    fn resets(&self, version: &str) -> Option<&Set>;

    /// Returns an object of a version of which nothing is said yet.
    fn blank(&self, version: &str) -> Value;
}

/// Why a write cannot be tracked, or an apply cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnershipError {
    /// Other managers own what the apply would change; force it, or leave those fields out.
    #[error("the apply is in conflict with other managers")]
    Conflicts(Vec<Conflict>),
    /// An object does not fit its shape.
    #[error("{0}: {1}")]
    Unfit(&'static str, Refusal),
    /// A version cannot be converted.
    #[error("{0}: {1}")]
    Unconverted(&'static str, String),
}

/// One object with the version in which it stands.
struct Versioned<'a> {
    versions: &'a dyn Versions,
    version: Text,
    object: Value,
}

impl<'a> Versioned<'a> {
    fn shape(&self) -> Option<&'a Shape> {
        self.versions.shape(&self.version)
    }

    /// Returns the object in another version; nothing if there is no such version.
    fn at(&self, version: &str, doing: &'static str) -> Result<Option<Self>, OwnershipError> {
        if self.versions.shape(version).is_none() {
            return Ok(None);
        }
        let object = if version == self.version {
            self.object.clone()
        } else {
            let converted = self.versions.convert(&self.object, version);
            converted.map_err(|why| OwnershipError::Unconverted(doing, why))?
        };
        Ok(Some(Self {
            versions: self.versions,
            version: version.into(),
            object,
        }))
    }

    fn fields(&self, doing: &'static str) -> Result<Set, OwnershipError> {
        match self.shape() {
            Some(shape) => {
                fields(shape, &self.object).map_err(|why| OwnershipError::Unfit(doing, why))
            }
            None => Ok(Set::new()),
        }
    }

    fn named(&self, set: &Set) -> Set {
        self.shape()
            .map_or_else(|| set.clone(), |shape| with_named(shape, set))
    }

    fn without(&self, set: &Set) -> Self {
        let object = match self.shape() {
            Some(shape) => remove(shape, &self.object, set),
            None => self.object.clone(),
        };
        Self {
            versions: self.versions,
            version: self.version.clone(),
            object,
        }
    }
}

/// What a write is about.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// The kind's versions.
    pub versions: &'a dyn Versions,
    /// Version in which the objects stand.
    pub version: &'a str,
}

impl<'a> Task<'a> {
    fn versioned(&self, object: &Value) -> Versioned<'a> {
        Versioned {
            versions: self.versions,
            version: self.version.into(),
            object: object.clone(),
        }
    }

    /// Compares two objects of one version, without what this door resets.
    ///
    /// # Errors
    /// [`OwnershipError`]
    pub fn compare(
        &self,
        version: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Difference, OwnershipError> {
        let Some(shape) = self.versions.shape(version) else {
            return Ok(Difference::default());
        };
        let found = compare(shape, old, new)
            .map_err(|why| OwnershipError::Unfit("failed to compare objects", why))?;
        Ok(match self.versions.resets(version) {
            Some(resets) => found.without(resets),
            None => found,
        })
    }

    /// Takes from the owners what the writer `me` changed or removed, and gives nothing to it yet.
    ///
    /// `change` is what the write changes in the task's own version. `me` (an apply that has named
    /// its fields already) is left alone.
    fn take(
        &self,
        (old, new): (&Value, &Value),
        change: &Difference,
        owners: &mut Owners,
        me: Option<&Identity>,
        force: Force,
    ) -> Result<(), OwnershipError> {
        if change.is_empty() {
            return Ok(());
        }
        let mut changes: BTreeMap<Text, Option<Difference>> = BTreeMap::new();
        let mut conflicts: Vec<(Identity, Set)> = Vec::new();
        let mut gone = Vec::new();
        for (identity, owned) in owners.iter() {
            if Some(identity) == me {
                continue;
            }
            let change = if owned.version == self.version {
                Some(change)
            } else {
                let known = match changes.entry(owned.version.clone()) {
                    std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
                    std::collections::btree_map::Entry::Vacant(place) => {
                        place.insert(self.change_at(&owned.version, old, new)?)
                    }
                };
                known.as_ref()
            };
            let Some(change) = change else {
                gone.push(identity.clone());
                continue;
            };
            let taken = owned
                .set
                .intersection(&change.modified.union(&change.added));
            if !taken.is_empty() {
                conflicts.push((identity.clone(), taken));
            }
        }
        if force == Force::No && !conflicts.is_empty() {
            return Err(OwnershipError::Conflicts(Conflict::list(&conflicts)));
        }
        for identity in gone {
            owners.remove(&identity);
        }
        for (identity, taken) in &conflicts {
            if let Some(owned) = owners.get_mut(identity) {
                owned.set = owned.set.difference(taken);
            }
        }
        for (identity, owned) in owners.iter_mut() {
            if Some(identity) == me {
                continue;
            }
            let removed = match changes.get(&owned.version) {
                Some(Some(change)) => &change.removed,
                _ => &change.removed,
            };
            if !removed.is_empty() {
                owned.set = owned.set.difference(removed);
            }
        }
        owners.retain(|owned| !owned.set.is_empty());
        Ok(())
    }

    fn change_at(
        &self,
        version: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Option<Difference>, OwnershipError> {
        let old = self
            .versioned(old)
            .at(version, "failed to convert old object")?;
        let new = self
            .versioned(new)
            .at(version, "failed to convert new object")?;
        match (old, new) {
            (Some(old), Some(new)) => self.compare(version, &old.object, &new.object).map(Some),
            _ => Ok(None),
        }
    }

    /// Brings what is owned up to date with the shapes; drops nothing for lack of a version.
    fn reconcile(&self, owners: &mut Owners) -> Result<(), OwnershipError> {
        let mut gone = Vec::new();
        for (identity, owned) in owners.iter_mut() {
            let Some(shape) = self.versions.shape(&owned.version) else {
                gone.push(identity.clone());
                continue;
            };
            let doing = "errors reconciling field set with schema";
            let set =
                reconcile(shape, &owned.set).map_err(|why| OwnershipError::Unfit(doing, why))?;
            if let Some(set) = set {
                owned.set = set;
            }
        }
        for identity in gone {
            owners.remove(&identity);
        }
        Ok(())
    }

    /// Tracks a write that replaces `old` by `new`: returns what the writer owns for it, and takes
    /// that from the others.
    ///
    /// # Errors
    /// [`OwnershipError`]; the owners are then in no defined state.
    pub fn update(
        &self,
        old: &Value,
        new: &Value,
        owners: &mut Owners,
    ) -> Result<Set, OwnershipError> {
        let change = self.compare(self.version, old, new)?;
        self.update_by(old, new, change, owners)
    }

    /// As [`Self::update`], with what has been compared already.
    ///
    /// # Errors
    /// As [`Self::update`].
    pub fn update_by(
        &self,
        old: &Value,
        new: &Value,
        change: Difference,
        owners: &mut Owners,
    ) -> Result<Set, OwnershipError> {
        if !owners.is_empty() {
            self.reconcile(owners)?;
            self.take((old, new), &change, owners, None, Force::Yes)?;
        }
        Ok(if change.modified.is_empty() {
            change.added
        } else {
            change.modified.union(&change.added)
        })
    }

    /// Applies a configuration: returns the object that comes of it.
    ///
    /// # Errors
    /// [`OwnershipError`]; the owners are then in no defined state.
    pub fn apply(
        &self,
        live: &Value,
        applied: &Value,
        owners: &mut Owners,
        me: &Identity,
        force: Force,
    ) -> Result<Value, OwnershipError> {
        self.reconcile(owners)?;
        let Some(shape) = self.versions.shape(self.version) else {
            return Err(OwnershipError::Unconverted(
                "failed to merge config",
                "no such version".into(),
            ));
        };
        let merged = merge(shape, live, applied)
            .map_err(|why| OwnershipError::Unfit("failed to merge config", why))?;
        let last = owners.get(me).cloned();
        let mut set = fields(shape, applied)
            .map_err(|why| OwnershipError::Unfit("failed to get field set", why))?;
        if let Some(resets) = self.versions.resets(self.version) {
            set.take_out(resets);
        }
        // Who names all that they named before drops nothing, and pruning would put all of it back.
        let dropping =
            last.filter(|last| last.version != self.version || !last.set.is_within(&set));
        owners.put(
            me.clone(),
            Owned {
                set,
                version: self.version.into(),
            },
        );
        let new = match dropping.filter(|last| !last.set.is_empty()) {
            Some(last) => self.prune(merged, owners, &last)?,
            None => merged,
        };
        let change = self.compare(self.version, live, &new)?;
        self.take((live, &new), &change, owners, Some(me), force)?;
        owners.retain(|owned| !owned.set.is_empty());
        Ok(new)
    }

    /// Removes what the applier owned before, does not name now, and nobody else owns.
    fn prune(&self, merged: Value, owners: &Owners, last: &Owned) -> Result<Value, OwnershipError> {
        let doing = "failed to convert merged object to last applied version";
        let start = self.versioned(&merged);
        let Some(whole) = start.at(&last.version, doing)? else {
            return Ok(merged);
        };
        let pruned = whole.without(&whole.named(&last.set));
        let pruned = Self::keep_owned(&whole, pruned, owners, &last.version)?;
        let pruned = Self::keep_unowned(&whole, &pruned, last)?;
        let back = pruned.at(self.version, "failed to convert pruned object")?;
        Ok(back.map_or(merged, |back| back.object))
    }

    /// Puts back what anybody owns.
    fn keep_owned(
        whole: &Versioned<'a>,
        pruned: Versioned<'a>,
        owners: &Owners,
        first: &str,
    ) -> Result<Versioned<'a>, OwnershipError> {
        let mut by_version: BTreeMap<&str, Set> = BTreeMap::new();
        for (_, owned) in owners.iter() {
            let all = by_version.entry(owned.version.as_str()).or_default();
            *all = all.union(&owned.set);
        }
        // The pruned version goes first: another may need fields that were pruned to be converted.
        let mut versions: Vec<(&str, Set)> = by_version.remove_entry(first).into_iter().collect();
        versions.extend(by_version);
        let mut whole = whole.at(first, "failed to convert merged object")?;
        let mut pruned = pruned;
        for (version, owned) in versions {
            let Some(known) = &whole else { break };
            let there = known.at(version, "failed to convert merged object")?;
            let (Some(there), Some(cut)) = (
                there,
                pruned.at(version, "failed to convert pruned object")?,
            ) else {
                continue;
            };
            let all = there.named(&there.fields("failed to create field set from merged object")?);
            let left = cut.named(&cut.fields("failed to create field set from pruned object")?);
            let kept = left.union(&there.named(&owned));
            pruned = there.without(&all.difference(&kept));
            whole = Some(there);
        }
        Ok(pruned)
    }

    /// Puts back what the applier did not own before either.
    fn keep_unowned(
        whole: &Versioned<'a>,
        pruned: &Versioned<'a>,
        last: &Owned,
    ) -> Result<Versioned<'a>, OwnershipError> {
        let doing = "failed to convert pruned object to last applied version";
        let Some(cut) = pruned.at(&last.version, doing)? else {
            return whole
                .at(&last.version, doing)
                .map(|whole| whole.expect("it is the version of the merged object"));
        };
        let left = cut.named(&cut.fields("failed to create field set from pruned object")?);
        let all = whole.named(&whole.fields("failed to create field set from merged object")?);
        let gone = all.difference(&left).intersection(&whole.named(&last.set));
        Ok(whole.without(&gone))
    }
}

/// Whether an apply takes fields over that others own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// It is refused then.
    No,
    /// It does.
    Yes,
}
