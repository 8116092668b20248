//! Measures what one synced write costs, with 1 to 64 writers at once.
//!
//! `cargo run --release -p store --example commit_cost [-- DIR [SECONDS [WRITERS]]]`
//!
//! Values of 2,400 bytes with a stamp; 60 % inserts, 40 % updates; every write is acknowledged after its sync. CPU is that of the whole process, user and system, and includes
//! building the value and waking the writers (tasks of a tokio runtime on one thread).

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use base::{Clock, Rng};
use store::{EmbeddedOptions, EmbeddedStore, Expected, Store, Value, Write};

const VALUE_BYTES: usize = 2_400;
const WRITERS: [u64; 4] = [1, 4, 16, 64];
/// Objects in the measurement of memory.
const OBJECTS: u64 = 50_000;
/// First argument of the process that opens the store again.
const REOPEN: &str = "reopen";
/// Each row is measured this often; the median is printed.
const ROUNDS: usize = 3;

struct Row {
    cpu_us: f64,
    rate: f64,
    p50_us: u128,
    p99_us: u128,
}

fn main() {
    let all: Vec<String> = std::env::args().skip(1).collect();
    if let [first, dir, bytes] = all.as_slice()
        && first == REOPEN
    {
        return reopen(std::path::Path::new(dir), bytes.parse().expect("a number"));
    }
    let mut arguments = all.into_iter();
    let dir = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let seconds = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(2.0);
    let duration = Duration::from_secs_f64(seconds);
    let only: Option<u64> = arguments.next().and_then(|text| text.parse().ok());
    println!("| writers | CPU us/write | writes/s | p50 us | p99 us |");
    println!("|---|---|---|---|---|");
    for writers in WRITERS
        .into_iter()
        .filter(|writers| only.is_none_or(|only| only == *writers))
    {
        let mut rows: Vec<Row> = (0..ROUNDS)
            .map(|_| measure(&dir, writers, duration))
            .collect();
        rows.sort_by(|a, b| a.cpu_us.total_cmp(&b.cpu_us));
        let row = &rows[ROUNDS / 2];
        println!(
            "| {writers} | {:.1} | {:.0} | {} | {} |",
            row.cpu_us, row.rate, row.p50_us, row.p99_us
        );
        let mut bare: Vec<f64> = (0..ROUNDS).map(|_| bare_cpu_us(&dir, writers)).collect();
        bare.sort_by(f64::total_cmp);
        println!(
            "| bare, {writers} at once | {:.1} | | | |",
            bare[ROUNDS / 2]
        );
    }
    if only.is_none() {
        memory(&dir);
    }
}

fn measure(dir: &std::path::Path, writers: u64, duration: Duration) -> Row {
    let dir = dir.join(format!("pintle-commit-cost-{}", std::process::id()));
    let clock = Clock::system();
    let store = EmbeddedStore::open(&dir, &clock, Rng::from_seed(1), EmbeddedOptions::default());
    let store = Arc::new(store.expect("an empty directory"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build();
    let runtime = runtime.expect("two threads can be started");
    let total = Arc::new(AtomicU64::new(0));
    let (cpu, start) = (cpu_us(), clock.now());
    let tasks = base::Tasks::new();
    let mut waits: Vec<u128> = runtime.block_on(async {
        let writer = |writer| {
            let (store, clock, total) = (Arc::clone(&store), clock.clone(), Arc::clone(&total));
            tasks.spawn("writer", async move {
                let mut rng = Rng::from_seed(writer);
                let mut waits = Vec::new();
                while clock.now().since(start) < duration {
                    let begin = clock.now();
                    store
                        .write(next(&mut rng, writer))
                        .await
                        .expect("a healthy store");
                    waits.push(clock.now().since(begin).as_micros());
                    total.fetch_add(1, Ordering::Relaxed);
                }
                waits
            })
        };
        let writers: Vec<_> = (0..writers).map(writer).collect();
        let mut waits = Vec::new();
        for writer in writers {
            waits.extend(writer.await.expect("no panic"));
        }
        waits
    });
    let (cpu, elapsed) = (cpu_us() - cpu, clock.now().since(start));
    store.close().wait().expect("a healthy store");
    drop(store);
    std::fs::remove_dir_all(&dir).expect("it is ours");
    let count = total.load(Ordering::Relaxed) as f64;
    waits.sort_unstable();
    Row {
        cpu_us: cpu / count,
        rate: count / elapsed.as_secs_f64(),
        p50_us: waits[waits.len() / 2],
        p99_us: waits[waits.len() * 99 / 100],
    }
}

/// Returns the CPU time a write of this size costs when nothing but `pwrite` and `fdatasync` is
/// done, `writers` of them at once, into a file that was written before.
fn bare_cpu_us(dir: &std::path::Path, writers: u64) -> f64 {
    use std::os::unix::fs::FileExt;
    const SYNCS: u64 = 500;
    let path = dir.join(format!("pintle-commit-cost-bare-{}", std::process::id()));
    let file = std::fs::File::create(&path).expect("a writable directory");
    let frame = vec![b'v'; (VALUE_BYTES + 100) * writers as usize];
    file.write_all_at(&vec![0; 16 << 20], 0)
        .expect("room for a file");
    file.sync_all().expect("a healthy disk");
    let places = (16 << 20) / frame.len() as u64;
    let before = cpu_us();
    for n in 0..SYNCS {
        let written = file.write_all_at(&frame, n % places * frame.len() as u64);
        written
            .and_then(|()| file.sync_data())
            .expect("a healthy disk");
    }
    let cost = (cpu_us() - before) / (SYNCS * writers) as f64;
    std::fs::remove_file(&path).expect("it is ours");
    cost
}

/// A put of a new key, or of one of fifty.
fn next(rng: &mut Rng, writer: u64) -> Write {
    let number = match rng.below(10) {
        0..6 => rng.next_u64() >> 20,
        _ => rng.below(50),
    };
    let key = format!("/registry/pods/namespace-{writer}/pod-{number}");
    Write::put(key, value(), Expected::Any)
}

/// Prints what an object costs in memory beside the bytes of its key and value, without history.
fn memory(dir: &std::path::Path) {
    let dir = dir.join(format!("pintle-commit-cost-{}", std::process::id()));
    let clock = Clock::system();
    let open = || {
        let options = EmbeddedOptions::default();
        EmbeddedStore::open(&dir, &clock, Rng::from_seed(1), options).expect("a healthy store")
    };
    let mut rng = Rng::from_seed(1);
    let begin = clock.now();
    let store = open();
    println!(
        "a new store opened in {} us",
        clock.now().since(begin).as_micros()
    );
    let mut bytes = 0;
    for _ in 0..OBJECTS / 100 {
        let batch = |_| {
            let key = format!("/registry/pods/namespace-1/pod-{:x}", rng.next_u64() >> 20);
            bytes += (key.len() + VALUE_BYTES) as u64;
            store.write(Write::put(key, value(), Expected::Any))
        };
        let receipts: Vec<_> = (0..100).map(batch).collect();
        for receipt in receipts {
            receipt.wait().expect("a healthy store");
        }
    }
    store.close().wait().expect("a healthy store");
    drop(store);
    // A fresh process, because this one would use again what it has freed.
    let program = std::env::current_exe().expect("this program");
    let mut command = std::process::Command::new(program);
    command.args([REOPEN, &dir.to_string_lossy(), &bytes.to_string()]);
    assert!(command.status().expect("it starts").success());
    std::fs::remove_dir_all(&dir).expect("it is ours");
}

/// Opens the store again and prints what its objects cost.
fn reopen(dir: &std::path::Path, bytes: u64) {
    let clock = Clock::system();
    let (before, begin) = (resident_bytes(), clock.now());
    let mut options = EmbeddedOptions::default();
    options.history.bytes_max = 0;
    let store = EmbeddedStore::open(dir, &clock, Rng::from_seed(1), options);
    let store = store.expect("a healthy store");
    let took = clock.now().since(begin).as_millis();
    let overhead = (resident_bytes() - before).saturating_sub(bytes) / OBJECTS;
    println!(
        "{OBJECTS} objects of {} bytes, reopened in {took} ms: {overhead} bytes more an object",
        bytes / OBJECTS
    );
    drop(store);
}

fn value() -> Value {
    let value = vec![b'v'; VALUE_BYTES];
    Value::stamped(value[..200].to_vec(), value[200..].to_vec())
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages = text
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("the second number") * 4096
}

/// Returns the CPU time of this process, user and system, in microseconds.
fn cpu_us() -> f64 {
    let times = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    times.tv_sec as f64 * 1e6 + times.tv_nsec as f64 / 1e3
}
