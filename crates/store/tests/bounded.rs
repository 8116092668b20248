//! Files, memory and syncs stay bounded under lease updates, on a simulated clock.
//!
//! `examples/lease_day.rs` is the same for a whole day of a thousand leases; its output is in
//! `docs/decisions/0001-embedded-log.md`.

use std::{sync::Arc, time::Duration};

use base::{Clock, Rng, WallTime};
use store::{
    Drive, Durability, EmbeddedOptions, EmbeddedStore, Expected, Prefix, Revision, Store, Value,
    Write, disk::SimDisk,
};

const MIB: u64 = 1024 * 1024;
const LEASES: u64 = 100;
const HOURS: u64 = 3;

#[test]
fn lease_updates_leave_files_and_history_bounded() {
    let (clock, hand) = Clock::fake(WallTime::from_secs(1_000_000));
    let disk = SimDisk::new(1);
    let options = EmbeddedOptions {
        drive: Drive::Inline,
        segment_bytes_max: 2 * MIB,
        log_slack_bytes: 8 * MIB,
        ..EmbeddedOptions::default()
    };
    let open = || {
        let disk = Arc::new(disk.clone());
        let store = EmbeddedStore::open_on(disk, &clock, Rng::from_seed(1), options.clone());
        store.expect("a healthy disk")
    };
    let store = open();
    let mut ago = std::collections::VecDeque::new();
    for second in 0..HOURS * 3_600 {
        for lease in (second % 10..LEASES).step_by(10) {
            let value = Value::stamped(vec![b'a'; 100], vec![b'b'; 500]);
            let key = format!("/leases/{lease}");
            let write = Write::put(key, value, Expected::Any);
            let receipt = store.write(write.with_durability(Durability::Relaxed));
            receipt.wait().expect("a healthy disk");
        }
        ago.push_back(store.revision().wait().expect("the newest"));
        hand.advance(Duration::from_secs(1));
        store.tick();
        if ago.len() > 299 {
            let revision = ago.pop_front().expect("it has many");
            let watch = store.watch(&Prefix::new("/leases/"), revision);
            assert!(watch.is_ok(), "five minutes can be watched at any time");
        }
        let (held, on_disk) = (store.usage(), disk.usage());
        // Ten leases a second for five minutes, and half a minute until the next trimming.
        assert!(held.history_events <= 10 * 331, "{held:?}");
        assert!(held.live_bytes < LEASES * 700);
        // The log and its spares, one segment being changed, the snapshots.
        assert!(on_disk.bytes <= 2 * 8 * MIB + 2 * MIB, "{on_disk:?}");
    }
    let (held, on_disk) = (store.usage(), disk.usage());
    assert!(held.snapshots >= 5, "{held:?}");
    // One sync a second, and few for segments and snapshots.
    assert!(on_disk.syncs < HOURS * 3_600 * 105 / 100, "{on_disk:?}");
    let newest = store.revision().wait().expect("the newest");
    store.close().wait().expect("a healthy disk");
    drop(store);
    let store = open();
    assert_eq!(store.revision().wait().expect("the newest"), newest);
    assert!(newest > Revision(HOURS * 3_600 * 10));
}
