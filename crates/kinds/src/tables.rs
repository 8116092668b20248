//! Cells of the tables that `kubectl get` shows, one file per group.

use api::Value;
use schema::{Cell, Occasion};

/// Makes the cells of one row.
pub(crate) type Cells = fn(Row<'_>) -> Vec<Cell>;

/// One object about to become a row.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) object: &'a Value,
    pub(crate) occasion: Occasion<'a>,
}

impl<'a> Row<'a> {
    pub(crate) fn new(object: &'a Value, occasion: Occasion<'a>) -> Self {
        Self { object, occasion }
    }
}

/// Returns the function that makes a kind's cells.
pub(crate) fn of(_group: &str, _kind: &str) -> Option<(&'static str, Cells)> {
    None
}
