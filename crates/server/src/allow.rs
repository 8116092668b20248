//! May the caller do this? Asks `access` and words the refusal.

use access::{
    Attributes, User,
    allow::{self},
};
use api::selector::{FieldSelector, LabelSelector};

use crate::{
    Refusal, Server,
    request::{Request, Target, Verb},
};

/// The selectors of a request, as far as they matter for authorization.
///
/// What cannot be read counts as absent: whoever may see everything is told by the one who serves.
#[derive(Debug, Default)]
pub(crate) struct Selectors {
    field: Option<FieldSelector>,
    label: Option<LabelSelector>,
}

impl Selectors {
    /// Reads the selectors of a list, watch or deletecollection.
    pub(crate) fn of(request: &Request) -> Self {
        let is_selecting = matches!(
            request.verb,
            Verb::List | Verb::Watch | Verb::DeleteCollection
        );
        match &request.target {
            Target::Resource(path) if is_selecting && !path.verb_by_path => {
                let read = |name| request.query.get(name).filter(|text| !text.is_empty());
                Self {
                    field: read("fieldSelector").and_then(|text| FieldSelector::parse(text).ok()),
                    label: read("labelSelector").and_then(|text| LabelSelector::parse(text).ok()),
                }
            }
            _ => Self::default(),
        }
    }
}

/// Refuses the request unless the caller may do it.
///
/// # Errors
/// 403 in upstream's words.
pub(crate) fn request(server: &Server, request: &Request, user: &User) -> Result<(), Refusal> {
    let selectors = Selectors::of(request);
    check(server, &attributes(request, user, &selectors))
}

/// Refuses what the caller may not do.
///
/// # Errors
/// 403 in upstream's words.
pub(crate) fn check(server: &Server, attributes: &Attributes<'_>) -> Result<(), Refusal> {
    let decision = server.access().allow.decide(attributes, server.world());
    if decision.is_allowed() {
        return Ok(());
    }
    Err(allow::refusal(attributes, &decision).into())
}

/// Returns what a request asks for.
pub(crate) fn attributes<'a>(
    request: &'a Request,
    user: &'a User,
    selectors: &'a Selectors,
) -> Attributes<'a> {
    let verb = request.verb.as_str();
    match &request.target {
        Target::Path => Attributes::path(user, verb, &request.path),
        Target::Resource(path) => Attributes {
            version: &path.group_version.version,
            subresource: &path.subresource,
            namespace: &path.namespace,
            name: &path.name,
            field_selector: selectors.field.as_ref(),
            label_selector: selectors.label.as_ref(),
            ..Attributes::resource(user, verb, &path.group_version.group, &path.resource)
        },
    }
}
