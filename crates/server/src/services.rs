//! What some resources offer beside their objects ([`schema::Offer`]): credentials, deletes that
//! others have a say in, and ways to what runs elsewhere ([`crate::forward`]).
//!
//! pintle says which of them are offered. They see a call that is allowed and read, and answer it;
//! what they write goes through the same loop as any write. What they mean is the business of the
//! kind that offers them.

mod credential;
mod leave;

use std::sync::Arc;

use access::identify::ServiceAccounts;
use api::{Status, Value};
use schema::{Credential, Leave, Offer, ResourceName, way::Way};

use crate::{
    Answer, Call,
    collection::{Stored, place_of},
    faults,
    mount::Point,
    registry::Resource,
    render,
    serving::Serving,
    write::body,
};

/// A service below an object.
#[derive(Clone)]
pub enum Service {
    /// Signs credentials.
    Credential(Arc<dyn Credential>, Arc<ServiceAccounts>),
    /// Deletes objects as far as others allow.
    Leave(Arc<dyn Leave>),
    /// Passes requests on to where they lead.
    Way(Arc<dyn Way>),
}

impl Service {
    /// Returns a service for every offer, each at its place (resource and subresource);
    /// credentials are signed by `accounts`.
    #[must_use]
    pub fn all(
        offers: Vec<(ResourceName, &'static str, Offer)>,
        accounts: &Arc<ServiceAccounts>,
    ) -> Vec<(Point, Self)> {
        let served = |offer| match offer {
            Offer::Way(way) => Self::Way(way),
            Offer::Leave(rules) => Self::Leave(rules),
            Offer::Credential(rules) => Self::Credential(rules, Arc::clone(accounts)),
        };
        let offers = offers.into_iter();
        let offers = offers.map(|((group, plural), subresource, offer)| {
            (Point::new(group, plural, subresource), served(offer))
        });
        offers.collect()
    }

    /// Answers a call at its place.
    ///
    /// # Errors
    /// The refusal to send.
    pub(crate) async fn answer(
        &self,
        serving: &Serving,
        call: &mut Call,
        resource: &Resource,
        sub: &schema::Subresource,
    ) -> Result<Answer, Status> {
        let asked = Asked {
            serving,
            resource,
            sub,
        };
        match self {
            Self::Credential(rules, accounts) => {
                credential::answer(&asked, call, &**rules, accounts).await
            }
            Self::Leave(rules) => leave::answer(&asked, call, &**rules).await,
            // The route passed it on before a call was made of it.
            Self::Way(_) => Err(Status::no_such_page()),
        }
    }
}

/// Where a service is asked.
pub(crate) struct Asked<'a> {
    pub(crate) serving: &'a Serving,
    pub(crate) resource: &'a Resource,
    pub(crate) sub: &'a schema::Subresource,
}

impl Asked<'_> {
    /// Returns what the body shall be.
    fn expected(&self) -> body::Expected<'_> {
        body::Expected {
            group_version: &self.sub.group_version,
            kind: &self.sub.kind,
            shape: &self.sub.shape,
            custom: false,
        }
    }

    /// Returns the object of a call as it is now.
    ///
    /// # Errors
    /// 404; faults.
    async fn object(&self, call: &Call) -> Result<(Arc<Stored>, Value), Status> {
        let place = place_of(&call.path.namespace, &call.path.name);
        let found = self.resource.served.collection.get(&place);
        let found = found.await.map_err(|error| faults::read(&error))?;
        let stored = found.ok_or_else(|| crate::read::not_found(call, self.resource))?;
        let value = render::parse(&stored.bytes)?;
        Ok((stored, value))
    }
}
