//! The server from outside: over real sockets on the loopback, and in process.

#[path = "edge/admission.rs"]
mod admission;
#[path = "edge/bad_input.rs"]
mod bad_input;
#[path = "edge/depth.rs"]
mod depth;
#[path = "edge/discovery.rs"]
mod discovery;
#[path = "edge/harness.rs"]
mod harness;
#[path = "edge/openapi.rs"]
mod openapi;
#[path = "edge/requests.rs"]
mod requests;
#[path = "edge/reviews.rs"]
mod reviews;
#[path = "edge/sockets.rs"]
mod sockets;
#[path = "edge/ways.rs"]
mod ways;
