//! Roles and bindings.
//!
//! Each of the four resources is compiled object by object; from all of them an index is made that
//! finds the bindings of a subject at once, their roles already looked up.

use std::{fmt, sync::Arc};

use api::{Meta, Text, Value, quote::quote};
use arc_swap::ArcSwapOption;
use hashbrown::HashMap;

use super::{Attributes, Decision, Reason, Rule};
use crate::{
    User, World,
    user::service_account_user,
    world::{Compiled, Resource},
};

/// Decides by roles and bindings.
pub struct Rbac {
    roles: Compiled<Role, Roles>,
    cluster_roles: Compiled<Role, Roles>,
    bindings: Compiled<Binding, Vec<Arc<Binding>>>,
    cluster_bindings: Compiled<Binding, Vec<Arc<Binding>>>,
    now: ArcSwapOption<Index>,
}

struct Role {
    namespace: Text,
    name: Text,
    rules: Arc<[Rule]>,
}

/// Rules by namespace and name.
type Roles = HashMap<(Text, Text), Arc<[Rule]>>;

struct Binding {
    namespace: Text,
    name: Text,
    role_kind: Text,
    role_name: Text,
    subjects: Vec<Subject>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Subject {
    kind: Text,
    namespace: Text,
    name: Text,
}

/// A binding that grants what was asked for, and the subject it grants it to.
#[derive(Clone)]
pub struct Granted {
    binding: Arc<Binding>,
    subject: usize,
}

#[derive(Default)]
struct Index {
    revisions: [u64; 4],
    cluster: Scope,
    namespaces: HashMap<Text, Scope>,
}

/// Bindings of one namespace, or of the cluster, by whom they are for.
#[derive(Default)]
struct Scope {
    users: HashMap<Text, Vec<Grant>>,
    groups: HashMap<Text, Vec<Grant>>,
}

/// A binding as one of its subjects sees it.
struct Grant {
    granted: Granted,
    /// The role's rules; the sentence about a role that is not there.
    rules: Result<Arc<[Rule]>, Arc<str>>,
}

impl Default for Rbac {
    fn default() -> Self {
        Self {
            roles: Compiled::new(Resource::ROLES, Role::of, join_roles),
            cluster_roles: Compiled::new(Resource::CLUSTER_ROLES, Role::of, join_roles),
            bindings: Compiled::new(Resource::ROLE_BINDINGS, Binding::of, |all| all),
            cluster_bindings: Compiled::new(Resource::CLUSTER_ROLE_BINDINGS, Binding::of, |all| {
                all
            }),
            now: ArcSwapOption::empty(),
        }
    }
}

impl Rbac {
    /// Decides.
    pub fn decide(&self, attributes: &Attributes<'_>, world: &dyn World) -> Decision {
        let index = self.index(world);
        let mut missing: Vec<&str> = Vec::new();
        let scopes = index.scopes(attributes.namespace);
        for grant in scopes.flat_map(|scope| scope.grants(attributes.user)) {
            match &grant.rules {
                Ok(rules) if rules.iter().any(|rule| allows(rule, attributes)) => {
                    return Decision::Allow(Reason::Granted(grant.granted.clone()));
                }
                Ok(_) => {}
                Err(sentence) => missing.push(sentence),
            }
        }
        missing.sort_unstable();
        missing.dedup();
        let text = match missing.as_slice() {
            [] => return Decision::NoOpinion(Reason::Silent),
            [one] => format!("RBAC: {one}"),
            many => format!("RBAC: [{}]", many.join(", ")),
        };
        Decision::NoOpinion(Reason::Text(text.into()))
    }

    /// Returns all rules that apply to a user in a namespace, and sentences about missing roles.
    pub fn rules_for(
        &self,
        user: &User,
        namespace: &str,
        world: &dyn World,
    ) -> (Vec<Rule>, Vec<String>) {
        let index = self.index(world);
        let (mut rules, mut missing) = (Vec::new(), Vec::new());
        let mut seen: Vec<*const Binding> = Vec::new();
        for grant in index.scopes(namespace).flat_map(|scope| scope.grants(user)) {
            // A binding may apply to someone as a user and as a member of a group.
            let binding = Arc::as_ptr(&grant.granted.binding);
            if seen.contains(&binding) {
                continue;
            }
            seen.push(binding);
            match &grant.rules {
                Ok(found) => rules.extend_from_slice(found),
                Err(sentence) => missing.push(sentence.to_string()),
            }
        }
        (rules, missing)
    }

    /// Returns the rules of the role that a binding in `namespace` refers to.
    ///
    /// # Errors
    /// The sentence about a role that is not there.
    pub fn role_rules(
        &self,
        role_kind: &str,
        role_name: &str,
        namespace: &str,
        world: &dyn World,
    ) -> Result<Arc<[Rule]>, Arc<str>> {
        let (_, roles) = self.roles.get(world);
        let (_, cluster_roles) = self.cluster_roles.get(world);
        find_role(role_kind, role_name, namespace, &roles, &cluster_roles)
    }

    fn index(&self, world: &dyn World) -> Arc<Index> {
        let resources = [
            Resource::ROLES,
            Resource::CLUSTER_ROLES,
            Resource::ROLE_BINDINGS,
            Resource::CLUSTER_ROLE_BINDINGS,
        ];
        let revisions = resources.map(|resource| world.revision(resource));
        if let Some(now) = &*self.now.load()
            && now.revisions == revisions
        {
            return Arc::clone(now);
        }
        let (roles_at, roles) = self.roles.get(world);
        let (cluster_roles_at, cluster_roles) = self.cluster_roles.get(world);
        let (bindings_at, bindings) = self.bindings.get(world);
        let (cluster_bindings_at, cluster_bindings) = self.cluster_bindings.get(world);
        let mut index = Index {
            revisions: [roles_at, cluster_roles_at, bindings_at, cluster_bindings_at],
            ..Index::default()
        };
        for binding in cluster_bindings.iter() {
            index.cluster.add(binding, &roles, &cluster_roles);
        }
        for binding in bindings.iter() {
            let scope = index.namespaces.entry(binding.namespace.clone());
            scope.or_default().add(binding, &roles, &cluster_roles);
        }
        let index = Arc::new(index);
        self.now.store(Some(Arc::clone(&index)));
        index
    }
}

fn allows(rule: &Rule, attributes: &Attributes<'_>) -> bool {
    match attributes.path {
        Some(path) => rule.allows_path(attributes.verb, path),
        None => rule.allows_resource(
            attributes.verb,
            attributes.group,
            attributes.resource,
            attributes.subresource,
            attributes.name,
        ),
    }
}

fn find_role(
    kind: &str,
    name: &str,
    namespace: &str,
    roles: &Roles,
    cluster_roles: &Roles,
) -> Result<Arc<[Rule]>, Arc<str>> {
    let (found, resource) = match kind {
        "Role" => (roles.get(&(Text::new(namespace), Text::new(name))), "role"),
        "ClusterRole" => {
            let found = cluster_roles.get(&(Text::default(), Text::new(name)));
            (found, "clusterrole")
        }
        other => {
            let sentence = format!("unsupported role reference kind: {}", quote(other));
            return Err(sentence.into());
        }
    };
    found.cloned().ok_or_else(|| {
        let name = quote(name);
        format!("{resource}.rbac.authorization.k8s.io {name} not found").into()
    })
}

fn join_roles(all: Vec<Arc<Role>>) -> Roles {
    let entries = all.into_iter();
    entries
        .map(|role| {
            (
                (role.namespace.clone(), role.name.clone()),
                Arc::clone(&role.rules),
            )
        })
        .collect()
}

impl Role {
    fn of(object: &Value) -> Option<Self> {
        let meta = Meta::of(object);
        Some(Self {
            namespace: Text::new(meta.namespace()),
            name: Text::new(meta.name()),
            rules: Rule::all_of(object).into(),
        })
    }
}

impl Binding {
    fn of(object: &Value) -> Option<Self> {
        let meta = Meta::of(object);
        let role = object.get("roleRef")?;
        let text = |value: &Value, name| {
            Text::new(value.get(name).and_then(Value::as_str).unwrap_or_default())
        };
        let subjects = object.get("subjects").and_then(Value::as_array);
        let subjects = subjects.unwrap_or_default().iter().map(|subject| Subject {
            kind: text(subject, "kind"),
            namespace: text(subject, "namespace"),
            name: text(subject, "name"),
        });
        Some(Self {
            namespace: Text::new(meta.namespace()),
            name: Text::new(meta.name()),
            role_kind: text(role, "kind"),
            role_name: text(role, "name"),
            subjects: subjects.collect(),
        })
    }
}

impl Index {
    /// Returns the bindings that count in a namespace: the cluster's first, then its own.
    fn scopes(&self, namespace: &str) -> impl Iterator<Item = &Scope> {
        let own = (!namespace.is_empty()).then(|| self.namespaces.get(namespace));
        std::iter::once(&self.cluster).chain(own.flatten())
    }
}

impl Scope {
    fn add(&mut self, binding: &Arc<Binding>, roles: &Roles, cluster_roles: &Roles) {
        let rules = find_role(
            &binding.role_kind,
            &binding.role_name,
            &binding.namespace,
            roles,
            cluster_roles,
        );
        for (place, subject) in binding.subjects.iter().enumerate() {
            // A subject that is named twice grants once.
            if binding.subjects[..place].contains(subject) {
                continue;
            }
            let grants = match subject.kind.as_str() {
                "User" => self.users.entry(subject.name.clone()),
                "Group" => self.groups.entry(subject.name.clone()),
                "ServiceAccount" => {
                    let namespace = subject.namespace_in(&binding.namespace);
                    if namespace.is_empty() {
                        continue;
                    }
                    let user = service_account_user(namespace, &subject.name);
                    self.users.entry(Text::from(user))
                }
                _ => continue,
            };
            grants.or_default().push(Grant {
                granted: Granted {
                    binding: Arc::clone(binding),
                    subject: place,
                },
                rules: rules.clone(),
            });
        }
    }

    /// Returns what is granted to a user, and to the groups it is in.
    fn grants(&self, user: &User) -> impl Iterator<Item = &Grant> {
        let own = self.users.get(user.name.as_str()).into_iter().flatten();
        let groups = user.groups.iter();
        own.chain(
            groups
                .filter_map(|group| self.groups.get(group.as_str()))
                .flatten(),
        )
    }
}

impl Subject {
    fn namespace_in<'a>(&'a self, binding_namespace: &'a str) -> &'a str {
        if self.namespace.is_empty() {
            binding_namespace
        } else {
            &self.namespace
        }
    }
}

impl fmt::Display for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binding = &self.binding;
        let (kind, name) = if binding.namespace.is_empty() {
            ("ClusterRoleBinding", binding.name.to_string())
        } else {
            let name = format!("{}/{}", binding.name, binding.namespace);
            ("RoleBinding", name)
        };
        let subject = &binding.subjects[self.subject];
        let whom = if subject.kind == "ServiceAccount" {
            format!(
                "{}/{}",
                subject.name,
                subject.namespace_in(&binding.namespace)
            )
        } else {
            subject.name.to_string()
        };
        write!(
            f,
            "{kind} {} of {} {} to {} {}",
            quote(&name),
            binding.role_kind,
            quote(&binding.role_name),
            subject.kind,
            quote(&whom)
        )
    }
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
