//! Writes: the one loop from what a client wants to what the store keeps.
//!
//! ```text
//! body or patch → Proposed → admission changes it → Prepared → checks → Approved → store.write
//!                     ↑                                                              │
//!                     └──────────────── the object changed meanwhile ────────────────┘
//! ```
//!
//! The types keep the order: only [`Writer::commit`] writes, it takes an [`Approved`], only
//! [`Writer::approve`] makes one, and that takes a [`Prepared`], which [`Writer::prepare`] makes.
//!
//! Who owns which field is noted in the proposal, before admission sees it (`managers.rs`, where
//! server-side apply stands too).

mod action;
mod allot;
pub(crate) mod body;
mod create;
pub(crate) mod managers;
pub(crate) mod meta;
mod part;
pub(crate) mod scale;
mod update;

use std::{sync::Arc, time::Duration};

use api::{
    Cause, Status, Text, Value,
    field::{self, Path},
    json,
    meta::{Meta, Uid, check, resource_version_at},
};
use base::Moment;
use bytes::Bytes;
use schema::{
    Asker, Claim, Conversion, Fold, Generation, Kind, Occasion, Scope, Shape, Unknown, proto,
};
use store::{Change, Durability, Expected, StoreError, Write};

use crate::{
    Answer, Call, Form, Media,
    admit::{Ask, Operation},
    collection::Stored,
    convert::{self, Memo},
    crds, faults,
    registry::Resource,
    render::{self, Showing},
    serving::Serving,
    sharing::Reservation,
};

pub(crate) use action::act;
pub(crate) use create::create;
pub(crate) use update::{fold, patch, update};

/// How long a write may go round, as upstream; a shorter deadline of the request comes first.
const WRITE_TIME_MAX: Duration = Duration::from_secs(34);

/// Room for the bytes of an object: most pods fit, with who owns their fields.
const BYTES_EXPECTED: usize = 8 << 10;

/// What upstream says when an object is not as its writer thought.
pub(crate) const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

/// Through which door an object is changed.
#[derive(Clone, Copy)]
pub(crate) enum Door<'a> {
    /// The object itself.
    Main,
    /// Its status.
    Status,
    /// The wanted number of replicas.
    Scale,
    /// A part with a door of its own: its path, and the name of the door.
    Part(&'a [Text], &'a str),
    /// What an action makes of it, wherever it reaches.
    Action(&'a str),
    /// A subresource with a function of its own.
    Fold(&'a dyn Fold, &'a str),
}

/// One write on its way.
pub(crate) struct Writer<'a> {
    pub(crate) serving: &'a Serving,
    pub(crate) call: &'a mut Call,
    pub(crate) resource: &'a Resource,
    pub(crate) door: Door<'a>,
    /// Place of the version in which rules see the object: the stored one, and of custom resources
    /// the one asked for, whose schema counts.
    working: usize,
    /// When the write gives up.
    until: Moment,
    /// What this write has picked of the scarce values of its kind.
    reserved: Option<Reservation>,
    /// What of this write a webhook has converted.
    memo: Arc<Memo>,
    /// What a new definition has claimed of the names of its group.
    named: Option<crds::Claims>,
}

/// The object before the write.
pub(crate) struct Old {
    /// As it lies.
    pub(crate) stored: Arc<Stored>,
    /// In the working version.
    pub(crate) value: Value,
}

/// What the client wants, in the working version, with defaults.
pub(crate) struct Proposed {
    pub(crate) object: Value,
    pub(crate) old: Option<Old>,
}

/// What is going to be kept, if nobody objects: the server's own fields are set.
pub(crate) struct Prepared {
    object: Value,
    old: Option<Old>,
}

/// What nobody objected to, as bytes for the store.
pub(crate) struct Approved {
    place: Text,
    value: Encoded,
    old: Option<Arc<Stored>>,
    end: End,
    /// Scarce values that are free once this is written.
    released: Vec<Claim>,
    /// The object itself, if the answer is easier made of it than of its bytes.
    shown: Option<Value>,
}

/// What the write does to the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It is put.
    Put,
    /// The update released the last hold on a leaving object: it is deleted instead, and its last
    /// state is the one before.
    Release,
    /// It is deleted, and this is its last state.
    Remove,
}

/// Canonical bytes around the hole of the resource version.
pub(crate) struct Encoded {
    bytes: Bytes,
    hole: std::ops::Range<usize>,
}

/// How a write ended.
pub(crate) enum Done {
    /// The object is in the store as it is here, or would be (dry run).
    Is(Arc<Stored>),
    /// The object was changed by someone else meanwhile; go round.
    Changed(Option<Arc<store::Entry>>),
}

impl<'a> Writer<'a> {
    pub(crate) fn new(
        serving: &'a Serving,
        call: &'a mut Call,
        resource: &'a Resource,
        door: Door<'a>,
    ) -> Self {
        let longest = serving.clock.now() + WRITE_TIME_MAX;
        let until = call
            .deadline
            .map_or(longest, |deadline| deadline.min(longest));
        let kind = resource.kind();
        Self {
            working: if kind.traits.custom {
                resource.place
            } else {
                kind.storage
            },
            serving,
            call,
            resource,
            door,
            until,
            reserved: None,
            memo: Arc::default(),
            named: None,
        }
    }

    /// Returns the shape of the working version.
    pub(crate) fn shape(&self) -> &'a Shape {
        &self.resource.kind().versions[self.working].shape
    }

    /// Returns what a behaviour may know of the request, in the version at `place`.
    fn occasion(&self, place: usize) -> Occasion<'_> {
        let user = &self.call.user;
        Occasion {
            now: self.call.received,
            group_version: &self.resource.kind().versions[place].group_version,
            asked: &self.resource.version().group_version,
            subresource: self.subresource(),
            asker: Asker {
                name: &user.name,
                uid: &user.uid,
                groups: &user.groups,
                extra: &user.extra,
            },
        }
    }

    fn subresource(&self) -> &'a str {
        match self.door {
            Door::Main => "",
            Door::Status => "status",
            Door::Scale => "scale",
            Door::Part(_, name) | Door::Action(name) | Door::Fold(_, name) => name,
        }
    }

    /// Checks that there is time for another round.
    pub(crate) fn in_time(&self) -> Result<(), Status> {
        if self.serving.clock.now() < self.until {
            return Ok(());
        }
        Err(Status::timeout(
            "request did not complete within the allotted timeout",
            0,
        ))
    }

    /// Returns the object this write is about, in the working version.
    pub(crate) async fn current(&self, place: &str) -> Result<Option<Old>, Status> {
        let Some(stored) = self.stored(place).await? else {
            return Ok(None);
        };
        let mut there = Arc::clone(&stored);
        if convert::has_webhook(self.resource.kind()) {
            let converter = &self.serving.converter;
            there = converter.written(self.resource, &stored).await?;
        }
        let value = self.open(&there)?;
        Ok(Some(Old { stored, value }))
    }

    /// Returns the object this write is about for a write that takes it away. No webhook is asked
    /// for that: from then on the version in which the object lies is the working one.
    pub(crate) async fn leaving(&mut self, place: &str) -> Result<Option<Old>, Status> {
        if !convert::has_webhook(self.resource.kind()) {
            return self.current(place).await;
        }
        let Some(stored) = self.stored(place).await? else {
            return Ok(None);
        };
        self.working = render::standing(self.resource.kind(), &render::parse(&stored.bytes)?)?;
        let value = self.open(&stored)?;
        Ok(Some(Old { stored, value }))
    }

    async fn stored(&self, place: &str) -> Result<Option<Arc<Stored>>, Status> {
        let found = self.resource.served.collection.get(place).await;
        found.map_err(|error| faults::read(&error))
    }

    /// Opens a stored object in the working version.
    fn open(&self, stored: &Stored) -> Result<Value, Status> {
        let mut value = render::parse(&stored.bytes)?;
        let kind = self.resource.kind();
        if self.working != kind.storage || kind.traits.custom {
            let from = render::standing(kind, &value)?;
            value = render::convert(self.resource, from, self.working, value)?;
        }
        Ok(value)
    }

    /// Returns whether something must be converted before this round can be finished, and has it
    /// converted: the next round finds it.
    pub(crate) async fn must_go_round(&self) -> Result<bool, Status> {
        if !self.memo.lacks() {
            return Ok(false);
        }
        let memo = &self.memo;
        memo.fill(&self.serving.converter, self.resource).await?;
        Ok(true)
    }

    /// Turns an object of the version asked for into the working version, with defaults.
    pub(crate) fn adopt(&self, mut object: Value) -> Result<Value, Status> {
        self.default(self.resource.place, &mut object);
        if self.working != self.resource.place {
            object = render::convert(self.resource, self.resource.place, self.working, object)?;
            self.default(self.working, &mut object);
        }
        Ok(object)
    }

    fn default(&self, place: usize, object: &mut Value) {
        let kind = self.resource.kind();
        schema::default(&kind.versions[place].shape, object);
        kind.behavior.default(self.occasion(place), object);
    }

    fn ask(&self, operation: Operation) -> Ask<'a> {
        Ask {
            serving: self.serving,
            resource: self.resource,
            operation,
            subresource: self.subresource(),
        }
    }

    /// Lets admission change the proposal; defaults are set again afterwards.
    ///
    /// # Errors
    /// Admission's refusal.
    pub(crate) async fn mutate(&mut self, proposed: &mut Proposed) -> Result<(), Status> {
        let operation = match proposed.old {
            None => Operation::Create,
            Some(_) => Operation::Update,
        };
        let ask = self.ask(operation);
        let old = proposed.old.as_ref().map(|old| &old.value);
        ask.mutate(self.call, &mut proposed.object, old).await?;
        self.default(self.working, &mut proposed.object);
        let warning = meta::dedup_owners(&mut proposed.object, meta::Noticed::AfterAdmission);
        self.call.warnings.extend(warning);
        Ok(())
    }

    /// Sets what the server owns.
    ///
    /// # Errors
    /// 500 if the object has lost its form, which is a mistake of a rule.
    pub(crate) fn prepare(&mut self, proposed: Proposed) -> Result<Prepared, Status> {
        let Proposed { mut object, old } = proposed;
        let kind = self.resource.kind();
        let has_status = self.has_status();
        match &old {
            None => {
                if kind.traits.custom && has_status {
                    object.make_object().remove("status");
                }
                self.keep_parts(&mut object, None, &[]);
                let generation = kind.traits.generation;
                let uid = self.serving.random(Uid::random).to_string();
                meta::stamp(&mut object, &uid, self.call.received, generation);
                let behavior = &kind.behavior;
                behavior.prepare(self.occasion(self.working), &mut object, None);
            }
            Some(old) => {
                self.keep_other_doors(&mut object, &old.value, has_status);
                let behavior = &kind.behavior;
                behavior.prepare(self.occasion(self.working), &mut object, Some(&old.value));
                self.normalize(&mut object)?;
                let counted = match self.door {
                    // A status moves nothing, whatever else of the metadata comes with it.
                    Door::Status => Generation::Constant,
                    _ => kind.traits.generation,
                };
                meta::count_generation(counted, has_status, &mut object, &old.value);
                meta::keep(&mut object, &old.value);
            }
        }
        self.normalize(&mut object)?;
        Ok(Prepared { object, old })
    }

    /// Keeps of the old object what this door may not change.
    fn keep_other_doors(&self, object: &mut Value, old: &Value, has_status: bool) {
        match self.door {
            Door::Main => {
                if has_status {
                    meta::put(object.make_object(), "status", old.get("status").cloned());
                }
                self.keep_parts(object, Some(old), &[]);
            }
            Door::Status => {
                let status = object.get("status").cloned();
                let metadata = object.get("metadata").cloned();
                *object = old.clone();
                meta::put(object.make_object(), "status", status);
                // Custom resources keep their whole metadata but who owns what; what a built-in
                // keeps of it beyond that is a matter of its behaviour.
                if self.resource.kind().traits.custom {
                    let entries = metadata.as_ref().and_then(|meta| meta.get("managedFields"));
                    meta::put(meta::of(object), "managedFields", entries.cloned());
                } else {
                    meta::put(object.make_object(), "metadata", metadata);
                }
                self.keep_parts(object, Some(old), &[]);
            }
            Door::Part(path, _) => *object = part::only(object, old, path),
            Door::Action(_) | Door::Scale | Door::Fold(..) => {}
        }
    }

    fn has_status(&self) -> bool {
        let version = &self.resource.kind().versions[self.working];
        version.subresource("status").is_some()
    }

    fn normalize(&self, object: &mut Value) -> Result<(), Status> {
        schema::decode(self.shape(), object, &mut Unknown::ignore()).map_err(Status::internal)
    }

    /// Checks the object and lets admission refuse it.
    ///
    /// # Errors
    /// 422 with every cause; admission's refusal; 413 for an object that is too large.
    pub(crate) async fn approve(&mut self, prepared: Prepared) -> Result<Approved, Status> {
        let Prepared { mut object, old } = prepared;
        let old_value = old.as_ref().map(|old| &old.value);
        self.validate(&object, old_value)?;
        let kind = self.resource.kind();
        let warnings = kind
            .behavior
            .warn(self.occasion(self.working), &object, old_value);
        self.call.warnings.extend(warnings);
        let (operation, end) = match old_value {
            None => (Operation::Create, End::Put),
            Some(old) if meta::is_released(kind, &object, old) => (Operation::Update, End::Release),
            Some(_) => (Operation::Update, End::Put),
        };
        let ask = self.ask(operation);
        ask.validate(self.call, Some(&object), old_value).await?;
        if old_value.is_none() && crds::is_definition(kind) && !self.call.options.dry_run {
            self.named = crds::accept(self.serving, &mut object, self.call.received);
            // The status is written in the order of its fields, as everything.
            self.normalize(&mut object)?;
        }
        let place = self.place(&object);
        let released = self.released(&object, old_value, end);
        let kind = self.resource.kind();
        if self.working != kind.storage && convert::has_webhook(kind) {
            let converter = &self.serving.converter;
            object = converter.value(self.resource, kind.storage, object).await?;
        }
        let value = self.encode(&mut object)?;
        Ok(Approved {
            place,
            value,
            old: old.map(|old| old.stored),
            end,
            released,
            shown: Some(object).filter(|_| self.is_shown_as_message()),
        })
    }

    /// Lets admission refuse a delete.
    ///
    /// # Errors
    /// Admission's refusal.
    pub(crate) async fn admit_delete(&mut self, old: &Value) -> Result<(), Status> {
        let ask = self.ask(Operation::Delete);
        // Rules that refuse deletes stand in either half; there is nothing to change.
        ask.mutate(self.call, &mut Value::Null, Some(old)).await?;
        ask.validate(self.call, None, Some(old)).await
    }

    /// Returns the write of a change that the server makes of its own accord, unasked by anyone and
    /// not subject to admission.
    ///
    /// # Errors
    /// 500 if the object has lost its form.
    pub(crate) fn approve_own(&self, object: Value, old: &Old) -> Result<Approved, Status> {
        let is_released = meta::is_released(self.resource.kind(), &object, &old.value);
        let end = if is_released { End::Release } else { End::Put };
        self.approve_end(object, old, end)
    }

    /// Returns the write that marks an object as leaving; [`Self::admit_delete`] came before.
    ///
    /// # Errors
    /// 500 if the object has lost its form.
    pub(crate) fn approve_hold(&self, object: Value, old: &Old) -> Result<Approved, Status> {
        self.approve_end(object, old, End::Put)
    }

    /// Returns the write that removes an object; [`Self::admit_delete`] came before.
    ///
    /// # Errors
    /// 500 if the object has lost its form.
    pub(crate) fn approve_removal(&self, last: Value, old: &Old) -> Result<Approved, Status> {
        self.approve_end(last, old, End::Remove)
    }

    fn approve_end(&self, mut object: Value, old: &Old, end: End) -> Result<Approved, Status> {
        self.normalize(&mut object)?;
        Ok(Approved {
            released: self.released(&object, Some(&old.value), end),
            place: self.place(&object),
            value: self.encode(&mut object)?,
            old: Some(Arc::clone(&old.stored)),
            end,
            shown: None,
        })
    }

    /// Returns whether the answer is the stored version in protobuf.
    fn is_shown_as_message(&self) -> bool {
        let accepted = &self.call.accepted;
        accepted.form == Form::Object
            && accepted.media == Media::Protobuf
            && self.resource.is_stored()
    }

    fn validate(&self, object: &Value, old: Option<&Value>) -> Result<(), Status> {
        let kind = self.resource.kind();
        let occasion = self.occasion(self.working);
        let root = Path::new("metadata");
        let mut causes = Vec::new();
        match old {
            Some(old) => causes.extend(field::causes(&check::update(object, old, &root))),
            None if !kind.traits.custom => causes.extend(self.check_new(object, &root)),
            None => {}
        }
        causes.extend(kind.behavior.validate(occasion, object, old));
        if !kind.traits.custom {
            once(&mut causes);
        }
        if kind.traits.custom {
            causes.extend(crate::custom::validate(
                &self.resource.gvk(),
                self.shape(),
                object,
                old,
            ));
        }
        // Upstream looks at the metadata of a new custom resource only if its schema found nothing.
        if kind.traits.custom && old.is_none() && causes.is_empty() {
            causes.extend(self.check_new(object, &root));
        }
        if causes.is_empty() {
            return Ok(());
        }
        let name = meta::text(object, "name");
        // A custom resource is refused as what it says it is, which may be what is wrong with it.
        let said = object.str_at(&["kind"]).filter(|_| kind.traits.custom);
        let said = said.unwrap_or(&kind.names.kind);
        Err(Status::invalid(kind.group(), said, name, causes))
    }

    /// Returns what is wrong with the metadata of a new object.
    fn check_new(&self, object: &Value, root: &Path<'_>) -> Vec<Cause> {
        let kind = self.resource.kind();
        let scope = match kind.scope {
            Scope::Namespaced => check::Scope::Namespaced,
            Scope::Cluster => check::Scope::Cluster,
        };
        field::causes(&check::create(object, scope, kind.traits.name_rule, root))
    }

    fn place(&self, object: &Value) -> Text {
        let meta = Meta::of(object);
        crate::collection::place_of(meta.namespace(), meta.name())
    }

    fn encode(&self, object: &mut Value) -> Result<Encoded, Status> {
        Encoded::of(self.resource.kind(), self.working, object)
    }

    /// Writes, deletes or leaves the object as it is.
    ///
    /// # Errors
    /// Faults of the store.
    pub(crate) async fn commit(&mut self, mut approved: Approved) -> Result<Done, Status> {
        let shown = approved.shown.take();
        let done = self.carry_out(approved).await?;
        if let (Done::Is(stored), Some(mut object)) = (&done, shown)
            && stored.revision > store::Revision(0)
        {
            meta::number(
                &mut object,
                stored.revision,
                self.resource.kind().traits.custom,
            );
            let message = proto::object(self.shape(), &object);
            stored.keep_protobuf(Bytes::from(message));
        }
        Ok(done)
    }

    async fn carry_out(&mut self, approved: Approved) -> Result<Done, Status> {
        let Approved {
            place,
            value,
            old,
            end,
            released,
            shown: _,
        } = approved;
        if end != End::Put {
            return self.remove(&place, &value, old, end, released).await;
        }
        if let Some(old) = &old {
            if value.is_same(old) {
                return Ok(Done::Is(Arc::clone(old)));
            }
            if self.call.options.dry_run {
                return Ok(Done::Is(Arc::new(value.at(old.revision))));
            }
        }
        let collection = &self.resource.served.collection;
        if self.call.options.dry_run {
            return match collection.get(&place).await {
                Ok(Some(found)) => Ok(Done::Changed(Some(entry(collection.key(&place), &found)))),
                Ok(None) => Ok(Done::Is(Arc::new(value.unnumbered()))),
                Err(error) => Err(faults::read(&error)),
            };
        }
        let expected = match &old {
            None => Expected::Absent,
            Some(old) => Expected::At(old.revision),
        };
        let write = Write::put(collection.key(&place), value.stamped(), expected);
        self.send(write, &place, released).await
    }

    /// Deletes an object.
    async fn remove(
        &mut self,
        place: &str,
        value: &Encoded,
        old: Option<Arc<Stored>>,
        end: End,
        released: Vec<Claim>,
    ) -> Result<Done, Status> {
        let Some(old) = old else {
            return Ok(Done::Changed(None));
        };
        // Whoever releases an object by an update sees the object it sent, as upstream answers.
        let shown = Arc::new(value.at(old.revision));
        if self.call.options.dry_run {
            return Ok(Done::Is(shown));
        }
        let collection = &self.resource.served.collection;
        let last = match end {
            End::Release => old.stamped(),
            End::Put | End::Remove => Some(value.stamped()),
        };
        let write = Write::delete(collection.key(place), last, Expected::At(old.revision));
        match self.send(write, place, released).await? {
            Done::Is(_) if end == End::Release => Ok(Done::Is(shown)),
            other => Ok(other),
        }
    }

    async fn send(
        &mut self,
        write: Write,
        place: &str,
        released: Vec<Claim>,
    ) -> Result<Done, Status> {
        let durability = if self.resource.kind().traits.relaxed {
            Durability::Relaxed
        } else {
            Durability::Synced
        };
        let deletes = matches!(write.change, Change::Delete { .. });
        let write = write.with_durability(durability);
        match self.store_write(write, place, released).await? {
            Ok(written) => {
                if let Some(named) = self.named.take() {
                    named.written_at(written.revision);
                }
                let bytes = written.value.unwrap_or_default();
                debug_assert!(deletes || !bytes.is_empty());
                Ok(Done::Is(Arc::new(Stored::new(bytes, written.revision))))
            }
            Err(StoreError::Changed { found, .. }) => Ok(Done::Changed(found)),
            Err(error) => Err(faults::write(&error)),
        }
    }

    /// Answers with an object as the client wants to see it.
    ///
    /// # Errors
    /// 500 for an object that cannot be shown so; it is written all the same.
    pub(crate) async fn answer(&self, code: u16, object: &Arc<Stored>) -> Result<Answer, Status> {
        let showing = Showing::of(self.call, self.resource)?;
        showing.answer(code, &*self.shown(object).await?)
    }

    /// Returns a written object as it is in the version asked for.
    async fn shown(&self, object: &Arc<Stored>) -> Result<Arc<Stored>, Status> {
        if !convert::is_needed(self.resource, self.call.accepted.form) {
            return Ok(Arc::clone(object));
        }
        self.serving.converter.written(self.resource, object).await
    }
}

/// Returns what the store would have found.
fn entry(key: store::Key, object: &Stored) -> Arc<store::Entry> {
    Arc::new(store::Entry {
        key,
        value: object.bytes.clone(),
        revision: object.revision,
        created: object.revision,
    })
}

impl Encoded {
    /// Writes an object, which stands in the version at `working` in its normal form, as bytes of
    /// the stored version, with a hole for its resource version.
    ///
    /// # Errors
    /// 500 if the object has lost its form.
    pub(crate) fn of(kind: &Kind, working: usize, object: &mut Value) -> Result<Self, Status> {
        if working != kind.storage {
            // Only custom resources work in another version than the stored one. Unless their
            // definition converts them, nothing changes but what they say they are.
            match kind.conversion {
                Conversion::Behavior => {
                    let given = std::mem::take(object);
                    *object = render::convert_as(kind, working, kind.storage, given)?;
                }
                Conversion::None => {
                    let stored = kind.stored().group_version.to_string();
                    object.set_at(&["apiVersion"], Value::string(stored));
                }
                // It has been converted, or leaves in the version in which it lay.
                Conversion::Webhook(_) => {}
            }
        }
        meta::number(object, store::Revision(0), kind.traits.custom);
        let mut bytes = Vec::with_capacity(BYTES_EXPECTED);
        json::write(object, &mut bytes);
        // What a body nests as deep as may be, who owns its fields nests deeper still.
        if json::scan::is_too_deep(&bytes) {
            let why = format!("the object would nest more than {} levels", json::DEPTH_MAX);
            return Err(Status::bad_request(why));
        }
        let hole = resource_version_at(&bytes)
            .ok_or_else(|| Status::internal("the object has no place for its resourceVersion"))?;
        Ok(Self {
            bytes: Bytes::from(bytes),
            hole: hole.start as usize..hole.end as usize,
        })
    }

    pub(crate) fn stamped(&self) -> store::Value {
        store::Value::stamped(
            self.bytes.slice(..self.hole.start),
            self.bytes.slice(self.hole.end..),
        )
    }

    /// Returns whether the object says the same as `old`.
    fn is_same(&self, old: &Stored) -> bool {
        let Some(hole) = resource_version_at(&old.bytes) else {
            return false;
        };
        let (start, end) = (hole.start as usize, hole.end as usize);
        start == self.hole.start
            && old.bytes[..start] == self.bytes[..self.hole.start]
            && old.bytes[end..] == self.bytes[self.hole.end..]
    }

    /// Returns the object as if it had been written at `revision`.
    fn at(&self, revision: store::Revision) -> Stored {
        let mut bytes = Vec::with_capacity(self.bytes.len() + 20);
        bytes.extend_from_slice(&self.bytes[..self.hole.start]);
        bytes.extend_from_slice(itoa::Buffer::new().format(revision.0).as_bytes());
        bytes.extend_from_slice(&self.bytes[self.hole.end..]);
        Stored::new(Bytes::from(bytes), revision)
    }

    /// Returns the object without a resource version, as the answer to a dry create has it.
    fn unnumbered(&self) -> Stored {
        const NAME: &[u8] = br#""resourceVersion":""#;
        let start = self.hole.start - NAME.len();
        let mut bytes = self.bytes[..start].to_vec();
        // The closing quote, and the comma on one side or the other.
        let mut rest = &self.bytes[self.hole.end + 1..];
        match rest.strip_prefix(b",") {
            Some(after) => rest = after,
            None if bytes.last() == Some(&b',') => {
                bytes.pop();
            }
            None => {}
        }
        bytes.extend_from_slice(rest);
        Stored::new(Bytes::from(bytes), store::Revision(0))
    }
}

/// Keeps the first of causes that are the same, as upstream does for built-in kinds.
fn once(causes: &mut Vec<Cause>) {
    let mut kept: Vec<Cause> = Vec::with_capacity(causes.len());
    for cause in causes.drain(..) {
        if !kept.contains(&cause) {
            kept.push(cause);
        }
    }
    *causes = kept;
}
