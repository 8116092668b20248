//! Who answers a request: a stored kind, a mounted service, or a page of the server itself.

use std::sync::Arc;

use access::User;
use api::Status;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, header::CONTENT_LENGTH};
use http_body::Body as _;
use schema::{Scope, way::Way};

use crate::{
    Answer, Body, Call, Options, Refusal, Server,
    answer::Page,
    forward,
    media::{self, Offer},
    mount::{Service, Visit},
    pages,
    registry::{ClusterId, Origin, Resource},
    request::{BODY_BYTES_MAX, BodyType, Request, ResourcePath, Target, Verb},
    respond::Exchange,
};

/// Who answers.
pub(crate) enum Route {
    /// A page of the server itself.
    Page(Page),
    /// A stored (or virtual) kind.
    Kind(Resource),
    /// A service that pintle mounted.
    Mounted(Service),
    /// What a way leads to.
    Way(Arc<dyn Way>),
}

/// Finds out who answers.
///
/// # Errors
/// Upstream's 404, which is plain text where upstream has no handler, and a `Status` where it has
/// one that does not know the resource. 503 as long as the server is starting.
pub(crate) fn find(server: &Server, request: &Request) -> Result<Route, Refusal> {
    let found = match &request.target {
        Target::Path => page(server, request),
        Target::Resource(path) => resource(server, request, path),
    };
    match found {
        Err(refusal) if refusal.code() == 404 && !server.is_started() => Err(starting()),
        found => found,
    }
}

/// A 404 while not everything is served yet would tell controllers that objects are gone.
fn starting() -> Refusal {
    let message = "the request has been made before all known HTTP paths have been installed, please try again";
    Status::unavailable(message).with_retry_after(5).into()
}

fn resource(server: &Server, request: &Request, path: &ResourcePath) -> Result<Route, Refusal> {
    let Some(resource) = server.serving().find(path) else {
        return Err(no_such_path(server, &path.group_version.group));
    };
    if let Some(service) = server.mounts().find(path) {
        return Ok(Route::Mounted(Arc::clone(service)));
    }
    if let Some(way) = server.serving().way(path) {
        return Ok(Route::Way(way));
    }
    match fits(request, path, resource.kind().scope) {
        Fit::Fits => Ok(Route::Kind(resource)),
        // Custom resources have one handler for every path of theirs, which knows no 405 here.
        _ if resource.kind().traits.custom => Err(Refusal::page_not_found()),
        Fit::NoSuchPath => Err(Status::no_such_page().into()),
        Fit::NoSuchMethod => Err(not_allowed()),
    }
}

/// Whether upstream has a route for the form of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    Fits,
    NoSuchPath,
    NoSuchMethod,
}

fn fits(request: &Request, path: &ResourcePath, scope: Scope) -> Fit {
    let is_in_namespace = !path.namespace.is_empty();
    let is_misplaced = match scope {
        Scope::Namespaced => !is_in_namespace && path.is_named(),
        // Of a namespace itself the namespace is its name.
        Scope::Cluster => is_in_namespace && path.namespace != path.name,
    };
    if is_misplaced {
        return Fit::NoSuchPath;
    }
    let is_everywhere = scope == Scope::Namespaced && !is_in_namespace;
    let has_method = match request.verb {
        // Upstream routes no HEAD to resources, although it authorizes one as a get.
        _ if request.method == Method::HEAD => false,
        Verb::Update | Verb::Patch => path.is_named(),
        Verb::Create => !is_everywhere && (!path.is_named() || !path.subresource.is_empty()),
        Verb::DeleteCollection => !is_everywhere,
        Verb::Get | Verb::List | Verb::Watch | Verb::Delete | Verb::Proxy => true,
        _ => false,
    };
    if has_method {
        Fit::Fits
    } else {
        Fit::NoSuchMethod
    }
}

fn page(server: &Server, request: &Request) -> Result<Route, Refusal> {
    let path = request.path.as_str();
    if let Some(page) = server.health().page(path, &request.query) {
        return page.map(Route::Page);
    }
    if path == "/metrics" {
        let text = server.metrics().print(server.queue().in_flight());
        return Ok(Route::Page(pages::metrics(text)));
    }
    if let Some(page) = server.fixed_page(path) {
        return Ok(Route::Page(page));
    }
    let found = match path.trim_end_matches('/') {
        "" => Some(Ok(server.index())),
        "/version" => Some(media::agree_on_json(request).map(|()| server.version().page())),
        _ => {
            let registry = server.serving().registry();
            let documents = server.openapi().page(registry, ClusterId::ONLY, request);
            documents.or_else(|| server.discovery().page(registry, ClusterId::ONLY, request))
        }
    };
    let is_read = matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
    match found {
        Some(_) if !is_read => Err(not_allowed()),
        Some(page) => page.map(Route::Page),
        None => Err(no_such_path(server, group_of(path))),
    }
}

/// The group of `/apis/GROUP/…`; nothing for other paths.
fn group_of(path: &str) -> &str {
    match path.strip_prefix("/apis/") {
        Some(rest) => rest.split('/').next().unwrap_or_default(),
        // The core group is always there; `/` is no group's name, so that it is not found.
        None if path.starts_with("/api/") => "",
        None => "/",
    }
}

/// Returns the 404 for a path in this group: a `Status` where built-in kinds are served.
fn no_such_path(server: &Server, group: &str) -> Refusal {
    let table = server.serving().registry().table();
    let is_built_in = table.group(ClusterId::ONLY, group).is_some_and(|group| {
        let resources = group.versions.iter().flat_map(|one| one.resources.values());
        let mut origins = resources.map(|resource| &resource.served.origin);
        origins.any(|origin| *origin == Origin::BuiltIn)
    });
    if is_built_in {
        Status::no_such_page().into()
    } else {
        Refusal::page_not_found()
    }
}

fn not_allowed() -> Refusal {
    let message = "the server does not allow this method on the requested resource";
    let mut status = Status::new(405, api::Reason::MethodNotAllowed, message);
    status.details = Some(Box::default());
    status.into()
}

/// Lets the one found answer.
///
/// # Errors
/// Its refusal.
pub(crate) async fn serve(
    server: &Server,
    route: Route,
    exchange: &mut Exchange,
    user: Arc<User>,
) -> Result<Answer, Refusal> {
    match route {
        Route::Page(page) => Ok(Answer::Page(page)),
        Route::Kind(resource) => serve_kind(server, &resource, exchange, user).await,
        Route::Mounted(service) => {
            let visit = Visit {
                request: exchange.request.clone(),
                body: std::mem::take(&mut exchange.body),
                user,
                extensions: std::mem::take(&mut exchange.extensions),
            };
            service(visit).await
        }
        Route::Way(way) => match exchange.request.target.clone() {
            Target::Resource(path) => forward::serve(server, &*way, &path, exchange, &user).await,
            Target::Path => Err(Status::no_such_page().into()),
        },
    }
}

async fn serve_kind(
    server: &Server,
    resource: &Resource,
    exchange: &mut Exchange,
    user: Arc<User>,
) -> Result<Answer, Refusal> {
    let request = &exchange.request;
    let Target::Resource(path) = &request.target else {
        return Err(Status::no_such_page().into());
    };
    let offer = if resource.kind().traits.custom {
        Offer::Custom
    } else {
        Offer::BuiltIn
    };
    let accepted = if request.verb == Verb::Watch {
        media::agree_on_stream(request, offer)?
    } else {
        media::agree(request, offer)?
    };
    check_patch_type(request, offer)?;
    let options = Options::read_for(request.verb, &request.query, &request.body_type)
        .map_err(|status| *status)?;
    let body = if request.verb.is_read() {
        Bytes::new()
    } else {
        let body = std::mem::take(&mut exchange.body);
        read_body(&request.headers, body).await?
    };
    let mut call = Call {
        verb: request.verb,
        path: path.clone(),
        query: request.query.clone(),
        options,
        accepted,
        body_type: request.body_type.clone(),
        body,
        user,
        received: request.received,
        deadline: request.deadline,
        warnings: Vec::new(),
        table: Arc::clone(&server.serving().registry.table()),
        audit_id: request.audit_id.clone(),
        user_agent: request.user_agent.clone(),
    };
    let outcome = server.serving().serve(&mut call, resource).await;
    exchange.warnings.append(&mut call.warnings);
    Ok(outcome?)
}

/// Upstream's router for built-in kinds refuses a patch of unknown type before anything else; the
/// one for custom resources says which types there are.
fn check_patch_type(request: &Request, offer: Offer) -> Result<(), Refusal> {
    use crate::request::PatchType::StrategicMerge;
    if request.verb != Verb::Patch {
        return Ok(());
    }
    match (&request.body_type, offer) {
        (BodyType::Patch(StrategicMerge), Offer::Custom) => {}
        (BodyType::Patch(_), _) => return Ok(()),
        _ => {}
    }
    if offer == Offer::Custom {
        let types = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
        return Err(Status::unsupported_media_type(types).into());
    }
    let message = "415: Unsupported Media Type";
    let mut status = Status::new(415, api::Reason::UnsupportedMediaType, message);
    status.details = Some(Box::default());
    Err(status.into())
}

/// Reads a body to its end.
///
/// # Errors
/// 413 when it is longer than allowed; 400 when it breaks off.
async fn read_body(headers: &HeaderMap, mut body: Body) -> Result<Bytes, Refusal> {
    let announced = headers.get(CONTENT_LENGTH);
    let announced = announced.and_then(|value: &HeaderValue| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > BODY_BYTES_MAX) {
        return Err(Status::too_large(BODY_BYTES_MAX).into());
    }
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    loop {
        let frame = std::future::poll_fn(|ctx| std::pin::Pin::new(&mut body).poll_frame(ctx)).await;
        let Some(frame) = frame else {
            break;
        };
        let frame = frame.map_err(|error| {
            let why = base::Chain(&*error).to_string();
            Status::bad_request(format!("the body of the request could not be read: {why}"))
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if first.len() + whole.len() + data.len() > BODY_BYTES_MAX {
            return Err(Status::too_large(BODY_BYTES_MAX).into());
        }
        // Most bodies are one frame, which is handed on as it lies.
        if first.is_empty() && whole.is_empty() {
            first = data;
            continue;
        }
        if whole.is_empty() {
            whole.reserve(announced.unwrap_or(first.len() + data.len()));
            whole.extend_from_slice(&std::mem::take(&mut first));
        }
        whole.extend_from_slice(&data);
    }
    Ok(if whole.is_empty() {
        first
    } else {
        whole.freeze()
    })
}

#[cfg(test)]
mod tests {
    use super::group_of;

    #[test]
    fn finds_the_group_of_a_path() {
        assert_eq!(group_of("/apis/apps/v1"), "apps");
        assert_eq!(group_of("/api/v2"), "");
        assert_eq!(group_of("/nothing"), "/");
    }
}
