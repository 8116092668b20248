//! Deletes an object as far as others allow ([`schema::Leave`]).

use std::sync::Arc;

use api::{Meta, Reason, Status, Text, Value};
use schema::{
    Leave,
    offer::{Standing, Verdict},
    way::Sight,
};

use super::Asked;
use crate::{
    Answer, Call,
    admit::{Ask, Operation},
    collection::place_of,
    delete::options::DeleteOptions,
    registry::Resource,
    sight,
    write::{Done, Door, Writer, body, meta},
};

/// Answers a request to let the object go.
pub(super) async fn answer(
    asked: &Asked<'_>,
    call: &mut Call,
    rules: &dyn Leave,
) -> Result<Answer, Status> {
    let mut request = body::read(call, &asked.expected())?;
    let scope = asked.resource.kind().scope;
    meta::settle_namespace(&mut request, scope, &call.path.namespace)?;
    let mut options = match rules.options(&request, &call.path.name)? {
        Some(given) => DeleteOptions::from_value(given)?,
        None => DeleteOptions::default(),
    };
    options.dry_run |= call.options.dry_run;
    options.check()?;
    let ask = Ask {
        serving: asked.serving,
        resource: asked.resource,
        operation: Operation::Create,
        subresource: &asked.sub.name,
    };
    ask.mutate(call, &mut request, None).await?;
    ask.validate(call, Some(&request), None).await?;
    call.options.dry_run = options.dry_run;
    let mut leaving = Leaving { asked, call, rules };
    leaving.go(options).await?;
    let mut status = Status::new(201, Reason::Unknown, "");
    status.details = None;
    Ok(Answer::Status {
        accepted: call.accepted,
        status: Box::new(status),
    })
}

/// One object on its way out.
struct Leaving<'a> {
    asked: &'a Asked<'a>,
    call: &'a mut Call,
    rules: &'a dyn Leave,
}

impl Leaving<'_> {
    async fn go(&mut self, mut options: DeleteOptions) -> Result<(), Status> {
        let is_pinned = options.resource_version.is_some();
        let (mut stored, mut object) = self.asked.object(self.call).await?;
        loop {
            let standing = self.rules.standing(&object);
            if standing == Standing::Guarded {
                break;
            }
            let mut once = options.clone();
            if !is_pinned && standing == Standing::FreeAsSeen {
                once.resource_version = Some(stored.revision.to_string().into());
            }
            match self.delete(once).await {
                Err(status) if status.code == 409 && !is_pinned => {}
                other => return other,
            }
            (stored, object) = self.asked.object(self.call).await?;
        }
        let guard = self.guard(&object).await?;
        let mut overtaken = None;
        if let Some(guard) = &guard
            && self.count(guard, &object, options.dry_run).await? == Counting::Uncounted
        {
            options.resource_version = Some(stored.revision.to_string().into());
            overtaken = (!is_pinned).then_some(guard);
        }
        match (self.delete(options).await, overtaken) {
            (Err(status), Some(guard)) if status.code == 409 => Err(self.rules.overtaken(guard)),
            (other, _) => other,
        }
    }

    /// Returns the name of the guard that covers an object.
    async fn guard(&self, object: &Value) -> Result<Option<Text>, Status> {
        let within = Sight::Within {
            resource: self.rules.guards(),
            namespace: self.call.path.namespace.to_string(),
        };
        let guards = sight::look(self.asked.serving, &within).await?;
        let place = self.rules.guard_of(object, &guards)?;
        Ok(place.map(|place| Text::new(Meta::of(&guards[place]).name())))
    }

    /// Lets the guard count the object, going round until it is written.
    async fn count(
        &mut self,
        guard: &Text,
        object: &Value,
        is_dry: bool,
    ) -> Result<Counting, Status> {
        let resource = sight::find(self.asked.serving, self.rules.guards())?;
        let place = place_of(&self.call.path.namespace, guard);
        let now = self.call.received;
        let mut own = self.own_call(&resource, guard);
        let mut writer = Writer::new(self.asked.serving, &mut own, &resource, Door::Status);
        loop {
            let Some(old) = writer.current(&place).await? else {
                return Err(crate::read::not_found(writer.call, &resource));
            };
            let counted = match self.rules.decide(&old.value, object, now)? {
                Verdict::Uncounted => return Ok(Counting::Uncounted),
                Verdict::Counted(_) if is_dry => return Ok(Counting::Counted),
                Verdict::Counted(guard) => guard,
            };
            let approved = writer.approve_own(counted, &old)?;
            match writer.commit(approved).await? {
                Done::Is(_) => return Ok(Counting::Counted),
                Done::Changed(_) => writer.in_time()?,
            }
        }
    }

    /// Notes in the object why it goes, and deletes it.
    async fn delete(&mut self, mut options: DeleteOptions) -> Result<(), Status> {
        if !options.dry_run {
            self.mark(&mut options).await?;
        }
        let (serving, resource) = (self.asked.serving, self.asked.resource);
        let mut writer = Writer::new(serving, self.call, resource, Door::Main);
        writer.delete(&options).await.map(drop)
    }

    /// Notes in the object why it goes; the revision that `options` are for moves along.
    async fn mark(&self, options: &mut DeleteOptions) -> Result<(), Status> {
        let resource = self.asked.resource;
        let path = &self.call.path;
        let place = place_of(&path.namespace, &path.name);
        let mut own = self.own_call(resource, &path.name);
        let mut writer = Writer::new(self.asked.serving, &mut own, resource, Door::Status);
        loop {
            let Some(old) = writer.current(&place).await? else {
                return Err(crate::read::not_found(writer.call, resource));
            };
            writer.check_preconditions(options, &old)?;
            let mut object = old.value.clone();
            self.rules.mark(&mut object, self.call.received);
            let approved = writer.approve_own(object, &old)?;
            match writer.commit(approved).await? {
                Done::Is(stored) => {
                    if options.resource_version.is_some() {
                        options.resource_version = Some(stored.revision.to_string().into());
                    }
                    return Ok(());
                }
                Done::Changed(_) => writer.in_time()?,
            }
        }
    }

    /// Returns a call about an object, in the server's own name.
    fn own_call(&self, resource: &Resource, name: &Text) -> Call {
        let mut own = self.call.clone();
        own.user = Arc::clone(&self.asked.serving.own_user);
        own.path.group_version = resource.version().group_version.clone();
        own.path.resource = Text::new(resource.plural());
        own.path.name = name.clone();
        own.path.subresource = Text::default();
        own
    }
}

/// Whether a guard has counted an object.
#[derive(PartialEq, Eq)]
enum Counting {
    Counted,
    Uncounted,
}
