//! A collection beside a plain map: random requests, and after each the two must say the same.
//!
//! The map remembers every state and every change. Lists (whole, page by page, of the past), gets
//! and watches are compared with it, while the clock runs past the window and the store forgets.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use api::json;
use base::Rng;

use super::{Bench, Watching, at};
use crate::{Accepted, Answer};

/// Namespaces whose order as keys is not their order as words, and a few names.
const NAMESPACES: [&str; 3] = ["a", "a-b", "b"];
const NAMES: u64 = 6;

/// What is younger must be there; upstream's window. What is older may be there.
const WINDOW_SECS: u64 = 5 * 60;

/// Watches end by themselves after half an hour to an hour.
const WATCH_SECS_MIN: u64 = 1_800;

/// One change, as watches say it.
struct Change {
    revision: u64,
    namespace: &'static str,
    line: String,
    at_secs: u64,
}

/// `namespace/name` to revision and text. The slash sorts behind the dash, as in keys.
type State = BTreeMap<String, (u64, String)>;

struct Model {
    bench: Bench,
    rng: Rng,
    /// Every state by its revision; the newest is the last.
    states: BTreeMap<u64, State>,
    changes: Vec<Change>,
    now_secs: u64,
    /// Older revisions than this are nowhere any more.
    forgotten: u64,
    lists: VecDeque<OpenList>,
    watches: VecDeque<OpenWatch>,
    seen: Seen,
}

/// A list that is being read page by page.
struct OpenList {
    /// When its first page was read.
    since: u64,
    revision: u64,
    namespace: &'static str,
    token: String,
    rest: Vec<String>,
}

struct OpenWatch {
    watch: Watching,
    namespace: &'static str,
    /// Place in the changes.
    next: usize,
    since_secs: u64,
    opened_secs: u64,
}

/// How often each thing happened, so that the test cannot pass by doing nothing.
#[derive(Debug, Default)]
struct Seen {
    writes: u32,
    refusals: u32,
    pages: u32,
    pasts: u32,
    events: u32,
    gone_lists: u32,
    gone_watches: u32,
    lost_watches: u32,
}

fn collection(namespace: &str) -> String {
    match namespace {
        "" => "/api/v1/configmaps".to_owned(),
        namespace => format!("/api/v1/namespaces/{namespace}/configmaps"),
    }
}

/// Returns a list's items in short.
fn items(body: &str) -> Vec<String> {
    let list = json::read(body.as_bytes()).expect("it is JSON").value;
    let items = list.get("items").and_then(api::Value::as_array);
    let short = |item: &api::Value| {
        let text = |path: &[&str]| item.str_at(path).unwrap_or_default().to_owned();
        format!(
            "{}/{}={} @{}",
            text(&["metadata", "namespace"]),
            text(&["metadata", "name"]),
            text(&["data", "text"]),
            text(&["metadata", "resourceVersion"])
        )
    };
    items.expect("a list has items").iter().map(short).collect()
}

impl Model {
    async fn new(seed: u64) -> Self {
        let bench = Bench::new();
        // The collection knows its history from the first look on.
        bench.ok("GET /api/v1/configmaps", "").await;
        Self {
            bench,
            rng: Rng::from_seed(seed),
            states: BTreeMap::from([(1, State::new())]),
            changes: Vec::new(),
            now_secs: 0,
            forgotten: 0,
            lists: VecDeque::new(),
            watches: VecDeque::new(),
            seen: Seen::default(),
        }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.rng.below(limit)
    }

    fn newest(&self) -> (u64, &State) {
        let (revision, state) = self.states.last_key_value().expect("there is a first one");
        (*revision, state)
    }

    fn namespace(&mut self) -> &'static str {
        NAMESPACES[self.below(3) as usize]
    }

    /// Returns all namespaces or one.
    fn scope(&mut self) -> &'static str {
        ["", "", "a", "a-b", "b"][self.below(5) as usize]
    }

    /// Returns whether everything after `revision` happened inside the window.
    fn is_recent(&self, revision: u64) -> bool {
        let next = self.changes.partition_point(|one| one.revision <= revision);
        let change = self.changes.get(next);
        change.is_none_or(|change| change.at_secs + WINDOW_SECS >= self.now_secs)
    }

    /// Notes a change that has happened.
    fn changed(&mut self, namespace: &'static str, line: String, state: State) {
        let revision = self.newest().0 + 1;
        self.states.insert(revision, state);
        self.changes.push(Change {
            revision,
            namespace,
            line: format!("{line} @{revision}"),
            at_secs: self.now_secs,
        });
        self.seen.writes += 1;
    }

    async fn write(&mut self) {
        let (namespace, number) = (self.namespace(), self.below(NAMES));
        let (name, text) = (format!("n{number}"), self.below(1_000_000).to_string());
        let place = format!("{namespace}/{name}");
        let mut state = self.newest().1.clone();
        let known = state.contains_key(&place);
        let url = format!("{}/{name}", collection(namespace));
        let revision = self.newest().0 + 1;
        let (reply, code, line) = match self.below(3) {
            0 => {
                let body =
                    format!(r#"{{"metadata":{{"name":"{name}"}},"data":{{"text":"{text}"}}}}"#);
                let line = format!("POST {}", collection(namespace));
                let code = if known { 409 } else { 201 };
                let reply = self.bench.send(&line, &body).await;
                state.entry(place).or_insert((revision, text.clone()));
                (reply, code, format!("ADDED {name}={text}"))
            }
            1 => {
                let body = format!(r#"merge {{"data":{{"text":"{text}"}}}}"#);
                let reply = self.bench.send(&format!("PATCH {url}"), &body).await;
                let code = if known { 200 } else { 404 };
                state.insert(place, (revision, text.clone()));
                (reply, code, format!("MODIFIED {name}={text}"))
            }
            _ => {
                let reply = self.bench.send(&format!("DELETE {url}"), "").await;
                let code = if known { 200 } else { 404 };
                let last = state.remove(&place).map(|(_, text)| text);
                let line = format!("DELETED {name}={}", last.unwrap_or_default());
                (reply, code, line)
            }
        };
        assert_eq!(reply.code, code, "{url}: {}", reply.body);
        if code < 300 {
            self.changed(namespace, line, state);
        } else {
            self.seen.refusals += 1;
        }
    }

    async fn get(&mut self) {
        let place = (self.namespace(), format!("n{}", self.below(NAMES)));
        let url = format!("GET {}/{}", collection(place.0), place.1);
        let reply = self.bench.send(&url, "").await;
        match self.newest().1.get(&format!("{}/{}", place.0, place.1)) {
            None => assert_eq!(reply.code, 404, "{url}"),
            Some((revision, text)) => {
                assert_eq!(at(&reply.body, "data/text"), *text);
                let found = at(&reply.body, "metadata/resourceVersion");
                assert_eq!(found, revision.to_string());
            }
        }
    }

    /// Returns the items a list at `revision` must have.
    fn expected(&self, revision: u64, namespace: &str) -> Vec<String> {
        let prefix = match namespace {
            "" => String::new(),
            namespace => format!("{namespace}/"),
        };
        let state = &self.states[&revision];
        let inside = state.iter().filter(|(place, _)| place.starts_with(&prefix));
        inside
            .map(|(place, (revision, text))| format!("{place}={text} @{revision}"))
            .collect()
    }

    /// Lists a state of any age; page by page some of the time.
    async fn list(&mut self) {
        let (newest, namespace) = (self.newest().0, self.scope());
        let limit = [0, 0, 1, 2, 5][self.below(5) as usize];
        let mut revision = newest;
        let mut url = format!("GET {}?limit={limit}", collection(namespace));
        if self.below(2) == 0 {
            revision = newest - self.below(newest.min(60));
            url.push_str(&format!(
                "&resourceVersion={revision}&resourceVersionMatch=Exact"
            ));
        }
        let reply = self.bench.send(&url, "").await;
        if reply.code == 410 {
            assert!(!self.is_recent(revision), "{url} is gone too early");
            self.seen.gone_lists += 1;
            return;
        }
        assert_eq!(reply.code, 200, "{url}: {}", reply.body);
        let found = at(&reply.body, "metadata/resourceVersion");
        assert_eq!(found, revision.to_string(), "{url}");
        let rest = self.expected(revision, namespace);
        self.seen.pasts += u32::from(revision != newest);
        self.page(&reply.body, revision, (namespace, self.now_secs), rest);
    }

    /// Compares a page, and keeps the list open if there are more.
    fn page(
        &mut self,
        body: &str,
        revision: u64,
        (namespace, since): (&'static str, u64),
        all: Vec<String>,
    ) {
        let found = items(body);
        let (page, rest) = all.split_at(found.len().min(all.len()));
        assert_eq!(found, page, "at {revision}");
        self.seen.pages += 1;
        let token = at(body, "metadata/continue");
        let remaining = at(body, "metadata/remainingItemCount");
        if rest.is_empty() {
            assert_eq!((token.as_str(), remaining.as_str()), ("-", "-"));
            return;
        }
        assert_eq!(remaining, rest.len().to_string());
        self.lists.push_back(OpenList {
            since,
            revision,
            namespace,
            token,
            rest: rest.to_vec(),
        });
    }

    /// Reads the next page of the list that is open longest.
    async fn go_on(&mut self) {
        let Some(list) = self.lists.pop_front() else {
            return;
        };
        let limit = 1 + self.below(6);
        let url = format!(
            "GET {}?limit={limit}&continue={}",
            collection(list.namespace),
            list.token
        );
        let reply = self.bench.send(&url, "").await;
        if reply.code == 410 {
            let age = i64::try_from(self.now_secs - list.since).expect("it is small");
            let is_old = age > crate::list::PAGES_SECONDS_MAX;
            let is_gone = is_old || !self.is_recent(list.revision);
            assert!(is_gone, "{url} is gone too early");
            assert_eq!(at(&reply.body, "reason"), "Expired");
            self.seen.gone_lists += 1;
            return;
        }
        assert_eq!(reply.code, 200, "{url}: {}", reply.body);
        let count = items(&reply.body).len();
        assert_eq!(count, list.rest.len().min(limit as usize));
        self.page(
            &reply.body,
            list.revision,
            (list.namespace, list.since),
            list.rest,
        );
    }

    /// Opens a watch from any revision.
    async fn watch(&mut self) {
        let (newest, namespace) = (self.newest().0, self.scope());
        let revision = newest - self.below(newest.min(80));
        let url = format!(
            "GET {}?watch=1&resourceVersion={revision}",
            collection(namespace)
        );
        let mut call = self.bench.call(&url, "", Accepted::default());
        let resource = self.bench.serving.find(&call.path).expect("it is served");
        let answer = self.bench.serving.serve(&mut call, &resource).await;
        let mut watch = match answer {
            Ok(Answer::Watch { frames, .. }) => Watching { frames },
            Ok(_) => panic!("a watch is answered with a watch"),
            Err(status) => panic!("{url}: {}", status.message),
        };
        let next = self.changes.partition_point(|one| one.revision <= revision);
        // What is too old is said in the stream, at once.
        let first = watch.events();
        if first.starts_with("ERROR ") {
            assert!(!self.is_recent(revision), "{url} is gone too early");
            assert!(first.contains("too old resource version"), "{first}");
            self.seen.gone_watches += 1;
            return;
        }
        assert!(revision >= self.forgotten, "{revision} is forgotten");
        let mut open = OpenWatch {
            watch,
            namespace,
            next,
            since_secs: self.now_secs,
            opened_secs: self.now_secs,
        };
        if self.compare(&mut open, &first) {
            self.watches.push_back(open);
        }
    }

    /// Compares what a watch says with what has happened; returns whether it is still open.
    fn compare(&mut self, open: &mut OpenWatch, said: &str) -> bool {
        let inside =
            |change: &&Change| open.namespace.is_empty() || change.namespace == open.namespace;
        let lines = self.changes[open.next..].iter().filter(inside);
        let lines: Vec<&str> = lines.map(|change| change.line.as_str()).collect();
        let ended = said == "end" || said.ends_with(", end");
        let said = said.trim_end_matches("end").trim_end_matches(", ");
        self.seen.events += lines.len() as u32;
        if !ended {
            assert_eq!(said, lines.join(", "), "in {:?}", open.namespace);
            open.next = self.changes.len();
            open.since_secs = self.now_secs;
            return true;
        }
        // It ends after its time, or because it did not look for longer than the window.
        assert!(lines.join(", ").starts_with(said), "{said}");
        let is_late = self.now_secs - open.since_secs > WINDOW_SECS;
        let is_old = self.now_secs - open.opened_secs >= WATCH_SECS_MIN;
        assert!(is_late || is_old, "a watch ended too early: {said}");
        self.seen.lost_watches += 1;
        false
    }

    /// Looks at the watch that was not looked at for longest.
    fn look(&mut self) {
        if let Some(mut open) = self.watches.pop_front() {
            let said = open.watch.events();
            if self.compare(&mut open, &said) {
                self.watches.push_back(open);
            }
        }
    }

    fn advance(&mut self, secs: u64) {
        self.bench.clock.advance(Duration::from_secs(secs));
        self.now_secs += secs;
    }

    /// Lets everything up to now fall out of every window.
    async fn forget(&mut self) {
        use store::Store;
        for _ in 0..2 {
            self.advance(WINDOW_SECS + 1);
            let writes = self.seen.writes;
            while self.seen.writes == writes {
                self.write().await;
            }
            // A change grows old from when the collection has seen it. What the store forgets before
            // that, nobody knows any more.
            self.bench.ok("GET /api/v1/configmaps", "").await;
        }
        let newest = self.newest().0;
        let compacted = self.bench.store.compact(store::Revision(newest)).wait();
        compacted.expect("it is reached");
        self.forgotten = newest - 1;
    }

    async fn step(&mut self) {
        match self.below(100) {
            0..40 => self.write().await,
            40..48 => self.get().await,
            48..60 => self.list().await,
            60..70 => self.go_on().await,
            70..76 => self.watch().await,
            76..94 => self.look(),
            94..98 => {
                let secs = self.below(60);
                self.advance(secs);
            }
            98 => {
                let secs = self.below(400);
                self.advance(secs);
            }
            _ => {
                if self.below(4) == 0 {
                    self.forget().await;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_collection_is_as_a_plain_map() {
    let mut total = Seen::default();
    for seed in 0..12 {
        println!("seed {seed}");
        let mut model = Model::new(seed).await;
        for _ in 0..900 {
            model.step().await;
        }
        let seen = model.seen;
        total.writes += seen.writes;
        total.refusals += seen.refusals;
        total.pages += seen.pages;
        total.pasts += seen.pasts;
        total.events += seen.events;
        total.gone_lists += seen.gone_lists;
        total.gone_watches += seen.gone_watches;
        total.lost_watches += seen.lost_watches;
    }
    // The seeds are the same every time, so these are no matter of luck.
    assert!(total.writes > 2_000 && total.refusals > 500, "{total:?}");
    assert!(total.pages > 1_000 && total.pasts > 100, "{total:?}");
    assert!(total.events > 2_000, "{total:?}");
    assert!(total.gone_lists > 5 && total.gone_watches > 5, "{total:?}");
    assert!(total.lost_watches > 5, "{total:?}");
}
