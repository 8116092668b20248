//! The server from outside: over real sockets on the loopback, and in process.

#[path = "edge/discovery.rs"]
mod discovery;
#[path = "edge/harness.rs"]
mod harness;
#[path = "edge/requests.rs"]
mod requests;
#[path = "edge/sockets.rs"]
mod sockets;
