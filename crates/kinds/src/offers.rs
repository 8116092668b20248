//! What is offered below objects, and where.

mod eviction;
mod token;

use std::sync::Arc;

use schema::{Offer, ResourceName};

use crate::ways;
use eviction::Eviction;
use token::Token;

/// Returns every offer with its place: the resource and the subresource.
#[must_use]
pub fn all() -> Vec<(ResourceName, &'static str, Offer)> {
    let ways = ways::all().into_iter();
    let ways = ways.map(|(plural, name, way)| (("", plural), name, Offer::Way(way)));
    let own = [
        (
            ("", "serviceaccounts"),
            "token",
            Offer::Credential(Arc::new(Token)),
        ),
        (("", "pods"), "eviction", Offer::Leave(Arc::new(Eviction))),
    ];
    own.into_iter().chain(ways).collect()
}
