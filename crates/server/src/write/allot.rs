//! The step of a write that gives an object its scarce values, and how they come back.

use api::Status;
use api::Value;
use schema::Claim;
use store::{StoreError, Write, Written};

use super::{Door, End, Proposed, Writer};
use crate::sharing::Failed;

impl Writer<'_> {
    /// Completes a proposal by what its kind takes out of shared ranges. What is picked is held for
    /// this write alone, and free again if it does not come to be.
    ///
    /// # Errors
    /// The refusal of the kind's rules.
    pub(super) async fn allot(&mut self, proposed: &mut Proposed) -> Result<(), Status> {
        let Some(sharing) = self.resource.served.sharing() else {
            return Ok(());
        };
        if !matches!(self.door, Door::Main) {
            return Ok(());
        }
        // What an earlier round picked is free for this one.
        self.reserved = None;
        let old = proposed.old.as_ref().map(|old| &old.value);
        let is_dry = self.call.options.dry_run;
        self.reserved = sharing.allot(&mut proposed.object, old, is_dry).await?;
        Ok(())
    }

    /// Returns what an object gives back by this write.
    pub(super) fn released(&self, object: &Value, old: Option<&Value>, end: End) -> Vec<Claim> {
        let (Some(sharing), Some(old)) = (self.resource.served.sharing(), old) else {
            return Vec::new();
        };
        let mut released = sharing.held(old);
        if end == End::Put {
            let kept = sharing.held(object);
            released.retain(|claim| !kept.contains(claim));
        }
        released
    }

    /// Writes to the store; with what the write takes and gives back, if it does.
    pub(super) async fn store_write(
        &mut self,
        write: Write,
        place: &str,
        released: Vec<Claim>,
    ) -> Result<Result<Written, StoreError>, Status> {
        let taken = self.reserved.take();
        if taken.is_none() && released.is_empty() {
            return Ok(self.serving.store.write(write).await);
        }
        let Some(sharing) = self.resource.served.sharing() else {
            return Ok(self.serving.store.write(write).await);
        };
        match sharing
            .carry_out(write, taken, released, place.into())
            .await
        {
            Ok(written) => Ok(Ok(written)),
            Err(Failed::Store(error)) => Ok(Err(error)),
            Err(Failed::Deed(status)) => Err(status),
            Err(Failed::Taken) => Err(Status::too_many_requests(
                "an address was taken by another server meanwhile, please try again",
                1,
            )),
        }
    }
}
