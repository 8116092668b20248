//! Counts requests, by upstream's metric names and labels.
//!
//! One [`Series`] of atomics per label set, found in a table that is locked for writing only when a
//! label set is met for the first time: with thousands of kinds that is often, and must not cost
//! more the more there are. Label sets are bounded: only what is served has a resource in them.

mod print;

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU16, AtomicU64, Ordering},
    },
    time::Duration,
};

use api::Text;
use hashbrown::{Equivalent, HashMap};
use parking_lot::RwLock;

use crate::request::{BodyType, PatchType, Request, Target, Verb};

/// Upper bounds of the duration histogram, in seconds, as upstream.
const SECONDS: [f64; 23] = [
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0,
    10.0, 15.0, 20.0, 30.0, 45.0, 60.0,
];
/// Upper bounds of the size histogram, in bytes, as upstream.
const BYTES: [f64; 7] = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
/// How many different codes one series counts; a sixteenth is not counted by its code.
const CODES_MAX: usize = 15;

/// Writes further metrics in the text format: of the process, the store, the guests.
pub type Source = Arc<dyn Fn(&mut String) + Send + Sync>;

/// Everything that is counted about requests.
pub(crate) struct Metrics {
    series: RwLock<HashMap<Labels, Arc<Series>>>,
    sources: Vec<Source>,
    handshakes_failed: AtomicU64,
}

/// What tells series apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Labels {
    verb: &'static str,
    group: Text,
    version: Text,
    resource: Text,
    subresource: Text,
    scope: &'static str,
    component: &'static str,
    dry_run: &'static str,
}

/// The same, borrowed from a request.
#[derive(Clone, Copy)]
struct Seen<'a> {
    verb: &'static str,
    group: &'a str,
    version: &'a str,
    resource: &'a str,
    subresource: &'a str,
    scope: &'static str,
    component: &'static str,
    dry_run: &'static str,
}

/// What is counted for one label set.
#[derive(Default)]
pub(crate) struct Series {
    codes: [(AtomicU16, AtomicU64); CODES_MAX],
    seconds: [AtomicU64; SECONDS.len() + 1],
    nanos: AtomicU64,
    bytes: [AtomicU64; BYTES.len() + 1],
    bytes_sum: AtomicU64,
    /// Watches and connections that are open now.
    open: AtomicI64,
}

/// Whether the router knows what a request is about; if not, its words are no labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// A resource or page that is served.
    Served,
    /// Anything else.
    Unknown,
}

impl Metrics {
    pub(crate) fn new(sources: Vec<Source>) -> Self {
        Self {
            series: RwLock::default(),
            sources,
            handshakes_failed: AtomicU64::new(0),
        }
    }

    /// Counts a TLS handshake that failed.
    pub(crate) fn note_failed_handshake(&self) {
        self.handshakes_failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the series of a request.
    pub(crate) fn series(&self, request: &Request, known: Known) -> Arc<Series> {
        let seen = Seen::of(request, known);
        if let Some(series) = self.series.read().get(&seen) {
            return Arc::clone(series);
        }
        let mut all = self.series.write();
        Arc::clone(all.entry(seen.to_labels()).or_default())
    }
}

impl Series {
    /// Counts a request that is answered.
    pub(crate) fn note(&self, code: u16, took: Duration, size: Option<u64>) {
        for (known, count) in &self.codes {
            let is_ours = match known.load(Ordering::Relaxed) {
                0 => {
                    let claimed =
                        known.compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed);
                    claimed.is_ok() || claimed == Err(code)
                }
                other => other == code,
            };
            if is_ours {
                count.fetch_add(1, Ordering::Relaxed);
                break;
            }
        }
        self.seconds[place(&SECONDS, took.as_secs_f64())].fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        if let Some(size) = size {
            self.bytes[place(&BYTES, size as f64)].fetch_add(1, Ordering::Relaxed);
            self.bytes_sum.fetch_add(size, Ordering::Relaxed);
        }
    }

    /// Counts a long request in.
    pub(crate) fn open(self: &Arc<Self>) -> Open {
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(self))
    }
}

/// A long request that is open; dropping it counts it out.
pub(crate) struct Open(Arc<Series>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns the first bucket that holds `value`; the last one has no bound.
fn place(bounds: &[f64], value: f64) -> usize {
    bounds
        .iter()
        .position(|bound| value <= *bound)
        .unwrap_or(bounds.len())
}

impl<'a> Seen<'a> {
    fn of(request: &'a Request, known: Known) -> Self {
        let verb = reported_verb(request);
        let dry_run = match request.query.get("dryRun") {
            None => "",
            Some("All") => "All",
            Some(_) => "invalid",
        };
        let nothing = Self {
            verb,
            group: "",
            version: "",
            resource: "",
            subresource: "",
            scope: "",
            component: "",
            dry_run,
        };
        match (&request.target, known) {
            (Target::Resource(path), Known::Served) => Self {
                group: &path.group_version.group,
                version: &path.group_version.version,
                resource: &path.resource,
                subresource: &path.subresource,
                scope: scope(request),
                component: "apiserver",
                ..nothing
            },
            (Target::Path, Known::Served) => Self {
                subresource: page(&request.path),
                ..nothing
            },
            _ => Self {
                component: "apiserver",
                ..nothing
            },
        }
    }

    fn to_labels(self) -> Labels {
        Labels {
            verb: self.verb,
            group: Text::new(self.group),
            version: Text::new(self.version),
            resource: Text::new(self.resource),
            subresource: Text::new(self.subresource),
            scope: self.scope,
            component: self.component,
            dry_run: self.dry_run,
        }
    }
}

/// The first part of a page's path: `/readyz/etcd` is counted with `/readyz`.
fn page(path: &str) -> &str {
    let end = path.get(1..).and_then(|rest| rest.find('/'));
    end.map_or(path, |end| &path[..=end])
}

fn scope(request: &Request) -> &'static str {
    match &request.target {
        Target::Path => "",
        Target::Resource(path) if !path.name.is_empty() || request.verb == Verb::Create => {
            "resource"
        }
        Target::Resource(path) if !path.namespace.is_empty() => "namespace",
        Target::Resource(_) => "cluster",
    }
}

/// Upstream reports methods, with list, watch, apply and connect told apart.
fn reported_verb(request: &Request) -> &'static str {
    let is_connect = |path: &crate::ResourcePath| {
        matches!(
            path.subresource.as_str(),
            "attach" | "exec" | "log" | "portforward" | "proxy"
        )
    };
    if matches!(&request.target, Target::Resource(path) if is_connect(path)) {
        return "CONNECT";
    }
    match request.verb {
        Verb::Get | Verb::Head => "GET",
        Verb::List => "LIST",
        Verb::Watch => "WATCH",
        Verb::Create | Verb::Post => "POST",
        Verb::Update | Verb::Put => "PUT",
        Verb::Patch if request.body_type == BodyType::Patch(PatchType::Apply) => "APPLY",
        Verb::Patch => "PATCH",
        Verb::Delete => "DELETE",
        Verb::DeleteCollection => "DELETECOLLECTION",
        Verb::Connect | Verb::Proxy => "CONNECT",
        Verb::Options | Verb::Trace | Verb::None => "other",
    }
}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Seen {
            verb: self.verb,
            group: &self.group,
            version: &self.version,
            resource: &self.resource,
            subresource: &self.subresource,
            scope: self.scope,
            component: self.component,
            dry_run: self.dry_run,
        }
        .hash(state);
    }
}

impl Hash for Seen<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // What is left out hardly ever tells two series apart; `equivalent` looks at everything.
        self.verb.hash(state);
        self.group.hash(state);
        self.version.hash(state);
        self.resource.hash(state);
        self.subresource.hash(state);
        self.scope.hash(state);
    }
}

impl Equivalent<Labels> for Seen<'_> {
    fn equivalent(&self, labels: &Labels) -> bool {
        self.verb == labels.verb
            && self.resource == labels.resource
            && self.group == labels.group
            && self.version == labels.version
            && self.subresource == labels.subresource
            && self.scope == labels.scope
            && self.component == labels.component
            && self.dry_run == labels.dry_run
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metrics({} series)", self.series.read().len())
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::{Known, Metrics};
    use crate::request::{Request, Target, Verb, path};

    fn request(method: http::Method, path: &str) -> Request {
        let mut request = Request::for_test(path);
        let (verb, target) = path::read(&method, path, &request.query).expect("a path");
        (request.verb, request.target, request.method) = (verb, target, method);
        request
    }

    #[test]
    fn prints_what_upstream_prints() {
        let metrics = Metrics::new(vec![Arc::new(|out: &mut String| out.push_str("more 1\n"))]);
        let get = request(http::Method::GET, "/api/v1/namespaces/a/pods/p");
        assert!(matches!(get.target, Target::Resource(_)) && get.verb == Verb::Get);
        let series = metrics.series(&get, Known::Served);
        series.note(200, Duration::from_millis(3), Some(500));
        series.note(200, Duration::from_millis(30), Some(5_000));
        series.note(404, Duration::from_millis(3), None);
        let watch = request(http::Method::GET, "/api/v1/pods");
        let open = metrics.series(&watch, Known::Served).open();
        let unknown = request(http::Method::GET, "/apis/none/v1/things");
        metrics
            .series(&unknown, Known::Unknown)
            .note(404, Duration::ZERO, None);
        let text = metrics.print((3, 1));
        let labels = r#"component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="",verb="GET",version="v1""#;
        let plain = r#"component="apiserver",group="",resource="pods",scope="resource",subresource="",verb="GET",version="v1""#;
        for line in [
            format!(r#"apiserver_request_total{{code="200",{labels}}} 2"#),
            format!(r#"apiserver_request_total{{code="404",{labels}}} 1"#),
            format!(r#"apiserver_request_duration_seconds_bucket{{{labels},le="0.005"}} 2"#),
            format!(r#"apiserver_request_duration_seconds_bucket{{{labels},le="0.05"}} 3"#),
            format!(r#"apiserver_request_duration_seconds_bucket{{{labels},le="+Inf"}} 3"#),
            format!(r#"apiserver_request_duration_seconds_sum{{{labels}}} 0.036"#),
            format!(r#"apiserver_request_duration_seconds_count{{{labels}}} 3"#),
            format!(r#"apiserver_response_sizes_bucket{{{plain},le="1000"}} 1"#),
            format!(r#"apiserver_response_sizes_sum{{{plain}}} 5500"#),
            r#"apiserver_current_inflight_requests{request_kind="mutating"} 1"#.to_owned(),
            r#"apiserver_current_inflight_requests{request_kind="readOnly"} 3"#.to_owned(),
            r#"apiserver_longrunning_requests{component="apiserver",group="",resource="pods",scope="cluster",subresource="",verb="LIST",version="v1"} 1"#.to_owned(),
            r#"apiserver_request_total{code="404",component="apiserver",dry_run="",group="",resource="",scope="",subresource="",verb="LIST",version=""} 1"#.to_owned(),
            "more 1".to_owned(),
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\nnot in\n{text}");
        }
        assert!(!text.contains("things"));
        drop(open);
        assert!(
            !metrics
                .print((0, 0))
                .contains("apiserver_longrunning_requests{")
        );
    }
}
