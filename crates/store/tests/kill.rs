//! Kills a writing process at random moments, and finds every write it was told is done.
//!
//! The test runs itself as the child (no harness, so that nothing else runs there). The child
//! writes with four threads and prints a line for each acknowledgement. The parent reads lines,
//! kills the child after a seeded number of them, reads what else was printed before the end, and
//! opens the store. The next child goes on in the same directory, so recovery also meets what
//! earlier recoveries left.

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use base::{Clock, Rng};
use store::{
    Durability, EmbeddedOptions, EmbeddedStore, Entry, Expected, RangeQuery, Revision, Store,
    Value, Write,
};

const NAME: &str = "every_acknowledged_write_survives_a_kill";
const KILLS: u64 = 60;
const WRITERS: u64 = 4;
/// Keys of one writer.
const KEYS: u64 = 20;
/// Acknowledgements before the kill, at most. Together enough for dozens of snapshots.
const LINES_MAX: u64 = 1_000;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [role, dir, round] = arguments.as_slice()
        && role == "child"
    {
        return child(Path::new(dir), round.parse().expect("a number"));
    }
    // What the harness would do with its arguments.
    let is_listed = arguments.iter().any(|argument| argument == "--list");
    let mut names = arguments
        .iter()
        .filter(|argument| !argument.starts_with("--"));
    if is_listed {
        return println!("{NAME}: test");
    }
    if names.clone().count() > 0 && !names.any(|name| NAME.contains(name.as_str())) {
        return;
    }
    parent();
    println!("test {NAME} ... ok ({KILLS} kills)");
}

/// Small segments and little slack, so that kills also meet snapshots and changes of segment.
fn open(dir: &Path) -> EmbeddedStore {
    let options = EmbeddedOptions {
        segment_bytes_first: 64 * 1024,
        segment_bytes_max: 128 * 1024,
        log_slack_bytes: 256 * 1024,
        ..EmbeddedOptions::default()
    };
    let store = EmbeddedStore::open(dir, &Clock::system(), Rng::from_os(), options);
    store.unwrap_or_else(|error| panic!("{error}"))
}

fn child(dir: &Path, round: u64) {
    let store = open(dir);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = &store;
            scope.spawn(move || {
                for count in 0_u64.. {
                    let key = format!("/kill/{writer}/{}", count % KEYS);
                    let value = Value::stamped(
                        format!("{round} {count} "),
                        format!(" {}", "x".repeat((count % 700) as usize)),
                    );
                    let write = Write::put(key.as_str(), value, Expected::Any);
                    let durability = match count % 10 {
                        9 => Durability::Relaxed,
                        _ => Durability::Synced,
                    };
                    let receipt = store.write(write.with_durability(durability));
                    let revision = receipt.wait().expect("a healthy store").revision;
                    if durability == Durability::Synced {
                        let line = format!("{key} {round} {count} {revision}\n");
                        // The parent is gone when this fails, and then so are we.
                        let written = std::io::stdout().lock().write_all(line.as_bytes());
                        written.expect("the parent reads");
                    }
                }
            });
        }
    });
}

fn start(dir: &Path, round: u64) -> Child {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.arg("child").arg(dir).arg(round.to_string());
    let child = command.stdout(Stdio::piped()).spawn();
    child.expect("this program can be started")
}

fn parent() {
    let root = tempfile::tempdir().expect("a directory for the test");
    let dir = root.path().join("store");
    let mut rng = Rng::from_seed(42);
    let mut acknowledged = BTreeMap::new();
    let mut newest = Revision::START;
    let mut total = 0;
    for round in 0..KILLS {
        let mut child = start(&dir, round);
        let pipe = child.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(pipe).lines();
        let mut count = 0;
        let mut take = |line: &str| {
            let mut words = line.split(' ');
            let key = words.next().expect("a key").to_owned();
            let mut number = || words.next()?.parse::<u64>().ok();
            // A line is written in one call, so a torn one would be a bug of this test.
            let numbers = (number(), number(), number());
            let (Some(round), Some(number), Some(revision)) = numbers else {
                panic!("not a line: {line}");
            };
            newest = newest.max(Revision(revision));
            acknowledged.insert(key, (round, number));
            count += 1;
        };
        for _ in 0..=rng.below(LINES_MAX) {
            let line = lines.next().expect("the child goes on until it is killed");
            take(&line.expect("the pipe can be read"));
        }
        child.kill().expect("it is ours");
        for line in lines.map_while(Result::ok) {
            take(&line);
        }
        child.wait().expect("it was killed");
        total += count;
        verify(&dir, &acknowledged, newest, round);
    }
    println!("{total} acknowledged writes");
}

fn verify(dir: &Path, acknowledged: &BTreeMap<String, (u64, u64)>, newest: Revision, round: u64) {
    let store = open(dir);
    let range = store
        .range(RangeQuery::all("/kill/"))
        .wait()
        .expect("the present");
    let pair = |entry: &Arc<Entry>| {
        let text = String::from_utf8_lossy(&entry.value).into_owned();
        let mut numbers = text
            .split(' ')
            .map(|word| word.parse::<u64>().expect("a number"));
        let mut number = || numbers.next().expect("three numbers");
        let state = (number(), number());
        assert_eq!(
            Revision(number()),
            entry.revision,
            "the stamp is that of the entry"
        );
        (entry.key.to_string(), state)
    };
    let found: BTreeMap<String, (u64, u64)> = range.entries.iter().map(pair).collect();
    for (key, state) in acknowledged {
        let held = found.get(key);
        assert!(
            held >= Some(state),
            "round {round}: {key} holds {held:?}, not {state:?}"
        );
    }
    assert!(store.revision().wait().expect("the newest revision") >= newest);
    store.close().wait().expect("a healthy store");
}
