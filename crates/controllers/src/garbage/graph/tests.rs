//! Tests of garbage/graph.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base::Rng;
use expect_test::{Expect, expect};
use kit::{Head, Scope, Uid};

use super::{Found, Graph, Identity, Kind, Outcome, Policy, Verdict, Work};

/// An object by words: its uid, which is also its name (`c` in front: cluster-scoped), `<o` owned
/// by `o`, `<!o` and blocking it, `ns=`, `fg` or `orphan` (finalizers), `leaving`, `rv=`.
fn head(text: &str) -> (bool, Head) {
    let mut words = text.split(':');
    let name = words.next().unwrap();
    let cluster = name.starts_with('c');
    let mut json = serde_json::json!({"name": name, "uid": name, "resourceVersion": "1",
        "namespace": if cluster { "" } else { "n" }, "finalizers": [], "ownerReferences": []});
    for word in words {
        if let Some(owner) = word.strip_prefix('<') {
            let uid = owner.trim_start_matches('!');
            let owners = json["ownerReferences"].as_array_mut().unwrap();
            owners.push(
                serde_json::json!({"apiVersion": "v1", "name": uid, "uid": uid,
                "kind": if uid.starts_with('c') { "Cluster" } else { "Thing" },
                "blockOwnerDeletion": owner.starts_with('!')}),
            );
        } else if let Some(namespace) = word.strip_prefix("ns=") {
            json["namespace"] = namespace.into();
        } else if let Some(version) = word.strip_prefix("rv=") {
            json["resourceVersion"] = version.into();
        } else {
            match word {
                "fg" => json["finalizers"] = serde_json::json!(["foregroundDeletion"]),
                "orphan" => json["finalizers"] = serde_json::json!(["orphan"]),
                "leaving" => json["deletionTimestamp"] = "2026-01-01T00:00:00Z".into(),
                _ => panic!("unknown word {word}"),
            }
        }
    }
    (cluster, serde_json::from_value(json).unwrap())
}

struct World {
    graph: Graph,
    thing: Kind,
    cluster: Kind,
}

impl World {
    fn new() -> Self {
        let mut graph = Graph::default();
        let thing = graph.kind("v1", "Thing", Some(Scope::Namespaced));
        let cluster = graph.kind("v1", "Cluster", Some(Scope::Cluster));
        Self {
            graph,
            thing,
            cluster,
        }
    }

    fn observe(&mut self, text: &str) -> Outcome {
        let (cluster, head) = head(text);
        let kind = if cluster { self.cluster } else { self.thing };
        self.graph.observe(kind, &head)
    }
}

fn print(works: &[Work]) -> String {
    let words: Vec<String> = works
        .iter()
        .map(|work| match work {
            Work::Attempt(uid) => uid.to_string(),
            Work::Orphan(uid) => format!("orphan({uid})"),
        })
        .collect();
    words.join(" ")
}

fn names(identities: &[Identity]) -> String {
    let names: Vec<String> = identities
        .iter()
        .map(|identity| format!("{}/{}", identity.namespace, identity.name))
        .collect();
    names.join(" ")
}

fn say(verdict: Verdict) -> String {
    match verdict {
        Verdict::Leave => "leave".to_owned(),
        Verdict::Later => "later".to_owned(),
        Verdict::Ask(owners) => format!("ask {}", names(&owners)),
        Verdict::NotThere(owners) => format!("not there {}", names(&owners)),
        Verdict::Drop { owners, .. } => {
            let owners: Vec<String> = owners.iter().map(ToString::to_string).collect();
            format!("drop {}", owners.join(" "))
        }
        Verdict::Delete {
            revision,
            policy,
            unblock,
            ..
        } => format!(
            "delete {policy:?} at {revision}{}",
            if unblock { " unblocked" } else { "" }
        ),
        Verdict::Release { finalizer, .. } => format!("release {finalizer}"),
        Verdict::LetGo { dependents, .. } => format!("let go {}", names(&dependents)),
        Verdict::Look(works) => format!("look {}", print(&works)),
    }
}

/// Takes in events (`-a` is gone), then looks at the last word's object (`?a`, `?orphan(a)`), with
/// answers (`a=exists`).
#[track_caller]
fn check(script: &str, expected: &Expect) {
    let mut world = World::new();
    let mut answers: HashMap<Identity, Found> = HashMap::new();
    let mut out = Vec::new();
    for word in script.split_whitespace() {
        if let Some(uid) = word.strip_prefix('-') {
            out.push(format!(
                "[{}]",
                print(&world.graph.gone(&Uid::new(uid)).work)
            ));
        } else if let Some(work) = word.strip_prefix('?') {
            let work = match work.strip_prefix("orphan(") {
                Some(uid) => Work::Orphan(Uid::new(uid.trim_end_matches(')'))),
                None => Work::Attempt(Uid::new(work)),
            };
            out.push(say(world.graph.decide(&work, &answers)));
        } else if let Some((name, found)) = word.split_once('=').filter(|_| !word.contains(':')) {
            let cluster = name.starts_with('c');
            let identity = Identity {
                api_version: "v1".into(),
                kind: if cluster { "Cluster" } else { "Thing" }.into(),
                namespace: if cluster { "" } else { "n" }.into(),
                name: name.into(),
                uid: Uid::new(name),
            };
            let found = match found {
                "exists" => Found::Exists,
                "waiting" => Found::Waiting,
                _ => Found::Absent,
            };
            answers.insert(identity, found);
        } else {
            let outcome = world.observe(word);
            let told = if outcome.invalid.is_empty() {
                ""
            } else {
                " told"
            };
            out.push(format!("[{}{told}]", print(&outcome.work)));
        }
    }
    expected.assert_eq(&out.join(" "));
}

#[test]
fn a_dependent_goes_after_its_owner() {
    check(
        "a b:<a:rv=7 ?b -a ?b",
        &expect!["[] [] leave [b] delete Background at 7"],
    );
}

#[test]
fn one_living_owner_holds_and_the_others_are_dropped() {
    check(
        "a b d:<a:<b ?d -a ?d",
        &expect!["[] [] [] leave [d] drop a"],
    );
}

#[test]
fn an_owner_nobody_has_seen_is_asked_for() {
    check(
        "b:<a ?a ?b a=absent ?a ?b",
        &expect!["[a] ask n/a ask n/a not there n/a delete Background at 1"],
    );
    check("b:<a a=exists ?a ?b", &expect!["[a] later leave"]);
    check("b:<a a=waiting ?b", &expect!["[a] delete Background at 1"]);
}

#[test]
fn an_absent_owner_is_remembered() {
    check(
        "a b:<a -a ?b d:<a ?d",
        &expect!["[] [] [b] delete Background at 1 [a] delete Background at 1"],
    );
}

#[test]
fn a_dependent_may_be_seen_before_its_owner() {
    check("b:<a a ?a ?b", &expect!["[a] [] leave leave"]);
}

#[test]
fn foreground_waits_for_blocking_dependents_only() {
    check(
        "a b:<!a d:<a a:fg:leaving ?a -b ?a",
        &expect!["[] [] [] [b d a] look b [a] release foregroundDeletion"],
    );
    check(
        "a:fg:leaving ?a",
        &expect!["[a] release foregroundDeletion"],
    );
}

#[test]
fn dependents_of_a_waiting_owner_go_in_the_foreground_if_they_have_their_own() {
    check(
        "a b:<!a d:<!b a:fg:leaving ?b ?d",
        &expect!["[] [] [] [b a] delete Foreground at 1 leave"],
    );
    check(
        "a b:<!a a:fg:leaving ?b",
        &expect!["[] [] [b a] delete Background at 1"],
    );
}

#[test]
fn a_waiting_owner_gives_way_to_a_living_one() {
    check(
        "a o b:<!a:<o a:fg:leaving ?b b:<o",
        &expect!["[] [] [] [b a] drop a [a]"],
    );
}

#[test]
fn a_cycle_is_broken_by_unblocking() {
    check(
        "a:<!b b:<!a a:<!b:fg:leaving ?b",
        &expect!["[b] [] [b a] delete Foreground at 1 unblocked"],
    );
}

#[test]
fn a_reference_that_no_longer_blocks_wakes_its_owner() {
    check("a b:<!a b:<a", &expect!["[] [] [a]"]);
    check("a b:<!a b", &expect!["[] [] [a]"]);
}

#[test]
fn orphans_are_let_go_before_the_owner_goes() {
    check(
        "a b:<a d:<a a:orphan:leaving ?orphan(a) ?a",
        &expect!["[] [] [] [orphan(a)] let go n/b n/d leave"],
    );
    check("a:orphan ?orphan(a)", &expect!["[] leave"]);
}

#[test]
fn a_finalizer_says_how_the_dependents_fare() {
    check(
        "a b:<a:orphan -a ?b",
        &expect!["[] [] [b] delete Orphan at 1"],
    );
    check(
        "a b:<a:fg -a ?b",
        &expect!["[] [] [b] delete Foreground at 1"],
    );
}

#[test]
fn what_leaves_already_is_left() {
    check("a b:<a:leaving -a ?b", &expect!["[] [] [b] leave"]);
}

#[test]
fn an_owner_in_another_namespace_is_none() {
    check("a:ns=m b:<a ?b", &expect!["[] [b told] ask n/a"]);
    check(
        "b:<a a:ns=m ?b a=absent ?b",
        &expect!["[a] [b told] ask n/a delete Background at 1"],
    );
}

#[test]
fn a_cluster_scoped_dependent_of_a_namespaced_owner_is_never_collected() {
    check(
        "a cx:<a ?cx -a ?cx",
        &expect!["[] [cx told] leave [cx] leave"],
    );
}

#[test]
fn a_namespaced_dependent_may_have_a_cluster_scoped_owner() {
    check(
        "co b:<co ?b -co ?b",
        &expect!["[] [] leave [b] delete Background at 1"],
    );
}

#[test]
fn a_new_dependent_of_a_waiting_owner_is_looked_at() {
    check("a:fg:leaving b:<!a", &expect!["[a] [b]"]);
}

#[test]
fn a_kind_that_is_no_longer_served_is_forgotten() {
    let mut world = World::new();
    for text in ["co", "cp", "b:<co"] {
        world.observe(text);
    }
    let cluster = world.cluster;
    assert_eq!(print(&world.graph.forget_kind(cluster).work), "co");
    assert_eq!(world.graph.len(), 2);
    let work = Work::Attempt(Uid::new("co"));
    let verdict = world.graph.decide(&work, &HashMap::new());
    assert_eq!(say(verdict), "ask /co");
}

#[test]
fn nothing_is_left_behind() {
    let mut world = World::new();
    world.observe("b:<a");
    world.observe("d:<a");
    assert_eq!(world.graph.len(), 3);
    world.graph.gone(&Uid::new("b"));
    world.graph.gone(&Uid::new("d"));
    assert!(world.graph.is_empty());
}

/// A server in miniature: what exists, with owners, and what a deletion does.
#[derive(Default)]
struct Server {
    objects: BTreeMap<String, Object>,
    revision: u64,
}

#[derive(Clone, Default)]
struct Object {
    owners: Vec<(String, bool)>,
    finalizers: BTreeSet<&'static str>,
    leaving: bool,
    revision: u64,
}

impl Object {
    /// Waits for its dependents to be deleted.
    fn waits(&self) -> bool {
        self.leaving && self.finalizers.contains("foregroundDeletion")
    }
}

impl Server {
    /// Returns the event that tells of an object.
    fn event(&self, name: &str) -> String {
        match self.objects.get(name) {
            None => format!("-{name}"),
            Some(object) => {
                let mut text = format!("{name}:rv={}", object.revision);
                for (owner, blocks) in &object.owners {
                    text.push_str(if *blocks { ":<!" } else { ":<" });
                    text.push_str(owner);
                }
                for finalizer in &object.finalizers {
                    text.push_str(match *finalizer {
                        "orphan" => ":orphan",
                        _ => ":fg",
                    });
                }
                if object.leaving {
                    text.push_str(":leaving");
                }
                text
            }
        }
    }

    fn change(&mut self, name: &str, change: impl FnOnce(&mut Object)) -> Option<String> {
        self.revision += 1;
        let object = self.objects.get_mut(name)?;
        change(object);
        object.revision = self.revision;
        if object.leaving && object.finalizers.is_empty() {
            self.objects.remove(name);
        }
        Some(self.event(name))
    }

    fn delete(&mut self, name: &str, policy: Policy) -> Option<String> {
        self.change(name, |object| {
            object.leaving = true;
            match policy {
                Policy::Background => {}
                Policy::Foreground => {
                    object.finalizers.insert("foregroundDeletion");
                }
                Policy::Orphan => {
                    object.finalizers.insert("orphan");
                }
            }
        })
    }
}

/// Plays one verdict against the server and gives the events it makes.
fn act(server: &mut Server, work: &Work, verdict: Verdict) -> (Vec<String>, Vec<Work>, bool) {
    let (mut events, mut works, mut again) = (Vec::new(), Vec::new(), false);
    let drop_owners = |server: &mut Server, name: &str, owners: &[Uid]| {
        server.change(name, |object| {
            object
                .owners
                .retain(|(owner, _)| !owners.contains(&Uid::new(owner)));
        })
    };
    match verdict {
        Verdict::Leave | Verdict::Ask(_) | Verdict::NotThere(_) => {}
        Verdict::Later => again = true,
        Verdict::Look(more) => works = more,
        Verdict::Drop { object, owners } => {
            events.extend(drop_owners(server, &object.name, &owners));
        }
        Verdict::Delete {
            object,
            revision,
            policy,
            unblock,
        } => {
            let name = object.name.to_string();
            let current = server.objects.get(&name).map(|object| object.revision);
            if unblock
                && current.is_some()
                && server.objects[&name]
                    .owners
                    .iter()
                    .any(|(_, blocks)| *blocks)
            {
                let changed = server.change(&name, |object| {
                    object
                        .owners
                        .iter_mut()
                        .for_each(|(_, blocks)| *blocks = false);
                });
                events.extend(changed);
                again = true;
            } else if current == Some(revision) {
                events.extend(server.delete(&name, policy));
            } else if current.is_some() {
                again = true;
            }
        }
        Verdict::Release { object, finalizer } => {
            let changed = server.change(&object.name, |object| {
                object.finalizers.remove(finalizer);
            });
            events.extend(changed);
        }
        Verdict::LetGo { object, dependents } => {
            for dependent in dependents {
                let owner = std::slice::from_ref(&object.uid);
                events.extend(drop_owners(server, &dependent.name, owner));
            }
            let changed = server.change(&object.name, |object| {
                object.finalizers.remove("orphan");
            });
            events.extend(changed);
        }
    }
    if again {
        works.push(work.clone());
    }
    (events, works, again)
}

/// Decides as the collector does: what the graph cannot know is asked of the server.
fn decide(world: &World, server: &Server, work: &Work) -> Verdict {
    let verdict = world.graph.decide(work, &HashMap::new());
    let Verdict::Ask(owners) = &verdict else {
        return verdict;
    };
    let mut answers = HashMap::new();
    for owner in owners {
        let found = match server.objects.get(&*owner.name) {
            None => Found::Absent,
            Some(object) if object.waits() => Found::Waiting,
            Some(_) => Found::Exists,
        };
        answers.insert(owner.clone(), found);
    }
    world.graph.decide(work, &answers)
}

/// The rule of rules: nothing goes that a living owner holds. Whether this object, as the graph
/// knows it, has one. (An owner never comes to life later here: objects are created once.)
fn is_held(world: &World, server: &Server, object: &Identity) -> bool {
    let alive = |owner: &String| {
        let owner = server.objects.get(owner);
        owner.is_some_and(|owner| !owner.waits())
    };
    server.objects.get(&*object.name).is_some_and(|held| {
        held.revision == world_revision(world, &object.uid)
            && held.owners.iter().any(|(owner, _)| alive(owner))
    })
}

/// Runs a random graph with random deletions; events are late by chance, but in order per object.
fn simulate(seed: u64) {
    let mut rng = Rng::from_seed(seed);
    let mut server = Server::default();
    let mut world = World::new();
    let mut events: Vec<String> = Vec::new();
    let mut todo: Vec<Work> = Vec::new();
    let names: Vec<String> = (0..24).map(|number| format!("o{number}")).collect();
    // Objects come in any order; owners are any others, so there are cycles and missing owners.
    for name in &names {
        if rng.below(6) == 0 {
            continue;
        }
        let mut object = Object {
            revision: 1,
            ..Object::default()
        };
        for _ in 0..rng.below(3) {
            let owner = names[rng.below(24) as usize].clone();
            if owner != *name && !object.owners.iter().any(|(held, _)| *held == owner) {
                object.owners.push((owner, rng.below(2) == 0));
            }
        }
        server.objects.insert(name.clone(), object);
        events.push(server.event(name));
    }
    let mut deletions = 6;
    // Generous: every object is changed a few times and looked at a few times per change.
    for _ in 0..20_000 {
        if deletions > 0 && rng.below(10) == 0 {
            deletions -= 1;
            let name = &names[rng.below(24) as usize];
            let policy =
                [Policy::Background, Policy::Foreground, Policy::Orphan][rng.below(3) as usize];
            events.extend(server.delete(name, policy));
        } else if !events.is_empty() && rng.below(2) == 0 {
            let event = events.remove(0);
            let outcome = match event.strip_prefix('-') {
                Some(uid) => world.graph.gone(&Uid::new(uid)),
                None => world.observe(&event),
            };
            todo.extend(outcome.work);
        } else if !todo.is_empty() {
            let work = todo.remove(rng.below(todo.len() as u64) as usize);
            let verdict = decide(&world, &server, &work);
            if let Verdict::NotThere(names) = &verdict {
                let (Work::Attempt(uid) | Work::Orphan(uid)) = &work;
                todo.extend(world.graph.not_there(uid, names).work);
                continue;
            }
            if let Verdict::Delete { object, .. } = &verdict {
                let held = is_held(&world, &server, object);
                assert!(!held, "seed {seed}: {} is held", object.name);
            }
            let (more, works, _) = act(&mut server, &work, verdict);
            events.extend(more);
            todo.extend(works);
        } else if events.is_empty() && deletions == 0 {
            break;
        }
    }
    assert!(events.is_empty(), "seed {seed}: it does not come to rest");
    for (name, object) in &server.objects {
        assert!(!object.leaving, "seed {seed}: {name} never goes");
        let dangling = object
            .owners
            .iter()
            .filter(|(owner, _)| !server.objects.contains_key(owner));
        assert_eq!(dangling.count(), 0, "seed {seed}: {name} has lost an owner");
    }
}

fn world_revision(world: &World, uid: &Uid) -> u64 {
    world.graph.nodes.get(uid).map_or(0, |node| node.revision)
}

#[test]
fn random_graphs_come_to_rest_with_nothing_dangling_and_nothing_wrongly_gone() {
    for seed in 0..400 {
        simulate(seed);
    }
}
