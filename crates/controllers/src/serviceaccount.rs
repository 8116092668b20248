//! Gives every namespace its `default` service account.
//!
//! [`plan`] and [`act`] are one file, since there is one thing to decide and one to do.

use std::sync::Arc;

use base::WallTime;
use bytes::Bytes;
use kit::{After, Cache, Client, Controller, Error, Key, Partial, Resource, Scope};

use crate::namespace::Namespace;

/// Name of the account that every namespace has.
pub const NAME: &str = "default";

/// The service account controller. Its keys are namespaces.
pub struct ServiceAccounts {
    /// Its way to the server.
    pub client: Client,
    /// Namespaces.
    pub namespaces: Cache<Namespace>,
    /// Service accounts.
    pub accounts: Cache<Partial>,
}

/// What was seen of one namespace.
pub struct Seen {
    namespace: Arc<Namespace>,
    has_account: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Leave,
    /// Create the account.
    Create,
}

/// Returns the resource of service accounts.
#[must_use]
pub fn resource() -> Resource {
    Resource::new(
        "",
        "v1",
        "serviceaccounts",
        "ServiceAccount",
        Scope::Namespaced,
    )
}

/// Decides; a namespace that leaves gets nothing new.
#[must_use]
pub fn plan(leaving: bool, has_account: bool) -> Step {
    if leaving || has_account {
        Step::Leave
    } else {
        Step::Create
    }
}

impl Controller for ServiceAccounts {
    type Key = Key;
    type Seen = Seen;
    type Plan = Step;

    fn name(&self) -> &'static str {
        "serviceaccount"
    }

    fn observe(&self, key: &Key) -> Option<Seen> {
        let namespace = self.namespaces.get(key)?;
        let has_account = self.accounts.holds(&Key::new(key.name(), NAME), |_| true);
        Some(Seen {
            namespace,
            has_account,
        })
    }

    fn plan(&self, seen: &Seen, _now: WallTime) -> Step {
        plan(seen.namespace.metadata.is_leaving(), seen.has_account)
    }

    async fn act(&self, key: &Key, _seen: Seen, step: Step) -> Result<After, Error> {
        if step == Step::Create {
            let path = self.accounts.resource().path_in(key.name());
            let body = Bytes::from_static(
                br#"{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"}}"#,
            );
            match self.client.create::<Partial>(&path, body).await {
                Ok(_) => {}
                Err(error) if error.is_already_exists() => {}
                // The namespace goes, or is gone already.
                Err(error) if error.has_cause("NamespaceTerminating") || error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(After::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::{Step, plan};

    #[test]
    fn creates_what_is_missing_where_it_stays() {
        assert_eq!(plan(false, false), Step::Create);
        assert_eq!(plan(false, true), Step::Leave);
        assert_eq!(plan(true, false), Step::Leave);
    }
}
