//! Who holds what, as the stored objects say it.

use api::{Text, json};
use hashbrown::{HashMap, HashSet};
use schema::{Allot, Claim};
use store::StoreError;

use super::{ByPlace, parse};
use crate::collection::{Collection, Cursor, Step, Stored};

/// The claims of all holders and all deeds.
pub(super) struct Books {
    holders: Followed,
    deeds: Followed,
}

/// The claims of one collection's objects, and the place of the changes that follow.
struct Followed {
    collection: Collection,
    cursor: Cursor,
    by_place: ByPlace,
    /// The places of the objects that have a claim; mostly one.
    places: HashMap<Claim, Vec<Text>>,
}

impl Books {
    /// Reads both collections.
    pub(super) async fn open(
        rules: &dyn Allot,
        holders: &Collection,
        deeds: &Collection,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            holders: Followed::open(holders, |object| held(rules, object)).await?,
            deeds: Followed::open(deeds, |object| claimed(rules, object)).await?,
        })
    }

    /// Takes in what has changed; false if the place was lost and the books must be read anew.
    pub(super) fn catch_up(&mut self, rules: &dyn Allot) -> bool {
        self.holders.catch_up(|object| held(rules, object))
            && self.deeds.catch_up(|object| claimed(rules, object))
    }

    pub(super) fn is_taken(&self, claim: Claim) -> bool {
        self.holders.places.contains_key(&claim) || self.deeds.places.contains_key(&claim)
    }

    pub(super) fn is_held_by(&self, holder: &str, claim: Claim) -> bool {
        let claims = self.holders.by_place.get(holder);
        claims.is_some_and(|claims| claims.contains(&claim))
    }

    /// Returns the place of the deed of a claim.
    pub(super) fn deed_of(&self, claim: Claim) -> Option<Text> {
        self.deeds.places.get(&claim)?.first().cloned()
    }

    /// Returns the deeds of what nobody holds, and the claims that nobody has a deed of.
    pub(super) fn differences(&self, reserved: &HashSet<Claim>) -> (Vec<Text>, Vec<(Text, Claim)>) {
        let is_open = |claim: &Claim| !reserved.contains(claim);
        let deeds = self.deeds.by_place.iter();
        let stale = deeds.filter(|(_, claims)| {
            let mut claims = claims.iter().filter(|claim| is_open(claim));
            claims.any(|claim| !self.holders.places.contains_key(claim))
        });
        let stale = stale.map(|(place, _)| place.clone()).collect();
        let held = self.holders.by_place.iter();
        let held =
            held.flat_map(|(place, claims)| claims.iter().map(|claim| (place.clone(), *claim)));
        let missing = held
            .filter(|(_, claim)| is_open(claim) && !self.deeds.places.contains_key(claim))
            .collect();
        (stale, missing)
    }
}

fn held(rules: &dyn Allot, object: &Stored) -> Vec<Claim> {
    json::read_parts(&object.bytes, rules.held_parts())
        .map(|object| rules.held(&object))
        .unwrap_or_default()
}

fn claimed(rules: &dyn Allot, object: &Stored) -> Vec<Claim> {
    let claim = parse(object).and_then(|object| rules.claim_of(&object));
    claim.into_iter().collect()
}

impl Followed {
    async fn open(
        collection: &Collection,
        read: impl Fn(&Stored) -> Vec<Claim>,
    ) -> Result<Self, StoreError> {
        let (view, cursor) = collection.follow().await?;
        let mut followed = Self {
            collection: collection.clone(),
            cursor,
            by_place: ByPlace::new(),
            places: HashMap::new(),
        };
        for (place, object) in &view.objects {
            followed.put(place.clone(), read(object));
        }
        Ok(followed)
    }

    fn catch_up(&mut self, read: impl Fn(&Stored) -> Vec<Claim>) -> bool {
        let Step::Changes(changes, _) = self.collection.step(&mut self.cursor, usize::MAX) else {
            return false;
        };
        for change in changes {
            let claims = match change.deleted {
                true => Vec::new(),
                false => read(&change.object),
            };
            self.put(change.place.clone(), claims);
        }
        true
    }

    fn put(&mut self, place: Text, claims: Vec<Claim>) {
        for claim in self.by_place.remove(&place).into_iter().flatten() {
            if let Some(places) = self.places.get_mut(&claim) {
                places.retain(|known| *known != place);
                if places.is_empty() {
                    self.places.remove(&claim);
                }
            }
        }
        if claims.is_empty() {
            return;
        }
        for claim in &claims {
            self.places.entry(*claim).or_default().push(place.clone());
        }
        self.by_place.insert(place, claims);
    }
}
