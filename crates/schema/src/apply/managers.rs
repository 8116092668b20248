//! `metadata.managedFields`: who owns what, as it lies in the object.
//!
//! Source of the facts: k8s.io/apimachinery v0.37.1, util/managedfields (order, rules, limits).

use api::{Object, Text, Value, json, value};

use super::set::{FieldsError, Set};

/// How many managers that update are kept apart; the oldest beyond that become one.
pub const UPDATERS_MAX: usize = 10;

/// Manager of the fields of updates that were so old that they were put together.
const ANCIENT: &str = "ancient-changes";

/// How a manager wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// By server-side apply.
    Apply,
    /// In any other way.
    Update,
}

impl Operation {
    /// Returns upstream's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// Who owns fields. An updater is another one in each version; an applier is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Name of the manager.
    pub manager: Text,
    /// How it wrote.
    pub operation: Operation,
    /// Version in which it updated; empty for appliers.
    pub version: Text,
    /// Subresource through which it wrote; empty for the object itself.
    pub subresource: Text,
}

impl Identity {
    /// Returns the identity of a writer.
    #[must_use]
    pub fn new(manager: &str, operation: Operation, version: &str, subresource: &str) -> Self {
        let version = match operation {
            Operation::Apply => "",
            Operation::Update => version,
        };
        Self {
            manager: manager.into(),
            operation,
            version: version.into(),
            subresource: subresource.into(),
        }
    }

    /// Returns what upstream sorts managers by.
    pub(super) fn sort_key(&self) -> Vec<u8> {
        let mut out = b"{".to_vec();
        let fields = [
            ("manager", self.manager.as_str()),
            ("operation", self.operation.as_str()),
            ("apiVersion", &self.version),
            ("subresource", &self.subresource),
        ];
        for (name, text) in fields.into_iter().filter(|(_, text)| !text.is_empty()) {
            if out.len() > 1 {
                out.push(b',');
            }
            json::write_string(name, &mut out);
            out.push(b':');
            json::write_string(text, &mut out);
        }
        out.push(b'}');
        out
    }
}

/// What somebody owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// The fields.
    pub set: Set,
    /// Version in which they are named.
    pub version: Text,
}

/// Who owns what, and since when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    entries: Vec<Owner>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Owner {
    identity: Identity,
    owned: Owned,
    time: Option<Text>,
}

/// Why `managedFields` cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnersError {
    /// The operation is none.
    #[error("operation must be `Apply` or `Update`")]
    Operation,
    /// The version is missing.
    #[error("apiVersion must not be empty")]
    Version,
    /// The type of the fields is missing.
    #[error("missing fieldsType in managed fields entry {0}")]
    NoFieldsType(usize),
    /// The type of the fields is not known.
    #[error("invalid fieldsType {0} in managed fields entry {1}")]
    FieldsType(String, usize),
    /// The fields cannot be read.
    #[error("error decoding set: {0}")]
    Fields(#[from] FieldsError),
}

impl Owners {
    /// Reads `managedFields`.
    ///
    /// # Errors
    /// [`OwnersError`]
    pub fn read(entries: &[Value]) -> Result<Self, OwnersError> {
        let mut owners = Self {
            entries: Vec::with_capacity(entries.len() + 1),
        };
        for (place, entry) in entries.iter().enumerate() {
            let text = |name: &str| entry.str_at(&[name]).unwrap_or_default();
            let operation = match text("operation") {
                "Apply" => Operation::Apply,
                "Update" => Operation::Update,
                _ => return Err(OwnersError::Operation),
            };
            let version = text("apiVersion");
            if version.is_empty() {
                return Err(OwnersError::Version);
            }
            match text("fieldsType") {
                "FieldsV1" => {}
                "" => return Err(OwnersError::NoFieldsType(place)),
                other => return Err(OwnersError::FieldsType(api::quote::quote(other), place)),
            }
            let set = match entry.get("fieldsV1") {
                Some(fields) => Set::from_value(fields)?,
                None => Set::new(),
            };
            let identity = Identity::new(text("manager"), operation, version, text("subresource"));
            owners.put(
                identity.clone(),
                Owned {
                    set,
                    version: version.into(),
                },
            );
            owners.stamp(&identity, entry.str_at(&["time"]).map(Text::from));
        }
        Ok(owners)
    }

    /// Writes `managedFields`; nothing if nobody owns anything.
    #[must_use]
    pub fn write(self) -> Option<Value> {
        let mut entries = self.entries;
        // Times are in one form and zone, so their texts are in the order of time.
        entries.sort_by(|a, b| {
            let key = |owner: &Owner| {
                (
                    owner.identity.operation,
                    owner.time.clone(),
                    owner.identity.manager.clone(),
                )
            };
            let rest = |owner: &Owner| {
                (
                    owner.owned.version.clone(),
                    owner.identity.subresource.clone(),
                )
            };
            key(a).cmp(&key(b)).then_with(|| rest(a).cmp(&rest(b)))
        });
        let entries: Vec<Value> = entries.into_iter().map(Owner::write).collect();
        (!entries.is_empty()).then_some(Value::Array(entries))
    }

    /// Returns whether nobody owns anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns everybody with what they own.
    pub fn iter(&self) -> impl Iterator<Item = (&Identity, &Owned)> {
        self.entries
            .iter()
            .map(|owner| (&owner.identity, &owner.owned))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&Identity, &mut Owned)> {
        self.entries
            .iter_mut()
            .map(|owner| (&owner.identity, &mut owner.owned))
    }

    fn place(&self, identity: &Identity) -> Option<usize> {
        self.entries
            .iter()
            .position(|owner| owner.identity == *identity)
    }

    /// Returns what somebody owns.
    #[must_use]
    pub fn get(&self, identity: &Identity) -> Option<&Owned> {
        self.place(identity).map(|place| &self.entries[place].owned)
    }

    pub(super) fn get_mut(&mut self, identity: &Identity) -> Option<&mut Owned> {
        self.place(identity)
            .map(|place| &mut self.entries[place].owned)
    }

    /// Returns when somebody last took fields.
    #[must_use]
    pub fn time(&self, identity: &Identity) -> Option<&str> {
        self.place(identity)
            .and_then(|place| self.entries[place].time.as_deref())
    }

    /// Says what somebody owns; the time stays.
    pub fn put(&mut self, identity: Identity, owned: Owned) {
        match self.place(&identity) {
            Some(place) => self.entries[place].owned = owned,
            None => self.entries.push(Owner {
                identity,
                owned,
                time: None,
            }),
        }
    }

    /// Says when somebody last took fields.
    pub fn stamp(&mut self, identity: &Identity, time: Option<Text>) {
        if let Some(place) = self.place(identity) {
            self.entries[place].time = time;
        }
    }

    /// Forgets somebody.
    pub fn remove(&mut self, identity: &Identity) {
        self.entries.retain(|owner| owner.identity != *identity);
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Owned) -> bool) {
        self.entries.retain(|owner| keep(&owner.owned));
    }

    /// Puts the oldest updaters of a version together if there are too many.
    pub(super) fn cap(&mut self) {
        let is_updater = |owner: &&Owner| owner.identity.operation == Operation::Update;
        let mut count = self.entries.iter().filter(is_updater).count();
        if count <= UPDATERS_MAX {
            return;
        }
        let mut updaters: Vec<(Option<Text>, Vec<u8>, Identity)> = self
            .entries
            .iter()
            .filter(is_updater)
            .map(|owner| {
                (
                    owner.time.clone(),
                    owner.identity.sort_key(),
                    owner.identity.clone(),
                )
            })
            .collect();
        updaters.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        let mut firsts: Vec<Identity> = Vec::new();
        for (time, _, identity) in updaters {
            if count <= UPDATERS_MAX {
                return;
            }
            let first = firsts
                .iter()
                .find(|first| first.version == identity.version);
            let Some(first) = first.cloned() else {
                firsts.push(identity);
                continue;
            };
            let bucket = Identity::new(ANCIENT, Operation::Update, &identity.version, "");
            if self.place(&bucket).is_none()
                && let Some(place) = self.place(&first)
            {
                self.entries[place].identity = bucket.clone();
            }
            if let Some(owned) = self.get(&identity).cloned()
                && let Some(all) = self.get_mut(&bucket)
            {
                all.set = owned.set.union(&all.set);
                if identity != bucket {
                    self.remove(&identity);
                }
            }
            self.stamp(&bucket, time);
            count -= 1;
        }
    }
}

impl Owner {
    fn write(self) -> Value {
        let Identity {
            manager,
            operation,
            subresource,
            ..
        } = self.identity;
        let mut entry = Object::with_capacity(7);
        if !manager.is_empty() {
            entry.push("manager".into(), Value::String(manager));
        }
        entry.push("operation".into(), Value::from(operation.as_str()));
        entry.push("apiVersion".into(), Value::String(self.owned.version));
        if let Some(time) = self.time {
            entry.push("time".into(), Value::String(time));
        }
        entry.push("fieldsType".into(), Value::from("FieldsV1"));
        entry.push("fieldsV1".into(), self.owned.set.to_value());
        if !subresource.is_empty() {
            entry.push("subresource".into(), Value::String(subresource));
        }
        Value::Object(entry)
    }
}

/// Returns whether a client asks to forget all managers: by an empty list, or one empty entry.
#[must_use]
pub fn is_reset(entries: &Value) -> bool {
    match entries {
        Value::Array(entries) => match entries.as_slice() {
            [] => true,
            [only] => *only == value!({}),
            _ => false,
        },
        _ => false,
    }
}
