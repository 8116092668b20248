//! POST: a new object.

use api::{Reason, Status, Value, json::scan, names::validate};
use store::Entry;

use super::{Done, Door, Proposed, Writer, body, meta};
use crate::{Answer, Call, convert, registry::Resource, serving::Serving};

/// How many names are tried for an object that leaves its name to the server; eight make a clash
/// unlikely up to a million names of one prefix.
const NAMES_MAX: usize = 8;

/// Creates an object.
///
/// # Errors
/// 400 for a body that is not understood, 403 and others by admission, 409 if the name is taken,
/// 422 for an object that breaks rules.
pub(crate) async fn create(
    serving: &Serving,
    call: &mut Call,
    resource: &Resource,
) -> Result<Answer, Status> {
    let version = resource.version();
    let expected = body::Expected {
        group_version: &version.group_version,
        kind: &resource.kind().names.kind,
        shape: &version.shape,
        custom: resource.kind().traits.custom,
    };
    let object = body::read(call, &expected)?;
    let mut writer = Writer::new(serving, call, resource, Door::Main);
    let stored = writer.create(object).await?;
    writer.answer(201, &stored).await
}

impl Writer<'_> {
    /// Takes a body of the version asked for to the store.
    async fn create(
        &mut self,
        mut object: Value,
    ) -> Result<std::sync::Arc<crate::collection::Stored>, Status> {
        let kind = self.resource.kind();
        meta::wipe(&mut object);
        meta::settle_namespace(&mut object, kind.scope, &self.call.path.namespace)?;
        if self.resource.served.is_terminating() {
            return Err(Status::forbidden(
                self.resource.group(),
                self.resource.plural(),
                meta::text(&object, "name"),
                "create not allowed while custom resource definition is terminating",
            ));
        }
        let warning = meta::dedup_owners(&mut object, meta::Noticed::BeforeAdmission);
        self.call.warnings.extend(warning);
        let mut object = self.adopt(object)?;
        if convert::has_webhook(kind) {
            object = self.tracked(object).await?;
        } else {
            self.track(None, &mut object)?;
        }
        let mut proposed = Proposed { object, old: None };
        self.mutate(&mut proposed).await?;
        self.insert(proposed).await
    }

    /// Notes who owns what of a new object, in whichever versions it says it was written.
    async fn tracked(&mut self, adopted: Value) -> Result<Value, Status> {
        loop {
            let mut object = adopted.clone();
            let noted = self.track(None, &mut object);
            if !self.must_go_round().await? {
                return noted.map(|()| object);
            }
        }
    }

    /// Writes a new object, under a name of the server's choice if it brings none.
    pub(super) async fn insert(
        &mut self,
        proposed: Proposed,
    ) -> Result<std::sync::Arc<crate::collection::Stored>, Status> {
        let prefix = meta::text(&proposed.object, "generateName").to_owned();
        let generated = meta::text(&proposed.object, "name").is_empty() && !prefix.is_empty();
        if !generated {
            let name = meta::text(&proposed.object, "name").to_owned();
            return match self.attempt(proposed).await? {
                Done::Is(stored) => Ok(stored),
                Done::Changed(found) => Err(self.taken(&name, found.as_deref())),
            };
        }
        let mut tries = 0;
        loop {
            let name = self
                .serving
                .random(|rng| validate::generate_name(&prefix, rng));
            let mut object = proposed.object.clone();
            meta::of(&mut object).insert("name", Value::from(name.as_str()));
            match self.attempt(Proposed { object, old: None }).await? {
                Done::Is(stored) => return Ok(stored),
                Done::Changed(found) => {
                    tries += 1;
                    if tries >= NAMES_MAX {
                        return Err(self.no_name(&name, found.as_deref()));
                    }
                }
            }
        }
    }

    async fn attempt(&mut self, mut proposed: Proposed) -> Result<Done, Status> {
        let given = meta::text(&proposed.object, "resourceVersion");
        // Upstream's storage says so, and nobody translates it; a dry run never gets there, and
        // clients send copies of what they read.
        if !matches!(given, "" | "0") && !self.call.options.dry_run {
            return Err(Status::new(
                500,
                Reason::Unknown,
                "resourceVersion should not be set on objects to be created",
            ));
        }
        self.allot(&mut proposed).await?;
        let prepared = self.prepare(proposed)?;
        let approved = self.approve(prepared).await?;
        self.commit(approved).await
    }

    fn taken(&self, name: &str, found: Option<&Entry>) -> Status {
        let status = Status::already_exists(self.resource.group(), self.resource.plural(), name);
        say_if_leaving(status, found)
    }

    fn no_name(&self, name: &str, found: Option<&Entry>) -> Status {
        let mut status = self.taken(name, None).with_retry_after(1);
        status
            .message
            .push_str(", the server was not able to generate a unique name for the object");
        say_if_leaving(status, found)
    }
}

fn say_if_leaving(mut status: Status, found: Option<&Entry>) -> Status {
    let is_leaving = found.is_some_and(|entry| {
        scan::find_field(&entry.value, &["metadata", "deletionTimestamp"]).is_some()
    });
    if is_leaving {
        status.message = format!("object is being deleted: {}", status.message);
    }
    status
}
