//! `/healthz`, `/livez`, `/readyz`: is it well, shall it be restarted, shall it get requests.
//!
//! Source: k8s.io/apiserver v0.37.1, pkg/server/healthz/healthz.go.

use std::{fmt::Write as _, sync::Arc};

use http::{HeaderName, HeaderValue};

use crate::{Refusal, answer::Page, request::Query};

/// Tells whether one thing is well. Asked on every request, so it must be cheap.
pub type Probe = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// One check, with the pages it belongs to.
#[derive(Clone)]
pub struct Check {
    /// `etcd`, `poststarthook/…`: also a page of its own.
    pub name: &'static str,
    /// Whether a failure means that the process shall be restarted (`/livez` and `/healthz`).
    pub live: bool,
    /// Whether a failure means that it shall get no requests (`/readyz`).
    pub ready: bool,
    /// The check itself.
    pub probe: Probe,
}

/// All checks, in the order in which they are printed.
#[derive(Clone, Default)]
pub struct Health(Vec<Check>);

impl Health {
    /// Returns the checks that every server has, and `more`.
    #[must_use]
    pub fn new(more: Vec<Check>) -> Self {
        let well = |name| Check {
            name,
            live: true,
            ready: true,
            probe: Arc::new(|| Ok(())),
        };
        let mut checks = vec![well("ping"), well("log")];
        checks.extend(more);
        Self(checks)
    }

    /// Returns the path of every page, for the index.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        for page in ["healthz", "livez", "readyz"] {
            paths.push(format!("/{page}"));
            let checks = self.0.iter().filter(|check| match page {
                "readyz" => check.ready,
                _ => check.live,
            });
            paths.extend(checks.map(|check| format!("/{page}/{}", check.name)));
        }
        paths
    }

    /// Returns the page at a path below one of the three, if there is one.
    pub(crate) fn page(&self, path: &str, query: &Query) -> Option<Result<Page, Refusal>> {
        let path = path.strip_prefix('/')?;
        let (page, check) = path.split_once('/').unwrap_or((path, ""));
        let belongs = |check: &&Check| match page {
            "readyz" => check.ready,
            _ => check.live,
        };
        if !matches!(page, "healthz" | "livez" | "readyz") {
            return None;
        }
        let mut checks = self.0.iter().filter(belongs);
        if check.is_empty() {
            return Some(Ok(answer(page, checks, query)));
        }
        let check = checks.find(|known| known.name == check)?;
        Some(Ok(match (check.probe)() {
            Ok(()) => plain(200, "ok".to_owned()),
            Err(why) => plain(500, format!("internal server error: {why}\n")),
        }))
    }
}

fn answer<'a>(page: &str, checks: impl Iterator<Item = &'a Check>, query: &Query) -> Page {
    let excluded: Vec<&str> = query.all("exclude").collect();
    let mut unknown = excluded.clone();
    let mut failed = Vec::new();
    let mut text = String::new();
    for check in checks {
        let name = check.name;
        // Writing to a string cannot fail.
        if excluded.contains(&name) {
            unknown.retain(|known| *known != name);
            let _ = writeln!(text, "[+]{name} excluded: ok");
        } else if let Err(why) = (check.probe)() {
            tracing::warn!(check = name, why, "a health check failed");
            failed.push(name);
            let _ = writeln!(text, "[-]{name} failed: reason withheld");
        } else {
            let _ = writeln!(text, "[+]{name} ok");
        }
    }
    if !unknown.is_empty() {
        unknown.sort_unstable();
        unknown.dedup();
        let quoted: Vec<String> = unknown.iter().map(|name| format!("{name:?}")).collect();
        let _ = writeln!(
            text,
            "warn: some health checks cannot be excluded: no matches for {}",
            quoted.join(",")
        );
    }
    if !failed.is_empty() {
        let _ = writeln!(text, "{page} check failed");
        return plain(500, text);
    }
    if query.get("verbose").is_none() {
        return plain(200, "ok".to_owned());
    }
    let _ = writeln!(text, "{page} check passed");
    plain(200, text)
}

fn plain(code: u16, text: String) -> Page {
    let mut page = Page::text(code, text);
    page.headers.push((
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    ));
    page
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|check| check.name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use expect_test::{Expect, expect};

    use super::{Check, Health};
    use crate::request::Query;

    #[track_caller]
    fn check(url: &str, expected: &Expect) {
        let health = Health::new(vec![
            Check {
                name: "etcd",
                live: true,
                ready: true,
                probe: Arc::new(|| Ok(())),
            },
            Check {
                name: "shutdown",
                live: false,
                ready: true,
                probe: Arc::new(|| Err("process is shutting down".to_owned())),
            },
        ]);
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let text = match health.page(path, &Query::parse(query)) {
            None => "no page".to_owned(),
            Some(Err(refusal)) => refusal.to_string(),
            Some(Ok(page)) => format!("{} {}", page.code, String::from_utf8_lossy(&page.bytes)),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn is_short_when_well() {
        check("/livez", &expect!["200 ok"]);
        check("/healthz/ping", &expect!["200 ok"]);
        check("/readyz/etcd", &expect!["200 ok"]);
        check("/livez/shutdown", &expect!["no page"]);
        check("/livez/x", &expect!["no page"]);
        check("/version", &expect!["no page"]);
    }

    #[test]
    fn says_all_when_asked_or_failing() {
        check(
            "/livez?verbose",
            &expect![[r"
                200 [+]ping ok
                [+]log ok
                [+]etcd ok
                livez check passed
            "]],
        );
        check(
            "/readyz",
            &expect![[r"
                500 [+]ping ok
                [+]log ok
                [+]etcd ok
                [-]shutdown failed: reason withheld
                readyz check failed
            "]],
        );
        check(
            "/readyz/shutdown",
            &expect![[r"
                500 internal server error: process is shutting down
            "]],
        );
    }

    #[test]
    fn leaves_out_what_is_excluded() {
        check(
            "/readyz?verbose&exclude=shutdown&exclude=b&exclude=a",
            &expect![[r#"
                200 [+]ping ok
                [+]log ok
                [+]etcd ok
                [+]shutdown excluded: ok
                warn: some health checks cannot be excluded: no matches for "a","b"
                readyz check passed
            "#]],
        );
    }
}
