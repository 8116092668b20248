//! Who has which name: the names that definitions and built-in kinds have, group by group.
//!
//! A definition's names are [held](Names::hold) by whoever follows the definitions, as the stored
//! objects say. A definition that is only being written [claims](Names::claim) its names
//! beforehand, so that two that are written at once never get the same one. A claim ends when the
//! follower has seen what was written, or when nothing was.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use api::{Text, Value};
use parking_lot::Mutex;
use store::Revision;

use super::status;

/// The names of everything that is defined. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Names(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    groups: HashMap<Text, Group>,
    /// Claims of what was written and has not been seen by the follower yet.
    written: Vec<(Revision, Claims)>,
    /// Up to here the follower has seen everything.
    seen: Revision,
}

#[derive(Default)]
struct Group {
    held: HashMap<Name, Owner>,
    /// A name may be claimed twice by writers of the same definition, of whom one will fail.
    claimed: Vec<(Name, Owner)>,
    /// Definitions that did not get all their names.
    unhappy: BTreeSet<Text>,
}

/// The name of a definition, or nothing for a built-in kind.
type Owner = Arc<str>;

/// A name. Plurals, singulars and short names may not clash, and kinds and list kinds may not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Name {
    /// A plural, singular or short name.
    Resource(Text),
    /// A kind or list kind.
    Kind(Text),
}

/// What others in a group have, as seen by one definition.
pub(crate) struct Taken<'a> {
    group: Option<&'a Group>,
    owner: &'a str,
}

impl Taken<'_> {
    /// Returns whether another has this plural, singular or short name.
    pub(crate) fn has_resource(&self, name: &str) -> bool {
        self.has(&Name::Resource(Text::new(name)))
    }

    /// Returns whether another has this kind or list kind.
    pub(crate) fn has_kind(&self, name: &str) -> bool {
        self.has(&Name::Kind(Text::new(name)))
    }

    fn has(&self, name: &Name) -> bool {
        self.group.is_some_and(|group| {
            let held = group.held.get(name);
            let mut claimed = group.claimed.iter();
            held.is_some_and(|owner| **owner != *self.owner)
                || claimed.any(|(known, owner)| known == name && **owner != *self.owner)
        })
    }
}

/// Names that a definition on its way has claimed; free again when this is dropped.
pub(crate) struct Claims {
    names: Names,
    group: Text,
    owner: Owner,
    claimed: Vec<Name>,
}

/// Returns the names that a definition got, each once.
pub(crate) fn accepted(accepted: &Value) -> Vec<Name> {
    let text = |name: &str| Text::new(accepted.str_at(&[name]).unwrap_or_default());
    let mut names = vec![Name::Resource(text("plural")), Name::Kind(text("kind"))];
    let short = status::texts(accepted, "shortNames");
    let short = short
        .into_iter()
        .map(|name| Name::Resource(Text::from(name)));
    let more = [
        Name::Resource(text("singular")),
        Name::Kind(text("listKind")),
    ];
    for name in more.into_iter().chain(short) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.retain(|name| !name.as_str().is_empty());
    names
}

/// Returns the names of a built-in kind.
pub(crate) fn of(names: &schema::Names) -> Vec<Name> {
    let resources = [&names.plural, &names.singular].map(|name| Name::Resource(name.clone()));
    let kinds = [&names.kind, &names.list_kind].map(|name| Name::Kind(name.clone()));
    let mut names: Vec<Name> = resources.into_iter().chain(kinds).collect();
    names.retain(|name| !name.as_str().is_empty());
    names
}

impl Name {
    fn as_str(&self) -> &str {
        match self {
            Self::Resource(name) | Self::Kind(name) => name,
        }
    }
}

impl Names {
    /// Lets `read` see what others than `owner` have in a group.
    pub(crate) fn look<T>(
        &self,
        group: &str,
        owner: &str,
        read: impl FnOnce(&Taken<'_>) -> T,
    ) -> T {
        let state = self.0.lock();
        read(&Taken {
            group: state.groups.get(group),
            owner,
        })
    }

    /// Lets `decide` see what others have and say which names are claimed for `owner`.
    pub(crate) fn claim(
        &self,
        group: &str,
        owner: &str,
        decide: impl FnOnce(&Taken<'_>) -> Vec<Name>,
    ) -> Claims {
        let mut state = self.0.lock();
        let claimed = decide(&Taken {
            group: state.groups.get(group),
            owner,
        });
        let owner = Owner::from(owner);
        let known = state.groups.entry(Text::new(group)).or_default();
        for name in &claimed {
            known.claimed.push((name.clone(), Arc::clone(&owner)));
        }
        Claims {
            names: self.clone(),
            group: Text::new(group),
            owner,
            claimed,
        }
    }

    /// Notes that `owner` has `new` names now, and no longer the `old` ones.
    pub(crate) fn hold(&self, group: &str, owner: &str, old: &[Name], new: &[Name]) {
        let mut state = self.0.lock();
        let known = state.groups.entry(Text::new(group)).or_default();
        known.free(owner, old.iter().filter(|name| !new.contains(name)));
        let missing = |name: &&Name| known.held.get(*name).is_none_or(|one| **one != *owner);
        let new: Vec<Name> = new.iter().filter(missing).cloned().collect();
        if !new.is_empty() {
            let owner = Owner::from(owner);
            let held = new.into_iter().map(|name| (name, Arc::clone(&owner)));
            known.held.extend(held);
        }
    }

    /// Notes whether a definition lacks some of the names it wants.
    pub(crate) fn mark(&self, group: &str, owner: &str, is_unhappy: bool) {
        let mut state = self.0.lock();
        match state.groups.get_mut(group) {
            Some(known) if !is_unhappy => {
                known.unhappy.remove(owner);
            }
            Some(known) => {
                known.unhappy.insert(Text::new(owner));
            }
            None => {}
        }
    }

    /// Notes that `owner` is gone, and returns those who may now get what they lack.
    pub(crate) fn leave(&self, group: &str, owner: &str, old: &[Name]) -> Vec<Text> {
        let mut state = self.0.lock();
        let Some(known) = state.groups.get_mut(group) else {
            return Vec::new();
        };
        known.free(owner, old.iter());
        known.unhappy.remove(owner);
        let unhappy = known.unhappy.iter().cloned().collect();
        if known.held.is_empty() && known.claimed.is_empty() {
            state.groups.remove(group);
        }
        unhappy
    }

    /// Notes that the follower has seen everything up to a revision: claims of what was written by
    /// then are held by now.
    pub(crate) fn see(&self, revision: Revision) {
        let mut state = self.0.lock();
        state.seen = state.seen.max(revision);
        let (seen, written) = (state.seen, std::mem::take(&mut state.written));
        let (over, still): (Vec<_>, Vec<_>) = written.into_iter().partition(|(at, _)| *at <= seen);
        state.written = still;
        // A claim takes the lock itself when it ends.
        drop(state);
        drop(over);
    }
}

impl Group {
    fn free<'a>(&mut self, owner: &str, names: impl Iterator<Item = &'a Name>) {
        for name in names {
            if self.held.get(name).is_some_and(|one| **one == *owner) {
                self.held.remove(name);
            }
        }
    }
}

impl Claims {
    /// Keeps the claims until the follower has seen what was written at `revision`.
    pub(crate) fn written_at(self, revision: Revision) {
        let names = self.names.clone();
        let mut state = names.0.lock();
        if state.seen < revision {
            state.written.push((revision, self));
            return;
        }
        drop(state);
        drop(self);
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        let mut state = self.names.0.lock();
        let Some(known) = state.groups.get_mut(&self.group) else {
            return;
        };
        for name in &self.claimed {
            let mut claimed = known.claimed.iter();
            let ours = claimed.position(|(one, owner)| one == name && *owner == self.owner);
            if let Some(place) = ours {
                known.claimed.swap_remove(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use api::Text;
    use store::Revision;

    use super::{Name, Names};

    fn name(text: &str) -> Name {
        Name::Resource(Text::new(text))
    }

    #[track_caller]
    fn check(names: &Names, owner: &str, text: &str, expected: bool) {
        let found = names.look("g", owner, |taken| taken.has_resource(text));
        assert_eq!(found, expected, "{text} as seen by {owner}");
    }

    #[test]
    fn a_claim_holds_until_the_write_is_seen() {
        let names = Names::default();
        let claims = names.claim("g", "a.g", |_| vec![name("as")]);
        check(&names, "a.g", "as", false);
        check(&names, "b.g", "as", true);
        drop(claims);
        check(&names, "b.g", "as", false);

        let claims = names.claim("g", "a.g", |_| vec![name("as")]);
        claims.written_at(Revision(7));
        check(&names, "b.g", "as", true);
        names.hold("g", "a.g", &[], &[name("as")]);
        names.see(Revision(7));
        check(&names, "b.g", "as", true);
        // The follower was faster than the writer.
        let claims = names.claim("g", "c.g", |_| vec![name("cs")]);
        claims.written_at(Revision(7));
        check(&names, "b.g", "cs", false);
    }

    #[test]
    fn whoever_leaves_makes_room_for_the_unhappy() {
        let names = Names::default();
        names.hold("g", "a.g", &[], &[name("as"), name("old")]);
        names.hold("g", "a.g", &[name("as"), name("old")], &[name("as")]);
        check(&names, "b.g", "old", false);
        names.mark("g", "b.g", true);
        assert_eq!(names.leave("g", "a.g", &[name("as")]), [Text::new("b.g")]);
        check(&names, "b.g", "as", false);
        names.mark("g", "b.g", false);
        assert!(names.leave("g", "c.g", &[]).is_empty());
    }

    #[test]
    fn nobody_frees_what_another_has() {
        let names = Names::default();
        names.hold("g", "a.g", &[], &[name("as")]);
        assert!(names.leave("g", "b.g", &[name("as")]).is_empty());
        check(&names, "b.g", "as", true);
    }
}
