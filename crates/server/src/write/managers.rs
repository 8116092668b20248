//! Who owns which field: `managedFields` of every write, and server-side apply.
//!
//! The rules are `schema::apply`'s; here stands what a request brings to them.

use std::{borrow::Cow, sync::Arc};

use api::{Status, Text, Value, quote::is_printable, time};
use schema::{
    Shape, Unknown,
    apply::{
        self, ApplyError, Conflict, Element, Force, Owners, OwnershipError, ReplicasPaths, Set,
    },
};

use super::{Door, Old, Writer, meta, part};
use crate::{
    Call,
    convert::{self, Memo},
    registry::Resource,
    render,
    request::options::{FieldValidation, MANAGER_LEN_MAX},
};

/// A configuration to apply, read once; it may be applied in several rounds.
pub(crate) struct Applied {
    value: Value,
    /// What strict reading says of it.
    strict: Option<String>,
}

impl Applied {
    /// Reads the body of an apply: YAML, and so JSON too.
    ///
    /// # Errors
    /// 400 for what is no YAML or no object.
    pub(crate) fn read(call: &Call) -> Result<Self, Status> {
        let parsed = api::yaml::read(&call.body)
            .map_err(|error| Status::bad_request(format!("error encoding patch: {error}")))?;
        if !matches!(parsed.value, Value::Object(_) | Value::Null) {
            return Err(Status::bad_request(format!(
                "error decoding patch: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                parsed.value.go_type_name()
            )));
        }
        let mut value = parsed.value;
        value.make_object();
        Ok(Self {
            value,
            strict: parsed
                .strict
                .map(|why| format!("error converting YAML to JSON: {why}")),
        })
    }

    /// Returns what of the configuration passes the door of a part.
    pub(super) fn only(&self, path: &[Text]) -> Self {
        Self {
            value: part::applied(&self.value, path),
            strict: self.strict.clone(),
        }
    }

    /// Checks that the configuration is of the type the path names.
    fn check_type(&self, version: &str, kind: &str) -> Result<(), Status> {
        let text = |name: &str| self.value.str_at(&[name]).unwrap_or_default();
        let (given_version, given_kind) = (text("apiVersion"), text("kind"));
        if given_version != version || given_kind != kind {
            let slash = if given_version.contains('/') { "" } else { "/" };
            return Err(Status::bad_request(format!(
                "invalid object type: {slash}{given_version}, Kind={given_kind}"
            )));
        }
        if self
            .value
            .at(&["metadata", "managedFields"])
            .is_some_and(|given| !given.is_null())
        {
            return Err(Status::bad_request("metadata.managedFields must be nil"));
        }
        Ok(())
    }

    /// Tells about keys that were given twice, once the apply is well otherwise.
    fn tell_strict(&self, call: &mut Call) -> Result<(), Status> {
        match (&self.strict, call.options.field_validation) {
            (None, _) | (_, FieldValidation::Ignore) => Ok(()),
            (Some(error), FieldValidation::Strict) => Err(Status::bad_request(format!(
                "error strict decoding patch: {error}"
            ))),
            (Some(error), FieldValidation::Warn) => {
                call.warnings.push(error.clone());
                Ok(())
            }
        }
    }
}

/// Returns the manager of a request: the one it names, or the first word of its user agent.
pub(crate) fn manager(call: &Call) -> Cow<'_, str> {
    if !call.options.field_manager.is_empty() {
        return Cow::Borrowed(&call.options.field_manager);
    }
    let word = call.user_agent.split('/').next().unwrap_or_default();
    let is_plain = word.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if is_plain && word.len() <= MANAGER_LEN_MAX {
        return Cow::Borrowed(word);
    }
    let mut kept = String::new();
    for letter in word.chars().filter(|letter| is_printable(*letter)) {
        if kept.len() + letter.len_utf8() > MANAGER_LEN_MAX {
            break;
        }
        kept.push(letter);
    }
    Cow::Owned(kept)
}

/// The versions of a resource, as ownership sees them through one door.
struct Versions<'a> {
    resource: &'a Resource,
    resets: Set,
    memo: Arc<Memo>,
}

impl Versions<'_> {
    fn place(&self, version: &str) -> Option<usize> {
        let versions = &self.resource.kind().versions;
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        versions.iter().position(|known| {
            known.group_version.version == version && known.group_version.group == group
        })
    }
}

impl apply::Versions for Versions<'_> {
    fn shape(&self, version: &str) -> Option<&Shape> {
        let place = self.place(version)?;
        Some(&self.resource.kind().versions[place].shape)
    }

    fn convert(&self, object: &Value, version: &str) -> Result<Value, String> {
        let from = self.place(object.str_at(&["apiVersion"]).unwrap_or_default());
        let (Some(from), Some(to)) = (from, self.place(version)) else {
            return Err(format!("no such version: {version}"));
        };
        if from != to && convert::has_webhook(self.resource.kind()) {
            let found = self.memo.find(object, to);
            return found.ok_or_else(|| "it is not converted yet".to_owned());
        }
        render::convert(self.resource, from, to, object.clone()).map_err(|status| status.message)
    }

    fn resets(&self, _version: &str) -> Option<&Set> {
        Some(&self.resets)
    }

    fn blank(&self, version: &str) -> Value {
        let kind = self.resource.kind();
        let shape = self.shape(version).filter(|_| !kind.traits.custom);
        let mut blank = shape.map_or_else(Value::object, schema::decode::zero);
        let object = blank.make_object();
        object.insert("apiVersion", Value::from(version));
        object.insert("kind", Value::String(kind.names.kind.clone()));
        blank
    }
}

/// What ownership must know of a request, kept for the [`apply::Writer`] that borrows it.
struct Owning<'a, V> {
    versions: V,
    version: String,
    manager: Cow<'a, str>,
    subresource: &'a str,
    now: String,
}

impl<V: apply::Versions> Owning<'_, V> {
    fn writer(&self) -> apply::Writer<'_> {
        apply::Writer {
            versions: &self.versions,
            version: &self.version,
            manager: &self.manager,
            subresource: self.subresource,
            now: &self.now,
        }
    }
}

/// The one version of a scale.
struct ScaleVersion<'a> {
    version: String,
    shape: &'a Shape,
}

impl apply::Versions for ScaleVersion<'_> {
    fn shape(&self, version: &str) -> Option<&Shape> {
        (version == self.version).then_some(self.shape)
    }

    fn convert(&self, object: &Value, _version: &str) -> Result<Value, String> {
        Ok(object.clone())
    }

    fn resets(&self, _version: &str) -> Option<&Set> {
        None
    }

    fn blank(&self, _version: &str) -> Value {
        schema::decode::zero(self.shape)
    }
}

impl ReplicasPaths for Versions<'_> {
    fn path(&self, version: &str) -> Option<Vec<Element>> {
        let place = self.place(version)?;
        let sub = self.resource.kind().versions[place].subresource("scale")?;
        match &sub.view {
            schema::View::Scale(paths) => Some(
                paths
                    .spec
                    .iter()
                    .map(|name| Element::Field(name.clone()))
                    .collect(),
            ),
            _ => None,
        }
    }
}

impl<'a> Writer<'a> {
    fn versions(&self) -> Versions<'a> {
        let kind = self.resource.kind();
        let occasion = self.occasion(self.resource.place);
        let mut resets = match (kind.behavior.resets(occasion), self.door) {
            (Some(paths), _) => Set::of_fields(paths),
            (None, Door::Main) if self.has_status() => Set::of_fields(&[&["status"]]),
            (None, Door::Status) if kind.traits.custom => {
                Set::of_fields(&[&["metadata"], &["spec"]])
            }
            (None, Door::Status) => Set::of_fields(&[&["spec"]]),
            (None, _) => Set::new(),
        };
        if let Door::Main | Door::Status = self.door {
            for path in part::paths(self.resource, self.working) {
                let path: Vec<Element> = path.iter().cloned().map(Element::Field).collect();
                resets.insert(&path);
            }
        }
        Versions {
            resource: self.resource,
            resets,
            memo: Arc::clone(&self.memo),
        }
    }

    /// Returns what ownership must know of this request.
    fn owning(&self) -> Owning<'_, Versions<'_>> {
        let version = self.resource.version().group_version.to_string();
        self.owning_as(version, self.versions())
    }

    /// As [`Self::owning`], of an object of its own: its version, and what is known of versions.
    fn owning_as<V>(&self, version: String, versions: V) -> Owning<'_, V> {
        Owning {
            versions,
            version,
            manager: manager(self.call),
            subresource: self.subresource(),
            now: time::format(self.call.received),
        }
    }

    /// Notes who owns what in a proposal of the working version.
    ///
    /// Fields are owned in the version in which they were written, so an object that was written in
    /// another than the working one is looked at in that.
    pub(super) fn track(&self, old: Option<&Value>, object: &mut Value) -> Result<(), Status> {
        let asked = self.resource.place;
        if asked == self.working {
            let owning = self.owning();
            match old {
                None => owning.writer().track_new(object),
                Some(old) => owning.writer().track_update(old, object),
            }
            return Ok(());
        }
        let convert =
            |value: &Value| render::convert(self.resource, self.working, asked, value.clone());
        let old = old.map(convert).transpose()?;
        let mut shown = convert(object)?;
        let owning = self.owning();
        match &old {
            None => owning.writer().track_new(&mut shown),
            Some(old) => owning.writer().track_update(old, &mut shown),
        }
        let entries = shown.remove_at(&["metadata", "managedFields"]);
        meta::put(meta::of(object), "managedFields", entries);
        Ok(())
    }

    /// Applies a configuration to an object, or makes one of it; returns it in the working version,
    /// with defaults.
    ///
    /// # Errors
    /// 400 for a configuration of another type, 409 for conflicts, 500 where upstream has no better
    /// answer for what does not fit.
    pub(super) fn applied(
        &mut self,
        applied: &Applied,
        old: Option<&Old>,
    ) -> Result<Value, Status> {
        let kind = self.resource.kind();
        let version = self.resource.version();
        applied.check_type(&version.group_version.to_string(), &kind.names.kind)?;
        let live = match old {
            Some(old) if self.working != self.resource.place => {
                let (from, to) = (self.working, self.resource.place);
                Some(Cow::Owned(render::convert(
                    self.resource,
                    from,
                    to,
                    old.value.clone(),
                )?))
            }
            other => other.map(|old| Cow::Borrowed(&old.value)),
        };
        let force = self.force();
        let owning = self.owning();
        let made = owning
            .writer()
            .apply(live.as_deref(), &applied.value, force);
        let mut object = made.map_err(|error| refusal(&error))?;
        schema::decode(&version.shape, &mut object, &mut Unknown::ignore()).map_err(|error| {
            Status::new(
                500,
                api::Reason::Unknown,
                format!("failed to convert new object: {error}"),
            )
        })?;
        applied.tell_strict(self.call)?;
        let uid = meta::text(&object, "uid");
        if old.is_none() && !uid.is_empty() {
            let why = format!(
                "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            );
            let name = &self.call.path.name;
            return Err(Status::conflict(
                self.resource.group(),
                self.resource.plural(),
                name,
                &why,
            ));
        }
        meta::settle_namespace(&mut object, kind.scope, &self.call.path.namespace)?;
        meta::check_name(&object, &self.call.path.name)?;
        self.adopt(object)
    }

    fn force(&self) -> Force {
        match self.call.options.force {
            Some(true) => Force::Yes,
            _ => Force::No,
        }
    }

    /// Notes who wants the number of replicas that `scale` has where `shown` is what was there;
    /// returns the entries of the object.
    pub(super) fn track_scale(
        &self,
        sub: &schema::Subresource,
        shown: Value,
        scale: &mut Value,
        old: &Old,
    ) -> Option<Value> {
        let entries = old.value.at(&["metadata", "managedFields"]);
        let Ok(parent) = Owners::read(entries.and_then(Value::as_array).unwrap_or_default()) else {
            return entries.cloned();
        };
        let shown = self.with_scale_owners(sub, &parent, shown);
        self.owning_scale(sub).writer().track_update(&shown, scale);
        self.of_parent(parent, scale)
    }

    /// Applies a configuration to a scale; returns the scale and the entries of the object.
    ///
    /// # Errors
    /// As [`Self::applied`].
    pub(super) fn applied_scale(
        &mut self,
        sub: &schema::Subresource,
        applied: &Applied,
        shown: Value,
        old: &Old,
    ) -> Result<(Value, Option<Value>), Status> {
        applied.check_type(&sub.group_version.to_string(), &sub.kind)?;
        let entries = old.value.at(&["metadata", "managedFields"]);
        let parent = Owners::read(entries.and_then(Value::as_array).unwrap_or_default())
            .map_err(|error| refusal(&error.into()))?;
        let shown = self.with_scale_owners(sub, &parent, shown);
        let force = self.force();
        let owning = self.owning_scale(sub);
        let made = owning.writer().apply(Some(&shown), &applied.value, force);
        let mut scale = made.map_err(|error| refusal(&error))?;
        schema::decode(&sub.shape, &mut scale, &mut Unknown::ignore()).map_err(Status::internal)?;
        applied.tell_strict(self.call)?;
        meta::check_name(&scale, &self.call.path.name)?;
        let entries = self.of_parent(parent, &mut scale);
        Ok((scale, entries))
    }

    fn owning_scale<'s>(&'s self, sub: &'s schema::Subresource) -> Owning<'s, ScaleVersion<'s>> {
        let version = sub.group_version.to_string();
        let versions = ScaleVersion {
            version: version.clone(),
            shape: &sub.shape,
        };
        self.owning_as(version, versions)
    }

    /// Returns a scale with the entries of those who own the number.
    fn with_scale_owners(
        &self,
        sub: &schema::Subresource,
        parent: &Owners,
        mut scale: Value,
    ) -> Value {
        let version = sub.group_version.to_string();
        let seen = apply::to_scale(parent, &self.versions(), &version);
        meta::put(meta::of(&mut scale), "managedFields", seen.write());
        scale
    }

    /// Takes the entries out of a scale that was written, as entries of the object.
    fn of_parent(&self, parent: Owners, scale: &mut Value) -> Option<Value> {
        let entries = meta::of(scale).remove("managedFields");
        let entries = entries
            .as_ref()
            .and_then(Value::as_array)
            .unwrap_or_default();
        let seen = Owners::read(entries).unwrap_or_default();
        let version: Text = self.resource.version().group_version.to_string().into();
        apply::to_parent(parent, &seen, &self.versions(), &version).write()
    }
}

/// Returns the refusal of an apply to send.
fn refusal(error: &ApplyError) -> Status {
    match error {
        ApplyError::Ownership(OwnershipError::Conflicts(conflicts)) => Conflict::status(conflicts),
        // Upstream's own words for what it has no status for.
        error => Status::new(500, api::Reason::Unknown, error.to_string()),
    }
}
