//! Scarce values: what only one object may hold, out of ranges that all share.
//!
//! A kind whose objects hold addresses or ports brings an [`Allot`]: pure, it says what an object
//! holds and picks what it needs from a [`Ledger`], which the server keeps. What is taken is
//! derived from the stored objects alone, so nothing can leak.

use std::{fmt, net::IpAddr};

use api::{Status, Value, json::Part};

/// A value that one object holds alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Claim {
    /// An address of the cluster's network.
    Address(IpAddr),
    /// A port on every node.
    Port(u16),
}

/// Group and plural of a resource.
pub type ResourceName = (&'static str, &'static str);

/// What a kind takes out of ranges, and what stands for it.
pub trait Allot: Send + Sync + fmt::Debug {
    /// Returns the resource whose objects hold claims.
    fn holders(&self) -> ResourceName;

    /// Returns the resource of the objects that stand for single claims, so that everyone sees them
    /// and no two servers give one away twice.
    fn deeds(&self) -> ResourceName;

    /// Returns the resource of the objects that say what there is to take.
    fn ranges(&self) -> ResourceName;

    /// Returns the fields of a holder that [`held`](Self::held) looks at; none for all of them.
    fn held_parts(&self) -> &'static [Part] {
        &[]
    }

    /// Returns what an object holds.
    fn held(&self, holder: &Value) -> Vec<Claim>;

    /// Returns what a deed stands for; none if it stands for nothing that can be claimed.
    fn claim_of(&self, deed: &Value) -> Option<Claim>;

    /// Returns the place (`namespace/name`) of the holder that a deed of our making names; none for
    /// deeds that others made.
    fn holder_of(&self, deed: &Value) -> Option<String>;

    /// Returns the deed of a claim that `holder` takes; none for claims without one.
    fn deed(&self, claim: Claim, holder: &Value) -> Option<Value>;

    /// Completes an object by what it needs, taken from the ledger.
    ///
    /// # Errors
    /// The refusal to send; what was taken before is given back by whoever keeps the ledger.
    fn allot(
        &self,
        object: &mut Value,
        old: Option<&Value>,
        ledger: &mut dyn Ledger,
    ) -> Result<(), Status>;
}

/// What is taken, and what there is to take.
pub trait Ledger {
    /// Returns the objects that say what there is to take.
    fn ranges(&self) -> &[Value];

    /// Takes a claim; false if someone holds it.
    fn take(&mut self, claim: Claim) -> bool;

    /// Returns a number in `0..bound`, by chance.
    fn below(&mut self, bound: u64) -> u64;

    /// Returns whether nothing will be written.
    fn is_dry(&self) -> bool;
}
