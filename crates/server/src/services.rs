//! What some resources offer beside their objects: tokens, evictions, and ways to what runs on a
//! node.
//!
//! pintle says which of them are offered. They see a call that is allowed and read, and answer it;
//! what they write goes through the same loop as any write.

mod connect;
mod eviction;
mod token;

use std::sync::Arc;

use access::identify::ServiceAccounts;
use api::{Status, Value};

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
    /// Shows what a container wrote.
    Log,
    /// Runs something in a container or attaches to it.
    Stream,
    /// Forwards ports of a pod.
    PortForward,
    /// Passes requests on to a pod.
    PodProxy,
    /// Passes requests on to a pod of a Service.
    ServiceProxy,
    /// Passes requests on to a node.
    NodeProxy,
}

impl Service {
    /// Returns every service, each at its place.
    #[must_use]
    pub fn all(accounts: Arc<ServiceAccounts>) -> Vec<(Point, Self)> {
        let pods = |name: &str, service: Self| (Point::new("", "pods", name), service);
        vec![
            (
                Point::new("", "serviceaccounts", "token"),
                Self::Token(accounts),
            ),
            pods("eviction", Self::Eviction),
            pods("log", Self::Log),
            pods("exec", Self::Stream),
            pods("attach", Self::Stream),
            pods("portforward", Self::PortForward),
            pods("proxy", Self::PodProxy),
            (Point::new("", "services", "proxy"), Self::ServiceProxy),
            (Point::new("", "nodes", "proxy"), Self::NodeProxy),
        ]
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
            Self::Log => connect::log(&asked, call).await,
            Self::Stream => connect::stream(&asked, call).await,
            Self::PortForward => connect::port_forward(&asked, call).await,
            Self::PodProxy => connect::pod_proxy(&asked, call).await,
            Self::ServiceProxy => connect::service_proxy(&asked, call).await,
            Self::NodeProxy => connect::node_proxy(&asked, call).await,
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
