//! The moves: how many pods each replica set is to have.
//!
//! Two fences hold during a gradual rollout: never more pods than wanted plus the surge, and never
//! fewer available ones than wanted less the allowed absence.

use kit::Uid;

use super::{DESIRED, Force, MAX, Set, Step, World};
use crate::pod::Phase;

impl World<'_> {
    /// Returns whether the wanted number changed since the sets were last scaled; then they are
    /// scaled in proportion before the rollout goes on.
    pub(super) fn is_scaling(&self) -> bool {
        self.all().filter(|set| set.replicas > 0).any(|set| {
            set.number(DESIRED)
                .is_some_and(|desired| desired != self.deployment.replicas)
        })
    }

    /// Scales what is there without moving the rollout on.
    pub(super) fn scale(&mut self) {
        let places: Vec<usize> = (0..self.old.len() + usize::from(self.new.is_some())).collect();
        let active: Vec<usize> = places
            .iter()
            .copied()
            .filter(|place| self.at(*place).replicas > 0)
            .collect();
        // One active set, or none: the one, or the newest, gets everything.
        if active.len() <= 1 {
            let newest = places.last().copied();
            if let Some(place) = active.first().copied().or(newest) {
                self.resize(place, self.deployment.replicas, Force::No);
            }
            return;
        }
        // The new one is complete: the old ones are done.
        if self.is_saturated() {
            for place in active {
                if place < self.old.len() {
                    self.resize(place, 0, Force::No);
                }
            }
            return;
        }
        if matches!(
            self.deployment.strategy,
            super::Strategy::RollingUpdate { .. }
        ) {
            self.scale_in_proportion(active);
        }
    }

    fn is_saturated(&self) -> bool {
        let wanted = self.deployment.replicas;
        self.new.as_ref().is_some_and(|new| {
            new.replicas == wanted
                && new.number(DESIRED) == Some(wanted)
                && new.status.available_replicas == wanted
        })
    }

    /// Shares a change of the total among the active sets by their sizes, largest first; what
    /// rounding leaves over goes to the largest.
    ///
    /// Worked example: 10 wanted, surge 5; sets of 9 (old) and 4 (new) at 13 of at most 15. Scaled
    /// to 30 wanted, at most 35 are allowed, 22 more: 9 becomes 9 * 35 / 15 = 21, and 4 becomes
    /// 4 * 35 / 15 = 9; the 5 left over go to the larger one, which then has 26.
    fn scale_in_proportion(&mut self, mut active: Vec<usize>) {
        let wanted = self.deployment.replicas;
        let allowed = if wanted > 0 {
            self.deployment.replicas_max()
        } else {
            0
        };
        let there: i32 = active.iter().map(|place| self.at(*place).replicas).sum();
        let add = allowed - there;
        // Places grow with age: of equals the newer grows first, and the older shrinks first.
        active.sort_by_key(|place| {
            let place_rank = i64::try_from(*place).unwrap_or(i64::MAX);
            let size = self.at(*place).replicas;
            (-size, if add > 0 { -place_rank } else { place_rank })
        });
        let mut added = 0;
        let mut sizes = Vec::with_capacity(active.len());
        for place in &active {
            let share = if add == 0 {
                0
            } else {
                self.share(*place, add, added)
            };
            added += share;
            sizes.push(self.at(*place).replicas + share);
        }
        if let Some(largest) = sizes.first_mut() {
            *largest = (*largest + add - added).max(0);
        }
        for (place, size) in active.into_iter().zip(sizes) {
            self.resize(place, size, Force::Annotations);
        }
    }

    /// Returns the share of one set in `add`, of which `added` is given out already.
    fn share(&mut self, place: usize, add: i32, added: i32) -> i32 {
        let most = self.deployment.replicas_max();
        let wanted = self.deployment.replicas;
        let total_before = self.deployment.status.replicas;
        let set = self.at(place);
        if set.replicas == 0 || add == added {
            return 0;
        }
        let fraction = if wanted == 0 {
            -set.replicas
        } else {
            let before = set.number(MAX).filter(|max| *max > 0);
            match before.unwrap_or(total_before) {
                0 => 0,
                before => {
                    let size = f64::from(set.replicas) * f64::from(most) / f64::from(before);
                    round(size) - set.replicas
                }
            }
        };
        let left = add - added;
        if add > 0 {
            fraction.min(left)
        } else {
            fraction.max(left)
        }
    }

    /// One round of a gradual rollout: first up, if that is allowed, else down.
    pub(super) fn roll_gradually(&mut self) {
        self.ensure_new();
        if self.grow_new() || self.shrink_old() {
            return;
        }
        if self.is_complete(&self.deployment.status) {
            self.clean_up();
        }
    }

    fn new_place(&self) -> usize {
        self.old.len()
    }

    fn grow_new(&mut self) -> bool {
        let wanted = self.deployment.replicas;
        let held = self.at(self.new_place()).replicas;
        let replicas = if held > wanted {
            wanted
        } else if held == wanted {
            return false;
        } else {
            self.new_replicas(held)
        };
        self.resize(self.new_place(), replicas, Force::No)
    }

    /// Scales old sets down as far as the fences allow: pods that are not available first, since
    /// giving them up costs nothing, and then others as new ones have become available.
    fn shrink_old(&mut self) -> bool {
        let old: i32 = self.old.iter().map(|set| set.replicas).sum();
        if old == 0 {
            return false;
        }
        let available_min = self.deployment.replicas - self.deployment.unavailable_max();
        let new = self.at(self.new_place());
        let new_unavailable = new.replicas - new.status.available_replicas;
        let mut room = self.replicas() - available_min - new_unavailable;
        if room <= 0 {
            return false;
        }
        let mut moved = false;
        for place in 0..self.old.len() {
            let set = &self.old[place];
            let unhealthy = set.replicas - set.status.available_replicas;
            if room <= 0 || set.replicas == 0 || unhealthy <= 0 {
                continue;
            }
            let fewer = room.min(unhealthy);
            let replicas = set.replicas - fewer;
            moved |= self.resize(place, replicas, Force::No);
            room -= fewer;
        }
        let available: i32 = self.all().map(|set| set.status.available_replicas).sum();
        let mut spare = available - available_min;
        for place in 0..self.old.len() {
            let set = &self.old[place];
            if spare <= 0 || set.replicas == 0 {
                continue;
            }
            let fewer = spare.min(set.replicas);
            let replicas = set.replicas - fewer;
            moved |= self.resize(place, replicas, Force::No);
            spare -= fewer;
        }
        moved
    }

    /// One round of a rollout that replaces everything at once.
    pub(super) fn roll_recreate(&mut self) {
        let mut moved = false;
        for place in 0..self.old.len() {
            moved |= self.resize(place, 0, Force::No);
        }
        if moved || self.old_pods_run() {
            return;
        }
        self.ensure_new();
        self.resize(self.new_place(), self.deployment.replicas, Force::No);
        if self.is_complete(&self.deployment.status) {
            self.clean_up();
        }
    }

    fn old_pods_run(&self) -> bool {
        let new: Option<&Uid> = self.new.as_ref().map(|new| &new.uid);
        self.old.iter().any(|set| set.status.replicas > 0)
            || self.pods.iter().any(|pod| {
                let owner = pod.metadata.controller().map(|owner| &owner.uid);
                owner.is_some()
                    && owner != new
                    && !matches!(pod.phase, Phase::Succeeded | Phase::Failed)
            })
    }

    /// Deletes the oldest of the old sets that are more than the history keeps.
    pub(super) fn clean_up(&mut self) {
        let Some(limit) = self.deployment.history_limit else {
            return;
        };
        let mut sets: Vec<&Set> = self.old.iter().filter(|set| !set.leaving).collect();
        let limit = usize::try_from(limit).unwrap_or(0);
        let Some(excess) = sets.len().checked_sub(limit) else {
            return;
        };
        sets.sort_by(|a, b| {
            let revisions = a.revision().cmp(&b.revision());
            revisions.then_with(|| Set::by_age(a, b))
        });
        let empty = |set: &&&Set| {
            set.replicas == 0
                && set.status.replicas == 0
                && set.generation <= set.status.observed_generation
        };
        let steps = sets
            .iter()
            .take(excess)
            .filter(empty)
            .map(|set| Step::Delete {
                name: set.name.clone(),
                uid: set.uid.clone(),
            });
        self.steps.extend(steps);
    }
}

impl Set {
    /// Returns the number in an annotation, if it is one and not negative.
    fn number(&self, annotation: &str) -> Option<i32> {
        let text = self.annotations.get(annotation)?;
        text.parse().ok().filter(|number| *number >= 0)
    }
}

/// Rounds halves away from zero.
#[allow(
    clippy::cast_possible_truncation,
    reason = "a size that is no i32 was never a replica count; it saturates"
)]
fn round(size: f64) -> i32 {
    size.round() as i32
}
