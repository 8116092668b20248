//! Items that an expression made.

use std::ops::Deref;

use super::Val;

/// Items, and how many values are met by going through them.
///
/// A value that is shared is met as often as it stands there: `[x, x]` within `[y, y]` and so on
/// takes a few words and is gone through a billion times. What goes through values asks how many
/// there are before it begins.
#[derive(Clone, Debug)]
pub struct Made<T> {
    items: Vec<T>,
    weight: u64,
}

impl<T> Made<T> {
    pub(super) fn weight(&self) -> u64 {
        self.weight
    }
}

impl<'a> Made<Val<'a>> {
    /// The items of a list.
    #[must_use]
    pub fn list(items: Vec<Val<'a>>) -> Self {
        let weights = items.iter().map(Val::weight);
        let weight = weights.fold(1, u64::saturating_add);
        Self { items, weight }
    }

    /// Adds an item to a list.
    pub(in super::super) fn push(&mut self, item: Val<'a>) {
        self.weight = self.weight.saturating_add(item.weight());
        self.items.push(item);
    }
}

impl<'a> Made<(Val<'a>, Val<'a>)> {
    /// The entries of a map.
    #[must_use]
    pub fn map(entries: Vec<(Val<'a>, Val<'a>)>) -> Self {
        let weights = entries
            .iter()
            .map(|(_, value)| value.weight().saturating_add(1));
        let weight = weights.fold(1, u64::saturating_add);
        Self {
            items: entries,
            weight,
        }
    }
}

impl<T> Deref for Made<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}
