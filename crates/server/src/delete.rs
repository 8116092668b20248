//! DELETE: an object leaves, at once or when those who hold it let go.
//!
//! Source: k8s.io/apiserver, pkg/registry/generic/registry/store.go and pkg/registry/rest/delete.go.

mod many;
pub(crate) mod options;

use std::{sync::Arc, time::Duration};

use api::{Reason, Status, Text, Value, meta::Meta, status::Details, time};
use base::WallTime;

use crate::{
    Answer, Call,
    collection::Stored,
    crds, read,
    registry::Resource,
    serving::Serving,
    write::{Done, Door, MODIFIED, Old, Writer, meta},
};

use options::{DeleteOptions, Policy};

pub(crate) use many::{delete_all as all, many};

/// Held until the garbage collector has made dependents orphans.
const ORPHAN: &str = "orphan";

/// Held until the garbage collector has deleted dependents.
const FOREGROUND: &str = "foregroundDeletion";

/// How a delete ended.
pub(crate) struct Deleted {
    /// The object: as it was at last if it is gone, as it is now if it is held.
    pub(crate) object: Arc<Stored>,
    /// Whether it was written to, and so is shown instead of a status.
    pub(crate) is_held: bool,
}

/// Deletes one object.
///
/// # Errors
/// 404, 409 for preconditions that do not hold, 422 for options that contradict each other,
/// admission's refusals.
pub(crate) async fn one(
    serving: &Serving,
    call: &mut Call,
    resource: &Resource,
) -> Result<Answer, Status> {
    let options = DeleteOptions::read(call)?;
    options.check()?;
    call.options.dry_run = options.dry_run;
    let mut writer = Writer::new(serving, call, resource, Door::Main);
    let deleted = writer.delete(&options).await?;
    // 202 only for the oldest way to ask for a cascade, as upstream.
    let code = if deleted.is_held && options.orphan_dependents == Some(false) {
        202
    } else {
        200
    };
    if deleted.is_held || resource.kind().traits.returns_deleted {
        return writer.answer(code, &deleted.object).await;
    }
    Ok(Answer::Status {
        accepted: writer.call.accepted,
        status: Box::new(success(resource, writer.call, &deleted.object)),
    })
}

/// Returns the status of an object that is gone.
fn success(resource: &Resource, call: &Call, object: &Stored) -> Status {
    let mut status = Status::new(200, Reason::Unknown, "");
    let uid = object.head().map(|head| head.uid.to_string());
    status.details = Some(Box::new(Details {
        name: call.path.name.clone(),
        group: Text::new(resource.group()),
        // The resource, although the field is called kind.
        kind: Text::new(resource.plural()),
        uid: Text::from(uid.unwrap_or_default()),
        ..Details::default()
    }));
    status
}

/// What a delete does to the object as it is.
enum Step {
    /// Nothing: it is leaving already, and not sooner.
    Leave,
    /// It stays, marked as leaving.
    Hold(Value),
    /// It goes, and this is its last state.
    Remove(Value),
}

impl Writer<'_> {
    /// Deletes the object of this request, going round until it is done.
    ///
    /// # Errors
    /// As [`one`].
    pub(crate) async fn delete(&mut self, options: &DeleteOptions) -> Result<Deleted, Status> {
        let place = read::place(self.call, self.resource);
        loop {
            let Some(old) = self.leaving(&place).await? else {
                return Err(read::not_found(self.call, self.resource));
            };
            self.check_preconditions(options, &old)?;
            self.admit_delete(&old.value).await?;
            let step = self.step(options, &old);
            let is_held = matches!(step, Step::Hold(_));
            let approved = match step {
                Step::Leave => {
                    return Ok(Deleted {
                        object: old.stored,
                        is_held: false,
                    });
                }
                Step::Hold(object) => self.approve_hold(object, &old)?,
                Step::Remove(last) => self.approve_removal(last, &old)?,
            };
            match self.commit(approved).await? {
                Done::Is(object) => {
                    return Ok(Deleted { object, is_held });
                }
                Done::Changed(_) => {
                    if options.resource_version.is_some() {
                        return Err(self.precondition(MODIFIED));
                    }
                    self.in_time()?;
                }
            }
        }
    }

    pub(crate) fn check_preconditions(
        &self,
        options: &DeleteOptions,
        old: &Old,
    ) -> Result<(), Status> {
        let known = Meta::of(&old.value);
        if let Some(uid) = options.uid.as_ref().filter(|uid| *uid != known.uid()) {
            return Err(self.precondition(&format!(
                "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been deleted and then recreated",
                known.uid()
            )));
        }
        let revision = old.stored.revision.to_string();
        if let Some(given) = options
            .resource_version
            .as_ref()
            .filter(|v| **v != revision)
        {
            return Err(self.precondition(&format!(
                "the ResourceVersion in the precondition ({given}) does not match the ResourceVersion in record ({revision}). The object might have been modified"
            )));
        }
        Ok(())
    }

    fn precondition(&self, why: &str) -> Status {
        // Upstream names the kind here, not the resource.
        let kind = &self.resource.kind().names.kind;
        Status::conflict(self.resource.group(), kind, &self.call.path.name, why)
    }

    /// Decides what a delete does now. Pure but for the time of the request.
    fn step(&self, options: &DeleteOptions, old: &Old) -> Step {
        let kind = self.resource.kind();
        let now = self.serving.clock.wall();
        let mut object = old.value.clone();
        if crds::is_definition(kind) && !Meta::of(&object).is_leaving() {
            crds::hold(&mut object, now);
            return Step::Hold(object);
        }
        if kind.traits.spec_finalizers && !meta::spec_finalizers_gone(&object) {
            return hold_by_spec(object, options, now);
        }
        let was_leaving = Meta::of(&object).is_leaving();
        let grace = match grace(&*kind.behavior, &mut object, options, now) {
            Grace::Pending => return Step::Leave,
            Grace::Seconds(seconds) => Some(seconds),
            Grace::None => None,
        };
        if !kind.traits.uncollected {
            set_collector_finalizers(&mut object, options, kind.traits.orphans_by_default);
        }
        let is_held = Meta::of(&object).finalizers().len() > 0;
        match grace {
            Some(seconds) if seconds > 0 || is_held => Step::Hold(object),
            None if is_held => {
                mark_leaving(&mut object, was_leaving, now);
                Step::Hold(object)
            }
            _ => Step::Remove(object),
        }
    }
}

/// Marks an object whose own finalizers lie in its spec (a namespace).
fn hold_by_spec(mut object: Value, options: &DeleteOptions, now: WallTime) -> Step {
    if Meta::of(&object).is_leaving() {
        return Step::Leave;
    }
    set_collector_finalizers(&mut object, options, false);
    meta::of(&mut object).insert("deletionTimestamp", time::to_value(now));
    object.set_at(&["status", "phase"], Value::from("Terminating"));
    Step::Hold(object)
}

/// How long an object may take to leave.
enum Grace {
    /// Its kind knows no grace.
    None,
    /// It is leaving already, and was not asked to hurry.
    Pending,
    /// So many seconds from now; the object says so.
    Seconds(i64),
}

/// Decides about grace and marks the object with it.
fn grace(
    behavior: &dyn schema::Behavior,
    object: &mut Value,
    options: &DeleteOptions,
    now: WallTime,
) -> Grace {
    // A negative period stands for the shortest one.
    let asked = options
        .grace_seconds
        .map(|seconds| if seconds < 0 { 1 } else { seconds });
    let Some(seconds) = behavior.grace_seconds(object, asked) else {
        return Grace::None;
    };
    let known = Meta::of(object);
    let (leaving, held) = (known.deletion_timestamp(), known.deletion_grace_seconds());
    let generation = known.generation();
    let Some(until) = leaving else {
        let fields = meta::of(object);
        let until = now + Duration::from_secs(seconds.unsigned_abs());
        fields.insert("deletionTimestamp", time::to_value(until));
        fields.insert("deletionGracePeriodSeconds", Value::Int(seconds));
        if generation > 0 {
            fields.insert("generation", Value::Int(generation + 1));
        }
        return Grace::Seconds(seconds);
    };
    let held = held.unwrap_or(0);
    if held == 0 {
        return Grace::None;
    }
    // Someone who is leaving can only be hurried.
    let Some(wanted) = asked.filter(|wanted| *wanted < held) else {
        return Grace::Pending;
    };
    let mut period = wanted;
    let mut sooner = WallTime::from_secs(until.secs() - held + wanted);
    if sooner < now {
        sooner = now;
        if period != 0 {
            // The whole grace has passed; the last second belongs to whoever carries the end out.
            period = 1;
        }
    }
    let fields = meta::of(object);
    fields.insert("deletionTimestamp", time::to_value(sooner));
    fields.insert("deletionGracePeriodSeconds", Value::Int(period));
    Grace::Seconds(period)
}

/// Marks an object as leaving whose kind knows no grace.
fn mark_leaving(object: &mut Value, was_leaving: bool, now: WallTime) {
    let known = Meta::of(object);
    let (generation, until) = (known.generation(), known.deletion_timestamp());
    let fields = meta::of(object);
    if !was_leaving && generation > 0 {
        fields.insert("generation", Value::Int(generation + 1));
    }
    if until.is_none_or(|until| until > now) {
        fields.insert("deletionTimestamp", time::to_value(now));
    }
    fields.insert("deletionGracePeriodSeconds", Value::Int(0));
}

/// Lets the garbage collector hold the object as the policy says.
fn set_collector_finalizers(object: &mut Value, options: &DeleteOptions, orphans_by_default: bool) {
    let known = Meta::of(object);
    let (has_orphan, has_foreground) =
        (known.has_finalizer(ORPHAN), known.has_finalizer(FOREGROUND));
    let wanted = match options.policy() {
        Some(Policy::Orphan) => Some(ORPHAN),
        Some(Policy::Foreground) => Some(FOREGROUND),
        Some(Policy::Background) => None,
        // Without a word, what the object says already holds, and then the kind's default.
        None if has_orphan => Some(ORPHAN),
        None if has_foreground => Some(FOREGROUND),
        None => orphans_by_default.then_some(ORPHAN),
    };
    if has_orphan == (wanted == Some(ORPHAN)) && has_foreground == (wanted == Some(FOREGROUND)) {
        return;
    }
    let mut finalizers: Vec<Value> = known
        .finalizers()
        .filter(|name| *name != ORPHAN && *name != FOREGROUND)
        .map(Value::from)
        .collect();
    finalizers.extend(wanted.map(Value::from));
    let fields = meta::of(object);
    if finalizers.is_empty() {
        fields.remove("finalizers");
    } else {
        fields.insert("finalizers", Value::Array(finalizers));
    }
}
