//! Which controllers run, by their upstream names.

use std::{collections::BTreeSet, fmt};

/// One controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// Empties and finalises namespaces.
    Namespace,
    /// Gives namespaces their default service account.
    ServiceAccount,
    /// Gives namespaces the root certificates.
    RootCa,
    /// Collects what lost its owners.
    GarbageCollector,
    /// Keeps pods.
    ReplicaSet,
    /// Rolls templates out.
    Deployment,
    /// Fills aggregated roles.
    ClusterRoleAggregation,
    /// Rewrites objects in the version that is stored now.
    StorageVersionMigrator,
}

/// All controllers, with their names and the service account in `kube-system` whose identity they
/// write under.
pub const ALL: [(Name, &str, &str); 8] = [
    (
        Name::Namespace,
        "namespace-controller",
        "namespace-controller",
    ),
    (
        Name::ServiceAccount,
        "serviceaccount-controller",
        "service-account-controller",
    ),
    (
        Name::RootCa,
        "root-ca-certificate-publisher-controller",
        "root-ca-cert-publisher",
    ),
    (
        Name::GarbageCollector,
        "garbage-collector-controller",
        "generic-garbage-collector",
    ),
    (
        Name::ReplicaSet,
        "replicaset-controller",
        "replicaset-controller",
    ),
    (
        Name::Deployment,
        "deployment-controller",
        "deployment-controller",
    ),
    (
        Name::ClusterRoleAggregation,
        "clusterrole-aggregation-controller",
        "clusterrole-aggregation-controller",
    ),
    (
        Name::StorageVersionMigrator,
        "storage-version-migrator-controller",
        "storage-version-migrator-controller",
    ),
];

/// The identity under which shared caches are filled: it may list and watch everything.
pub const SHARED_USER: &str = "system:kube-controller-manager";

impl Name {
    /// Returns the user name it writes under.
    #[must_use]
    pub fn user(self) -> String {
        let account = ALL.iter().find(|(name, _, _)| *name == self);
        let account = account.map_or("", |(_, _, account)| account);
        format!("system:serviceaccount:kube-system:{account}")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = ALL.iter().find(|(name, _, _)| name == self);
        f.write_str(name.map_or("", |(_, name, _)| name))
    }
}

/// Which controllers run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switches(BTreeSet<Name>);

/// A name that no controller has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a controller")]
pub struct UnknownController(
    /// The name.
    pub String,
);

impl Default for Switches {
    fn default() -> Self {
        Self(ALL.iter().map(|(name, _, _)| *name).collect())
    }
}

impl Switches {
    /// Reads a list as upstream's `--controllers` takes it: `*` is all, `name` is one, `-name` is
    /// all but one. A name says more than `*`, wherever it stands.
    ///
    /// # Errors
    /// [`UnknownController`] with the first name that no controller has.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownController> {
        let words: Vec<&str> = words.into_iter().collect();
        let mut on = if words.contains(&"*") {
            Self::default().0
        } else {
            BTreeSet::new()
        };
        for word in words.into_iter().filter(|word| *word != "*") {
            let (plain, off) = match word.strip_prefix('-') {
                Some(plain) => (plain, true),
                None => (word, false),
            };
            let found = ALL.iter().find(|(_, name, _)| *name == plain);
            let Some((name, _, _)) = found else {
                return Err(UnknownController(plain.to_owned()));
            };
            if off {
                on.remove(name);
            } else {
                on.insert(*name);
            }
        }
        Ok(Self(on))
    }

    /// Returns the names of those that run.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let on = ALL.iter().filter(|(name, _, _)| self.has(*name));
        on.map(|(_, name, _)| *name).collect()
    }

    /// Returns those that run.
    pub fn iter(&self) -> impl Iterator<Item = Name> {
        self.0.iter().copied()
    }

    /// Returns whether a controller runs.
    #[must_use]
    pub fn has(&self, name: Name) -> bool {
        self.0.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL, Name, Switches};

    #[track_caller]
    fn check(words: &str, expected: usize, namespace: bool) {
        let switches = Switches::parse(words.split_whitespace()).unwrap();
        let on = ALL
            .iter()
            .filter(|(name, _, _)| switches.has(*name))
            .count();
        assert_eq!((on, switches.has(Name::Namespace)), (expected, namespace));
    }

    #[test]
    fn words_switch() {
        check("*", 8, true);
        check("* -namespace-controller", 7, false);
        check("-namespace-controller *", 7, false);
        check("namespace-controller", 1, true);
        check("", 0, false);
    }

    #[test]
    fn an_unknown_name_is_refused() {
        let error = Switches::parse(["*", "-nonsense"]).unwrap_err();
        assert_eq!(error.to_string(), "'nonsense' is not a controller");
    }

    #[test]
    fn identities_are_upstreams() {
        assert_eq!(
            Name::GarbageCollector.user(),
            "system:serviceaccount:kube-system:generic-garbage-collector"
        );
        assert_eq!(
            Name::RootCa.to_string(),
            "root-ca-certificate-publisher-controller"
        );
    }
}
