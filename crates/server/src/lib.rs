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

pub mod answer;
mod audit;
pub mod body;
pub mod edge;
pub mod error;
pub mod in_process;
pub mod media;
pub mod pages;
mod phases;
mod queue;
pub mod request;
mod respond;
mod route;
pub mod server;
pub mod user;

pub use answer::{Answer, Content};
pub use body::Body;
pub use error::{Refusal, ServerError};
pub use in_process::InProcess;
pub use media::{Accepted, Form, Media};
pub use request::{Call, Options, Request, ResourcePath, Target, Verb};
pub use server::{Limits, Server, Setup};
pub use user::User;
