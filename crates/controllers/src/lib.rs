//! The essential controllers: what makes a server a cluster that people can work with.
//!
//! Namespaces are emptied and finalised, every namespace gets its service account and root
//! certificates, what lost its owners is collected, replica sets keep their pods, deployments roll
//! from one template to the next, aggregated cluster roles are filled, and objects are rewritten when
//! the version they are stored in changes.
//!
//! Each controller is a pure decision (`plan.rs`, or `graph.rs` for the collector) and a boring
//! `act.rs`. Caches are shared: pods, for one, are watched once for all who look at them. Each
//! controller writes under an identity of its own, the one upstream gives it, so that RBAC and audit
//! see the same names.
//!
//! Invariant: the only way to the server is a [`kit::Client`] that is handed in.
//! Invariant: no wall clock but the one that is handed in; no polling. A time-based retry is a net
//! below events, never the way something is noticed.
//!
//! Start reading at [`run`], then [`replicaset::plan`] and [`garbage::graph`].
//!
//! ```no_run
//! # fn example(user: fn(&str) -> kit::Client, tasks: base::Tasks, clock: base::Clock) {
//! let switches = controllers::Switches::parse(["*", "-deployment-controller"]).unwrap();
//! let clients = switches.iter().map(|name| (name, user(&name.user())));
//! let running = controllers::start(controllers::Setup {
//!     shared: user(controllers::switches::SHARED_USER),
//!     clients: clients.collect(),
//!     tasks,
//!     clock,
//!     rng: base::Rng::from_os(),
//!     root_ca: "-----BEGIN CERTIFICATE-----…".into(),
//! });
//! # }
//! ```

pub mod catalog;
pub mod claim;
pub mod clusterrole;
pub mod condition;
pub mod departures;
pub mod deployment;
pub mod garbage;
pub mod migration;
pub mod namespace;
pub mod pod;
pub mod replicaset;
pub mod rootca;
pub mod run;
pub mod serviceaccount;
pub mod switches;
pub mod template;
pub mod write;

pub use run::{Running, Setup, start};
pub use switches::{Name, Switches};
