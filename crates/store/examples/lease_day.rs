//! A day of lease updates on a simulated clock and disk, to see that files and memory stay bounded.
//!
//! `cargo run --release -p store --example lease_day [-- LEASES [HOURS]]`
//!
//! It fails if the files of a thousand leases or fewer ever take more than 110 MB.
//!
//! Every lease is renewed each 10 seconds in the relaxed class, as 600 bytes of JSON would be. The
//! disk is in memory, so its size is part of the resident memory printed; it is subtracted.

use std::{sync::Arc, time::Duration};

use base::{Clock, Rng, WallTime};
use store::{
    Drive, Durability, EmbeddedOptions, EmbeddedStore, Expected, Store, Value, Write, disk::SimDisk,
};

const RENEWAL_SECS: u64 = 10;

/// What SPECIFICATION.md promises of a thousand leases: more than this is never on disk.
const FILES_BYTES_MAX: u64 = 110_000_000;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let leases = arguments.next().and_then(Result::ok).unwrap_or(1_000);
    let hours = arguments.next().and_then(Result::ok).unwrap_or(24);
    let (clock, hand) = Clock::fake(WallTime::from_secs(1_000_000));
    let disk = SimDisk::new(1);
    let options = EmbeddedOptions {
        drive: Drive::Inline,
        ..EmbeddedOptions::default()
    };
    let opened = EmbeddedStore::open_on(
        Arc::new(disk.clone()),
        &clock,
        Rng::from_seed(1),
        options.clone(),
    );
    let store = opened.expect("an empty disk");
    println!("{leases} leases, renewed every {RENEWAL_SECS} s, for {hours} h");
    println!(
        "| hour | files MB | peak MB | events | history MB | live MB | snapshots | written MB | syncs |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mb = |bytes: u64| bytes as f64 / 1e6;
    for second in 0..hours * 3_600 {
        for lease in (second % RENEWAL_SECS..leases).step_by(RENEWAL_SECS as usize) {
            let key = format!("/registry/leases/kube-node-lease/node-{lease}");
            let value = Value::stamped(vec![b'a'; 100], vec![b'b'; 500]);
            let write = Write::put(key, value, Expected::Any);
            let receipt = store.write(write.with_durability(Durability::Relaxed));
            receipt.wait().expect("a healthy disk");
        }
        hand.advance(Duration::from_secs(1));
        store.tick();
        if (second + 1) % 3_600 == 0 && (second / 3_600) % 3 == 2 {
            let (held, on_disk) = (store.usage(), disk.usage());
            println!(
                "| {} | {:.1} | {:.1} | {} | {:.1} | {:.1} | {} | {:.0} | {} |",
                (second + 1) / 3_600,
                mb(on_disk.bytes),
                mb(on_disk.bytes_peak),
                held.history_events,
                mb(held.history_bytes as u64),
                mb(held.live_bytes),
                held.snapshots,
                mb(on_disk.written_bytes),
                on_disk.syncs,
            );
        }
    }
    store.close().wait().expect("a healthy disk");
    let peak = disk.usage().bytes_peak;
    if leases <= 1_000 {
        assert!(peak <= FILES_BYTES_MAX, "{peak} bytes of files");
    }
    println!("peak of the files: {:.1} MB", mb(peak));
}
