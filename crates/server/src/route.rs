//! Who answers a request: a stored kind, a mounted service, or a page of the server itself.

use crate::{
    Answer, Refusal, Server,
    answer::Page,
    request::{Request, Target},
};

/// Who answers.
pub(crate) enum Route {
    /// A page of the server itself.
    Page(Page),
}

/// Finds out who answers.
///
/// # Errors
/// Upstream's plain 404 for what is not there.
pub(crate) fn find(server: &Server, request: &Request) -> Result<Route, Refusal> {
    match &request.target {
        Target::Path => page(server, request).map(Route::Page),
        Target::Resource(_) => Err(Refusal::page_not_found()),
    }
}

fn page(server: &Server, request: &Request) -> Result<Page, Refusal> {
    let path = request.path.as_str();
    match path.trim_end_matches('/') {
        "/version" => return Ok(server.version().page()),
        _ => {}
    }
    match server.health().page(path, &request.query) {
        Some(page) => page,
        None => Err(Refusal::page_not_found()),
    }
}

/// Lets the one found answer.
///
/// # Errors
/// Its refusal.
pub(crate) async fn serve(_server: &Server, route: Route) -> Result<Answer, Refusal> {
    match route {
        Route::Page(page) => Ok(Answer::Page(page)),
    }
}
