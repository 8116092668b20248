//! What was measured, and how it is told: medians, ratios, one table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Plan;
use crate::rows::{Goal, Row};
use crate::side::{Programs, Which};

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    /// The figure, in the unit of its row.
    pub(crate) figure: f64,
    /// Wall time per operation in microseconds, where it means something.
    pub(crate) wall: Option<f64>,
}

/// All measurements of a run.
#[derive(Default)]
pub(crate) struct Book {
    samples: BTreeMap<(Row, Which), Vec<Sample>>,
    notes: Vec<String>,
}

/// A row of the chart: how many times less than upstream.
pub(crate) struct Bar {
    /// What was measured.
    pub(crate) title: &'static str,
    /// Upstream's figure divided by Pintle's.
    pub(crate) times: f64,
    /// Both figures with their units.
    pub(crate) figures: String,
}

impl Book {
    /// Writes a measurement down.
    pub(crate) fn add(&mut self, row: Row, which: Which, sample: Sample) {
        eprintln!(
            "{:<24} {:<9} {:>12} {}",
            row.name(),
            format!("{which:?}"),
            row.figure(sample.figure),
            sample
                .wall
                .map_or_else(String::new, |wall| format!("wall {}", wall_text(wall)))
        );
        self.samples.entry((row, which)).or_default().push(sample);
    }

    /// Writes down something that a reader must know.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        eprintln!("note: {text}");
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    fn median(&self, row: Row, which: Which) -> Option<Sample> {
        let samples = self.samples.get(&(row, which))?;
        let walls: Vec<f64> = samples.iter().filter_map(|sample| sample.wall).collect();
        Some(Sample {
            figure: median(samples.iter().map(|sample| sample.figure).collect())?,
            wall: median(walls),
        })
    }

    /// Returns the table with everything a reader needs to judge it.
    pub(crate) fn page(&self, plan: &Plan) -> String {
        let mut page = format!(
            "# Pintle beside kube-apiserver 1.37.1 and etcd 3.7.3\n\n\
             Date: {}\nCommand: `cargo xtask bench`\nMachine: {}\nVersions: {}\n\
             Rounds: {}, in turn; scale {}\n\n\
             | figure | upstream | Pintle | ratio | this issue | ambition | \
             wall upstream | wall Pintle |\n|---|---|---|---|---|---|---|---|\n",
            xtask::conformance::today(),
            machine(),
            versions(&plan.programs),
            plan.rounds,
            plan.scale,
        );
        for &row in &plan.rows {
            let _ = writeln!(page, "{}", self.line(row));
        }
        page.push_str(
            "\n✓ and ✗ say whether a goal is met in this run.\n\
             Figures are medians. CPU is user and system time of the server's processes \
             (etcd and kube-apiserver summed, kube-controller-manager too in the rows about \
             namespaces and Deployments), from /proc.\n\
             The client speaks HTTP/2 over TLS with a client certificate on 4 connections, \
             8 requests in flight; both sides use ECDSA P-256 certificates, RBAC and synced writes.\n\
             Pintle runs with all its controllers in the same process in every row.\n\
             kube-apiserver talks to etcd over plain HTTP on loopback, which favours upstream; \
             kube-controller-manager runs with its rate limit raised to 2,000 requests a second, \
             which favours upstream too.\n\
             Not measured: CPU of the client, latency under saturation, several clients on other \
             machines, long-running fragmentation, disks other than this machine's.\n",
        );
        for note in &self.notes {
            let _ = writeln!(page, "Note: {note}");
        }
        page
    }

    fn line(&self, row: Row) -> String {
        let upstream = self.median(row, Which::Upstream);
        let pintle = self.median(row, Which::Pintle);
        let figure = |sample: Option<Sample>| {
            sample.map_or_else(|| "–".to_owned(), |sample| row.figure(sample.figure))
        };
        let wall = |sample: Option<Sample>| {
            sample
                .and_then(|sample| sample.wall)
                .map_or_else(String::new, wall_text)
        };
        let ratio = match (upstream, pintle) {
            (Some(upstream), Some(pintle)) => ratio_text(upstream.figure, pintle.figure),
            _ => String::new(),
        };
        let verdict = |goal: Goal| {
            let met =
                pintle.and_then(|pintle| goal.met(upstream.map(|one| one.figure), pintle.figure));
            met.map_or("", |met| if met { " ✓" } else { " ✗" })
        };
        format!(
            "| {} | {} | {} | {ratio} | {}{} | {}{} | {} | {} |",
            row.title(),
            figure(upstream),
            figure(pintle),
            row.goal().text(row),
            verdict(row.goal()),
            row.ambition().text(row),
            verdict(row.ambition()),
            wall(upstream),
            wall(pintle),
        )
    }

    /// Returns the bars of the chart: rows measured on both sides.
    pub(crate) fn bars(&self) -> Vec<Bar> {
        let rows: Vec<Row> = Row::all();
        rows.into_iter()
            .filter_map(|row| {
                let upstream = self.median(row, Which::Upstream)?.figure;
                let pintle = self.median(row, Which::Pintle)?.figure;
                (pintle > 0.0).then(|| Bar {
                    title: row.title(),
                    times: upstream / pintle,
                    figures: format!("{} → {}", row.figure(upstream), row.figure(pintle)),
                })
            })
            .collect()
    }
}

impl Goal {
    /// True if `pintle` reaches it; unknown without upstream's figure to compare with.
    fn met(self, upstream: Option<f64>, pintle: f64) -> Option<bool> {
        match self {
            Self::Share(parts) => Some(pintle * parts <= upstream?),
            Self::AtMost(limit) => Some(pintle <= limit),
        }
    }

    fn text(self, row: Row) -> String {
        match self {
            Self::Share(parts) => format!("1/{parts}"),
            Self::AtMost(limit) => format!("≤ {}", row.figure(limit)),
        }
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values.get(middle).copied()
    } else {
        Some((values.get(middle.checked_sub(1)?)? + values.get(middle)?) / 2.0)
    }
}

fn ratio_text(upstream: f64, pintle: f64) -> String {
    if pintle <= 0.0 {
        return String::new();
    }
    let times = upstream / pintle;
    if times >= 1.0 {
        format!("1/{times:.1}")
    } else {
        format!("{:.1}", 1.0 / times)
    }
}

fn wall_text(microseconds: f64) -> String {
    if microseconds >= 1_000_000.0 {
        format!("{:.2} s", microseconds / 1_000_000.0)
    } else if microseconds >= 1_000.0 {
        format!("{:.1} ms", microseconds / 1_000.0)
    } else {
        format!("{microseconds:.0} µs")
    }
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let processors = info
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"))
        .and_then(|kib| kib.parse::<u64>().ok())
        .map_or_else(String::new, |kib| format!(", {} GiB", kib >> 20));
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{model}, {processors} processors{memory}, Linux {}",
        kernel.trim()
    )
}

/// Returns what the measured programs say of themselves, and which commit Pintle is built from.
fn versions(programs: &Programs) -> String {
    let ask = |program: &Path, argument: &str| {
        let answer = Command::new(program).arg(argument).output().ok();
        let text = answer.map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned());
        text.and_then(|text| text.lines().next().map(str::to_owned))
            .unwrap_or_else(|| format!("{} unknown", program.display()))
    };
    let commit = Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .current_dir(xtask::conformance::repository())
        .output()
        .map_or_else(
            |_| String::new(),
            |answer| String::from_utf8_lossy(&answer.stdout).trim().to_owned(),
        );
    format!(
        "{} at {commit}; kube-apiserver: {}; {}",
        ask(&programs.pintle, "version"),
        ask(&programs.bin.join("kube-apiserver"), "--version"),
        ask(&programs.bin.join("etcd"), "--version"),
    )
}

/// Returns a duration in microseconds.
pub(crate) fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000_000.0
}

#[cfg(test)]
mod tests {
    use super::{median, ratio_text, wall_text};
    use crate::rows::Goal;

    #[test]
    fn takes_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn tells_ratios_and_times() {
        assert_eq!(ratio_text(100.0, 10.0), "1/10.0");
        assert_eq!(ratio_text(10.0, 20.0), "2.0");
        assert_eq!(wall_text(12.0), "12 µs");
        assert_eq!(wall_text(1_500.0), "1.5 ms");
    }

    #[test]
    fn goals_are_met_or_missed() {
        assert_eq!(Goal::Share(8.0).met(Some(80.0), 10.0), Some(true));
        assert_eq!(Goal::Share(8.0).met(Some(79.0), 10.0), Some(false));
        assert_eq!(Goal::Share(8.0).met(None, 10.0), None);
        assert_eq!(Goal::AtMost(40.0).met(None, 41.0), Some(false));
    }
}
