//! What stands in the way of an apply, in upstream's words.
//!
//! Source of the facts: k8s.io/apimachinery v0.37.1, util/managedfields (texts, order in one manager;
//! the order of managers is chance there and alphabetical here).

use std::fmt::Write as _;

use api::{Cause, Reason, Status, Text, quote::quote, status::Details};

use super::{
    element::Element,
    managers::{Identity, Operation},
    set::Set,
};

/// One field that somebody else owns and the apply would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Who owns it.
    pub manager: Identity,
    /// The field.
    pub path: Vec<Element>,
}

impl Conflict {
    pub(super) fn list(taken: &[(Identity, Set)]) -> Vec<Self> {
        let mut sorted: Vec<&(Identity, Set)> = taken.iter().collect();
        sorted.sort_by_cached_key(|(identity, _)| identity.sort_key());
        let mut conflicts = Vec::new();
        for (manager, set) in sorted {
            set.for_each(&mut |path| {
                conflicts.push(Self {
                    manager: manager.clone(),
                    path: path.to_vec(),
                });
            });
        }
        conflicts
    }

    /// Returns the field as messages show it: `.spec.containers[name="a"].image`.
    #[must_use]
    pub fn shown(&self) -> String {
        self.path.iter().map(ToString::to_string).collect()
    }

    /// Returns the 409 with one cause for each field.
    #[must_use]
    pub fn status(conflicts: &[Self]) -> Status {
        let causes = conflicts.iter().map(|conflict| Cause {
            reason: Text::const_new("FieldManagerConflict"),
            message: format!("conflict with {}", named(&conflict.manager)),
            field: conflict.shown(),
        });
        let mut status = Status::new(409, Reason::Conflict, message(conflicts));
        status.details = Some(Box::new(Details {
            causes: causes.collect(),
            ..Details::default()
        }));
        status
    }
}

fn message(conflicts: &[Conflict]) -> String {
    if let [only] = conflicts {
        let (manager, path) = (named(&only.manager), only.shown());
        return format!("Apply failed with 1 conflict: conflict with {manager}: {path}");
    }
    let mut text = format!("Apply failed with {} conflicts: ", conflicts.len());
    let mut last = None;
    for conflict in conflicts {
        let line = if last.is_some() { "\n" } else { "" };
        if last != Some(&conflict.manager) {
            let _ = write!(text, "{line}conflicts with {}:", named(&conflict.manager));
            last = Some(&conflict.manager);
        }
        let _ = write!(text, "\n- {}", conflict.shown());
    }
    text
}

fn named(manager: &Identity) -> String {
    let mut text = quote(&manager.manager);
    if !manager.subresource.is_empty() {
        let _ = write!(text, " with subresource {}", quote(&manager.subresource));
    }
    if manager.operation == Operation::Update {
        let _ = write!(text, " using {}", manager.version);
    }
    text
}
