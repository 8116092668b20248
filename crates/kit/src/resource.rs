//! The name of a resource and the paths of its objects.

use std::{fmt, sync::Arc};

/// One served resource: what discovery says of it, as far as paths and references need it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: Arc<str>,
    /// Version that is spoken.
    pub version: Arc<str>,
    /// Plural name as it stands in paths.
    pub plural: Arc<str>,
    /// Kind of the objects.
    pub kind: Arc<str>,
    /// Whether its objects live in namespaces.
    pub scope: Scope,
}

/// Where the objects of a resource live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// In the cluster.
    Cluster,
    /// In a namespace.
    Namespaced,
}

impl Resource {
    /// Returns a resource by its names.
    #[must_use]
    pub fn new(group: &str, version: &str, plural: &str, kind: &str, scope: Scope) -> Self {
        Self {
            group: group.into(),
            version: version.into(),
            plural: plural.into(),
            kind: kind.into(),
            scope,
        }
    }

    /// Returns the resource of a type of k8s-openapi or of a derived custom resource.
    #[must_use]
    pub fn of<K>(scope: Scope) -> Self
    where
        K: kube::Resource<DynamicType = ()>,
    {
        Self::new(
            &K::group(&()),
            &K::version(&()),
            &K::plural(&()),
            &K::kind(&()),
            scope,
        )
    }

    /// Returns `v1` or `group/v1`, as objects carry it.
    #[must_use]
    pub fn api_version(&self) -> String {
        match &*self.group {
            "" => self.version.to_string(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// Returns the path of all its objects, in every namespace.
    #[must_use]
    pub fn path(&self) -> String {
        self.path_in("")
    }

    /// Returns the path of its objects in a namespace; of all of them if that is empty.
    #[must_use]
    pub fn path_in(&self, namespace: &str) -> String {
        let mut path = String::with_capacity(96);
        if self.group.is_empty() {
            path.push_str("/api/");
        } else {
            path.push_str("/apis/");
            path.push_str(&self.group);
            path.push('/');
        }
        path.push_str(&self.version);
        if !namespace.is_empty() {
            path.push_str("/namespaces/");
            push_segment(&mut path, namespace);
        }
        path.push('/');
        path.push_str(&self.plural);
        path
    }

    /// Returns the path of one object; the namespace is left out of cluster-scoped ones.
    #[must_use]
    pub fn path_to(&self, namespace: &str, name: &str) -> String {
        let namespace = match self.scope {
            Scope::Cluster => "",
            Scope::Namespaced => namespace,
        };
        let mut path = self.path_in(namespace);
        path.push('/');
        push_segment(&mut path, name);
        path
    }
}

/// Returns how much a version is preferred: the greatest of a resource's versions is its preferred
/// one. GA comes before beta and beta before alpha, larger numbers before smaller ones.
#[must_use]
pub fn preference(version: &str) -> impl Ord + use<> {
    kube::core::Version::parse(version).priority()
}

impl fmt::Display for Resource {
    /// Prints `deployments.apps`, or `pods` for the core group.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.group {
            "" => f.write_str(&self.plural),
            group => write!(f, "{}.{group}", self.plural),
        }
    }
}

/// Appends one path segment; what may not stand in one is escaped (RBAC names may hold `:`).
fn push_segment(path: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                path.push(char::from(byte));
            }
            _ => {
                path.push('%');
                path.push(char::from(HEX[usize::from(byte >> 4)]));
                path.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};

    use super::{Resource, Scope};

    #[test]
    fn paths_are_those_of_the_api() {
        let pods = Resource::of::<Pod>(Scope::Namespaced);
        assert_eq!(pods.path(), "/api/v1/pods");
        assert_eq!(pods.path_in("a"), "/api/v1/namespaces/a/pods");
        assert_eq!(pods.path_to("a", "b"), "/api/v1/namespaces/a/pods/b");
        let deployments = Resource::of::<Deployment>(Scope::Namespaced);
        assert_eq!(deployments.path(), "/apis/apps/v1/deployments");
        assert_eq!(deployments.to_string(), "deployments.apps");
        assert_eq!(deployments.api_version(), "apps/v1");
    }

    #[test]
    fn cluster_scoped_paths_name_no_namespace() {
        let roles = Resource::new(
            "rbac.authorization.k8s.io",
            "v1",
            "clusterroles",
            "ClusterRole",
            Scope::Cluster,
        );
        assert_eq!(
            roles.path_to("ignored", "system:a/b"),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:a%2Fb"
        );
    }
}
