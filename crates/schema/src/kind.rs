//! A kind: everything the server must know to serve one sort of object.
//!
//! A kind is a value. pintle hands built-in kinds to the server, and the server compiles the same
//! value from a CustomResourceDefinition. Whatever differs beyond data is a [`Behavior`].

use std::{fmt, sync::Arc, time::Duration};

use api::{
    GroupVersion, Status, Text, Value, json::Part, names::validate::NameRule, status::Cause,
};
use base::WallTime;

use crate::{Action, ResourceName, Shape, cel::Expression};

/// One sort of object: its names, its versions and how it behaves.
#[derive(Clone, Debug)]
pub struct Kind {
    /// Its names, the same in every version.
    pub names: Names,
    /// Namespaced or cluster-scoped.
    pub scope: Scope,
    /// Versions in order of preference; a version may lie in another group (Events, HPA).
    pub versions: Vec<KindVersion>,
    /// Place in `versions` of the one that is stored.
    pub storage: usize,
    /// Prefix of its keys in the store after `/registry/`, without slashes at the ends:
    /// `pods`, `services/specs`, `example.com/foos`.
    pub key_prefix: Text,
    /// How versions become one another.
    pub conversion: Conversion,
    /// What it does beyond its data.
    pub behavior: Arc<dyn Behavior>,
    /// What its objects may do that others may not.
    pub traits: Traits,
}

/// The names of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// `deployments`
    pub plural: Text,
    /// `deployment`
    pub singular: Text,
    /// `Deployment`
    pub kind: Text,
    /// `DeploymentList`
    pub list_kind: Text,
    /// `deploy`
    pub short_names: Vec<Text>,
    /// `all`
    pub categories: Vec<Text>,
}

/// Where objects of a kind live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In a namespace.
    Namespaced,
    /// Beside the namespaces.
    Cluster,
}

/// Verbs a resource answers to, in upstream's words.
pub type Verbs = Vec<Text>;

/// One version of a kind.
#[derive(Clone, Debug)]
pub struct KindVersion {
    /// Group and version under which it is served.
    pub group_version: GroupVersion,
    /// Whether it is served at all.
    pub served: bool,
    /// Its fields.
    pub shape: Shape,
    /// Verbs of the main resource, in the order discovery prints them.
    pub verbs: Verbs,
    /// What lies under an object: `status`, `scale`, …
    pub subresources: Vec<Subresource>,
    /// Columns of its table, without what `Behavior::table` adds.
    pub columns: Vec<Column>,
    /// Warning to send with each answer; absent unless deprecated.
    pub deprecation: Option<Text>,
    /// Field selectors besides `metadata.name` and `metadata.namespace`, with the path each reads.
    pub selectable: Vec<Selectable>,
    /// `storageVersionHash` in discovery.
    pub storage_hash: Text,
}

/// A field that a field selector may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selectable {
    /// Label in the selector: `spec.nodeName`.
    pub label: Text,
    /// Path of field names to the value.
    pub path: Vec<Text>,
    /// Path that is read where the first leads to nothing or to no text; empty for none.
    pub otherwise: Vec<Text>,
    /// What an absent value counts as.
    pub absent: Text,
}

/// What objects of a kind may do that others may not, or must.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// PUT without resourceVersion overwrites (`AllowUnconditionalUpdate`).
    pub unconditional_update: bool,
    /// PUT to a missing name creates (`AllowCreateOnUpdate`).
    pub create_on_update: bool,
    /// Deleting answers with the object instead of a Status.
    pub returns_deleted: bool,
    /// What names its objects may have.
    pub name_rule: NameRule,
    /// Top-level fields whose change bumps `metadata.generation`; empty for kinds without one.
    pub generation: Generation,
    /// Objects are never stored: creating one asks a question (`SubjectAccessReview`).
    pub virtual_kind: bool,
    /// Creating one changes the object of the same name through a subresource instead: the
    /// resource of that object, and the subresource (`Binding`).
    pub stands_for: Option<(ResourceName, &'static str)>,
    /// No protobuf and no strategic merge patch: a custom resource.
    pub custom: bool,
    /// A delete that names no policy leaves dependents behind (`OrphanDependents`: jobs and other
    /// old kinds).
    pub orphans_by_default: bool,
    /// The garbage collector never waits for it, so a delete sets no finalizer (events).
    pub uncollected: bool,
    /// Deletion also waits until `spec.finalizers` is empty (namespaces); their status says
    /// `phase: Terminating` meanwhile.
    pub spec_finalizers: bool,
    /// A crash may take back the last moment of writes (leases, events): they are soon repeated.
    pub relaxed: bool,
    /// How long objects stay if nobody deletes them.
    pub lifetime: Lifetime,
}

/// How long objects of a kind stay if nobody deletes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// For ever.
    #[default]
    Endless,
    /// So long after they were last written; then they go, whoever holds them.
    AfterWrite(Duration),
    /// Each object says it itself; then it is deleted as by anyone.
    Own {
        /// Where: a time, or what is counted from its creation (whole seconds, or a duration like
        /// `1h30m`). An object without a value there stays.
        path: Vec<Text>,
        /// So much longer.
        more: Duration,
    },
}

/// When `metadata.generation` moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Generation {
    /// It is not kept.
    #[default]
    None,
    /// When `spec` changes.
    Spec,
    /// When `spec` or an annotation changes.
    SpecAndAnnotations,
    /// When anything but metadata and (where it is a subresource) status changes.
    AllButStatus,
    /// The same, or when a label changes.
    AllButStatusAndLabels,
    /// Never: it is 1.
    Constant,
}

/// What lies under an object's path.
#[derive(Clone, Debug)]
pub struct Subresource {
    /// `status`, `scale`, `binding`, `log`
    pub name: Text,
    /// Kind of its bodies; the parent's kind for `status`.
    pub kind: Text,
    /// Group and version of its bodies.
    pub group_version: GroupVersion,
    /// Shape of its bodies.
    pub shape: Shape,
    /// Verbs, in upstream's words.
    pub verbs: Verbs,
    /// How it works.
    pub view: View,
}

/// How a subresource works.
#[derive(Clone)]
pub enum View {
    /// The whole object; only `status` (and what belongs to it) may change.
    Status,
    /// autoscaling/v1 Scale over these paths of field names.
    Scale(ScalePaths),
    /// The whole object; only what lies under this path may change, and through no other door.
    Part(Vec<Text>),
    /// A POST that changes the object as its definition says.
    Action(Arc<Action>),
    /// A pure function from object and body to object, taking the same write loop.
    Fold(Arc<dyn Fold>),
    /// An HTTP service is mounted here by pintle; absent until it is (answers 404 or as upstream).
    Service,
}

/// Where a scale subresource reads and writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScalePaths {
    /// Path of the wanted number: `spec.replicas`.
    pub spec: Vec<Text>,
    /// Path of the seen number: `status.replicas`.
    pub status: Vec<Text>,
    /// Path of the selector: a string, or a LabelSelector object; empty for none.
    pub selector: Vec<Text>,
}

/// A subresource that changes its object in its own way (`binding`, `finalize`, `approval`).
pub trait Fold: Send + Sync {
    /// Returns the body to show for an object (GET).
    ///
    /// # Errors
    /// The refusal to send.
    fn show(&self, object: &Value) -> Result<Value, Status>;

    /// Changes `object` as `body` asks (POST, PUT).
    ///
    /// # Errors
    /// The refusal to send, such as a 409 for a pod that is bound already.
    fn apply(&self, object: &mut Value, body: &Value) -> Result<(), Status>;
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.write_str("Status"),
            Self::Scale(paths) => f.debug_tuple("Scale").field(paths).finish(),
            Self::Part(path) => f.debug_tuple("Part").field(path).finish(),
            Self::Action(_) => f.write_str("Action"),
            Self::Fold(_) => f.write_str("Fold"),
            Self::Service => f.write_str("Service"),
        }
    }
}

/// How the versions of a kind become one another.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Conversion {
    /// Only `apiVersion` changes.
    #[default]
    None,
    /// [`Behavior::convert`] does it.
    Behavior,
    /// A webhook does it; the configuration is kept as it was given.
    Webhook(Value),
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Heading.
    pub name: Text,
    /// OpenAPI type: `string`, `integer`, `number`, `boolean`, `date`.
    pub kind: Text,
    /// OpenAPI format: `name` marks the name column.
    pub format: Text,
    /// Text for people.
    pub description: Text,
    /// 0 is always shown, more only with `-o wide`.
    pub priority: i32,
    /// JSONPath of the cell (custom resources); empty when `Behavior::table` makes it.
    pub path: Text,
    /// What computes the cell instead.
    pub expression: Option<Arc<Expression>>,
}

/// One cell of a table: any JSON value.
pub type Cell = Value;

/// What a request is about, as far as a [`Behavior`] may know it.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    /// Date and time of the request.
    pub now: WallTime,
    /// Version in which the object stands.
    pub group_version: &'a GroupVersion,
    /// Version that the client speaks.
    pub asked: &'a GroupVersion,
    /// Subresource through which it came; empty for the main resource.
    pub subresource: &'a str,
    /// Who asks.
    pub asker: Asker<'a>,
}

/// Who asks, as far as a [`Behavior`] may know them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asker<'a> {
    /// Name of the user; empty for nobody.
    pub name: &'a str,
    /// Unique id, if it is known.
    pub uid: &'a str,
    /// Groups, in the order in which they were given.
    pub groups: &'a [Text],
    /// Further facts: key and values.
    pub extra: &'a [(Text, Vec<Text>)],
}

impl Asker<'_> {
    /// Nobody: what is shown is the same for everyone.
    pub const NOBODY: Self = Self {
        name: "",
        uid: "",
        groups: &[],
        extra: &[],
    };
}

/// What a kind does beyond its data. Pure: one object, its old self and the occasion.
///
/// Life of a write: decode → [`default`](Self::default) → admission (which sees the object so
/// defaulted) → [`prepare`](Self::prepare) → [`validate`](Self::validate) → bytes.
pub trait Behavior: Send + Sync + fmt::Debug {
    /// Sets what upstream's defaulting functions set beyond the declared defaults.
    fn default(&self, _occasion: Occasion<'_>, _object: &mut Value) {}

    /// Sets what the server owns: initial status, fields the client may not set. `old` is absent on create.
    fn prepare(&self, _occasion: Occasion<'_>, _object: &mut Value, _old: Option<&Value>) {}

    /// Returns what is wrong with the object.
    fn validate(
        &self,
        _occasion: Occasion<'_>,
        _object: &Value,
        _old: Option<&Value>,
    ) -> Vec<Cause> {
        Vec::new()
    }

    /// Returns warnings to send along with a write that was found right.
    fn warn(&self, _occasion: Occasion<'_>, _object: &Value, _old: Option<&Value>) -> Vec<String> {
        Vec::new()
    }

    /// Returns the cells of the object's table row, one per column of its version; `None` asks for
    /// the columns' own paths, or name and age.
    fn table(&self, _occasion: Occasion<'_>, _object: &Value) -> Option<Vec<Cell>> {
        None
    }

    /// Returns which fields of the stored version [`Behavior::table`] looks at; empty for all.
    ///
    /// For a large object whose row tells little, reading only those is several times faster.
    fn table_parts(&self) -> &'static [Part] {
        &[]
    }

    /// Turns an object of one version into another; only called with [`Conversion::Behavior`].
    ///
    /// # Errors
    /// The refusal to send.
    fn convert(&self, object: Value, _to: &GroupVersion) -> Result<Value, Status> {
        Ok(object)
    }

    /// Returns the fields that writes through this door do not reach, so that nobody owns them for
    /// such a write; `None` for what holds of most kinds: `status` on the object itself where that
    /// is a subresource, `spec` on its status.
    fn resets(&self, _occasion: Occasion<'_>) -> Option<&'static [&'static [&'static str]]> {
        None
    }

    /// Returns how long a delete waits by default, in seconds; `None` deletes at once.
    ///
    /// `asked` is what the caller wants, if anything.
    fn grace_seconds(&self, _object: &Value, _asked: Option<i64>) -> Option<i64> {
        None
    }
}

/// The behaviour of kinds that have none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Behavior for Plain {}

impl Kind {
    /// Returns the version that is stored.
    #[must_use]
    pub fn stored(&self) -> &KindVersion {
        &self.versions[self.storage]
    }

    /// Returns the version served under this group and version.
    #[must_use]
    pub fn version(&self, group_version: &GroupVersion) -> Option<&KindVersion> {
        self.versions
            .iter()
            .find(|version| version.group_version == *group_version)
    }

    /// Returns the group of the stored version, which messages name.
    #[must_use]
    pub fn group(&self) -> &Text {
        &self.stored().group_version.group
    }
}

impl KindVersion {
    /// Returns the subresource with this name.
    #[must_use]
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources
            .iter()
            .find(|subresource| subresource.name == name)
    }
}
