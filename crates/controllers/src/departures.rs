//! Wakes the deletion of a namespace when something in it is gone.

use std::{collections::HashSet, sync::Arc};

use kit::{Key, Queue};
use parking_lot::RwLock;

/// Namespaces that wait for what is in them to go. Cheap to clone.
#[derive(Clone)]
pub struct Departures {
    waiting: Arc<RwLock<HashSet<Box<str>>>>,
    queue: Queue<Key>,
}

impl Departures {
    /// Returns an empty set whose wake-ups go into a queue.
    #[must_use]
    pub fn new(queue: Queue<Key>) -> Self {
        Self {
            waiting: Arc::default(),
            queue,
        }
    }

    /// Has a namespace woken when something in it is gone.
    pub fn wait(&self, namespace: &str) {
        self.waiting.write().insert(namespace.into());
    }

    /// Ends that.
    pub fn end(&self, namespace: &str) {
        self.waiting.write().remove(namespace);
    }

    /// Takes in that something in a namespace is gone.
    pub fn note(&self, namespace: &str) {
        if self.waiting.read().contains(namespace) {
            self.queue.add(Key::new("", namespace));
        }
    }
}

#[cfg(test)]
mod tests {
    use base::{Clock, Rng};
    use kit::{Key, Queue};

    use super::Departures;

    #[test]
    fn wakes_those_that_wait() {
        let queue = Queue::new(Clock::system(), Rng::from_seed(1));
        let departures = Departures::new(queue.clone());
        departures.note("a");
        assert_eq!(queue.try_next(), None);
        departures.wait("a");
        departures.note("b");
        departures.note("a");
        assert_eq!(queue.try_next(), Some(Key::new("", "a")));
        queue.done(&Key::new("", "a"));
        departures.end("a");
        departures.note("a");
        assert_eq!(queue.try_next(), None);
    }
}
