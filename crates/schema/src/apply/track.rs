//! Keeps `metadata.managedFields` of an object that is written, and applies configurations.
//!
//! Source of the facts: k8s.io/apimachinery v0.37.1, util/managedfields (names, order of steps).

use api::{Object, Text, Value, json};

use super::{
    Difference, Set,
    check::{Duplicates, check},
    compare::compare,
    element::same,
    fields::fields,
    managers::{Identity, Operation, Owned, Owners, OwnersError, is_reset},
    update::{Force, OwnershipError, Task, Versions},
};
use crate::Shape;

/// Manager of everything that was there before the first apply.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// The manager for whom the annotation of client-side apply is minded.
const KUBECTL: &str = "kubectl";

/// The annotation of client-side apply.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// How large annotations may be together; beyond that the one above is left out.
const ANNOTATIONS_BYTES_MAX: usize = 256 << 10;

/// Fields of `metadata` that nobody owns.
const UNOWNED_META: [&str; 9] = [
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
];

/// Who writes, and how.
#[derive(Clone, Copy)]
pub struct Writer<'a> {
    /// The kind's versions.
    pub versions: &'a dyn Versions,
    /// Version in which the objects stand.
    pub version: &'a str,
    /// Name of the manager; an empty one is called `unknown`.
    pub manager: &'a str,
    /// Subresource through which it writes; empty for the object itself.
    pub subresource: &'a str,
    /// Date and time, as objects have it.
    pub now: &'a str,
}

/// Why an apply is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The live object's `managedFields` cannot be understood.
    #[error("failed to decode managed fields: {0}")]
    Owners(#[from] OwnersError),
    /// The configuration does not fit the shape.
    #[error("failed to create typed patch object ({0}): {1}")]
    Unfit(String, super::Refusal),
    /// Somebody else owns what it would change, or it cannot be merged.
    #[error(transparent)]
    Ownership(#[from] OwnershipError),
}

/// Takes `managedFields` out of an object.
fn take_entries(object: &mut Value) -> Option<Value> {
    object
        .get_mut("metadata")?
        .as_object_mut()?
        .remove("managedFields")
}

fn entries(object: &Value) -> Option<&Value> {
    object.at(&["metadata", "managedFields"])
}

fn put_entries(object: &mut Value, entries: Option<Value>) {
    if let Some(entries) = entries {
        object
            .make_object()
            .entry("metadata")
            .make_object()
            .insert("managedFields", entries);
    }
}

fn read(entries: Option<&Value>) -> Result<Owners, OwnersError> {
    Owners::read(entries.and_then(Value::as_array).unwrap_or_default())
}

impl Writer<'_> {
    fn task(&self) -> Task<'_> {
        Task {
            versions: self.versions,
            version: self.version,
        }
    }

    fn identity(&self, operation: Operation) -> Identity {
        let manager = if self.manager.is_empty() {
            "unknown"
        } else {
            self.manager
        };
        Identity::new(manager, operation, self.version, self.subresource)
    }

    /// Sets the `managedFields` of a new object, which is in normal form.
    ///
    /// What is wrong with fields that came along or with the object itself never makes a write
    /// fail: then nothing is tracked.
    pub fn track_new(&self, object: &mut Value) {
        self.track(None, object);
    }

    /// Sets the `managedFields` of an object that replaces `old`; both are in normal form.
    ///
    /// If tracking fails, the fields stay as they were.
    pub fn track_update(&self, old: &Value, object: &mut Value) {
        self.track(Some(old), object);
    }

    fn track(&self, old: Option<&Value>, object: &mut Value) {
        let given = take_entries(object);
        let known = old.and_then(entries);
        let tracked = self.tracked(old, object, known, given);
        put_entries(object, tracked.unwrap_or_else(|_| known.cloned()));
    }

    /// Returns the entries after the write.
    fn tracked(
        &self,
        old: Option<&Value>,
        object: &Value,
        known: Option<&Value>,
        given: Option<Value>,
    ) -> Result<Option<Value>, OwnershipError> {
        let mut owners = None;
        let mut known = known;
        // Through a subresource nobody says who owns what.
        if let Some(given) =
            given.filter(|given| self.subresource.is_empty() && Some(given) != known)
        {
            if is_reset(&given) {
                known = None;
            } else {
                owners = read(Some(&given)).ok().filter(|owners| !owners.is_empty());
            }
        }
        let is_blank = owners.is_none() && known.is_none();
        if is_blank && old.is_some() {
            // Nobody tracked the object so far, and only an apply begins to.
            return Ok(None);
        }
        let blank = if old.is_none() {
            self.versions.blank(self.version)
        } else {
            Value::Null
        };
        let old = old.unwrap_or(&blank);
        let task = self.task();
        let mut change = task.compare(self.version, old, object)?;
        strip(&mut change);
        if change.is_empty() && owners.is_none() {
            return Ok(known.cloned());
        }
        let mut owners = match owners {
            Some(owners) => owners,
            None => {
                let owners = read(known).unwrap_or_default();
                if owners.is_empty() && !is_blank {
                    return Ok(None);
                }
                owners
            }
        };
        let set = task.update_by(old, object, change, &mut owners)?;
        self.give(set, &mut owners, self.identity(Operation::Update));
        owners.cap();
        Ok(owners.write())
    }

    /// Gives fields to a manager, beside those it has.
    fn give(&self, set: Set, owners: &mut Owners, identity: Identity) {
        if set.is_empty() {
            return;
        }
        let set = match owners.get(&identity) {
            Some(owned) => set.union(&owned.set),
            None => set,
        };
        owners.put(
            identity.clone(),
            Owned {
                set,
                version: self.version.into(),
            },
        );
        owners.stamp(&identity, Some(self.now.into()));
    }

    /// Applies a configuration to an object, or makes an object of it, and returns what comes of it:
    /// not in normal form, without defaults, with its `managedFields`.
    ///
    /// # Errors
    /// [`ApplyError`]
    pub fn apply(
        &self,
        live: Option<&Value>,
        applied: &Value,
        force: Force,
    ) -> Result<Value, ApplyError> {
        let mut live = live
            .cloned()
            .unwrap_or_else(|| self.versions.blank(self.version));
        let mut owners = read(take_entries(&mut live).as_ref())?;
        if owners.is_empty() {
            let (task, blank) = (self.task(), self.versions.blank(self.version));
            let mut change = task.compare(self.version, &blank, &live)?;
            strip(&mut change);
            let before = Writer {
                manager: BEFORE_FIRST_APPLY,
                ..*self
            };
            let set = task.update_by(&blank, &live, change, &mut owners)?;
            before.give(set, &mut owners, before.identity(Operation::Update));
        }
        if let Some(shape) = self.versions.shape(self.version) {
            check(shape, applied, Duplicates::Refused)
                .map_err(|refusal| ApplyError::Unfit(described(applied), refusal))?;
        }
        let (merged, mut owners) = self.merged(&live, applied, owners, force)?;
        let me = self.identity(Operation::Apply);
        if let Some(mut owned) = owners.get(&me).cloned() {
            strip_set(&mut owned.set);
            if owned.set.is_empty() {
                owners.remove(&me);
            } else {
                owners.put(me.clone(), owned);
            }
        }
        let mut object = if same(&live, &merged) {
            live
        } else {
            owners.stamp(&me, Some(self.now.into()));
            merged
        };
        if self.manager == KUBECTL {
            renew_last_applied(&mut object, applied);
        }
        put_entries(&mut object, owners.write());
        Ok(object)
    }

    fn merged(
        &self,
        live: &Value,
        applied: &Value,
        owners: Owners,
        force: Force,
    ) -> Result<(Value, Owners), OwnershipError> {
        let task = self.task();
        let me = self.identity(Operation::Apply);
        if self.manager != KUBECTL {
            let mut owners = owners;
            let merged = task.apply(live, applied, &mut owners, &me, force)?;
            return Ok((merged, owners));
        }
        let mut tried = owners.clone();
        let mut conflicts = match task.apply(live, applied, &mut tried, &me, force) {
            Ok(merged) => return Ok((merged, tried)),
            Err(OwnershipError::Conflicts(conflicts)) => conflicts,
            Err(error) => return Err(error),
        };
        // What client-side apply of the same tool wrote last is its own.
        if let Some(allowed) = self.last_applied(live) {
            conflicts.retain(|conflict| !allowed.has(&conflict.path));
        }
        if !conflicts.is_empty() {
            return Err(OwnershipError::Conflicts(conflicts));
        }
        let mut owners = owners;
        let merged = task.apply(live, applied, &mut owners, &me, Force::Yes)?;
        Ok((merged, owners))
    }

    /// Returns the fields that client-side apply wrote last and that are still as it wrote them.
    fn last_applied(&self, live: &Value) -> Option<Set> {
        let text = live.str_at(&["metadata", "annotations", LAST_APPLIED])?;
        let last = json::read(text.as_bytes()).ok()?.value;
        let shape: &Shape = self.versions.shape(self.version)?;
        if last.str_at(&["apiVersion"]) != Some(self.version) {
            return None;
        }
        check(shape, live, Duplicates::Refused).ok()?;
        check(shape, &last, Duplicates::Refused).ok()?;
        let change = compare(shape, &last, live).ok()?;
        let set = fields(shape, &last).ok()?;
        Some(
            set.difference(&change.modified)
                .difference(&change.added)
                .difference(&change.removed),
        )
    }
}

/// Returns the object's place and type as upstream's messages name it.
fn described(object: &Value) -> String {
    let text = |path: &[&str]| object.str_at(path).unwrap_or_default().to_owned();
    let version = text(&["apiVersion"]);
    let group_version = if version.contains('/') {
        version
    } else {
        format!("/{version}")
    };
    format!(
        "{}/{}; {group_version}, Kind={}",
        text(&["metadata", "namespace"]),
        text(&["metadata", "name"]),
        text(&["kind"])
    )
}

/// Keeps the annotation of client-side apply in step, where there is one.
fn renew_last_applied(object: &mut Value, applied: &Value) {
    let path = ["metadata", "annotations", LAST_APPLIED];
    if object.str_at(&path).is_none_or(str::is_empty) {
        return;
    }
    let mut applied = applied.clone();
    applied.remove_at(&path);
    sort_deep(&mut applied);
    let mut text = Vec::new();
    json::write(&applied, &mut text);
    text.push(b'\n');
    object.set_at(&path, Value::String(Text::from_utf8_lossy(&text)));
    let annotations = object.at(&path[..2]).and_then(Value::as_object);
    let bytes: usize = annotations
        .into_iter()
        .flat_map(Object::iter)
        .map(|(name, value)| name.len() + value.as_str().map_or(0, str::len))
        .sum();
    if bytes > ANNOTATIONS_BYTES_MAX {
        object.remove_at(&path);
    }
}

fn sort_deep(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.iter_mut().for_each(|(_, value)| sort_deep(value));
            object.sort();
        }
        Value::Array(items) => items.iter_mut().for_each(sort_deep),
        _ => {}
    }
}

fn strip(change: &mut Difference) {
    strip_set(&mut change.removed);
    strip_set(&mut change.modified);
    strip_set(&mut change.added);
}

/// Removes what nobody owns from a set.
fn strip_set(set: &mut Set) {
    set.retain_fields(|name, member, below| match name {
        "apiVersion" | "kind" => *member = false,
        "metadata" => {
            *member = false;
            below.retain_fields(|name, member, _| *member &= !UNOWNED_META.contains(&name));
        }
        _ => {}
    });
}

/// Gives the entries of an object the times they had in `old`, if nothing else differs between the
/// two: a write that only renews times is none.
pub fn keep_times(old: &Value, object: &mut Value) {
    let lists = |object: &Value| {
        entries(object)
            .and_then(Value::as_array)
            .map(<[Value]>::len)
    };
    if lists(old) != lists(object) || lists(object).is_none() || entries(old) == entries(object) {
        return;
    }
    if let (Some(before), Some(after)) = (
        entries(old).and_then(Value::as_array),
        entries(object).and_then(Value::as_array),
    ) && before
        .iter()
        .zip(after)
        .all(|(a, b)| equal_but(a, b, &["time"]))
        && equal_but(old, object, &["metadata", "managedFields"])
    {
        let before = entries(old).cloned();
        put_entries(object, before);
    }
}

/// Returns whether two trees are equal apart from what lies under these names.
fn equal_but(a: &Value, b: &Value, path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return true;
    };
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else {
        return a == b;
    };
    let counted =
        |object: &Object| object.len() - usize::from(rest.is_empty() && object.contains(first));
    counted(a) == counted(b)
        && a.iter().all(|(name, value)| match b.get(name) {
            Some(other) if name == *first => equal_but(value, other, rest),
            Some(other) => same(value, other),
            None => name == *first && rest.is_empty(),
        })
}
