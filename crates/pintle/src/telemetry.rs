//! What the process says of itself: figures for `/metrics` and checks of its health.
//!
//! Names and help texts are upstream's.

use std::{fmt::Write as _, path::PathBuf, sync::Arc};

use base::WallTime;
use server::{MetricsSource, Serving, pages::health::Check};
use store::Store;

/// Ticks of the system's clock in a second, and bytes of a page: the same on every Linux there is.
const TICKS: f64 = 100.0;
const PAGE_BYTES: u64 = 4_096;

/// Returns the checks of the store, by the names that upstream gives them.
#[must_use]
pub fn checks(store: &Arc<dyn Store>) -> Vec<Check> {
    let check = |name, live| {
        let store = Arc::clone(store);
        Check {
            name,
            live,
            ready: true,
            probe: Arc::new(move || {
                let health = store.health();
                health.map_err(|error| base::Chain(&error).to_string())
            }),
        }
    };
    vec![check("etcd", true), check("etcd-readiness", false)]
}

/// Returns the figures of the process, of what is stored and of the files it lies in.
#[must_use]
pub fn metrics(
    serving: &Arc<Serving>,
    directory: Option<PathBuf>,
    started: WallTime,
) -> Vec<MetricsSource> {
    let serving = Arc::clone(serving);
    vec![
        Arc::new(move |out: &mut String| put_objects(&serving, out)),
        Arc::new(move |out: &mut String| {
            if let Some(directory) = &directory {
                put_size(size_bytes(directory), out);
            }
        }),
        Arc::new(move |out: &mut String| put_process(started, out)),
    ]
}

fn head(name: &str, kind: &str, help: &str, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn put_objects(serving: &Serving, out: &mut String) {
    let name = "apiserver_resource_objects";
    let help = "[ALPHA] Number of stored objects at the time of last check split by kind. In case of a fetching error, the value will be -1.";
    head(name, "gauge", help, out);
    for (group, resource, count) in serving.object_counts() {
        let _ = writeln!(
            out,
            "{name}{{group=\"{group}\",resource=\"{resource}\"}} {count}"
        );
    }
}

fn size_bytes(directory: &PathBuf) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let files = entries.filter_map(|entry| entry.metadata().ok());
    files
        .filter(|file| file.is_file())
        .map(|file| file.len())
        .sum()
}

fn put_size(bytes: u64, out: &mut String) {
    let name = "apiserver_storage_size_bytes";
    let help = "[STABLE] Size of the storage database file physically allocated in bytes.";
    head(name, "gauge", help, out);
    let _ = writeln!(out, "{name}{{storage_cluster_id=\"etcd-0\"}} {bytes}");
}

fn put_process(started: WallTime, out: &mut String) {
    let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let usage = Usage::read(&text("/proc/self/stat"), &text("/proc/self/statm"));
    if let Some(usage) = usage {
        let one = |name: &str, kind: &str, help: &str, value: String, out: &mut String| {
            head(name, kind, help, out);
            let _ = writeln!(out, "{name} {value}");
        };
        let help = "Total user and system CPU time spent in seconds.";
        one(
            "process_cpu_seconds_total",
            "counter",
            help,
            format!("{:.2}", usage.cpu_seconds),
            out,
        );
        let help = "Resident memory size in bytes.";
        one(
            "process_resident_memory_bytes",
            "gauge",
            help,
            usage.resident_bytes.to_string(),
            out,
        );
        let help = "Virtual memory size in bytes.";
        one(
            "process_virtual_memory_bytes",
            "gauge",
            help,
            usage.virtual_bytes.to_string(),
            out,
        );
        let help = "Number of open file descriptors.";
        let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        one("process_open_fds", "gauge", help, open.to_string(), out);
        let help = "Start time of the process since unix epoch in seconds.";
        one(
            "process_start_time_seconds",
            "gauge",
            help,
            started.secs().to_string(),
            out,
        );
    }
}

/// What the process has used.
#[derive(Debug, PartialEq)]
struct Usage {
    cpu_seconds: f64,
    virtual_bytes: u64,
    resident_bytes: u64,
}

impl Usage {
    /// Reads `/proc/self/stat` and `/proc/self/statm`.
    fn read(stat: &str, statm: &str) -> Option<Self> {
        // The name of the program may hold spaces and brackets; what follows it does not.
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = |place: usize| fields.get(place)?.parse::<u64>().ok();
        let mut pages = statm.split_whitespace().map(str::parse::<u64>);
        let mut bytes = || Some(pages.next()?.ok()? * PAGE_BYTES);
        Some(Self {
            cpu_seconds: (ticks(11)? + ticks(12)?) as f64 / TICKS,
            virtual_bytes: bytes()?,
            resident_bytes: bytes()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Usage;

    #[test]
    fn reads_what_the_system_says() {
        let stat = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0";
        let usage = Usage::read(stat, "100 10 1 0 0 0 0");
        let expected = Usage {
            cpu_seconds: 2.0,
            virtual_bytes: 409_600,
            resident_bytes: 40_960,
        };
        assert_eq!(usage, Some(expected));
        assert_eq!(Usage::read("nothing", "1 2"), None);
    }
}
