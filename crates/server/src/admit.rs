//! Where writes meet admission: on what terms may this object come in?
//!
//! The rules themselves live in `access`; here a write is put into their words. A rule that misses
//! what someone is about to make (the service account of a fresh namespace) is asked again once it
//! is there, for a moment.

use std::{sync::Arc, task::Poll, time::Duration};

use access::{
    Admit, World,
    admit::{Around, Await, Refusal, Request},
};
use api::{Status, Value};
use base::Rng;

pub(crate) use access::admit::Operation;

use crate::{
    Call,
    collection::{Interest, place_of},
    registry::{ClusterId, Resource},
    server::Access,
    serving::Serving,
};

/// How long a write waits for what a rule misses; upstream tries for about a second.
const AWAIT_MAX: Duration = Duration::from_secs(1);

/// On whose terms objects come in.
pub(crate) struct Terms {
    pub(crate) access: Arc<Access>,
    pub(crate) world: Arc<dyn World>,
    pub(crate) admit: Admit,
}

/// One write, as admission sees it.
pub(crate) struct Ask<'a> {
    pub(crate) serving: &'a Serving,
    pub(crate) resource: &'a Resource,
    pub(crate) operation: Operation,
    /// Subresource, or nothing.
    pub(crate) subresource: &'a str,
}

/// Which half of admission.
enum Half<'a> {
    Change(&'a mut Value),
    Check(&'a Value),
}

impl Ask<'_> {
    /// Lets the rules change the object, or refuse it.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) async fn mutate(
        &self,
        call: &Call,
        object: &mut Value,
        old: Option<&Value>,
    ) -> Result<(), Status> {
        let first = self.ask(call, Half::Change(object), old);
        let Err(refusal) = first else {
            return Ok(());
        };
        self.wait(&refusal).await?;
        self.ask(call, Half::Change(object), old)
            .map_err(|refusal| *refusal.status)
    }

    /// Lets the rules refuse the object as it is going to be written; null for deletes.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) async fn validate(
        &self,
        call: &Call,
        object: Option<&Value>,
        old: Option<&Value>,
    ) -> Result<(), Status> {
        let object = object.unwrap_or(&Value::Null);
        let first = self.ask(call, Half::Check(object), old);
        let Err(refusal) = first else {
            return Ok(());
        };
        self.wait(&refusal).await?;
        self.ask(call, Half::Check(object), old)
            .map_err(|refusal| *refusal.status)
    }

    fn ask(&self, call: &Call, half: Half<'_>, old: Option<&Value>) -> Result<(), Refusal> {
        // A server nobody gave terms to lets everything in.
        let Some(terms) = self.serving.terms() else {
            return Ok(());
        };
        let request = Request {
            user: &call.user,
            operation: self.operation,
            group: self.resource.group(),
            version: &self.resource.version().group_version.version,
            resource: self.resource.plural(),
            subresource: self.subresource,
            namespace: &call.path.namespace,
            name: &call.path.name,
            dry_run: call.options.dry_run,
        };
        let mut rng = Rng::from_seed(self.serving.random(Rng::next_u64));
        let mut around = Around {
            world: &*terms.world,
            allow: &terms.access.allow,
            now: call.received,
            rng: &mut rng,
        };
        match half {
            Half::Change(object) => terms.admit.change(&request, object, old, &mut around),
            Half::Check(object) => terms.admit.check(&request, object, old, &mut around),
        }
    }

    /// Waits for what the rule misses.
    ///
    /// # Errors
    /// The refusal itself, if it misses nothing or that does not come.
    async fn wait(&self, refusal: &Refusal) -> Result<(), Status> {
        let refused = || Status::clone(&refusal.status);
        let awaited = refusal.awaits.as_ref().ok_or_else(refused)?;
        let arrival = self.arrival(awaited);
        let outcome = self.serving.clock.timeout(AWAIT_MAX, arrival).await;
        match outcome {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(refused()),
        }
    }

    /// Waits until an object is there; false if its kind is not served.
    async fn arrival(&self, awaited: &Await) -> bool {
        let found = self.serving.registry.table().find_any(
            ClusterId::ONLY,
            awaited.resource.group,
            awaited.resource.plural,
        );
        let Some(resource) = found else {
            return false;
        };
        let collection = &resource.served.collection;
        let place = place_of(&awaited.namespace, &awaited.name);
        let seat = collection.sit(Interest::At(place.clone()));
        std::future::poll_fn(|ctx| {
            seat.wait(ctx.waker());
            match collection.peek() {
                Some(view) if view.objects.contains_key(&place) => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
        true
    }
}
