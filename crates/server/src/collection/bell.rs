//! Wakes those who wait for changes, and only those whom a change may concern.

use std::task::Waker;

use api::Text;
use parking_lot::Mutex;

/// Which changes someone waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Every change.
    All,
    /// Changes of objects whose place begins with this: a namespace and a slash.
    Under(Text),
    /// Changes of the object at this place.
    At(Text),
}

impl Interest {
    /// Returns whether a change of the object at `place` is meant.
    #[must_use]
    pub fn wants(&self, place: &str) -> bool {
        match self {
            Self::All => true,
            Self::Under(prefix) => place.starts_with(prefix.as_str()),
            Self::At(wanted) => place == wanted,
        }
    }
}

/// The waiting ones. Ringing costs one look at each, and wakes those that are meant.
#[derive(Default)]
pub struct Bell {
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    taken: Vec<Option<Slot>>,
    free: Vec<usize>,
}

struct Slot {
    interest: Interest,
    waker: Option<Waker>,
}

/// A place at the bell; whoever drops it no longer waits.
pub struct Seat(usize);

/// A seat that is given back when this is dropped.
pub struct Seated<'a> {
    pub(super) bell: &'a Bell,
    pub(super) seat: Seat,
}

impl Seated<'_> {
    /// Asks to be woken by the next ring that is meant for this seat.
    pub fn wait(&self, waker: &Waker) {
        self.bell.wait(&self.seat, waker);
    }
}

impl Drop for Seated<'_> {
    fn drop(&mut self) {
        self.bell.leave(&self.seat);
    }
}

impl Bell {
    /// Takes a seat for these changes. It must be given back with [`Bell::leave`].
    pub fn enter(&self, interest: Interest) -> Seat {
        let slot = Some(Slot {
            interest,
            waker: None,
        });
        let mut slots = self.slots.lock();
        match slots.free.pop() {
            Some(place) => {
                slots.taken[place] = slot;
                Seat(place)
            }
            None => {
                slots.taken.push(slot);
                Seat(slots.taken.len() - 1)
            }
        }
    }

    /// Gives a seat back.
    pub fn leave(&self, seat: &Seat) {
        let mut slots = self.slots.lock();
        slots.taken[seat.0] = None;
        slots.free.push(seat.0);
    }

    /// Asks to be woken by the next ring that is meant for this seat.
    pub fn wait(&self, seat: &Seat, waker: &Waker) {
        let mut slots = self.slots.lock();
        if let Some(slot) = &mut slots.taken[seat.0] {
            match &slot.waker {
                Some(known) if known.will_wake(waker) => {}
                _ => slot.waker = Some(waker.clone()),
            }
        }
    }

    /// Wakes everyone who waits for a change at one of these places.
    pub fn ring<'a>(&self, places: impl Iterator<Item = &'a str> + Clone) {
        self.wake(|interest| match interest {
            Interest::All => true,
            other => places.clone().any(|place| other.wants(place)),
        });
    }

    /// Wakes everyone.
    pub fn ring_all(&self) {
        self.wake(|_| true);
    }

    /// Returns whether nobody has a seat.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let slots = self.slots.lock();
        slots.taken.len() == slots.free.len()
    }

    fn wake(&self, meant: impl Fn(&Interest) -> bool) {
        // Wakers run after the lock is gone: waking may run a task on this very thread.
        let mut wakers = Vec::new();
        for slot in self.slots.lock().taken.iter_mut().flatten() {
            if slot.waker.is_some() && meant(&slot.interest) {
                wakers.extend(slot.waker.take());
            }
        }
        wakers.into_iter().for_each(Waker::wake);
    }
}
