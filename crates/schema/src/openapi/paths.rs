//! Paths: which operations a resource has, with which parameters, on which kind.

use api::{GroupVersion, Object, Text, Value};

use super::{
    custom::{name_of, published},
    definitions::Definitions,
    group_version_kind,
    operation::{
        Answer, DELETE, DELETE_MANY, GET, GET_CUSTOM, LIST, Operation, PATCH, PRETTY, Parameters,
        Query, WRITE, in_path, item, options, query,
    },
};
use crate::{Action, Kind, KindVersion, Scope, Subresource, View};

/// What built-in kinds are answered in, and custom resources.
const TYPES: [&str; 3] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];
const TYPES_CUSTOM: [&str; 2] = ["application/json", "application/yaml"];
const TYPES_LIST: [&str; 5] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json;stream=watch",
    "application/vnd.kubernetes.protobuf;stream=watch",
];
const TYPES_TEXT: [&str; 4] = [
    "text/plain",
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];
pub(super) const ANYTHING: [&str; 1] = ["*/*"];
const PATCHES: [&str; 4] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];
const PATCHES_CUSTOM: [&str; 3] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
];
/// Methods of a proxy, with the verb that stands for each; two come with any verb.
const CONNECTS: [(&str, &str, &str); 7] = [
    ("delete", "Delete", "delete"),
    ("get", "Get", "get"),
    ("head", "Head", ""),
    ("options", "Options", ""),
    ("patch", "Patch", "patch"),
    ("post", "Post", "create"),
    ("put", "Put", "update"),
];

/// Adds the paths of one resource; `name` is its definition's.
pub(super) fn add(
    kind: &Kind,
    version: &KindVersion,
    name: &Text,
    definitions: &mut Definitions<'_>,
    paths: &mut Object,
) {
    let group_version = &version.group_version;
    let list = definitions
        .list(&version.shape, name, group_version, &kind.names.list_kind)
        .unwrap_or_else(|| {
            name_of(
                &group_version.group,
                &group_version.version,
                &kind.names.list_kind,
            )
        });
    let custom = kind.traits.custom;
    let mut of = Paths {
        kind,
        version,
        custom,
        gvk: group_version_kind(group_version, &kind.names.kind),
        tag: tag(&group_version.group, &group_version.version),
        prefix: format!("{}/", root(group_version)),
        body: if custom { &TYPES_CUSTOM } else { &ANYTHING },
        types: if custom { &TYPES_CUSTOM } else { &TYPES },
        name: name.clone(),
        list,
        definitions,
        paths,
    };
    of.collection();
    of.one();
    for subresource in &version.subresources {
        if subresource.kind.ends_with("Options") {
            of.connect(subresource);
        } else {
            of.below(subresource);
        }
    }
    if !custom && of.has("watch") {
        of.watches();
    }
}

struct Paths<'a, 'b> {
    kind: &'a Kind,
    version: &'a KindVersion,
    custom: bool,
    gvk: Value,
    tag: Text,
    /// `/apis/apps/v1/`
    prefix: String,
    /// Media types of bodies.
    body: &'static [&'static str],
    /// Media types of answers.
    types: &'static [&'static str],
    name: Text,
    list: Text,
    definitions: &'a mut Definitions<'b>,
    paths: &'a mut Object,
}

impl Paths<'_, '_> {
    fn has(&self, verb: &str) -> bool {
        self.version.verbs.iter().any(|known| known == verb)
    }

    fn is_namespaced(&self) -> bool {
        self.kind.scope == Scope::Namespaced
    }

    /// Returns the kind's name in operations: `NamespacedPod`.
    fn noun(&self) -> String {
        let namespaced = if self.is_namespaced() {
            "Namespaced"
        } else {
            ""
        };
        format!("{namespaced}{}", self.kind.names.kind)
    }

    /// Returns the path of the collection, within a namespace if it lies in one.
    fn place(&self, before: &str) -> String {
        let namespace = if self.is_namespaced() {
            "namespaces/{namespace}/"
        } else {
            ""
        };
        format!(
            "{}{before}{namespace}{}",
            self.prefix, self.kind.names.plural
        )
    }

    /// Returns the parameters of a path below the collection and its query; `of` is the kind that
    /// is named, if the path has a name in it.
    fn parameters(&self, names: &Query, of: Option<&str>) -> Parameters {
        let mut parameters = Parameters::new();
        query(&mut parameters, names, self.definitions);
        self.place_parameters(&mut parameters, of);
        parameters
    }

    fn place_parameters(&self, parameters: &mut Parameters, of: Option<&str>) {
        if let Some(kind) = of {
            in_path(parameters, "name", Some(&format!("name of the {kind}")));
        }
        if self.is_namespaced() {
            in_path(parameters, "namespace", None);
        }
    }

    /// Returns an operation that answers with this definition.
    fn operation(
        &self,
        (method, verb, action): (&'static str, &str, &'static str),
        noun: &str,
        description: String,
        mut parameters: Parameters,
        answer: &Text,
    ) -> Operation {
        query(&mut parameters, &[PRETTY], self.definitions);
        Operation {
            method,
            tag: self.tag.clone(),
            id: id(&self.version.group_version, verb, noun),
            description,
            action: Some(action),
            gvk: Some(self.gvk.clone()),
            parameters,
            body: None,
            codes: &[],
            types: self.types,
            answer: Answer::Of(answer.clone()),
        }
    }

    fn collection(&mut self) {
        let kind = &self.kind.names.kind;
        let noun = self.noun();
        let mut operations = Vec::new();
        if self.has("list") {
            let words = if self.has("watch") && !self.custom {
                "list or watch"
            } else {
                "list"
            };
            let describe = || format!("{words} objects of kind {kind}");
            let list = |noun: &str, parameters: Parameters| Operation {
                types: if self.custom { self.types } else { &TYPES_LIST },
                ..self.operation(
                    ("get", "list", "list"),
                    noun,
                    describe(),
                    parameters,
                    &self.list,
                )
            };
            operations.push(list(&noun, self.parameters(&LIST, None)));
            if self.is_namespaced() {
                let mut parameters = Parameters::new();
                query(&mut parameters, &LIST, self.definitions);
                let everywhere = list(&format!("{kind}ForAllNamespaces"), parameters);
                let path = format!("{}{}", self.prefix, self.kind.names.plural);
                self.paths.insert(path, item(vec![everywhere]));
            }
        }
        if self.has("create") {
            let description = format!("create{}{kind}", article(kind));
            let parameters = self.parameters(&WRITE, None);
            operations.push(Operation {
                body: Some((self.body, self.name.clone(), true)),
                codes: &[201, 202],
                ..self.operation(
                    ("post", "create", "post"),
                    &noun,
                    description,
                    parameters,
                    &self.name,
                )
            });
        }
        if self.has("deletecollection") {
            let description = format!("delete collection of {kind}");
            let status = self.status();
            let words = ("delete", "deletecollection", "deletecollection");
            let names: &Query = if self.custom { &LIST } else { &DELETE_MANY };
            let parameters = self.parameters(names, None);
            // Upstream's builder of custom resources forgets the body.
            let body = (!self.custom).then(|| (self.body, self.delete_options(), false));
            operations.push(Operation {
                body,
                ..self.operation(words, &noun, description, parameters, &status)
            });
        }
        self.put(self.place(""), operations);
    }

    fn one(&mut self) {
        let kind = self.kind.names.kind.clone();
        let name = self.name.clone();
        let has = |verb: &str| self.version.verbs.iter().any(|known| known == verb);
        let mut operations = self.on_object(&has, "", &kind, &name);
        if has("delete") {
            // Upstream's documents promise a status of namespaces, whatever it sends.
            let traits = &self.kind.traits;
            let answer = if traits.returns_deleted && !traits.spec_finalizers {
                name
            } else {
                self.status()
            };
            let description = format!("delete{}{kind}", article(&kind));
            let body = Some((self.body, self.delete_options(), false));
            let parameters = self.parameters(&DELETE, Some(&kind));
            operations.push(Operation {
                body,
                codes: &[202],
                ..self.operation(
                    ("delete", "delete", "delete"),
                    &self.noun(),
                    description,
                    parameters,
                    &answer,
                )
            });
        }
        self.put(format!("{}/{{name}}", self.place("")), operations);
    }

    /// Returns what can be done with an object, or with what lies `below` it.
    fn on_object(
        &mut self,
        has: &dyn Fn(&str) -> bool,
        below: &str,
        named: &str,
        name: &Text,
    ) -> Vec<Operation> {
        let kind = &self.kind.names.kind;
        let noun = format!("{}{}", self.noun(), title(below));
        let of = match below {
            "" => String::new(),
            below => format!(" {below} of"),
        };
        let mut operations = Vec::new();
        if has("get") {
            let names: &Query = if self.custom { &GET_CUSTOM } else { &GET };
            let description = format!("read{of} the specified {kind}");
            let parameters = self.parameters(names, Some(named));
            operations.push(self.operation(
                ("get", "read", "get"),
                &noun,
                description,
                parameters,
                name,
            ));
        }
        if has("update") {
            let description = format!("replace{of} the specified {kind}");
            let parameters = self.parameters(&WRITE, Some(named));
            operations.push(Operation {
                body: Some((self.body, name.clone(), true)),
                codes: &[201],
                ..self.operation(
                    ("put", "replace", "put"),
                    &noun,
                    description,
                    parameters,
                    name,
                )
            });
        }
        if has("patch") {
            let description = format!("partially update{of} the specified {kind}");
            let patch = self.definitions.meta_type("Patch");
            let parameters = self.parameters(&PATCH, Some(named));
            let (types, codes): (&[&str], &[u16]) = if self.custom {
                (&PATCHES_CUSTOM, &[])
            } else {
                (&PATCHES, &[201])
            };
            operations.push(Operation {
                body: Some((types, patch, true)),
                codes,
                ..self.operation(
                    ("patch", "patch", "patch"),
                    &noun,
                    description,
                    parameters,
                    name,
                )
            });
        }
        operations
    }

    /// Adds a subresource that has bodies, or text to read.
    fn below(&mut self, subresource: &Subresource) {
        let group_version = &subresource.group_version;
        let kind = &subresource.kind;
        let is_own = matches!(
            subresource.view,
            View::Status | View::Part(_) | View::Action(_)
        );
        let body = if is_own {
            self.name.clone()
        } else {
            self.definitions
                .kind(&subresource.shape, group_version, kind)
        };
        let gvk = self.gvk.clone();
        // Upstream's builder of custom resources names the resource, whatever the body is.
        if !is_own && !self.custom {
            self.gvk = group_version_kind(group_version, kind);
        }
        let named = if self.custom {
            &self.kind.names.kind
        } else {
            kind
        };
        let has = |verb: &str| subresource.verbs.iter().any(|known| known == verb);
        let mut operations = self.on_object(&has, &subresource.name, named, &body);
        if has("create") {
            let parent = &self.kind.names.kind;
            let description = format!("create {} of{}{parent}", subresource.name, article(parent));
            let noun = format!("{}{}", self.noun(), title(&subresource.name));
            let parameters = self.parameters(&WRITE, Some(named));
            let (posted, codes): (Option<Text>, &[u16]) = match &subresource.view {
                View::Action(action) => (self.posted(subresource, action), &[]),
                _ => (Some(body.clone()), &[201, 202]),
            };
            operations.push(Operation {
                body: posted.map(|posted| (self.body, posted, true)),
                codes,
                ..self.operation(
                    ("post", "create", "post"),
                    &noun,
                    description,
                    parameters,
                    &body,
                )
            });
        }
        let is_text = matches!(subresource.view, View::Service) && has("get");
        if is_text && let Some(read) = operations.iter_mut().find(|one| one.method == "get") {
            read.types = &TYPES_TEXT;
            read.answer = Answer::Text;
            let package = self
                .name
                .rsplit_once('.')
                .map_or("", |(package, _)| package);
            let name = format!("{package}.{kind}{}Options", title(&subresource.name));
            if let Some(shape) = self.definitions.shape(&name) {
                options(&mut read.parameters, &shape);
            }
        }
        self.put(
            format!("{}/{{name}}/{}", self.place(""), subresource.name),
            operations,
        );
        self.gvk = gvk;
    }

    /// Defines what is posted to an action; none if nothing is.
    fn posted(&mut self, subresource: &Subresource, action: &Action) -> Option<Text> {
        let schema = action.said().parameters.as_ref()?;
        let words: String = subresource.name.split('-').map(title).collect();
        let GroupVersion { group, version } = &self.version.group_version;
        let kind = format!("{}{words}Parameters", self.kind.names.kind);
        let name = name_of(group, version, &kind);
        let meta = self.definitions.object_meta();
        self.definitions.add(name.clone(), published(schema, &meta));
        Some(name)
    }

    /// Adds a subresource that is a conversation.
    fn connect(&mut self, subresource: &Subresource) {
        let kind = &self.kind.names.kind;
        let is_proxy = subresource.verbs.iter().any(|verb| verb == "update");
        let gvk = group_version_kind(&subresource.group_version, &subresource.kind);
        for (path, suffix) in [("", ""), ("/{path}", "WithPath")] {
            if !is_proxy && !path.is_empty() {
                continue;
            }
            let mut parameters = self.parameters(&[], Some(&subresource.kind));
            options(&mut parameters, &subresource.shape);
            if is_proxy && !path.is_empty() {
                in_path(&mut parameters, "path", Some("path to the resource"));
            }
            let mut operations = Vec::new();
            for (method, word, verb) in CONNECTS {
                let is_there = match verb {
                    "" => is_proxy,
                    verb => subresource.verbs.iter().any(|known| known == verb),
                };
                if !is_there {
                    continue;
                }
                let noun = format!("{word}{}{}{suffix}", self.noun(), title(&subresource.name));
                operations.push(Operation {
                    method,
                    tag: self.tag.clone(),
                    id: id(&self.version.group_version, "connect", &noun),
                    description: format!(
                        "connect {} requests to {} of {kind}",
                        method.to_ascii_uppercase(),
                        subresource.name
                    ),
                    action: Some("connect"),
                    gvk: Some(gvk.clone()),
                    parameters: parameters.clone(),
                    body: None,
                    codes: &[],
                    types: &ANYTHING,
                    answer: Answer::Text,
                });
            }
            self.put(
                format!("{}/{{name}}/{}{path}", self.place(""), subresource.name),
                operations,
            );
        }
    }

    /// Adds the paths that watch, which upstream still serves.
    fn watches(&mut self) {
        const INSTEAD: &str = "deprecated: use the 'watch' parameter with a list operation instead";
        let kind = self.kind.names.kind.clone();
        let event = self.definitions.meta_type("WatchEvent");
        self.mark(&event, "WatchEvent");
        let many = format!("watch individual changes to a list of {kind}. {INSTEAD}.");
        let one = format!(
            "watch changes to an object of kind {kind}. {INSTEAD}, filtered to a single item with the 'fieldSelector' parameter."
        );
        let noun = self.noun();
        let mut all = vec![(
            self.place("watch/"),
            format!("{noun}List"),
            many.clone(),
            self.parameters(&LIST, None),
            "watchlist",
        )];
        if self.has("get") {
            all.push((
                format!("{}/{{name}}", self.place("watch/")),
                noun,
                one,
                self.parameters(&LIST, Some(&kind)),
                "watch",
            ));
        }
        if self.is_namespaced() {
            let mut parameters = Parameters::new();
            query(&mut parameters, &LIST, self.definitions);
            all.push((
                format!("{}watch/{}", self.prefix, self.kind.names.plural),
                format!("{kind}ListForAllNamespaces"),
                many,
                parameters,
                "watchlist",
            ));
        }
        for (path, noun, description, parameters, action) in all {
            let words = ("get", "watch", action);
            let operation = Operation {
                types: &TYPES_LIST,
                ..self.operation(words, &noun, description, parameters, &event)
            };
            self.put(path, vec![operation]);
        }
    }

    fn put(&mut self, path: String, operations: Vec<Operation>) {
        if !operations.is_empty() {
            self.paths.insert(path, item(operations));
        }
    }

    fn status(&mut self) -> Text {
        let status = self.definitions.meta_type("Status");
        let core = GroupVersion::new("", "v1");
        self.definitions.mark(&status, &core, "Status");
        status
    }

    fn delete_options(&mut self) -> Text {
        let options = self.definitions.meta_type("DeleteOptions");
        self.mark(&options, "DeleteOptions");
        options
    }

    /// Writes at a type that belongs to every group that it belongs to this one.
    fn mark(&mut self, name: &str, kind: &str) {
        let core = GroupVersion::new("", "v1");
        self.definitions.mark(name, &core, kind);
        if !self.custom {
            self.definitions
                .mark(name, &self.version.group_version, kind);
        }
    }
}

/// Returns the path under which a group and version is served: `/apis/apps/v1`.
pub(super) fn root(group_version: &GroupVersion) -> String {
    if group_version.group.is_empty() {
        format!("/api/{}", group_version.version)
    } else {
        format!("/apis/{group_version}")
    }
}

/// Returns the id of an operation: `listAppsV1NamespacedDeployment`.
pub(super) fn id(group_version: &GroupVersion, verb: &str, noun: &str) -> String {
    let group = word(short(&group_version.group), true);
    let version = word(&group_version.version, true);
    // The verb ends where the first verb that upstream knows ends.
    match verb.strip_prefix("delete") {
        Some(more) => format!("delete{group}{version}{}{noun}", title(more)),
        None => format!("{verb}{group}{version}{noun}"),
    }
}

/// Returns the tag of a group-version's operations: `apps_v1`, `core_v1`.
pub(super) fn tag(group: &str, version: &str) -> Text {
    let group = word(short(group), false);
    Text::from(format!("{group}_{}", word(version, false)))
}

/// Returns a group's name without what most of them end in.
pub(super) fn short(group: &str) -> &str {
    match group.strip_suffix(".k8s.io").unwrap_or(group) {
        "" => "core",
        short => short,
    }
}

/// Returns the text as one word: what follows a sign begins with a capital.
pub(super) fn word(text: &str, mut capital: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for (place, letter) in text.chars().enumerate() {
        if letter.is_alphabetic() || letter == '_' || (place != 0 && letter.is_numeric()) {
            if capital {
                out.extend(letter.to_uppercase());
                capital = false;
            } else {
                out.push(letter);
            }
        } else {
            capital = true;
        }
    }
    out
}

fn title(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Returns the article of a kind with spaces around it; plurals have none.
fn article(kind: &str) -> &'static str {
    let first = kind
        .chars()
        .next()
        .map(|letter| letter.to_ascii_lowercase());
    match first {
        _ if kind.ends_with('s') && !kind.ends_with("ss") => " ",
        Some('a' | 'e' | 'i' | 'o' | 'u') => " an ",
        _ => " a ",
    }
}

#[cfg(test)]
mod tests {
    use api::GroupVersion;

    use super::{article, id, tag};

    #[track_caller]
    fn check(group: &str, version: &str, verb: &str, expected: (&str, &str)) {
        let group_version = GroupVersion::new(group, version);
        let found = (
            tag(group, version),
            id(&group_version, verb, "NamespacedPod"),
        );
        assert_eq!((&*found.0, &*found.1), expected);
    }

    #[test]
    fn names_operations_as_upstream() {
        check("", "v1", "list", ("core_v1", "listCoreV1NamespacedPod"));
        check(
            "rbac.authorization.k8s.io",
            "v1",
            "read",
            (
                "rbacAuthorization_v1",
                "readRbacAuthorizationV1NamespacedPod",
            ),
        );
        check(
            "rich.example.com",
            "v2alpha1",
            "deletecollection",
            (
                "richExampleCom_v2alpha1",
                "deleteRichExampleComV2alpha1CollectionNamespacedPod",
            ),
        );
    }

    #[test]
    fn plurals_have_no_article() {
        let of = ["Endpoints", "IngressClass", "Event", "Pod"].map(article);
        assert_eq!(of, [" ", " an ", " an ", " a "]);
    }
}
