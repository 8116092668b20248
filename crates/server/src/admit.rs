//! Where writes meet admission: on what terms may this object come in?
//!
//! The rules themselves live in `access`; here a write is put into their words.

use api::{Status, Value};

use crate::{Call, registry::Resource, serving::Serving};

/// What is being done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
}

/// One write, as admission sees it.
pub(crate) struct Ask<'a> {
    pub(crate) serving: &'a Serving,
    pub(crate) resource: &'a Resource,
    pub(crate) operation: Operation,
}

impl Ask<'_> {
    /// Lets the rules change the object, or refuse it.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) async fn mutate(
        &self,
        call: &mut Call,
        object: &mut Value,
        old: Option<&Value>,
    ) -> Result<(), Status> {
        let _ = (
            self.serving,
            self.resource,
            self.operation,
            call,
            object,
            old,
        );
        Ok(())
    }

    /// Lets the rules refuse the object as it is going to be written.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) async fn validate(
        &self,
        call: &mut Call,
        object: Option<&Value>,
        old: Option<&Value>,
    ) -> Result<(), Status> {
        let _ = (
            self.serving,
            self.resource,
            self.operation,
            call,
            object,
            old,
        );
        Ok(())
    }
}
