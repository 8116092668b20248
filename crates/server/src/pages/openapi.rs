//! `/openapi/v2` and `/openapi/v3`: the shapes of what is served, in JSON and protobuf.
//!
//! Nothing is made before somebody asks, and what was made is dropped soon after the last one
//! asked: documents, and the descriptions that go into them. What stays is the hash of each
//! document, for as long as its kinds stay the same. Clients keep documents by hash, so most of the
//! time only the hash is needed. When a kind comes, goes or changes, only the documents of its
//! groups and versions are made anew.

mod library;

use std::{fmt::Write as _, sync::Arc, time::Duration};

use api::{Text, media::preferred};
use base::{Clock, Tasks, WallTime};
use bytes::Bytes;
use http::{
    HeaderValue,
    header::{CACHE_CONTROL, EXPIRES, IF_NONE_MATCH, LOCATION, VARY},
};
use schema::openapi;

use crate::{
    Refusal,
    answer::Page,
    media,
    registry::{ClusterId, Registry},
    request::Request,
};

use library::{Library, Name, Shelf};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const V2_PROTOBUF: HeaderValue =
    HeaderValue::from_static("application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
const V3_PROTOBUF: HeaderValue =
    HeaderValue::from_static("application/com.github.proto-openapi.spec.v3.v1.0+protobuf");

/// What a client may ask for; the last is an old spelling of the one before.
const V2_OFFERS: [&str; 3] = [
    "application/json",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
];
const V3_OFFERS: [&str; 3] = [
    "application/json",
    "application/com.github.proto-openapi.spec.v3.v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v3@v1.0+protobuf",
];

/// How long what was made is kept after it was last used. A client asks for a few documents one
/// after the other; whoever comes later mostly holds them already.
const IDLE: Duration = Duration::from_secs(30);

/// Seconds for which a document with its hash in the URL may be kept: a year.
const YEAR: i64 = 365 * 24 * 60 * 60;

/// Makes the documents, keeps their hashes, and forgets the rest when it is idle.
pub(crate) struct OpenApi {
    library: Arc<Library>,
    clock: Clock,
    tasks: Tasks,
}

/// The two ways in which a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Print {
    Json,
    Protobuf,
}

impl OpenApi {
    /// Returns the documents of a server.
    ///
    /// `texts` are the descriptions, packed with raw DEFLATE; empty if there are none. `pages` are
    /// those beside discovery that are served.
    pub(crate) fn new(
        texts: &'static [u8],
        release: openapi::Release,
        pages: Vec<openapi::Page>,
        clock: Clock,
        tasks: Tasks,
    ) -> Self {
        Self {
            library: Arc::new(Library::new(texts, release, pages)),
            clock,
            tasks,
        }
    }

    /// Returns the page at `path`, if it is one of these.
    pub(crate) fn page(
        &self,
        registry: &Registry,
        cluster: ClusterId,
        request: &Request,
    ) -> Option<Result<Page, Refusal>> {
        let rest = request.path.strip_prefix("/openapi/")?;
        let table = registry.table();
        let shelf = Shelf::new(&table, cluster);
        let name = match rest.trim_end_matches('/') {
            "v2" => return Some(self.swagger(&shelf, request)),
            "v3" => return Some(Ok(self.index(&shelf))),
            rest => rest.strip_prefix("v3/")?,
        };
        let name = self
            .library
            .names(&shelf)
            .into_iter()
            .find(|one| one.path() == name)?;
        Some(self.document(&shelf, &name, request))
    }

    fn index(&self, shelf: &Shelf<'_>) -> Page {
        let names = self.library.names(shelf);
        let mut entries: Vec<(String, Text)> = names
            .into_iter()
            .map(|name| (name.path(), self.library.hash(shelf, &name)))
            .collect();
        self.used();
        entries.sort_unstable();
        let mut text = String::from("{\"paths\":{");
        for (place, (path, hash)) in entries.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            // Writing to a string cannot fail; no group's name needs escaping.
            let _ = write!(
                text,
                "{comma}\"{path}\":{{\"serverRelativeURL\":\"/openapi/v3/{path}?hash={hash}\"}}"
            );
        }
        text.push_str("}}");
        let mut page = Page::json(text);
        page.content_type = HeaderValue::from_static("text/plain; charset=utf-8");
        page
    }

    fn document(&self, shelf: &Shelf<'_>, name: &Name, request: &Request) -> Result<Page, Refusal> {
        let (print, content_type) = agreed(request, &V3_OFFERS, V3_PROTOBUF)?;
        let hash = self.library.hash(shelf, name);
        let mut page = page(content_type, &hash);
        page.headers
            .push((VARY, HeaderValue::from_static("Accept")));
        match request.query.get("hash").filter(|asked| !asked.is_empty()) {
            Some(asked) if asked != hash => {
                let location = format!("/openapi/v3/{}?hash={hash}", name.path());
                page.code = 301;
                let location = HeaderValue::from_str(&location);
                page.headers
                    .extend(location.ok().map(|location| (LOCATION, location)));
                return Ok(page);
            }
            Some(_) => {
                let forever = HeaderValue::from_static("public, immutable");
                page.headers.push((CACHE_CONTROL, forever));
                let until = HeaderValue::from_str(&date(self.clock.wall(), YEAR));
                page.headers
                    .extend(until.ok().map(|until| (EXPIRES, until)));
            }
            None => {}
        }
        if !is_held(request, &page) {
            page.bytes = self.library.document(shelf, name, print);
        }
        self.used();
        Ok(page)
    }

    fn swagger(&self, shelf: &Shelf<'_>, request: &Request) -> Result<Page, Refusal> {
        let (print, content_type) = agreed(request, &V2_OFFERS, V2_PROTOBUF)?;
        let hash = self.library.swagger_hash(shelf);
        let mut page = page(content_type, &hash);
        page.headers
            .push((VARY, HeaderValue::from_static("Accept-Encoding, Accept")));
        if !is_held(request, &page) {
            page.bytes = self.library.swagger(shelf, print);
        }
        self.used();
        Ok(page)
    }

    /// Notes that something was used, and sees to it that it is forgotten when nothing is any more.
    fn used(&self) {
        if !self.library.use_at(self.clock.now()) {
            return;
        }
        let (library, clock) = (Arc::clone(&self.library), self.clock.clone());
        let mut drain = self.tasks.drain_signal();
        self.tasks
            .spawn("openapi: forget what is idle", async move {
                loop {
                    tokio::select! {
                        () = clock.sleep(IDLE) => {}
                        () = drain.requested() => return,
                    }
                    if library.forget(clock.now(), IDLE) {
                        return;
                    }
                }
            });
    }
}

/// Returns how the document is written, by what the client would take.
fn agreed(
    request: &Request,
    offers: &[&str],
    protobuf: HeaderValue,
) -> Result<(Print, HeaderValue), Refusal> {
    let accept = match media::accept(&request.headers) {
        "" => "*/*",
        accept => accept,
    };
    match preferred(accept, offers) {
        Some(0) => Ok((Print::Json, JSON)),
        Some(_) => Ok((Print::Protobuf, protobuf)),
        None => Err(Refusal::page(406, "")),
    }
}

fn page(content_type: HeaderValue, hash: &str) -> Page {
    Page {
        code: 200,
        content_type,
        bytes: Bytes::new(),
        etag: HeaderValue::from_str(&format!("\"{hash}\"")).ok(),
        headers: Vec::new(),
    }
}

fn is_held(request: &Request, page: &Page) -> bool {
    let held = request.headers.get(IF_NONE_MATCH);
    held.is_some() && held == page.etag.as_ref()
}

/// Returns the time so many seconds later, as Go prints it: `Sun, 21 Nov 2027 18:50:54 UTC`.
fn date(now: WallTime, later: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let seconds = now.secs() + later;
    let text = api::time::format(WallTime::from_secs(seconds));
    // `2027-11-21T18:50:54Z`
    let number = |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse().ok());
    let month: usize = number(5, 7).unwrap_or(1);
    let month = MONTHS
        .get(month.saturating_sub(1))
        .copied()
        .unwrap_or("Jan");
    // The first day of 1970 was a Thursday.
    let day = usize::try_from(seconds.div_euclid(86_400).rem_euclid(7)).unwrap_or(0);
    format!(
        "{}, {} {month} {} {} UTC",
        DAYS[day],
        text.get(8..10).unwrap_or_default(),
        text.get(0..4).unwrap_or_default(),
        text.get(11..19).unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use base::{Clock, Tasks, WallTime};
    use flate2::{Compression, write::DeflateEncoder};
    use schema::openapi::Release;

    use super::{IDLE, OpenApi, Print, date, library::Shelf};
    use crate::{registry::ClusterId, serving::tests::Bench};

    fn packed(text: &str) -> &'static [u8] {
        let mut packer = DeflateEncoder::new(Vec::new(), Compression::fast());
        packer
            .write_all(text.as_bytes())
            .expect("a vector takes it");
        Vec::leak(packer.finish().expect("a vector takes it"))
    }

    #[tokio::test]
    async fn forgets_what_is_idle_but_not_hashes() {
        let bench = Bench::new();
        let (clock, hand) = Clock::fake(WallTime::from_secs(1_800_000_000));
        let texts = packed("io.k8s.api.core.v1.Pod\tWhat runs.\n");
        let release = Release::default();
        let openapi = OpenApi::new(texts, release, Vec::new(), clock, Tasks::new());
        let table = bench.serving.registry().table();
        let shelf = Shelf::new(&table, ClusterId::ONLY);
        let core = openapi.library.names(&shelf).into_iter();
        let core = core.rev().find(|name| name.path() == "api/v1");
        let core = core.expect("it is served");
        assert_eq!(openapi.library.held(), (0, false));

        let bytes = openapi.library.document(&shelf, &core, Print::Json);
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("\"description\":\"What runs.\""));
        assert_eq!(openapi.library.held(), (bytes.len(), true));
        let hash = openapi.library.hash(&shelf, &core);
        openapi.used();
        while hand.next_wake().is_none() {
            tokio::task::yield_now().await;
        }
        hand.advance(IDLE);
        while openapi.library.held() != (0, false) {
            tokio::task::yield_now().await;
        }
        // Nothing is made for a hash that is known.
        assert_eq!(openapi.library.hash(&shelf, &core), hash);
        assert_eq!(openapi.library.held(), (0, false));
    }

    #[test]
    fn writes_dates_as_go() {
        let day = WallTime::from_secs(1_795_287_054);
        assert_eq!(date(day, 0), "Sat, 21 Nov 2026 18:50:54 UTC");
        assert_eq!(
            date(WallTime::from_secs(0), 0),
            "Thu, 01 Jan 1970 00:00:00 UTC"
        );
    }
}
