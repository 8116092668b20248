//! The server's own pages: what lies beside the resources.

pub mod health;
pub mod version;
