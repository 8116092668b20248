//! Offers: what is answered below an object by more than a change of it.
//!
//! A kind says where it offers what; each offer is pure and answers with values. The server looks
//! at what an offer wants to see, writes, signs and connects.

use std::{fmt, sync::Arc, time::Duration};

use api::{Status, Text, Value};
use base::WallTime;

use crate::{
    ResourceName,
    way::{Sight, Way},
};

/// What a subresource does.
#[derive(Clone, Debug)]
pub enum Offer {
    /// It leads to where something runs.
    Way(Arc<dyn Way>),
    /// It deletes the object as far as others allow.
    Leave(Arc<dyn Leave>),
    /// It gives out a credential to whoever acts as the object.
    Credential(Arc<dyn Credential>),
}

/// Decides whether an object may be deleted, where guards of its namespace have a say.
///
/// The server reads the object ([`standing`](Self::standing)), asks the guard that covers it
/// ([`guard_of`](Self::guard_of), [`decide`](Self::decide)), writes what the guard has counted,
/// notes in the object why it goes ([`mark`](Self::mark)) and deletes it. Whatever changes
/// meanwhile is read again and asked again.
pub trait Leave: Send + Sync + fmt::Debug {
    /// Returns the options of the delete that stand in a request about the object of this name;
    /// none if it has none.
    ///
    /// # Errors
    /// The refusal of a request that contradicts itself.
    fn options<'v>(&self, request: &'v Value, name: &str) -> Result<Option<&'v Value>, Status>;

    /// Says whether guards have a say about an object as it is now.
    fn standing(&self, object: &Value) -> Standing;

    /// Returns the resource of the guards.
    fn guards(&self) -> ResourceName;

    /// Returns the place among the `guards` of its namespace of the one that covers an object.
    ///
    /// # Errors
    /// The refusal if there is more than one.
    fn guard_of(&self, object: &Value, guards: &[Value]) -> Result<Option<usize>, Status>;

    /// Decides whether a guard lets an object go.
    ///
    /// # Errors
    /// The refusal to send.
    fn decide(&self, guard: &Value, object: &Value, now: WallTime) -> Result<Verdict, Status>;

    /// Returns the refusal when an object has changed after its guard said that it does not count.
    fn overtaken(&self, guard: &str) -> Status;

    /// Notes in an object why it goes.
    fn mark(&self, object: &mut Value, now: WallTime);
}

/// Whether guards have a say about an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// They have.
    Guarded,
    /// They have not, as long as it stays as it was seen.
    FreeAsSeen,
    /// They have not, and never will have again.
    Free,
}

/// What a guard says.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The object does not count; it must not have changed when it goes.
    Uncounted,
    /// The guard counts it: this is the guard with its new status.
    Counted(Value),
}

/// What is asked of a [`Credential`].
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Namespace of the object.
    pub namespace: &'a str,
    /// Name of the object.
    pub name: &'a str,
    /// For whom credentials are that name nobody.
    pub audiences: &'a [Text],
    /// When it is asked.
    pub now: WallTime,
}

/// Decides what a credential says.
pub trait Credential: Send + Sync + fmt::Debug {
    /// Fills in a request before admission sees it.
    ///
    /// # Errors
    /// The refusal of a request that is about another object.
    fn read(&self, wish: &Wish<'_>, request: &mut Value) -> Result<(), Status>;

    /// Fills in from the object what the request leaves open, and checks it.
    ///
    /// # Errors
    /// The refusal to send.
    fn complete(&self, wish: &Wish<'_>, request: &mut Value, object: &Value) -> Result<(), Status>;

    /// Returns what comes next, `seen` being what was looked at so far, in order.
    ///
    /// # Errors
    /// The refusal to send.
    fn next(
        &self,
        wish: &Wish<'_>,
        request: &Value,
        seen: &[Vec<Value>],
    ) -> Result<Signing, Status>;

    /// Puts the signed credential into the request, which is the answer.
    fn show(&self, wish: &Wish<'_>, request: &mut Value, signed: String);
}

/// What comes next on the way to a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signing {
    /// Look at this and ask again.
    Look(Sight),
    /// Sign this.
    Sign(Grant),
}

/// What a credential says beside whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What it lives and dies with.
    pub bound: Option<(ResourceName, Named)>,
    /// The machine on which that runs.
    pub host: Option<Named>,
    /// For whom it is.
    pub audiences: Vec<Text>,
    /// How long it lives.
    pub lifetime: Duration,
    /// After how long its use is worth a warning, if at all.
    pub warn_after: Option<Duration>,
}

/// One object, by what cannot change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Its name.
    pub name: Text,
    /// Its uid; empty if it is not known.
    pub uid: Text,
}
