//! Addresses and ports of Services: both families through a server, and what a crash leaves.

use std::sync::Arc;

use api::{Status, Value, json::Part, value};
use kinds::services::Services;
use schema::{Allot, Claim, Ledger, ResourceName};
use store::{Expected, Key, Store, Write};

use super::{Bench, at};
use crate::registry::ClusterId;

const SERVICES: &str = "/api/v1/namespaces/a/services";
const ADDRESSES: &str = "/apis/networking.k8s.io/v1/ipaddresses";
const RANGES: &str = "/apis/networking.k8s.io/v1/servicecidrs";
const RANGE: &str =
    r#"{"metadata":{"name":"kubernetes"},"spec":{"cidrs":["10.0.0.0/24","fd00::/112"]}}"#;

fn rules() -> Services {
    let networks = ["10.0.0.0/24", "fd00::/112"].map(|one| one.parse().expect("a network"));
    Services::new(networks.to_vec(), 30_000..=30_063)
}

/// A bench whose Services take addresses of two families.
fn sharing(bench: Bench) -> Bench {
    sharing_by(bench, Arc::new(rules()))
}

fn sharing_by(mut bench: Bench, rules: Arc<dyn Allot>) -> Bench {
    let serving = Arc::into_inner(bench.serving).expect("nobody else has it yet");
    bench.serving = Arc::new(serving.sharing(rules));
    bench
}

/// The rules of Services, but for what they write for an address of the second family.
#[derive(Debug)]
struct Odd {
    rules: Services,
    second: Value,
}

impl Allot for Odd {
    fn holders(&self) -> ResourceName {
        self.rules.holders()
    }
    fn deeds(&self) -> ResourceName {
        self.rules.deeds()
    }
    fn ranges(&self) -> ResourceName {
        self.rules.ranges()
    }
    fn held_parts(&self) -> &'static [Part] {
        self.rules.held_parts()
    }
    fn held(&self, holder: &Value) -> Vec<Claim> {
        self.rules.held(holder)
    }
    fn claim_of(&self, deed: &Value) -> Option<Claim> {
        self.rules.claim_of(deed)
    }
    fn holder_of(&self, deed: &Value) -> Option<String> {
        self.rules.holder_of(deed)
    }
    fn deed(&self, claim: Claim, holder: &Value) -> Option<Value> {
        match claim {
            Claim::Address(address) if address.is_ipv6() => Some(self.second.clone()),
            _ => self.rules.deed(claim, holder),
        }
    }
    fn allot(
        &self,
        object: &mut Value,
        old: Option<&Value>,
        ledger: &mut dyn Ledger,
    ) -> Result<(), Status> {
        self.rules.allot(object, old, ledger)
    }
}

async fn bench() -> Bench {
    let bench = sharing(Bench::new());
    bench.ok(&format!("POST {RANGES}"), RANGE).await;
    bench
}

fn service(name: &str) -> String {
    format!(
        r#"{{"metadata":{{"name":"{name}"}},"spec":{{"ipFamilyPolicy":"RequireDualStack","ports":[{{"port":80}}]}}}}"#
    )
}

/// Returns the names of the addresses that are taken, in order.
fn names(list: &str) -> Vec<String> {
    let list = api::json::read(list.as_bytes()).expect("it is JSON").value;
    let items = list.get("items").and_then(api::Value::as_array);
    let items = items.unwrap_or_default().iter();
    items
        .filter_map(|item| item.str_at(&["metadata", "name"]).map(str::to_owned))
        .collect()
}

async fn taken(bench: &Bench) -> Vec<String> {
    names(&bench.ok(&format!("GET {ADDRESSES}"), "").await)
}

/// Returns an item of a list in an object, by the list's name in the spec.
fn item(object: &str, name: &str, place: usize) -> String {
    let object = api::json::read(object.as_bytes())
        .expect("it is JSON")
        .value;
    let items = object.at(&["spec", name]).and_then(api::Value::as_array);
    let item = items.and_then(|items| items.get(place)?.as_str());
    item.unwrap_or("-").to_owned()
}

/// Removes an object behind the server's back, as if it had never been written.
async fn unwrite(bench: &Bench, group: &str, plural: &str, place: &str) {
    let table = bench.serving.registry.table();
    let found = table.find_any(ClusterId::ONLY, group, plural);
    let key: Key = found.expect("it is served").served.collection.key(place);
    let entry = bench.store.get(&key).await.expect("memory has no faults");
    let revision = entry.expect("it is there").revision;
    let write = Write::delete(key, None, Expected::At(revision));
    bench.store.write(write).await.expect("it is deleted");
}

#[tokio::test]
async fn a_service_takes_an_address_of_each_family_and_gives_both_back() {
    let bench = bench().await;
    let made = bench.ok(&format!("POST {SERVICES}"), &service("s")).await;
    let addresses = [item(&made, "clusterIPs", 0), item(&made, "clusterIPs", 1)];
    assert_eq!(at(&made, "spec/clusterIP"), addresses[0]);
    assert_eq!(item(&made, "ipFamilies", 0), "IPv4");
    assert_eq!(item(&made, "ipFamilies", 1), "IPv6");
    assert!(addresses[0].starts_with("10.0.0.") && addresses[1].starts_with("fd00::"));
    assert_eq!(taken(&bench).await, addresses);
    bench.ok(&format!("DELETE {SERVICES}/s"), "").await;
    assert!(taken(&bench).await.is_empty());
}

#[tokio::test]
async fn a_crash_between_addresses_and_service_is_put_right() {
    let before = bench().await;
    let kept = before
        .ok(&format!("POST {SERVICES}"), &service("kept"))
        .await;
    let kept = [item(&kept, "clusterIPs", 0), item(&kept, "clusterIPs", 1)];
    before
        .ok(&format!("POST {SERVICES}"), &service("lost"))
        .await;
    assert_eq!(taken(&before).await.len(), 4);
    // Killed after the addresses of one were written, and before it was; and, of the other, after
    // it was written where only one of its addresses was.
    unwrite(&before, "", "services", "a/lost").await;
    unwrite(&before, "networking.k8s.io", "ipaddresses", &kept[0]).await;
    let after = sharing(before.restarted());
    after.serving.open().await.expect("memory has no faults");
    let mut wanted = kept.to_vec();
    wanted.sort_unstable();
    after
        .until(&format!("GET {ADDRESSES}"), |reply| {
            let mut found = names(&reply.body);
            found.sort_unstable();
            found == wanted
        })
        .await;
    // What was put right can be taken and given back like anything else.
    after
        .ok(&format!("POST {SERVICES}"), &service("lost"))
        .await;
    after.ok(&format!("DELETE {SERVICES}/kept"), "").await;
    assert_eq!(taken(&after).await.len(), 2);
}

#[tokio::test]
async fn books_that_cannot_be_read_are_given_up() {
    let bench = bench().await;
    let table = bench.serving.registry.table();
    let services = table.find_any(ClusterId::ONLY, "", "services");
    services.expect("they are served").served.collection.end();
    let reply = bench.send(&format!("POST {SERVICES}"), &service("s")).await;
    assert_eq!(reply.code, 429, "{}", reply.body);
    assert!(reply.body.contains("change faster than they can be read"));
}

/// Creates a Service of two families whose second address cannot be written down, and tells why it
/// was not made; its first address was written by then, and is free again.
async fn refused(second: Value) -> String {
    let rules = Odd {
        rules: rules(),
        second,
    };
    let bench = sharing_by(Bench::new(), Arc::new(rules));
    bench.ok(&format!("POST {RANGES}"), RANGE).await;
    let other = r#"{"metadata":{"name":"10.0.0.250"},"spec":{"parentRef":{"resource":"others","name":"o"}}}"#;
    bench.ok(&format!("POST {ADDRESSES}"), other).await;
    let reply = bench.send(&format!("POST {SERVICES}"), &service("s")).await;
    assert_eq!(taken(&bench).await, ["10.0.0.250"], "{}", reply.body);
    let found = bench.send(&format!("GET {SERVICES}/s"), "").await;
    assert_eq!(found.code, 404, "{}", found.body);
    format!("{} {}", reply.code, at(&reply.body, "message"))
}

#[tokio::test]
async fn a_deed_that_is_none_makes_no_service() {
    let why = refused(value!({"metadata": {"name": "fd00::1"}, "spec": "none"})).await;
    assert!(why.starts_with("500 Internal error occurred: "), "{why}");
    assert!(why.contains("spec"), "{why}");
}

#[tokio::test]
async fn a_claim_that_another_server_took_makes_no_service() {
    assert_eq!(
        refused(value!({"metadata": {"name": "10.0.0.250"}, "spec": {}})).await,
        "429 an address was taken by another server meanwhile, please try again"
    );
}
