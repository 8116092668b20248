//! PUT, PATCH and subresources: an object changes.

use std::sync::Arc;

use api::{Cause, Reason, Status, Text, Value, meta::Meta};
use schema::Fold;

use super::{
    Done, Door, MODIFIED, Old, Proposed, Writer, body, managers::Applied, meta, part, scale,
};
use crate::{
    Answer, Call,
    collection::Stored,
    list::{as_fault, parse_revision},
    patch::Patch,
    read,
    registry::Resource,
    render,
    request::{BodyType, PatchType},
    serving::Serving,
};

/// Replaces an object (PUT), through the door the path names.
///
/// # Errors
/// 400 for a body that is not understood, 404, 409 for a conflict, 422 for an object that breaks
/// rules, admission's refusals.
pub(crate) async fn update(
    serving: &Serving,
    call: &mut Call,
    resource: &Resource,
    door: Door<'_>,
) -> Result<Answer, Status> {
    run(serving, call, resource, door, &Wish::Body).await
}

/// Changes an object by a patch, through the door the path names.
///
/// # Errors
/// As [`update`], and 415 for a patch that the kind does not take.
pub(crate) async fn patch(
    serving: &Serving,
    call: &mut Call,
    resource: &Resource,
    door: Door<'_>,
) -> Result<Answer, Status> {
    let wish = match call.body_type {
        BodyType::Patch(PatchType::Apply) => Wish::Apply(Applied::read(call)?),
        _ => Wish::Patch(Patch::read(call, resource)?),
    };
    run(serving, call, resource, door, &wish).await
}

/// Changes an object by a subresource with a function of its own (POST or PUT of its body).
///
/// # Errors
/// As [`update`], and what the function refuses.
pub(crate) async fn fold(
    serving: &Serving,
    call: &mut Call,
    resource: &Resource,
    fold: &dyn Fold,
    subresource: &schema::Subresource,
) -> Result<Answer, Status> {
    let expected = body::Expected {
        group_version: &subresource.group_version,
        kind: &subresource.kind,
        shape: &subresource.shape,
        custom: false,
    };
    let mut object = body::read(call, &expected)?;
    let kind = resource.kind();
    meta::settle_namespace(&mut object, kind.scope, &call.path.namespace)?;
    let is_create = call.verb == crate::Verb::Create;
    let own_kind = subresource.kind == kind.names.kind;
    if own_kind {
        meta::check_name(&object, &call.path.name)?;
    }
    let door = Door::Fold(fold, &subresource.name);
    let mut writer = Writer::new(serving, call, resource, door);
    let stored = writer.go_round(&Wish::Folded(object)).await?.0;
    if own_kind {
        return writer
            .answer(if is_create { 201 } else { 200 }, &stored)
            .await;
    }
    // A body of another kind is answered with a Status, as upstream does for bindings.
    let mut status = Status::new(201, Reason::Unknown, "");
    status.details = None;
    Ok(Answer::Status {
        accepted: writer.call.accepted,
        status: Box::new(status),
    })
}

async fn run(
    serving: &Serving,
    call: &mut Call,
    resource: &Resource,
    door: Door<'_>,
    wish: &Wish,
) -> Result<Answer, Status> {
    let mut writer = Writer::new(serving, call, resource, door);
    let (stored, created) = writer.go_round(wish).await?;
    if let Door::Scale = door {
        return scale::answer(&writer, &stored).await;
    }
    writer
        .answer(if created { 201 } else { 200 }, &stored)
        .await
}

/// How the client says what it wants.
pub(super) enum Wish {
    /// By the whole object, which is read anew in each round.
    Body,
    /// By a patch of whatever there is.
    Patch(Patch),
    /// By a configuration to apply.
    Apply(Applied),
    /// By the body of a subresource.
    Folded(Value),
}

impl Writer<'_> {
    /// Goes round until the wish is in the store or refused. Tells whether the object is new.
    async fn go_round(&mut self, wish: &Wish) -> Result<(Arc<Stored>, bool), Status> {
        let place = read::place(self.call, self.resource);
        loop {
            let old = self.current(&place).await?;
            // What the body said is said once, whichever round it lands in.
            let said = self.call.warnings.len();
            let outcome = match old {
                None if matches!((wish, self.door), (Wish::Apply(_), Door::Main)) => {
                    match self.create_by_apply(wish).await? {
                        Some(stored) => return Ok((stored, true)),
                        None => None,
                    }
                }
                None => {
                    let object = self.wish_for_new(wish)?;
                    match self.create_by_update(object).await? {
                        Some(stored) => return Ok((stored, true)),
                        None => None,
                    }
                }
                Some(old) => {
                    let proposed = self.propose(wish, old);
                    match self.must_go_round().await? {
                        true => None,
                        false => self.replace(proposed?).await?,
                    }
                }
            };
            if let Some(stored) = outcome {
                return Ok((stored, false));
            }
            self.call.warnings.truncate(said);
            self.in_time()?;
        }
    }

    /// Returns the new object a PUT to a missing name brings, for kinds that create so.
    fn wish_for_new(&mut self, wish: &Wish) -> Result<Value, Status> {
        let creates = self.resource.kind().traits.create_on_update;
        match (wish, self.door) {
            (Wish::Body, Door::Main) if creates => self.read_body(),
            (Wish::Body, Door::Main) => {
                // A body that is not understood is a 400 before it is a 404.
                self.read_body()?;
                Err(read::not_found(self.call, self.resource))
            }
            _ => Err(read::not_found(self.call, self.resource)),
        }
    }

    /// Reads the body of a PUT of the object itself or its status.
    fn read_body(&mut self) -> Result<Value, Status> {
        let version = self.resource.version();
        let kind = self.resource.kind();
        let expected = body::Expected {
            group_version: &version.group_version,
            kind: &kind.names.kind,
            shape: &version.shape,
            custom: kind.traits.custom,
        };
        let mut object = body::read(self.call, &expected)?;
        meta::settle_namespace(&mut object, kind.scope, &self.call.path.namespace)?;
        meta::check_name(&object, &self.call.path.name)?;
        let warning = meta::dedup_owners(&mut object, meta::Noticed::BeforeAdmission);
        self.call.warnings.extend(warning);
        Ok(object)
    }

    /// Creates what a PUT brought; none if someone else was faster.
    async fn create_by_update(&mut self, mut object: Value) -> Result<Option<Arc<Stored>>, Status> {
        self.serving.allow_create(self.call)?;
        let uid = meta::text(&object, "uid").to_owned();
        if !uid.is_empty() {
            return Err(self.uid_differs(&uid, ""));
        }
        meta::wipe(&mut object);
        let mut object = self.adopt(object)?;
        self.track(None, &mut object)?;
        self.try_insert(Proposed { object, old: None }).await
    }

    /// Creates what an apply makes of nothing; none if someone else was faster.
    async fn create_by_apply(&mut self, wish: &Wish) -> Result<Option<Arc<Stored>>, Status> {
        let Wish::Apply(applied) = wish else {
            return Ok(None);
        };
        let mut object = self.applied(applied, None)?;
        self.serving.allow_create(self.call)?;
        meta::wipe(&mut object);
        self.try_insert(Proposed { object, old: None }).await
    }

    async fn try_insert(&mut self, mut proposed: Proposed) -> Result<Option<Arc<Stored>>, Status> {
        self.mutate(&mut proposed).await?;
        meta::of(&mut proposed.object).remove("resourceVersion");
        self.allot(&mut proposed).await?;
        let prepared = self.prepare(proposed)?;
        let approved = self.approve(prepared).await?;
        match self.commit(approved).await? {
            Done::Is(stored) => Ok(Some(stored)),
            Done::Changed(_) => Ok(None),
        }
    }

    /// Returns what the object is wished to be, in the working version.
    fn propose(&mut self, wish: &Wish, old: Old) -> Result<Proposed, Status> {
        let object = match (wish, self.door) {
            (Wish::Folded(body), Door::Fold(fold, _)) => {
                let mut object = old.value.clone();
                self.check_folded(body, &old)?;
                fold.apply(&mut object, body)?;
                // What is posted makes an object of its own upstream, whose writer owns nothing here.
                if self.call.verb != crate::Verb::Create {
                    self.track(Some(&old.value), &mut object)?;
                }
                object
            }
            (Wish::Body, Door::Scale) => scale::replaced(self, &old)?,
            (Wish::Patch(patch), Door::Scale) => scale::patched(self, patch, &old)?,
            (Wish::Apply(applied), Door::Scale) => scale::applied(self, applied, &old)?,
            (Wish::Apply(applied), Door::Fold(fold, _)) => {
                let body = self.applied(applied, Some(&old))?;
                let mut object = old.value.clone();
                fold.apply(&mut object, &body)?;
                let entries = body.at(&["metadata", "managedFields"]).cloned();
                meta::put(meta::of(&mut object), "managedFields", entries);
                object
            }
            (Wish::Apply(applied), Door::Part(path, _)) => {
                self.applied(&applied.only(path), Some(&old))?
            }
            (Wish::Apply(applied), _) => self.applied(applied, Some(&old))?,
            (Wish::Body, _) => {
                let object = self.read_body()?;
                let object = self.adopt(object)?;
                let mut object = self.through_door(object, &old);
                self.track(Some(&old.value), &mut object)?;
                object
            }
            (Wish::Patch(patch), Door::Fold(fold, _)) => {
                // What the patch makes of the whole object counts as far as the door goes.
                let body = self.patched(patch, &old)?;
                self.check_folded(&body, &old)?;
                let mut object = old.value.clone();
                fold.apply(&mut object, &body)?;
                self.track(Some(&old.value), &mut object)?;
                object
            }
            (Wish::Patch(patch), _) => {
                let object = self.patched(patch, &old)?;
                let mut object = self.through_door(object, &old);
                self.track(Some(&old.value), &mut object)?;
                object
            }
            (Wish::Folded(_), _) => return Err(Status::internal("a fold has a door of its own")),
        };
        // The uid is a precondition; it is looked at before anything else.
        let uid = meta::text(&object, "uid");
        let known = meta::text(&old.value, "uid");
        if matches!(wish, Wish::Body) && !uid.is_empty() && uid != known {
            return Err(self.uid_differs(uid, known));
        }
        Ok(Proposed {
            object,
            old: Some(old),
        })
    }

    /// Returns what of a wish passes the door of a part: nobody owns what does not.
    fn through_door(&self, object: Value, old: &Old) -> Value {
        match self.door {
            Door::Part(path, _) => part::only(&object, &old.value, path),
            _ => object,
        }
    }

    /// A fold's body may name the object's uid and version, which then must hold.
    fn check_folded(&self, body: &Value, old: &Old) -> Result<(), Status> {
        let given = Meta::of(body);
        let known = Meta::of(&old.value);
        if !given.uid().is_empty() && given.uid() != known.uid() {
            return Err(self.uid_differs(given.uid(), known.uid()));
        }
        let version = given.resource_version();
        let revision = old.stored.revision.to_string();
        if version.is_empty() || version == revision {
            return Ok(());
        }
        Err(match self.call.verb {
            // What is posted names preconditions, which upstream's storage looks at.
            crate::Verb::Create => self.differs("ResourceVersion", version, &revision),
            _ => self.conflict(MODIFIED),
        })
    }

    /// Applies a patch to the object in the version asked for.
    fn patched(&mut self, patch: &Patch, old: &Old) -> Result<Value, Status> {
        let kind = self.resource.kind();
        let version = self.resource.version();
        let mut shown = old.value.clone();
        if self.working != self.resource.place {
            shown = render::convert(self.resource, self.working, self.resource.place, shown)?;
        }
        let expected = body::Expected {
            group_version: &version.group_version,
            kind: &kind.names.kind,
            shape: &version.shape,
            custom: kind.traits.custom,
        };
        let mut object = patch.apply(self.call, &expected, shown)?;
        meta::settle_namespace(&mut object, kind.scope, &self.call.path.namespace)?;
        meta::check_name(&object, &self.call.path.name)?;
        self.adopt(object)
    }

    /// Takes a proposal to the store; none if the object changed meanwhile.
    pub(super) async fn replace(
        &mut self,
        mut proposed: Proposed,
    ) -> Result<Option<Arc<Stored>>, Status> {
        self.mutate(&mut proposed).await?;
        self.check_version(&mut proposed)?;
        self.allot(&mut proposed).await?;
        if let Some(old) = &proposed.old {
            schema::apply::keep_times(&old.value, &mut proposed.object);
        }
        let prepared = self.prepare(proposed)?;
        let approved = self.approve(prepared).await?;
        match self.commit(approved).await? {
            Done::Is(stored) => Ok(Some(stored)),
            Done::Changed(_) => Ok(None),
        }
    }

    /// Checks that the writer has seen the object it replaces.
    fn check_version(&self, proposed: &mut Proposed) -> Result<(), Status> {
        let Some(old) = &proposed.old else {
            return Ok(());
        };
        let text = meta::text(&proposed.object, "resourceVersion");
        let given = parse_revision(text).map_err(|error| as_fault(&error))?;
        let known = old.stored.revision;
        if given.0 == 0 {
            if !self.resource.kind().traits.unconditional_update {
                return Err(self.version_required());
            }
        } else if given != known {
            return Err(self.conflict(MODIFIED));
        }
        let meta = meta::of(&mut proposed.object);
        meta.insert("resourceVersion", Value::string(known.to_string()));
        Ok(())
    }

    fn conflict(&self, why: &str) -> Status {
        let name = &self.call.path.name;
        Status::conflict(self.resource.group(), self.resource.plural(), name, why)
    }

    fn version_required(&self) -> Status {
        // Upstream names the resource here where other refusals name the kind.
        Status::invalid(
            self.resource.group(),
            self.resource.plural(),
            &self.call.path.name,
            vec![Cause {
                reason: Text::const_new("FieldValueInvalid"),
                message: "Invalid value: 0: must be specified for an update".to_owned(),
                field: "metadata.resourceVersion".to_owned(),
            }],
        )
    }

    pub(super) fn uid_differs(&self, given: &str, known: &str) -> Status {
        self.differs("UID", given, known)
    }

    /// Says that an object is not what a precondition says, as upstream's storage does.
    fn differs(&self, what: &str, given: &str, known: &str) -> Status {
        let collection = &self.resource.served.collection;
        let key = collection.key(&read::place(self.call, self.resource));
        let key = key.to_string();
        let key = key.strip_prefix("/registry").unwrap_or(&key);
        self.conflict(&format!(
            "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: {what} in precondition: {given}, {what} in object meta: {known}"
        ))
    }
}
