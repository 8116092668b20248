//! Watches of a version that a webhook makes: what is to be shown is converted first, a batch at a
//! time, and shown in the order in which it happened.
//!
//! Watchers of one version wait for each other, so that one asks the webhook and the others find
//! what it was told.

use std::{future::Future, pin::Pin, sync::Arc};

use api::{Status, Text};
use bytes::Bytes;
use store::Revision;

use super::{Watcher, frame::Kind};
use crate::{
    collection::{Change, Stored},
    convert::Converter,
    registry::Resource,
};

/// How many initial objects are converted at once.
const INITIAL_MAX: usize = 500;

/// A batch that is being converted. Dropping it loses nothing but the call.
pub(super) type Converting = Pin<Box<dyn Future<Output = Result<Batch, Status>> + Send>>;

/// What was converted, in order.
pub(super) enum Batch {
    /// Objects that were there before the watch.
    Initial(Vec<(Text, Arc<Stored>)>),
    /// Changes, and the revision up to which nothing is missing.
    Changes(Vec<Shown>, Revision),
}

/// A change with its objects in the version asked for, as far as they matter.
pub(super) struct Shown {
    change: Arc<Change>,
    before: Option<Arc<Stored>>,
    after: Option<Arc<Stored>>,
}

impl Watcher {
    /// Begins to convert initial objects; tells whether there is anything to convert.
    pub(super) fn begin_initial(&mut self) -> bool {
        let Some(converter) = &self.converter else {
            return false;
        };
        let (converter, resource) = (converter.clone(), self.framer.resource().clone());
        let wider = self.selection.without_fields();
        let mut items = Vec::new();
        for (place, object) in self.initial.by_ref() {
            if wider.matches(&resource, &place, &object) {
                items.push((place, object));
            }
            if items.len() >= INITIAL_MAX {
                break;
            }
        }
        if items.is_empty() {
            return false;
        }
        self.batch = Some(Box::pin(async move {
            let _turn = converter.turn(&resource).await?;
            converter.list(&resource, &mut items).await?;
            Ok(Batch::Initial(items))
        }));
        true
    }

    /// Begins to convert what changed.
    pub(super) fn begin_changes(&mut self, changes: Vec<Arc<Change>>, through: Revision) {
        let Some(converter) = self.converter.clone() else {
            return;
        };
        let resource = self.framer.resource().clone();
        let wider = self.selection.without_fields();
        let looks_at_fields = self.selection.looks_at_fields();
        let mut shown = Vec::new();
        for change in changes {
            if change.revision <= self.sent {
                continue;
            }
            let fits = |object: &&Arc<Stored>| wider.matches(&resource, &change.place, object);
            let before = change.before.as_ref().filter(fits).cloned();
            let after = if !change.deleted {
                Some(&change.object).filter(fits).cloned()
            } else if before.is_some() {
                let last = Some(&change.object);
                let last = last.filter(|object| object.revision == change.revision);
                last.cloned()
            } else {
                continue;
            };
            // What an object was before is shown only of one that is no longer selected.
            let before = before.filter(|_| after.is_none() || looks_at_fields);
            if before.is_some() || after.is_some() {
                shown.push(Shown {
                    change,
                    before,
                    after,
                });
            }
        }
        self.batch = Some(Box::pin(async move {
            let _turn = converter.turn(&resource).await?;
            convert(&converter, &resource, &mut shown).await?;
            Ok(Batch::Changes(shown, through))
        }));
    }

    /// Returns the frames of what was converted, joined.
    pub(super) fn show(&mut self, batch: &Batch) -> Result<Option<Bytes>, Status> {
        let mut frames = Vec::new();
        match batch {
            Batch::Initial(items) => {
                for (place, object) in items {
                    let resource = self.framer.resource();
                    if self.selection.matches(resource, place, object) {
                        self.framer.put(Kind::Added, object, &mut frames)?;
                    }
                }
            }
            Batch::Changes(all, through) => {
                for shown in all {
                    self.show_change(shown, &mut frames)?;
                }
                self.sent = self.sent.max(*through);
            }
        }
        Ok((!frames.is_empty()).then(|| Bytes::from(frames)))
    }

    fn show_change(&mut self, shown: &Shown, frames: &mut Vec<u8>) -> Result<(), Status> {
        let change = &shown.change;
        let resource = self.framer.resource();
        let fits = |object: &Arc<Stored>| self.selection.matches(resource, &change.place, object);
        let after = shown.after.as_ref().filter(|object| fits(object));
        let wider = self.selection.without_fields();
        let was_there = match &shown.before {
            Some(before) => fits(before),
            // It was not converted, because it decides nothing beyond labels.
            None => change
                .before
                .as_ref()
                .is_some_and(|before| wider.matches(resource, &change.place, before)),
        };
        let last = shown.after.as_ref().filter(|_| change.deleted);
        let (kind, object) = match (was_there, after.filter(|_| !change.deleted)) {
            (true, Some(after)) => (Kind::Modified, after),
            (false, Some(after)) => (Kind::Added, after),
            (true, None) => match last.or(shown.before.as_ref()) {
                Some(last) => (Kind::Deleted, last),
                None => return Ok(()),
            },
            (false, None) => return Ok(()),
        };
        let frame = self.framer.shared(kind, change, Some(object))?;
        frames.extend_from_slice(&frame);
        Ok(())
    }
}

/// Converts the objects of changes, all of them in one list.
async fn convert(
    converter: &Converter,
    resource: &Resource,
    shown: &mut [Shown],
) -> Result<(), Status> {
    let mut items = Vec::new();
    for one in &*shown {
        let objects = one.before.iter().chain(&one.after);
        items.extend(objects.map(|object| (one.change.place.clone(), Arc::clone(object))));
    }
    converter.list(resource, &mut items).await?;
    let mut converted = items.into_iter().map(|(_, object)| object);
    for one in shown {
        for object in one.before.iter_mut().chain(one.after.iter_mut()) {
            *object = converted.next().expect("there is one for each object");
        }
    }
    Ok(())
}
