//! On what terms? The rules that change or refuse what is written.
//!
//! A write meets them twice: every rule may *change* the object, in the order of [`ORDER`]; later,
//! when the object is complete and valid, every rule may *refuse* it, in the same order. Rules see the
//! request, the object, its old self and the [`World`]; they do nothing but answer.
//!
//! A rule that misses something which others are about to make (a service account in a fresh
//! namespace) says so in [`Refusal::awaits`]; whoever asked may wait for it and ask again.

mod certificates;
mod defaults;
mod limits;
mod namespaces;
mod pods;
mod priority;
mod runtime;
mod service_accounts;
mod storage;

use api::{Meta, Status, Value};
use base::{Rng, WallTime};

use crate::{
    User, World,
    allow::{Allow, Attributes, escalation},
    world::Resource,
};

pub use defaults::Classes;
pub use limits::LimitRanges;
pub use priority::PriorityClasses;

/// What is being done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It is new.
    Create,
    /// It is changed: update, patch or apply.
    Update,
    /// It is deleted.
    Delete,
    /// Someone connects to it: exec, attach, portforward, proxy.
    Connect,
}

/// A request, as rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who.
    pub user: &'a User,
    /// What is done.
    pub operation: Operation,
    /// API group.
    pub group: &'a str,
    /// API version.
    pub version: &'a str,
    /// Plural.
    pub resource: &'a str,
    /// Subresource, or nothing.
    pub subresource: &'a str,
    /// Namespace, or nothing. Of a namespace itself: its name.
    pub namespace: &'a str,
    /// Name in the path; empty on create.
    pub name: &'a str,
    /// Nothing will be written.
    pub dry_run: bool,
}

/// What rules may look at, and chance.
pub struct Around<'a> {
    /// The cluster.
    pub world: &'a dyn World,
    /// Who may do what.
    pub allow: &'a Allow,
    /// Date and time.
    pub now: WallTime,
    /// Chance, for names.
    pub rng: &'a mut Rng,
}

/// A rule says no.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The answer.
    pub status: Box<Status>,
    /// What was missing, if someone is likely to make it soon.
    pub awaits: Option<Await>,
}

/// An object that is likely to appear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Await {
    /// Its resource.
    pub resource: Resource,
    /// Its namespace, or nothing.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// A place in the order: a rule, or one that is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A rule of this room.
    Rule(Rule),
    /// Not here yet; listed so that its place is known.
    Later(&'static str),
}

/// The rules of this room, by upstream's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are upstream's own words")]
pub enum Rule {
    NamespaceLifecycle,
    LimitRanger,
    ServiceAccount,
    TaintNodesByCondition,
    Priority,
    DefaultTolerationSeconds,
    DefaultStorageClass,
    StorageObjectInUseProtection,
    PersistentVolumeClaimResize,
    RuntimeClass,
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
    DefaultIngressClass,
    /// Not upstream's name: there the check lies in the storage of the four kinds, after all that
    /// changes the object.
    RbacEscalation,
}

/// The order of all rules that are on by default.
pub const ORDER: &[Place] = &[
    Place::Rule(Rule::NamespaceLifecycle),
    Place::Rule(Rule::LimitRanger),
    Place::Rule(Rule::ServiceAccount),
    Place::Rule(Rule::TaintNodesByCondition),
    Place::Later("PodSecurity"),
    Place::Rule(Rule::Priority),
    Place::Rule(Rule::DefaultTolerationSeconds),
    Place::Rule(Rule::DefaultStorageClass),
    Place::Rule(Rule::StorageObjectInUseProtection),
    Place::Later("PodGroupProtection"),
    Place::Rule(Rule::PersistentVolumeClaimResize),
    Place::Rule(Rule::RuntimeClass),
    Place::Rule(Rule::CertificateApproval),
    Place::Rule(Rule::CertificateSigning),
    Place::Later("ClusterTrustBundleAttest"),
    Place::Rule(Rule::CertificateSubjectRestriction),
    Place::Rule(Rule::DefaultIngressClass),
    Place::Later("PodTopologyLabels"),
    Place::Later("PodGroupWorkloadExists"),
    Place::Later("NodeDeclaredFeatureValidator"),
    Place::Later("JobValidation"),
    Place::Later("PodResizeValidator"),
    Place::Later("MutatingAdmissionPolicy"),
    Place::Later("MutatingAdmissionWebhook"),
    Place::Later("ValidatingAdmissionPolicy"),
    Place::Later("ValidatingAdmissionWebhook"),
    Place::Later("ResourceQuota"),
    Place::Rule(Rule::RbacEscalation),
];

/// The rules, with what they have compiled of the world.
#[derive(Default)]
pub struct Admit {
    off: Vec<Rule>,
    priority_classes: PriorityClasses,
    classes: Classes,
    limit_ranges: LimitRanges,
}

impl Rule {
    /// Returns the rule of upstream's name, if it is one that can be switched.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        rules()
            .filter(|rule| *rule != Self::RbacEscalation)
            .find(|rule| format!("{rule:?}") == name)
    }
}

impl Admit {
    /// Returns all rules but these.
    #[must_use]
    pub fn without(off: &[Rule]) -> Self {
        Self {
            off: off.to_vec(),
            ..Self::default()
        }
    }

    fn rules(&self) -> impl Iterator<Item = Rule> {
        rules().filter(|rule| !self.off.contains(rule))
    }

    /// Lets every rule change the object. It is null where there is none: deletes and connects.
    ///
    /// # Errors
    /// The first refusal.
    pub fn change(
        &self,
        request: &Request<'_>,
        object: &mut Value,
        old: Option<&Value>,
        around: &mut Around<'_>,
    ) -> Result<(), Refusal> {
        for rule in self.rules() {
            self.change_by(rule, request, object, old, around)?;
        }
        Ok(())
    }

    /// Lets every rule refuse the complete object.
    ///
    /// # Errors
    /// The first refusal.
    pub fn check(
        &self,
        request: &Request<'_>,
        object: &Value,
        old: Option<&Value>,
        around: &mut Around<'_>,
    ) -> Result<(), Refusal> {
        for rule in self.rules() {
            self.check_by(rule, request, object, old, around)?;
        }
        Ok(())
    }

    fn change_by(
        &self,
        rule: Rule,
        request: &Request<'_>,
        object: &mut Value,
        old: Option<&Value>,
        around: &mut Around<'_>,
    ) -> Result<(), Refusal> {
        match rule {
            Rule::NamespaceLifecycle => namespaces::change(request, object, around),
            Rule::LimitRanger => self.limit_ranges.change(request, object, around),
            Rule::ServiceAccount => service_accounts::change(request, object, around),
            Rule::TaintNodesByCondition => defaults::taint_node(request, object),
            Rule::Priority => self.priority_classes.change(request, object, old, around),
            Rule::DefaultTolerationSeconds => pods::default_tolerations(request, object),
            Rule::DefaultStorageClass => self.classes.default_storage(request, object, around),
            Rule::StorageObjectInUseProtection => storage::protect(request, object),
            Rule::RuntimeClass => runtime::change(request, object, around),
            Rule::DefaultIngressClass => self.classes.default_ingress(request, object, around),
            Rule::RbacEscalation => no_escalation(request, object, old, around),
            Rule::PersistentVolumeClaimResize
            | Rule::CertificateApproval
            | Rule::CertificateSigning
            | Rule::CertificateSubjectRestriction => Ok(()),
        }
    }

    fn check_by(
        &self,
        rule: Rule,
        request: &Request<'_>,
        object: &Value,
        old: Option<&Value>,
        around: &mut Around<'_>,
    ) -> Result<(), Refusal> {
        match rule {
            Rule::LimitRanger => self.limit_ranges.check(request, object, old, around),
            Rule::ServiceAccount => service_accounts::check(request, object, around),
            Rule::Priority => self.priority_classes.check(request, object, around),
            Rule::PersistentVolumeClaimResize => storage::resize(request, object, old, around),
            Rule::RuntimeClass => runtime::check(request, object, around),
            Rule::CertificateApproval => certificates::approve(request, old, around),
            Rule::CertificateSigning => certificates::sign(request, object, old, around),
            Rule::CertificateSubjectRestriction => certificates::subject(request, object),
            Rule::NamespaceLifecycle
            | Rule::TaintNodesByCondition
            | Rule::DefaultTolerationSeconds
            | Rule::DefaultStorageClass
            | Rule::StorageObjectInUseProtection
            | Rule::DefaultIngressClass
            | Rule::RbacEscalation => Ok(()),
        }
    }
}

fn rules() -> impl Iterator<Item = Rule> {
    ORDER.iter().filter_map(|place| match place {
        Place::Rule(rule) => Some(*rule),
        Place::Later(_) => None,
    })
}

fn no_escalation(
    request: &Request<'_>,
    object: &Value,
    old: Option<&Value>,
    around: &Around<'_>,
) -> Result<(), Refusal> {
    let writes = matches!(request.operation, Operation::Create | Operation::Update);
    if !writes || request.group != "rbac.authorization.k8s.io" || !request.subresource.is_empty() {
        return Ok(());
    }
    let write = escalation::Write {
        user: request.user,
        resource: request.resource,
        namespace: request.namespace,
        name: request.name,
        object,
        old,
    };
    escalation::check(&write, around.allow, around.world).map_err(Refusal::of)
}

impl Request<'_> {
    /// Returns whether the request is about objects of this resource themselves.
    fn is_on(&self, group: &str, resource: &str) -> bool {
        self.resource == resource && self.group == group && self.subresource.is_empty()
    }

    fn creates(&self, group: &str, resource: &str) -> bool {
        self.operation == Operation::Create && self.is_on(group, resource)
    }

    fn writes(&self, group: &str, resource: &str) -> bool {
        let writes = matches!(self.operation, Operation::Create | Operation::Update);
        writes && self.is_on(group, resource)
    }

    /// Returns the 403 of a rule. Names are not generated yet, so the beginning of one stands for it.
    fn forbidden(&self, object: &Value, why: impl Into<String>) -> Refusal {
        let meta = Meta::of(object);
        let known = [self.name, meta.name(), meta.generate_name()];
        let name = known.into_iter().find(|name| !name.is_empty());
        let name = name.unwrap_or("Unknown");
        let status = Status::forbidden(self.group, self.resource, name, &why.into());
        Refusal::of(status)
    }

    /// Returns the attributes of the same user doing something else.
    fn also<'b>(&'b self, verb: &'b str, group: &'b str, resource: &'b str) -> Attributes<'b> {
        Attributes {
            version: "*",
            ..Attributes::resource(self.user, verb, group, resource)
        }
    }
}

impl Refusal {
    fn of(status: Status) -> Self {
        Self {
            status: Box::new(status),
            awaits: None,
        }
    }

    fn awaiting(mut self, resource: Resource, namespace: &str, name: &str) -> Self {
        self.awaits = Some(Await {
            resource,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        });
        self
    }
}

/// Returns the object of a list of the world, parsed.
fn read(bytes: &[u8]) -> Value {
    api::json::read(bytes).map_or(Value::Null, |parsed| parsed.value)
}

/// Returns the list under these names, made empty if it is missing or something else.
fn list_at<'a>(object: &'a mut Value, path: &[&str]) -> &'a mut Vec<Value> {
    let place = path
        .iter()
        .fold(object, |place, name| place.make_object().entry(name));
    if !matches!(place, Value::Array(_)) {
        *place = Value::Array(Vec::new());
    }
    place.as_array_mut().expect("it has just been made a list")
}

#[cfg(test)]
mod tests;
