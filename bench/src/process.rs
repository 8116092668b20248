//! What the kernel says of a process: CPU time spent and memory held.

use std::collections::BTreeMap;
use std::time::Duration;

/// Ticks per second in `/proc/PID/stat`; fixed by the kernel's interface to user space.
const TICKS_PER_SECOND: u64 = 100;

/// CPU time of some processes at one moment.
pub(crate) struct CpuMoment {
    /// Whole processes, in ticks of 10 ms.
    ticks: u64,
    /// Each thread alive, in nanoseconds.
    threads: BTreeMap<(u32, u32), u64>,
}

impl CpuMoment {
    /// Looks at the processes now. One that is gone counts nothing.
    pub(crate) fn now(pids: &[u32]) -> Self {
        let mut threads = BTreeMap::new();
        let mut ticks = 0;
        for &pid in pids {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            ticks += ticks_in(&stat).unwrap_or(0);
            let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
                continue;
            };
            for task in tasks.flatten() {
                let Ok(thread) = task.file_name().to_string_lossy().parse::<u32>() else {
                    continue;
                };
                let spent = std::fs::read_to_string(task.path().join("schedstat"))
                    .ok()
                    .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
                if let Some(nanoseconds) = spent {
                    threads.insert((pid, thread), nanoseconds);
                }
            }
        }
        Self { ticks, threads }
    }

    /// Returns what was spent since `earlier`.
    ///
    /// Exact if no thread ended in between; else in steps of 10 ms, because an ended thread takes
    /// its own count with it.
    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        let survived = earlier
            .threads
            .keys()
            .all(|thread| self.threads.contains_key(thread));
        if survived && !self.threads.is_empty() {
            let sum = |moment: &Self| moment.threads.values().sum::<u64>();
            return Duration::from_nanos(sum(self).saturating_sub(sum(earlier)));
        }
        let ticks = self.ticks.saturating_sub(earlier.ticks);
        Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND)
    }
}

/// Returns user and system ticks out of `/proc/PID/stat`.
///
/// The second field is the program's name in brackets and may itself hold spaces and brackets, so
/// the fields are counted from the last closing bracket: user time is the twelfth after it.
fn ticks_in(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Returns the resident memory of the processes, in bytes.
pub(crate) fn resident_bytes(pids: &[u32]) -> u64 {
    pids.iter()
        .filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/status")).ok())
        .filter_map(|status| resident_in(&status))
        .sum()
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::{CpuMoment, resident_in, ticks_in};

    #[test]
    fn reads_the_files_of_the_kernel() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 5 0 0";
        assert_eq!(ticks_in(stat), Some(300));
        assert_eq!(ticks_in("7 (a"), None);
        assert_eq!(
            resident_in("VmPeak: 9 kB\nVmRSS:\t    12 kB\n"),
            Some(12_288)
        );
    }

    #[test]
    fn counts_the_work_of_this_process() {
        let pids = [std::process::id()];
        let before = CpuMoment::now(&pids);
        // Another test's thread may end meanwhile; then only steps of 10 ms are seen.
        let seen = (0..1_000).any(|_| {
            let sum = (0..1_000_000_u64).fold(0, |sum: u64, number| {
                std::hint::black_box(sum.wrapping_add(number))
            });
            std::hint::black_box(sum);
            !CpuMoment::now(&pids).since(&before).is_zero()
        });
        assert!(seen);
    }

    #[test]
    fn falls_back_to_ticks_when_a_thread_ended() {
        let before = CpuMoment {
            ticks: 10,
            threads: [((1, 1), 5), ((1, 2), 5)].into(),
        };
        let after = CpuMoment {
            ticks: 13,
            threads: [((1, 1), 9)].into(),
        };
        assert_eq!(after.since(&before).as_millis(), 30);
    }
}
