//! The server's own pages: what lies beside the resources.

pub(crate) mod discovery;
pub mod health;
pub(crate) mod index;
pub(crate) mod openapi;
pub mod version;

use http::HeaderValue;

use crate::answer::Page;

/// Returns the page of these metrics.
pub(crate) fn metrics(text: String) -> Page {
    let mut page = Page::text(200, text);
    page.content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    page
}
