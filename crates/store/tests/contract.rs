//! Every engine keeps the contract.

use std::sync::Arc;

use base::{Clock, Rng};
use store::{
    Drive, EmbeddedOptions, EmbeddedStore, MemoryStore, Store,
    disk::{Disk, SimDisk},
    suite,
};

fn embedded(disk: Arc<dyn Disk>, drive: Drive) -> Box<dyn Store> {
    let options = EmbeddedOptions {
        drive,
        ..EmbeddedOptions::default()
    };
    let store = EmbeddedStore::open_on(disk, &Clock::system(), Rng::from_seed(1), options);
    Box::new(store.expect("an empty disk"))
}

#[test]
fn memory() {
    suite::run(|| Box::new(MemoryStore::new(Clock::system())));
}

#[test]
fn a_fork_of_memory() {
    suite::run(|| Box::new(MemoryStore::new(Clock::system()).fork()));
}

#[test]
fn embedded_on_a_simulated_disk_with_a_thread() {
    suite::run(|| embedded(Arc::new(SimDisk::new(1)), Drive::Thread));
}

#[test]
fn embedded_on_a_simulated_disk_inline() {
    suite::run(|| embedded(Arc::new(SimDisk::new(1)), Drive::Inline));
}

#[test]
fn embedded_on_a_real_disk() {
    let root = tempfile::tempdir().expect("a directory for the test");
    let mut number = 0;
    suite::run(|| {
        number += 1;
        let dir = root.path().join(number.to_string());
        let options = EmbeddedOptions::default();
        let store = EmbeddedStore::open(&dir, &Clock::system(), Rng::from_seed(1), options);
        Box::new(store.expect("an empty directory"))
    });
}
