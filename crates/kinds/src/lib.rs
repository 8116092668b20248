//! The built-in kinds, as data: their shapes, resources, columns and what they do beyond data.
//!
//! `data/kinds.txt` holds names, numbers and tags of every kind that upstream serves by default,
//! written by `cargo xtask kinds` from upstream's public modules. [`load`] makes
//! [`schema::Kind`] values of it; what a kind does beyond its data hangs on it as a
//! [`schema::Behavior`].
//!
//! Invariant: pure. No I/O, no async, no globals, no clock.
//! Invariant: a server works without this room; it is content, handed over as values.
//!
//! Start reading at [`load`], then the head of `data/kinds.txt`, then `behavior`.
//!
//! ```
//! let builtins = kinds::load();
//! let pods = builtins.kinds.iter().find(|kind| kind.names.plural == "pods");
//! assert_eq!(pods.map(|pods| pods.names.short_names[0].as_str()), Some("po"));
//! ```

mod behavior;
mod convert;
mod data;
mod defaults;
mod folds;
mod names;
pub mod offers;
mod prepare;
mod resets;
mod resources;
pub mod services;
mod shapes;
mod tables;
mod validate;
mod warn;
pub mod ways;

use std::{sync::Arc, time::Duration};

use api::{GroupVersion, Gvk, Text};
use schema::{Kind, Lifetime, Shape, ShapeId, Shapes};

/// The facts of every built-in kind.
const DATA: &str = include_str!("../data/kinds.txt");

/// Flow schemas and priority levels that every cluster begins with: a JSON array of objects.
pub const BOOTSTRAP_FLOW_CONTROL: &str = include_str!("../data/bootstrap-flowcontrol.json");

/// Priority classes that every cluster begins with: a JSON array of objects.
pub const BOOTSTRAP_PRIORITY_CLASSES: &str = include_str!("../data/bootstrap-priorityclasses.json");

/// How long events stay after they were last written, unless the server is told otherwise
/// (upstream's default of `--event-ttl`).
pub const EVENT_LIFE: Duration = Duration::from_secs(3_600);

/// Everything built in.
#[derive(Debug)]
pub struct Builtins {
    /// The kinds that are served, sorted by group and plural of their preferred version.
    pub kinds: Vec<Kind>,
    /// What is known of each kind beyond [`Kind`], in the same order.
    pub facts: Vec<Facts>,
    /// The group-versions that are served, with their places in discovery.
    pub versions: Vec<Version>,
    table: Arc<Shapes>,
    /// Sorted by kind.
    shapes: Vec<(Gvk, ShapeId)>,
}

/// A group-version that is served, and its place in discovery: groups with a higher number come
/// first, and in a group so do versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Group and version.
    pub group_version: GroupVersion,
    /// `groupPriorityMinimum` of its APIService.
    pub group_priority: i32,
    /// `versionPriority` of its APIService.
    pub version_priority: i32,
}

/// What is known of a kind beyond [`Kind`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Version under which upstream keeps it in etcd, where that is not one that is served.
    pub stored_upstream: Option<GroupVersion>,
    /// A DELETE without policy leaves dependents as orphans.
    pub orphans_by_default: bool,
    /// It has no part in garbage collection (Events).
    pub uncollected: bool,
    /// A DELETE may wait (Pods).
    pub graceful: bool,
    /// Seconds after which it expires.
    pub ttl_seconds: Option<u32>,
    /// Paths that the server sets itself on create.
    pub create_ignores: Vec<Text>,
    /// Paths that the server sets itself, through each door: the main resource (empty name) and
    /// its subresources.
    pub update_ignores: Vec<(Text, Vec<Text>)>,
    /// Paths that server-side apply does not own, through each door.
    pub resets: Vec<(Text, Vec<Text>)>,
    /// Paths whose change moves `metadata.generation`, exactly as upstream has them; `never` where
    /// it stays 1.
    pub generation: Vec<Text>,
}

/// Returns everything built in, freshly made: callers do it once.
///
/// # Panics
/// Never: the data is part of the program, and the tests of this room read all of it.
#[must_use]
pub fn load() -> Builtins {
    data::read(DATA).expect("the data of the built-in kinds is what `cargo xtask kinds` wrote")
}

impl Builtins {
    /// Sets how long events stay after they were last written.
    #[must_use]
    pub fn with_event_life(mut self, life: Duration) -> Self {
        for kind in &mut self.kinds {
            if let Lifetime::AfterWrite(span) = &mut kind.traits.lifetime {
                *span = life;
            }
        }
        self
    }

    /// Returns the shape of this kind. Kinds that are no resources are known too: lists, options
    /// of requests (`meta.k8s.io/v1`), `Status`, `Scale`, `AdmissionReview`.
    #[must_use]
    pub fn shape(&self, gvk: &Gvk) -> Option<Shape> {
        let place = self.shapes.binary_search_by(|(known, _)| known.cmp(gvk));
        let (_, id) = &self.shapes[place.ok()?];
        Some(Shape::new(Arc::clone(&self.table), *id))
    }

    /// Returns the shape with this definition name: `io.k8s.api.core.v1.PodSpec`.
    #[must_use]
    pub fn definition(&self, name: &str) -> Option<Shape> {
        let id = self.table.named(name)?;
        Some(Shape::new(Arc::clone(&self.table), id))
    }
}

#[cfg(test)]
mod tests;
