//! Whatever the disk does, an acknowledged write is there, or the store says which file is wrong.

#[path = "faults/workload.rs"]
mod workload;

use base::Rng;
use store::{
    Store, StoreError,
    disk::{DiskFault, SimDisk},
};
use workload::{Run, open};

/// Runs the workload on a disk whose operation number `at` goes wrong, lets the power go, and
/// opens the store again.
fn check(at: u64, fault: DiskFault, seed: u64) {
    let disk = SimDisk::new(seed);
    disk.set_fault(at, fault);
    let mut run = Run::new(seed);
    let label = format!("{fault:?} at operation {at}, seed {seed}");
    match open(&disk, run.clock()) {
        Ok(store) => {
            run.writes(&store, 60);
            if fault == DiskFault::Drop {
                // A disk that lies about its very last sync takes what it likes. What it lied
                // about earlier must come to light.
                let _ = store.close().wait();
            }
            let crashed = disk.crash();
            drop(store);
            reopen(&mut run, &crashed, fault, &label);
        }
        Err(error) => {
            assert!(
                !matches!(error, StoreError::Damaged { .. }),
                "{label}: {error}"
            );
            reopen(&mut run, &disk.crash(), fault, &label);
        }
    }
}

fn reopen(run: &mut Run, disk: &SimDisk, fault: DiskFault, label: &str) {
    match open(disk, run.clock()) {
        Ok(store) => {
            run.verify(&store, label);
            // It is a whole store again: it takes writes, and keeps them.
            run.forget_uncertain(&store);
            run.writes(&store, 10);
            let crashed = disk.crash();
            drop(store);
            let store = open(&crashed, run.clock()).expect("nothing failed this time");
            run.verify(&store, label);
        }
        Err(StoreError::Damaged { file, offset, .. }) => {
            // Only a disk that reported as done what it did not do leaves damage behind.
            assert_eq!(fault, DiskFault::Drop, "{label}");
            assert!(
                file.starts_with("/simulated") && offset < 1 << 20,
                "{label}"
            );
        }
        Err(error) => panic!("{label}: {error}"),
    }
}

/// Counts the operations of a run in which nothing goes wrong.
fn operations(seed: u64) -> u64 {
    let disk = SimDisk::new(seed);
    let mut run = Run::new(seed);
    let store = open(&disk, run.clock()).expect("an empty disk");
    run.writes(&store, 60);
    store.close().wait().expect("a healthy disk");
    let snapshots = store.usage().snapshots;
    assert!(
        snapshots >= 2,
        "the workload should meet snapshots, met {snapshots}"
    );
    disk.usage().operations
}

fn check_everywhere(fault: DiskFault) {
    for seed in 0..4 {
        let operations = operations(seed);
        assert!(operations > 100);
        for at in 0..operations {
            check(at, fault, seed);
        }
    }
}

#[test]
fn survives_a_failure_of_every_operation() {
    check_everywhere(DiskFault::Fail);
}

#[test]
fn survives_a_tear_in_every_operation() {
    check_everywhere(DiskFault::Tear);
}

#[test]
fn survives_or_names_every_dropped_operation() {
    check_everywhere(DiskFault::Drop);
}

#[test]
fn survives_a_full_disk_at_every_operation() {
    check_everywhere(DiskFault::NoSpace);
}

#[test]
fn survives_a_power_cut_after_every_write() {
    for seed in 0..4 {
        let disk = SimDisk::new(seed);
        let mut run = Run::new(seed);
        let store = open(&disk, run.clock()).expect("an empty disk");
        for count in 0..60 {
            run.writes(&store, 1);
            for cut in 0..4 {
                let label = format!("cut {cut} after write {count}, seed {seed}");
                let after = open(&disk.crash(), run.clock());
                run.verify(&after.expect("nothing failed"), &label);
            }
        }
    }
}

#[test]
fn survives_crash_after_crash() {
    let mut rng = Rng::from_seed(11);
    let mut disk = SimDisk::new(11);
    let mut run = Run::new(11);
    for round in 0..200 {
        let store = open(&disk, run.clock()).expect("nothing failed");
        run.verify(&store, &format!("round {round}"));
        run.forget_uncertain(&store);
        run.writes(&store, rng.below(8) as usize);
        disk = disk.crash();
    }
}

#[test]
fn says_full_and_goes_on_when_there_is_room() {
    let disk = SimDisk::new(5);
    let mut run = Run::new(5);
    let store = open(&disk, run.clock()).expect("an empty disk");
    disk.set_room(disk.usage().bytes + 20_000);
    let error = loop {
        if let Some(error) = run.write(&store) {
            break error;
        }
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(matches!(store.health(), Err(StoreError::Full { .. })));
    let crashed = open(&disk.crash(), run.clock()).expect("a full disk can be read");
    run.verify(&crashed, "full");

    disk.set_room(u64::MAX);
    run.advance_secs(2);
    assert!(store.health().is_ok());
    run.forget_uncertain(&store);
    let before = store.revision().wait().expect("the newest revision");
    run.write_synced(&store).expect("there is room");
    let after = store.revision().wait().expect("the newest revision");
    assert_eq!(after, before.next(), "refused writes take no revision");
    run.writes(&store, 10);
    store.close().wait().expect("there is room");
    let crashed = open(&disk.crash(), run.clock()).expect("nothing failed");
    run.verify(&crashed, "full and then not");
}

#[test]
fn closes_a_full_disk() {
    let disk = SimDisk::new(6);
    let mut run = Run::new(6);
    let store = open(&disk, run.clock()).expect("an empty disk");
    disk.set_room(disk.usage().bytes);
    while run.write(&store).is_none() {}
    let ended = store.close().wait();
    assert!(
        matches!(ended, Ok(()) | Err(StoreError::Full { .. })),
        "{ended:?}"
    );
    run.verify(
        &open(&disk.crash(), run.clock()).expect("it was closed"),
        "closed while full",
    );
}

#[test]
fn stops_writing_after_a_failed_sync() {
    let disk = SimDisk::new(7);
    let mut run = Run::new(7);
    let store = open(&disk, run.clock()).expect("an empty disk");
    run.writes(&store, 3);
    disk.set_fault(disk.usage().operations + 1, DiskFault::Fail);
    let error = run.write_synced(&store).expect_err("the sync fails");
    assert!(matches!(error, StoreError::Sync { .. }), "{error}");
    let operations = disk.usage().operations;
    for _ in 0..3 {
        let error = run.write_synced(&store).expect_err("the store has stopped");
        assert!(matches!(error, StoreError::Poisoned { .. }), "{error}");
    }
    run.advance_secs(100);
    store.tick();
    assert!(matches!(store.health(), Err(StoreError::Poisoned { .. })));
    assert!(store.close().wait().is_err());
    assert_eq!(
        disk.usage().operations,
        operations,
        "nothing more may be written"
    );
}

#[test]
fn refuses_a_directory_that_is_in_use() {
    let disk = SimDisk::new(8);
    let run = Run::new(8);
    let store = open(&disk, run.clock()).expect("an empty disk");
    assert!(matches!(
        open(&disk, run.clock()),
        Err(StoreError::Locked { .. })
    ));
    drop(store);
    assert!(open(&disk, run.clock()).is_ok());
}
