//! What the built-in kinds do beyond their data, gathered from one file per aspect.
//!
//! Each aspect (table cells, conversion) is a function of the kind, looked up once when the kinds are
//! made. An aspect that a kind lacks falls back to what [`Behavior`] does by itself.

use std::{fmt, sync::Arc};

use api::{GroupVersion, Status, Value};
use schema::{Behavior, Cell, Occasion};

use crate::{convert, tables};

/// The behaviour of one built-in kind.
#[derive(Clone, Copy)]
pub(crate) struct Builtin {
    kind: &'static str,
    table: Option<tables::Cells>,
    convert: Option<convert::Convert>,
}

/// Returns the behaviour of a kind.
pub(crate) fn of(group: &str, name: &str) -> Arc<dyn Behavior> {
    let (kind, table) = match tables::of(group, name) {
        Some((kind, table)) => (kind, Some(table)),
        None => ("without a table of its own", None),
    };
    Arc::new(Builtin {
        kind,
        table,
        convert: convert::of(group, name),
    })
}

impl Behavior for Builtin {
    fn table(&self, occasion: Occasion<'_>, object: &Value) -> Option<Vec<Cell>> {
        self.table
            .map(|table| table(tables::Row::new(object, occasion)))
    }

    fn convert(&self, mut object: Value, to: &GroupVersion) -> Result<Value, Status> {
        if let Some(convert) = self.convert {
            convert(&mut object, to);
        }
        Ok(object)
    }
}

impl fmt::Debug for Builtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Builtin({})", self.kind)
    }
}
