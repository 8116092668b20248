//! The text format of `/metrics`.

use std::{
    fmt::Write as _,
    sync::{Arc, atomic::Ordering},
};

use super::{BYTES, Labels, Metrics, SECONDS, Series};

type All = Vec<(Labels, Arc<Series>)>;

impl Metrics {
    /// Prints everything. `in_flight` are the reads and writes that are being served.
    pub(crate) fn print(&self, in_flight: (usize, usize)) -> String {
        let series = self.series.read();
        let mut all: All = series
            .iter()
            .map(|(labels, series)| (labels.clone(), Arc::clone(series)))
            .collect();
        all.sort_by(|(a, _), (b, _)| {
            (
                &a.group,
                &a.version,
                &a.resource,
                &a.subresource,
                a.verb,
                a.scope,
            )
                .cmp(&(
                    &b.group,
                    &b.version,
                    &b.resource,
                    &b.subresource,
                    b.verb,
                    b.scope,
                ))
                .then_with(|| (a.component, a.dry_run).cmp(&(b.component, b.dry_run)))
        });
        let mut out = String::with_capacity(all.len() * 4_096 + 1_024);
        put_in_flight(in_flight, &mut out);
        put_open(&all, &mut out);
        put_durations(&all, &mut out);
        put_totals(&all, &mut out);
        put_sizes(&all, &mut out);
        let failed = self.handshakes_failed.load(Ordering::Relaxed);
        head(
            "apiserver_tls_handshake_errors_total",
            "counter",
            "[ALPHA] Number of requests dropped with 'TLS handshake error from' error",
            &mut out,
        );
        put(
            &mut out,
            format_args!("apiserver_tls_handshake_errors_total {failed}\n"),
        );
        for source in &self.sources {
            source(&mut out);
        }
        out
    }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("writing to a string cannot fail");
}

fn head(name: &str, kind: &str, help: &str, out: &mut String) {
    put(
        out,
        format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"),
    );
}

fn put_in_flight((reads, writes): (usize, usize), out: &mut String) {
    let name = "apiserver_current_inflight_requests";
    let help = "[STABLE] Maximal number of currently used inflight request limit of this apiserver per request kind in last second.";
    head(name, "gauge", help, out);
    put(
        out,
        format_args!("{name}{{request_kind=\"mutating\"}} {writes}\n"),
    );
    put(
        out,
        format_args!("{name}{{request_kind=\"readOnly\"}} {reads}\n"),
    );
}

fn put_open(all: &All, out: &mut String) {
    let name = "apiserver_longrunning_requests";
    let help = "[STABLE] Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component. Not all requests are tracked this way.";
    head(name, "gauge", help, out);
    for (labels, series) in all {
        let open = series.open.load(Ordering::Relaxed);
        if open != 0 {
            put(
                out,
                format_args!("{name}{{{}}} {open}\n", labels.without_dry_run()),
            );
        }
    }
}

fn put_durations(all: &All, out: &mut String) {
    let name = "apiserver_request_duration_seconds";
    let help = "[STABLE] Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.";
    head(name, "histogram", help, out);
    for (labels, series) in all {
        let labels = labels.with_dry_run();
        let counts = series
            .seconds
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        let sum = series.nanos.load(Ordering::Relaxed) as f64 / 1e9;
        put_histogram(name, &labels, &SECONDS, counts, sum, out);
    }
}

fn put_totals(all: &All, out: &mut String) {
    let name = "apiserver_request_total";
    let help = "[STABLE] Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.";
    head(name, "counter", help, out);
    for (labels, series) in all {
        let labels = labels.with_dry_run();
        for (code, count) in &series.codes {
            let (code, count) = (code.load(Ordering::Relaxed), count.load(Ordering::Relaxed));
            if code != 0 {
                put(
                    out,
                    format_args!("{name}{{code=\"{code}\",{labels}}} {count}\n"),
                );
            }
        }
    }
}

fn put_sizes(all: &All, out: &mut String) {
    let name = "apiserver_response_sizes";
    let help = "[STABLE] Response size distribution in bytes for each group, version, verb, resource, subresource, scope and component.";
    head(name, "histogram", help, out);
    for (labels, series) in all {
        if !matches!(labels.verb, "GET" | "LIST") {
            continue;
        }
        let counts = series
            .bytes
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        let sum = series.bytes_sum.load(Ordering::Relaxed) as f64;
        put_histogram(name, &labels.without_dry_run(), &BYTES, counts, sum, out);
    }
}

/// Prints one histogram, if anything is in it.
fn put_histogram(
    name: &str,
    labels: &str,
    bounds: &[f64],
    counts: impl Iterator<Item = u64>,
    sum: f64,
    out: &mut String,
) {
    let counts: Vec<u64> = counts.collect();
    let total: u64 = counts.iter().sum();
    if total == 0 {
        return;
    }
    let mut so_far = 0;
    for (bound, count) in bounds.iter().zip(&counts) {
        so_far += count;
        put(
            out,
            format_args!(
                "{name}_bucket{{{labels},le=\"{}\"}} {so_far}\n",
                Bound(*bound)
            ),
        );
    }
    put(
        out,
        format_args!("{name}_bucket{{{labels},le=\"+Inf\"}} {total}\n"),
    );
    put(out, format_args!("{name}_sum{{{labels}}} {sum}\n"));
    put(out, format_args!("{name}_count{{{labels}}} {total}\n"));
}

/// Prints a bound as Go does: an exponent from 1e+06 on.
struct Bound(f64);

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 < 1e6 {
            return write!(f, "{}", self.0);
        }
        let exponent = self.0.log10().round();
        write!(f, "1e+{exponent:02}")
    }
}

impl Labels {
    fn with_dry_run(&self) -> String {
        let Self {
            component, dry_run, ..
        } = self;
        format!(
            "component=\"{component}\",dry_run=\"{dry_run}\",{}",
            self.rest()
        )
    }

    fn without_dry_run(&self) -> String {
        format!("component=\"{}\",{}", self.component, self.rest())
    }

    fn rest(&self) -> String {
        let Self {
            verb,
            group,
            version,
            resource,
            subresource,
            scope,
            ..
        } = self;
        // Only served names get here, and none of them holds a character to escape.
        format!(
            "group=\"{group}\",resource=\"{resource}\",scope=\"{scope}\",subresource=\"{subresource}\",verb=\"{verb}\",version=\"{version}\""
        )
    }
}
