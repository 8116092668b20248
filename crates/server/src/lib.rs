//! HTTP in, HTTP out: phases, reads, writes, watches, discovery, custom resources.
//!
//! A request comes from the edge (a socket, or an in-process caller), walks down
//! `phases` and its answer comes straight back. What it is served from are the kinds and the
//! store that were handed in.
//!
//! Invariant: no kind is known by name unless it configures the server.
//! Invariant: no file, no environment, no wall clock: certificates, keys and time come as values.
//! Invariant: only `respond` turns anything into an HTTP status code and a body.
//!
//! Start reading at [`request`] and [`answer`]: what goes in and what comes out.

mod admit;
mod allow;
pub mod answer;
mod audit;
pub mod body;
pub mod collection;
mod convert;
mod crds;
mod custom;
mod delete;
pub mod edge;
pub mod error;
mod expiry;
mod faults;
mod forward;
mod identify;
mod impersonate;
pub mod in_process;
mod list;
pub mod media;
mod metrics;
pub mod mount;
pub mod pages;
mod patch;
mod phases;
mod queue;
mod read;
pub mod registry;
mod render;
pub mod request;
mod respond;
mod route;
mod select;
pub mod server;
pub mod services;
pub mod serving;
mod sharing;
mod sight;
mod status_proto;
mod table;
mod virtuals;
mod watch;
pub mod world;
mod write;

pub use access::User;
pub use answer::{Answer, Content};
pub use body::Body;
pub use error::{Refusal, ServerError};
pub use in_process::InProcess;
pub use media::{Accepted, Form, Media};
pub use metrics::Source as MetricsSource;
pub use request::{Call, Options, Request, ResourcePath, Target, Verb};
pub use server::{Access, Limits, Server, Setup};
pub use serving::Serving;
pub use world::LiveWorld;

/// Parsers of this room, open to fuzzing.
pub mod fuzz {
    pub use crate::delete::options::fuzz as delete_options;
    pub use crate::request::fuzz::request_line;
}
