//! May you? Attributes of a request to a decision.
//!
//! Members of `system:masters` may do everything; for everyone else the modes are asked in order, and
//! the first that has an opinion decides. No opinion at all is a refusal: [`refusal`] says it in the
//! words that tools look for.

pub mod escalation;
pub mod rbac;
mod rule;

use std::{fmt, sync::Arc};

use api::{
    Status,
    quote::quote,
    selector::{FieldSelector, LabelSelector},
};

use crate::{User, World, user::MASTERS};

pub use rbac::{Granted, Rbac};
pub use rule::Rule;

/// What someone wants to do.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    /// Who.
    pub user: &'a User,
    /// `get`, `list`, `impersonate`, …; the method on a path that is no resource.
    pub verb: &'a str,
    /// API group.
    pub group: &'a str,
    /// API version.
    pub version: &'a str,
    /// Plural.
    pub resource: &'a str,
    /// Subresource, or nothing.
    pub subresource: &'a str,
    /// Namespace, or nothing.
    pub namespace: &'a str,
    /// Name, or nothing.
    pub name: &'a str,
    /// The path, if the request is about no resource.
    pub path: Option<&'a str>,
    /// The field selector of a list, watch or collection delete.
    pub field_selector: Option<&'a FieldSelector>,
    /// The label selector of a list, watch or collection delete.
    pub label_selector: Option<&'a LabelSelector>,
}

impl<'a> Attributes<'a> {
    /// Returns the attributes of a request about a resource; what is not given is empty.
    #[must_use]
    pub fn resource(user: &'a User, verb: &'a str, group: &'a str, resource: &'a str) -> Self {
        Self {
            user,
            verb,
            group,
            version: "",
            resource,
            subresource: "",
            namespace: "",
            name: "",
            path: None,
            field_selector: None,
            label_selector: None,
        }
    }

    /// Returns the attributes of a request about a path.
    #[must_use]
    pub fn path(user: &'a User, verb: &'a str, path: &'a str) -> Self {
        Self {
            path: Some(path),
            ..Self::resource(user, verb, "", "")
        }
    }

    /// Says in which namespace.
    #[must_use]
    pub fn within(mut self, namespace: &'a str) -> Self {
        self.namespace = namespace;
        self
    }

    /// Says which object.
    #[must_use]
    pub fn named(mut self, name: &'a str) -> Self {
        self.name = name;
        self
    }

    /// Says which subresource.
    #[must_use]
    pub fn below(mut self, subresource: &'a str) -> Self {
        self.subresource = subresource;
        self
    }
}

/// What was decided. More outcomes will come: an authorizer may allow on conditions.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Decision {
    /// Yes.
    Allow(Reason),
    /// No, whatever others say.
    Deny(Reason),
    /// Nobody here knows; that is a no if nobody else does.
    NoOpinion(Reason),
}

/// Why, for the audit log and for refusals; printed only when someone asks.
#[derive(Clone, Debug)]
pub enum Reason {
    /// Nothing to say.
    Silent,
    /// A binding grants it.
    Granted(Granted),
    /// A sentence.
    Text(Arc<str>),
}

impl Decision {
    /// Returns whether the answer is yes.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow(_))
    }

    /// Returns why.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        match self {
            Self::Allow(reason) | Self::Deny(reason) | Self::NoOpinion(reason) => reason,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => Ok(()),
            Self::Granted(granted) => write!(f, "RBAC: allowed by {granted}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// One way to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everyone may do everything; for tests.
    AlwaysAllow,
    /// Nobody may do anything; for tests.
    AlwaysDeny,
    /// Roles and bindings.
    Rbac,
}

/// The ways to decide, in order.
pub struct Allow {
    modes: Vec<Mode>,
    rbac: Rbac,
}

impl Allow {
    /// Returns what decides by these modes.
    #[must_use]
    pub fn new(modes: Vec<Mode>) -> Self {
        Self {
            modes,
            rbac: Rbac::default(),
        }
    }

    /// Returns the roles and bindings.
    #[must_use]
    pub fn rbac(&self) -> &Rbac {
        &self.rbac
    }

    /// Decides.
    pub fn decide(&self, attributes: &Attributes<'_>, world: &dyn World) -> Decision {
        if attributes.user.is_in(MASTERS) {
            return Decision::Allow(Reason::Silent);
        }
        let mut reasons: Vec<String> = Vec::new();
        for mode in &self.modes {
            let decision = match mode {
                Mode::AlwaysAllow => Decision::Allow(Reason::Silent),
                Mode::AlwaysDeny => {
                    Decision::NoOpinion(Reason::Text("Everything is forbidden.".into()))
                }
                Mode::Rbac => self.rbac.decide(attributes, world),
            };
            match decision {
                Decision::NoOpinion(Reason::Silent) => {}
                Decision::NoOpinion(reason) => reasons.push(reason.to_string()),
                decided => return decided,
            }
        }
        if reasons.is_empty() {
            return Decision::NoOpinion(Reason::Silent);
        }
        Decision::NoOpinion(Reason::Text(reasons.join("\n").into()))
    }
}

/// Returns the 403 for a decision that is not a yes.
#[must_use]
pub fn refusal(attributes: &Attributes<'_>, decision: &Decision) -> Status {
    let mut why = sentence(attributes);
    let reason = decision.reason().to_string();
    if !reason.is_empty() {
        why.push_str(": ");
        why.push_str(&reason);
    }
    Status::forbidden(attributes.group, attributes.resource, attributes.name, &why)
}

/// Returns upstream's sentence about what someone cannot do.
#[must_use]
pub fn sentence(attributes: &Attributes<'_>) -> String {
    let user = quote(&attributes.user.name);
    let verb = attributes.verb;
    let text = if let Some(path) = attributes.path {
        format!("User {user} cannot {verb} path {}", quote(path))
    } else {
        let mut resource = attributes.resource.to_owned();
        if !attributes.subresource.is_empty() {
            resource = format!("{resource}/{}", attributes.subresource);
        }
        let place = if attributes.namespace.is_empty() {
            "at the cluster scope".to_owned()
        } else {
            format!("in the namespace {}", quote(attributes.namespace))
        };
        format!(
            "User {user} cannot {verb} resource {} in API group {} {place}",
            quote(&resource),
            quote(attributes.group)
        )
    };
    // Nothing in it may look like HTML to a browser.
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
