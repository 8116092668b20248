//! Who owns whom, and what follows from it.
//!
//! Knows nothing of clients, clocks or queues. The life of a node: it is *observed* by a watch, or
//! it is *virtual*, assumed because a dependent names it. When an object is gone its node goes, and
//! its dependents are to be looked at. Looking at a node gives a [`Verdict`]; where the graph cannot
//! know (an owner nobody has observed), the verdict is a question, and the answer comes back with
//! the next look.
//!
//! A reference names its owner by uid *and* by kind, name and namespace. It holds only if all of
//! them fit: a namespaced owner is looked for in the dependent's own namespace and nowhere else.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use kit::{Head, Owner, Scope, Uid};

/// Finalizer that holds an owner until its dependents are gone.
pub const FOREGROUND: &str = "foregroundDeletion";
/// Finalizer that holds an owner until its dependents are let go.
pub const ORPHAN: &str = "orphan";

/// Most absent owners that are remembered; past it they are asked for again.
const ABSENT_MAX: usize = 4_096;

/// Namespaces kept before unused ones are looked for.
const NAMESPACES_MIN: usize = 256;

/// A kind, told apart by group and kind name; the version does not matter for identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind(u32);

/// Something to be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Work {
    /// Whether this object is to be deleted, or may finish being deleted.
    Attempt(Uid),
    /// This owner's dependents are to be let go.
    Orphan(Uid),
}

/// What came out of one event.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What is to be looked at.
    pub work: Vec<Work>,
    /// References into another namespace, to be told to people.
    pub invalid: Vec<Invalid>,
}

/// A reference that no object can satisfy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The dependent.
    pub dependent: Identity,
    /// Its reference.
    pub owner: Owner,
}

/// All that names an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Group and version.
    pub api_version: Arc<str>,
    /// Kind.
    pub kind: Arc<str>,
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Box<str>,
    /// Identity.
    pub uid: Uid,
}

/// What an owner was found to be when the server was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It exists.
    Exists,
    /// It exists and waits for its dependents to be deleted.
    Waiting,
    /// There is no such object, or another one has its name.
    Absent,
    /// It cannot exist: it is namespaced, and the dependent is not.
    Impossible,
}

/// How dependents of a deleted object fare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// They are deleted afterwards.
    Background,
    /// They are deleted before.
    Foreground,
    /// They are let go.
    Orphan,
}

/// What is to be done about one object.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Leave,
    /// Ask the server about these owners, then look again with the answers.
    Ask(Vec<Identity>),
    /// The object itself was only assumed and exists; the watch will show it. Look again later.
    Later,
    /// The object itself was only assumed and is not there under any of these names: say
    /// [`Graph::not_there`].
    NotThere(Vec<Identity>),
    /// It is held by living owners: take these other references off it.
    Drop {
        /// Whose.
        object: Identity,
        /// Uids of the owners.
        owners: Vec<Uid>,
    },
    /// Delete it if it is still as it was seen.
    Delete {
        /// What.
        object: Identity,
        /// Revision it was seen in.
        revision: u64,
        /// How its dependents fare.
        policy: Policy,
        /// Whether its references are to stop blocking their owners first, since it is part of a
        /// cycle that would wait for itself.
        unblock: bool,
    },
    /// All dependents that it waited for are gone: take the finalizer off it.
    Release {
        /// What.
        object: Identity,
        /// Which finalizer.
        finalizer: &'static str,
    },
    /// Let go of these dependents, then take the finalizer off it.
    LetGo {
        /// The owner.
        object: Identity,
        /// The dependents.
        dependents: Vec<Identity>,
    },
    /// These are to be looked at.
    Look(Vec<Work>),
}

#[derive(Debug)]
struct Node {
    kind: Kind,
    namespace: Arc<str>,
    name: Box<str>,
    revision: u64,
    owners: Box<[Reference]>,
    /// Ordered, so that equal worlds give equal work.
    dependents: BTreeSet<Uid>,
    /// False while it is only assumed.
    observed: bool,
    leaving: bool,
    foreground: bool,
    orphan: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Reference {
    uid: Uid,
    kind: Kind,
    name: Box<str>,
    blocks: bool,
}

#[derive(Debug)]
struct KindEntry {
    api_version: Arc<str>,
    kind: Arc<str>,
    scope: Option<Scope>,
}

/// The graph.
#[derive(Debug, Default)]
pub struct Graph {
    nodes: HashMap<Uid, Node>,
    kinds: Vec<KindEntry>,
    kinds_by_name: HashMap<(Box<str>, Box<str>), Kind>,
    namespaces: HashSet<Arc<str>>,
    namespaces_pruned_at: usize,
    absent: HashSet<(Reference, Arc<str>)>,
    absent_order: VecDeque<(Reference, Arc<str>)>,
}

impl Graph {
    /// Returns the kind of a group and version and kind name; `scope` if it is known.
    pub fn kind(&mut self, api_version: &str, kind: &str, scope: Option<Scope>) -> Kind {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let key = (Box::from(group), Box::from(kind));
        if let Some(found) = self.kinds_by_name.get(&key) {
            let entry = &mut self.kinds[found.0 as usize];
            if scope.is_some() {
                entry.scope = scope;
                entry.api_version = api_version.into();
            }
            return *found;
        }
        let id = Kind(u32::try_from(self.kinds.len()).expect("kinds are few"));
        self.kinds.push(KindEntry {
            api_version: api_version.into(),
            kind: kind.into(),
            scope,
        });
        self.kinds_by_name.insert(key, id);
        id
    }

    /// Returns the number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Returns the uids of all observed objects of a kind.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Uid> {
        self.nodes
            .iter()
            .filter(move |(_, node)| node.kind == kind && node.observed)
            .map(|(uid, _)| uid)
    }

    /// Takes in that an object exists and looks like this.
    pub fn observe(&mut self, kind: Kind, head: &Head) -> Outcome {
        let mut outcome = Outcome::default();
        let owners: Box<[Reference]> = head
            .owner_references
            .iter()
            .map(|owner| self.reference(owner))
            .collect();
        let namespace = self.intern(&head.namespace);
        let known = self.nodes.get(&head.uid).map(|node| node.observed);
        let (was_foreground, was_orphan, old_owners) = match self.nodes.get_mut(&head.uid) {
            // Virtual ⇒ observed, or observed ⇒ observed: the old references are compared below.
            Some(node) => {
                let before = (
                    node.observed && node.leaving && node.foreground,
                    node.observed && node.leaving && node.orphan,
                    std::mem::replace(&mut node.owners, owners.clone()),
                );
                node.kind = kind;
                node.namespace = Arc::clone(&namespace);
                if *node.name != *head.name {
                    node.name.clone_from(&head.name);
                }
                before
            }
            None => {
                let node = Node {
                    kind,
                    namespace: Arc::clone(&namespace),
                    name: head.name.clone(),
                    revision: 0,
                    owners: owners.clone(),
                    dependents: BTreeSet::new(),
                    observed: true,
                    leaving: false,
                    foreground: false,
                    orphan: false,
                };
                self.nodes.insert(head.uid.clone(), node);
                (false, false, Box::default())
            }
        };
        if let Some(node) = self.nodes.get_mut(&head.uid) {
            node.observed = true;
            node.revision = head.resource_version;
            node.leaving = head.is_leaving();
            node.foreground = head.has_finalizer(FOREGROUND);
            node.orphan = head.has_finalizer(ORPHAN);
        }
        if known == Some(false) {
            self.check_dependents(&head.uid, &mut outcome);
        }
        if *old_owners != *owners {
            self.move_references(&head.uid, &old_owners, &owners, &mut outcome);
        }
        if head.is_leaving() && head.has_finalizer(ORPHAN) && !was_orphan {
            outcome.work.push(Work::Orphan(head.uid.clone()));
        } else if head.is_leaving() && head.has_finalizer(FOREGROUND) && !was_foreground {
            outcome
                .work
                .extend(self.dependents(&head.uid).map(Work::Attempt));
            outcome.work.push(Work::Attempt(head.uid.clone()));
        }
        outcome
    }

    /// Takes in that an object is gone.
    ///
    /// While others still name it, it stays as a virtual node: a late event may show it once more
    /// (the server was asked and knew better), and then it must know its dependents.
    pub fn gone(&mut self, uid: &Uid) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(node) = self.nodes.get_mut(uid) else {
            return outcome;
        };
        let owners = std::mem::take(&mut node.owners);
        let was_observed = std::mem::replace(&mut node.observed, false);
        (node.leaving, node.foreground, node.orphan) = (false, false, false);
        let (kind, name, namespace) = (node.kind, node.name.clone(), Arc::clone(&node.namespace));
        if node.dependents.is_empty() {
            self.nodes.remove(uid);
        } else if was_observed {
            let reference = Reference {
                uid: uid.clone(),
                kind,
                name,
                blocks: false,
            };
            self.remember_absent(reference, namespace);
        }
        for owner in &owners {
            self.remove_dependent(&owner.uid, uid);
            let waits = self.nodes.get(&owner.uid);
            if waits.is_some_and(|owner| owner.leaving && owner.foreground) {
                outcome.work.push(Work::Attempt(owner.uid.clone()));
            }
        }
        outcome.work.extend(self.dependents(uid).map(Work::Attempt));
        outcome
    }

    /// Takes in that a kind is not served any more: what was known of its objects is forgotten, and
    /// their dependents are looked at.
    pub fn forget_kind(&mut self, kind: Kind) -> Outcome {
        let mut outcome = Outcome::default();
        let uids: Vec<Uid> = self.of_kind(kind).cloned().collect();
        for uid in uids {
            let has_dependents = self.dependents(&uid).next().is_some();
            if has_dependents {
                if let Some(node) = self.nodes.get_mut(&uid) {
                    // Observed ⇒ virtual: only asking can tell.
                    node.observed = false;
                    node.leaving = false;
                }
                outcome.work.push(Work::Attempt(uid));
            } else {
                outcome.work.append(&mut self.gone(&uid).work);
            }
        }
        outcome
    }

    /// Decides about something to be looked at, given answers to earlier questions.
    #[must_use]
    pub fn decide(&self, work: &Work, answers: &HashMap<Identity, Found>) -> Verdict {
        match work {
            Work::Orphan(uid) => self.decide_orphan(uid),
            Work::Attempt(uid) => match self.nodes.get(uid) {
                None => Verdict::Leave,
                Some(node) if !node.observed => self.decide_virtual(uid, answers),
                Some(node) if node.leaving && node.foreground => self.decide_foreground(uid, node),
                Some(node) if node.leaving => Verdict::Leave,
                Some(node) => self.decide_owned(uid, node, answers),
            },
        }
    }

    /// Takes in that an assumed object does not exist under any of the names it was given.
    pub fn not_there(&mut self, uid: &Uid, names: &[Identity]) -> Outcome {
        for identity in names {
            let kind = self.kind(&identity.api_version, &identity.kind, None);
            let reference = Reference {
                uid: identity.uid.clone(),
                kind,
                name: identity.name.clone(),
                blocks: false,
            };
            let namespace = self.intern(&identity.namespace);
            self.remember_absent(reference, namespace);
        }
        match self.nodes.get(uid) {
            Some(node) if !node.observed => self.gone(uid),
            // A watch has shown it meanwhile; its dependents are looked at anew.
            Some(_) => Outcome {
                work: self.dependents(uid).map(Work::Attempt).collect(),
                invalid: Vec::new(),
            },
            None => Outcome::default(),
        }
    }

    fn decide_orphan(&self, uid: &Uid) -> Verdict {
        let Some(node) = self.nodes.get(uid).filter(|node| node.observed) else {
            return Verdict::Leave;
        };
        if !node.leaving || !node.orphan {
            return Verdict::Leave;
        }
        Verdict::LetGo {
            object: self.identity(uid, node),
            dependents: self
                .dependents(uid)
                .filter_map(|uid| Some(self.identity(&uid, self.nodes.get(&uid)?)))
                .collect(),
        }
    }

    /// Virtual: ask about every name that dependents give it.
    fn decide_virtual(&self, uid: &Uid, answers: &HashMap<Identity, Found>) -> Verdict {
        let mut names: Vec<Identity> = Vec::new();
        for dependent in self.dependents(uid) {
            let Some(node) = self.nodes.get(&dependent) else {
                continue;
            };
            for reference in node.owners.iter().filter(|reference| reference.uid == *uid) {
                let identity = self.owner_identity(reference, node);
                if !names.contains(&identity) {
                    names.push(identity);
                }
            }
        }
        if names.iter().any(|name| !answers.contains_key(name)) {
            return Verdict::Ask(names);
        }
        let exists = |name| {
            let found = answers.get(name);
            matches!(found, Some(Found::Exists | Found::Waiting))
        };
        if names.iter().any(exists) {
            return Verdict::Later;
        }
        Verdict::NotThere(names)
    }

    /// Foreground: wait for the dependents that block, or finish.
    fn decide_foreground(&self, uid: &Uid, node: &Node) -> Verdict {
        let mut blocking: Vec<Uid> = self
            .dependents(uid)
            .filter(|dependent| {
                self.nodes.get(dependent).is_some_and(|node| {
                    let mut owners = node.owners.iter();
                    owners.any(|owner| owner.uid == *uid && owner.blocks)
                })
            })
            .collect();
        if blocking.is_empty() {
            return Verdict::Release {
                object: self.identity(uid, node),
                finalizer: FOREGROUND,
            };
        }
        // Those that wait for their own dependents are looked at when these go.
        blocking.retain(|dependent| {
            let waits = self.nodes.get(dependent);
            !waits.is_some_and(|node| node.leaving && node.foreground)
        });
        blocking.sort_unstable();
        Verdict::Look(blocking.into_iter().map(Work::Attempt).collect())
    }

    fn decide_owned(&self, uid: &Uid, node: &Node, answers: &HashMap<Identity, Found>) -> Verdict {
        if node.owners.is_empty() {
            return Verdict::Leave;
        }
        let (mut solid, mut dropped, mut waiting, mut asked) = (0, Vec::new(), 0, Vec::new());
        for reference in &node.owners {
            match self.classify(reference, node, answers) {
                Some(Found::Exists) => solid += 1,
                Some(Found::Absent) => dropped.push(reference.uid.clone()),
                Some(Found::Waiting) => {
                    waiting += 1;
                    dropped.push(reference.uid.clone());
                }
                Some(Found::Impossible) => return Verdict::Leave,
                None => asked.push(self.owner_identity(reference, node)),
            }
        }
        if !asked.is_empty() {
            return Verdict::Ask(asked);
        }
        let object = self.identity(uid, node);
        if solid > 0 {
            if dropped.is_empty() {
                return Verdict::Leave;
            }
            return Verdict::Drop {
                object,
                owners: dropped,
            };
        }
        let has_dependents = !node.dependents.is_empty();
        if waiting > 0 && has_dependents {
            // A dependent that itself waits for its dependents may, by a cycle, wait for us.
            let unblock = self.dependents(uid).any(|dependent| {
                let node = self.nodes.get(&dependent);
                node.is_some_and(|node| node.leaving && node.foreground)
            });
            return Verdict::Delete {
                object,
                revision: node.revision,
                policy: Policy::Foreground,
                unblock,
            };
        }
        let policy = if node.orphan {
            Policy::Orphan
        } else if node.foreground {
            Policy::Foreground
        } else {
            Policy::Background
        };
        Verdict::Delete {
            object,
            revision: node.revision,
            policy,
            unblock: false,
        }
    }

    /// Says what a reference's owner is, if that is known.
    fn classify(
        &self,
        reference: &Reference,
        dependent: &Node,
        answers: &HashMap<Identity, Found>,
    ) -> Option<Found> {
        if let Some(owner) = self.nodes.get(&reference.uid)
            && owner.observed
            && self.fits(reference, dependent, owner)
        {
            return Some(if owner.leaving && owner.foreground {
                Found::Waiting
            } else {
                Found::Exists
            });
        }
        let scope = self.kinds[reference.kind.0 as usize].scope;
        if scope == Some(Scope::Namespaced) && dependent.namespace.is_empty() {
            return Some(Found::Impossible);
        }
        let bare = Reference {
            blocks: false,
            ..reference.clone()
        };
        let at =
            |namespace: &Arc<str>| self.absent.contains(&(bare.clone(), Arc::clone(namespace)));
        let in_cluster = scope != Some(Scope::Namespaced) && at(&Arc::from(""));
        let in_namespace = scope != Some(Scope::Cluster) && at(&dependent.namespace);
        if in_cluster || in_namespace {
            return Some(Found::Absent);
        }
        answers
            .get(&self.owner_identity(reference, dependent))
            .copied()
    }

    /// Returns whether an observed object is the one that a dependent's reference names.
    fn fits(&self, reference: &Reference, dependent: &Node, owner: &Node) -> bool {
        reference.kind == owner.kind
            && reference.name == owner.name
            && (owner.namespace.is_empty() || owner.namespace == dependent.namespace)
    }

    /// Virtual ⇒ observed: dependents that named it wrongly are looked at.
    fn check_dependents(&self, uid: &Uid, outcome: &mut Outcome) {
        for dependent in self.dependents(uid) {
            self.check_reference(&dependent, uid, outcome);
        }
    }

    /// Looks at one reference to an observed owner; if it does not fit, the dependent is looked at,
    /// and people are told if the owner is in another namespace.
    fn check_reference(&self, dependent: &Uid, owner: &Uid, outcome: &mut Outcome) {
        let (Some(node), Some(owner_node)) = (self.nodes.get(dependent), self.nodes.get(owner))
        else {
            return;
        };
        for reference in node
            .owners
            .iter()
            .filter(|reference| reference.uid == *owner)
        {
            if !owner_node.observed || self.fits(reference, node, owner_node) {
                continue;
            }
            if !owner_node.namespace.is_empty() && owner_node.namespace != node.namespace {
                outcome.invalid.push(Invalid {
                    dependent: self.identity(dependent, node),
                    owner: self.owner(reference),
                });
            }
            let work = Work::Attempt(dependent.clone());
            if !outcome.work.contains(&work) {
                outcome.work.push(work);
            }
        }
    }

    /// Moves a dependent from its old owners to its new ones.
    fn move_references(
        &mut self,
        uid: &Uid,
        old: &[Reference],
        new: &[Reference],
        outcome: &mut Outcome,
    ) {
        for reference in old {
            let kept = new.iter().find(|kept| kept.uid == reference.uid);
            if kept.is_none() {
                self.remove_dependent(&reference.uid, uid);
            }
            if reference.blocks && !kept.is_some_and(|kept| kept.blocks) {
                outcome.work.push(Work::Attempt(reference.uid.clone()));
            }
        }
        for reference in new {
            let owner = self.nodes.get_mut(&reference.uid);
            match owner {
                Some(owner) => {
                    owner.dependents.insert(uid.clone());
                    if !owner.observed {
                        outcome.work.push(Work::Attempt(reference.uid.clone()));
                    }
                }
                None => {
                    // Nobody has shown this owner: it is assumed, and asked for.
                    let namespace = match self.kinds[reference.kind.0 as usize].scope {
                        Some(Scope::Cluster) => self.intern(""),
                        Some(Scope::Namespaced) | None => {
                            let node = self.nodes.get(uid);
                            node.map_or_else(|| Arc::from(""), |node| Arc::clone(&node.namespace))
                        }
                    };
                    let node = Node {
                        kind: reference.kind,
                        namespace,
                        name: reference.name.clone(),
                        revision: 0,
                        owners: Box::default(),
                        dependents: BTreeSet::from([uid.clone()]),
                        observed: false,
                        leaving: false,
                        foreground: false,
                        orphan: false,
                    };
                    self.nodes.insert(reference.uid.clone(), node);
                    outcome.work.push(Work::Attempt(reference.uid.clone()));
                }
            }
            if !old.contains(reference) {
                self.check_reference(uid, &reference.uid, outcome);
                // A new dependent of an owner that waits for its dependents goes as well.
                let owner = self.nodes.get(&reference.uid);
                if owner.is_some_and(|owner| owner.leaving && owner.foreground) {
                    outcome.work.push(Work::Attempt(uid.clone()));
                }
            }
        }
    }

    fn remove_dependent(&mut self, owner: &Uid, dependent: &Uid) {
        let Some(node) = self.nodes.get_mut(owner) else {
            return;
        };
        node.dependents.remove(dependent);
        // Nobody names an assumed owner any more.
        if !node.observed && node.dependents.is_empty() {
            self.nodes.remove(owner);
        }
    }

    /// The dependents in order, so that equal worlds give equal work.
    fn dependents(&self, uid: &Uid) -> impl Iterator<Item = Uid> {
        let node = self.nodes.get(uid);
        node.into_iter()
            .flat_map(|node| node.dependents.iter().cloned())
    }

    fn remember_absent(&mut self, mut reference: Reference, namespace: Arc<str>) {
        reference.blocks = false;
        let entry = (reference, namespace);
        if !self.absent.insert(entry.clone()) {
            return;
        }
        self.absent_order.push_back(entry);
        if self.absent_order.len() > ABSENT_MAX
            && let Some(oldest) = self.absent_order.pop_front()
        {
            self.absent.remove(&oldest);
        }
    }

    fn reference(&mut self, owner: &Owner) -> Reference {
        Reference {
            uid: owner.uid.clone(),
            kind: self.kind(&owner.api_version, &owner.kind, None),
            name: owner.name.clone(),
            blocks: owner.block_owner_deletion == Some(true),
        }
    }

    fn owner(&self, reference: &Reference) -> Owner {
        let entry = &self.kinds[reference.kind.0 as usize];
        Owner {
            api_version: Box::from(&*entry.api_version),
            kind: Box::from(&*entry.kind),
            name: reference.name.clone(),
            uid: reference.uid.clone(),
            controller: None,
            block_owner_deletion: None,
        }
    }

    fn identity(&self, uid: &Uid, node: &Node) -> Identity {
        let entry = &self.kinds[node.kind.0 as usize];
        Identity {
            api_version: Arc::clone(&entry.api_version),
            kind: Arc::clone(&entry.kind),
            namespace: Arc::clone(&node.namespace),
            name: node.name.clone(),
            uid: uid.clone(),
        }
    }

    /// Returns where a dependent's reference says its owner is.
    fn owner_identity(&self, reference: &Reference, dependent: &Node) -> Identity {
        let entry = &self.kinds[reference.kind.0 as usize];
        Identity {
            api_version: Arc::clone(&entry.api_version),
            kind: Arc::clone(&entry.kind),
            namespace: match entry.scope {
                Some(Scope::Cluster) => Arc::from(""),
                Some(Scope::Namespaced) | None => Arc::clone(&dependent.namespace),
            },
            name: reference.name.clone(),
            uid: reference.uid.clone(),
        }
    }

    fn intern(&mut self, namespace: &str) -> Arc<str> {
        if let Some(held) = self.namespaces.get(namespace) {
            return Arc::clone(held);
        }
        // Namespaces come and go; those that no node names any more are let go of.
        if self.namespaces.len() >= self.namespaces_pruned_at.max(NAMESPACES_MIN) {
            self.namespaces.retain(|held| Arc::strong_count(held) > 1);
            self.namespaces_pruned_at = self.namespaces.len() * 2;
        }
        let held: Arc<str> = namespace.into();
        self.namespaces.insert(Arc::clone(&held));
        held
    }
}

#[cfg(test)]
mod tests;
