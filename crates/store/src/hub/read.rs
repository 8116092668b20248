//! Ranges, now and at an old revision.

use std::{collections::BTreeMap, iter::Peekable, ops::Bound, sync::Arc};

use parking_lot::RwLock;

use super::State;
use crate::{
    contract::{Entry, Key, Range, RangeQuery, Revision, Start},
    error::StoreError,
};

pub(super) fn range(state: &RwLock<State>, query: &RangeQuery) -> Result<Range, StoreError> {
    let (live, revision, undone) = {
        let state = state.read();
        let revision = query.at.unwrap_or(state.revision);
        state.history.check(revision, state.revision)?;
        let undone = undo(&state, query, revision);
        // The pointer copy lets writers go on while this range is read.
        (state.live.clone(), revision, undone)
    };
    let end = query.prefix.end();
    let start = match &query.start {
        Start::First => Bound::Included(query.prefix.as_bytes()),
        Start::At(key) => Bound::Included(query.prefix.as_bytes().max(key.as_bytes())),
        Start::After(key) if key.as_bytes() < query.prefix.as_bytes() => {
            Bound::Included(query.prefix.as_bytes())
        }
        Start::After(key) => Bound::Excluded(key.as_bytes()),
    };
    let is_empty = match start {
        Bound::Included(start) | Bound::Excluded(start) => start >= end.as_slice(),
        Bound::Unbounded => false,
    };
    if is_empty {
        return Ok(page(std::iter::empty(), query, revision));
    }
    let bounds = (start, Bound::Excluded(end.as_slice()));
    let now = live.range::<_, [u8]>(bounds).map(|(_, entry)| entry);
    if undone.is_empty() {
        return Ok(page(now, query, revision));
    }
    let then = undone.range::<[u8], _>(bounds);
    let merged = Merged {
        now: now.peekable(),
        then: then.peekable(),
    };
    Ok(page(merged, query, revision))
}

/// Returns what the keys that changed after `revision` held then.
fn undo(
    state: &State,
    query: &RangeQuery,
    revision: Revision,
) -> BTreeMap<Key, Option<Arc<Entry>>> {
    let mut undone = BTreeMap::new();
    // From the newest back, so that the oldest change of a key has the last word.
    for event in state.history.newest_first(revision) {
        if query.prefix.matches(&event.key) {
            undone.insert(event.key.clone(), event.previous.clone());
        }
    }
    undone
}

fn page<'a>(
    mut entries: impl Iterator<Item = &'a Arc<Entry>>,
    query: &RangeQuery,
    revision: Revision,
) -> Range {
    let limit = query.limit.map_or(usize::MAX, std::num::NonZero::get);
    let found: Vec<Arc<Entry>> = entries.by_ref().take(limit).cloned().collect();
    let remaining = if found.len() < limit {
        0
    } else {
        entries.count()
    };
    Range {
        entries: found,
        revision,
        more: remaining > 0,
        remaining,
    }
}

/// Two sorted lines as one; where both have a key, the old one holds.
struct Merged<N: Iterator, T: Iterator> {
    now: Peekable<N>,
    then: Peekable<T>,
}

impl<'a, N, T> Iterator for Merged<N, T>
where
    N: Iterator<Item = &'a Arc<Entry>>,
    T: Iterator<Item = (&'a Key, &'a Option<Arc<Entry>>)>,
{
    type Item = &'a Arc<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((key, _)) = self.then.peek() else {
                return self.now.next();
            };
            match self.now.peek() {
                Some(now) if now.key < **key => return self.now.next(),
                Some(now) if now.key == **key => {
                    self.now.next();
                }
                _ => {}
            }
            // The key was absent then, or is taken from then.
            if let Some((_, Some(entry))) = self.then.next() {
                return Some(entry);
            }
        }
    }
}
