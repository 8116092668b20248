//! What some resources offer beside their objects: tokens, evictions, and ways to what runs
//! elsewhere ([`crate::forward`]).
//!
//! pintle says which of them are offered. They see a call that is allowed and read, and answer it;
//! what they write goes through the same loop as any write.

mod eviction;
mod token;

use std::sync::Arc;

use access::identify::ServiceAccounts;
use api::{Status, Value};
use schema::way::Way;

use crate::{
    Answer, Call,
    collection::{Stored, place_of},
    faults,
    mount::Point,
    registry::{ClusterId, Resource},
    render,
    serving::Serving,
    write::body,
};

/// A service below an object.
#[derive(Clone)]
pub enum Service {
    /// Signs tokens of service accounts.
    Token(Arc<ServiceAccounts>),
    /// Deletes pods as far as budgets of disruption allow.
    Eviction,
    /// Passes requests on to where they lead.
    Way(Arc<dyn Way>),
}

impl Service {
    /// Returns every service, each at its place; `ways` by plural and subresource of the core group.
    #[must_use]
    pub fn all(
        accounts: Arc<ServiceAccounts>,
        ways: Vec<(&'static str, &'static str, Arc<dyn Way>)>,
    ) -> Vec<(Point, Self)> {
        let ways = ways.into_iter();
        let ways = ways.map(|(plural, name, way)| (Point::new("", plural, name), Self::Way(way)));
        let own = [
            (
                Point::new("", "serviceaccounts", "token"),
                Self::Token(accounts),
            ),
            (Point::new("", "pods", "eviction"), Self::Eviction),
        ];
        own.into_iter().chain(ways).collect()
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
            Self::Token(accounts) => token::answer(&asked, call, accounts).await,
            Self::Eviction => eviction::answer(&asked, call).await,
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

    /// Returns a resource by its group and plural.
    fn find(&self, group: &str, plural: &str) -> Result<Resource, Status> {
        let table = self.serving.registry.table();
        let found = table.find_any(ClusterId::ONLY, group, plural);
        found.ok_or_else(|| Status::internal(format!("{plural} are not served")))
    }

    /// Returns an object as it is now.
    ///
    /// # Errors
    /// 404; faults.
    async fn object(
        &self,
        (group, plural): (&str, &str),
        namespace: &str,
        name: &str,
    ) -> Result<(Arc<Stored>, Value), Status> {
        let resource = self.find(group, plural)?;
        let place = place_of(namespace, name);
        let found = resource.served.collection.get(&place);
        let found = found.await.map_err(|error| faults::read(&error))?;
        let stored = found.ok_or_else(|| Status::not_found(group, plural, name))?;
        let value = render::parse(&stored.bytes)?;
        Ok((stored, value))
    }
}
