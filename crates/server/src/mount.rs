//! Services that pintle mounts: what answers at a path without being a stored object.
//!
//! `serviceaccounts/token`, `pods/eviction`, `pods/log`, and later whole aggregated groups. A
//! service gets the request after every phase, its caller known and allowed, and answers as it
//! likes, upgrades included.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use access::User;
use api::Text;
use hashbrown::HashMap;

use crate::{Answer, Body, Refusal, request::Request};

/// The answer of a service, to come.
pub type Answering = Pin<Box<dyn Future<Output = Result<Answer, Refusal>> + Send>>;

/// What answers at a mounted path.
pub type Service = Arc<dyn Fn(Visit) -> Answering + Send + Sync>;

/// A request at a mounted path.
pub struct Visit {
    /// The request, without credentials.
    pub request: Request,
    /// Its body, not read yet.
    pub body: Body,
    /// Who asks, after impersonation.
    pub user: Arc<User>,
    /// What the transport can do beyond HTTP: the handle of an upgrade.
    pub extensions: http::Extensions,
}

/// Where a service is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Point {
    /// API group.
    pub group: Text,
    /// Plural.
    pub resource: Text,
    /// Subresource.
    pub subresource: Text,
}

/// The mounted services.
#[derive(Clone, Default)]
pub struct Mounts(HashMap<Point, Service>);

impl Point {
    /// Returns the place of a subresource, in every version of its group.
    #[must_use]
    pub fn new(group: &str, resource: &str, subresource: &str) -> Self {
        Self {
            group: Text::new(group),
            resource: Text::new(resource),
            subresource: Text::new(subresource),
        }
    }

    /// Returns the place a path names.
    pub(crate) fn of(path: &crate::ResourcePath) -> Self {
        Self {
            group: path.group_version.group.clone(),
            resource: path.resource.clone(),
            subresource: path.subresource.clone(),
        }
    }
}

impl Mounts {
    /// Mounts a service; one that was there goes.
    #[must_use]
    pub fn with(mut self, point: Point, service: Service) -> Self {
        self.0.insert(point, service);
        self
    }

    /// Returns the service at this place.
    pub(crate) fn find(&self, path: &crate::ResourcePath) -> Option<&Service> {
        if path.subresource.is_empty() || self.0.is_empty() {
            return None;
        }
        self.0.get(&Point::of(path))
    }
}

impl fmt::Debug for Mounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
