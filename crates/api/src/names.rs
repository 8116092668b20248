//! The names of kinds, resources and objects, exactly as upstream spells them.

pub mod validate;

use std::fmt;

use crate::Text;

/// An API group and a version of it. The core group's name is empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupVersion {
    /// `apps`, `rbac.authorization.k8s.io`; empty for the core group.
    pub group: Text,
    /// `v1`, `v1beta1`, …
    pub version: Text,
}

/// A kind in one version: what `apiVersion` and `kind` of an object say.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gvk {
    /// Group and version.
    pub group_version: GroupVersion,
    /// `Deployment`
    pub kind: Text,
}

/// A resource in one version: what a path says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gvr {
    /// Group and version.
    pub group_version: GroupVersion,
    /// The plural: `deployments`
    pub resource: Text,
}

/// The place of an object inside its resource. The namespace of cluster-scoped objects is empty.
///
/// Its order is the order of lists.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectName {
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: Text,
    /// Name.
    pub name: Text,
}

impl GroupVersion {
    /// Returns this group and version.
    #[must_use]
    pub fn new(group: &str, version: &str) -> Self {
        Self {
            group: Text::new(group),
            version: Text::new(version),
        }
    }

    /// Reads what an object's `apiVersion` says: `v1` or `apps/v1`. More than one slash is no version.
    #[must_use]
    pub fn parse(api_version: &str) -> Option<Self> {
        match api_version.split_once('/') {
            None => Some(Self::new("", api_version)),
            Some((group, version)) if !version.contains('/') => Some(Self::new(group, version)),
            Some(_) => None,
        }
    }
}

/// Writes `apiVersion`: `v1` for the core group, `group/version` otherwise.
impl fmt::Display for GroupVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() {
            f.write_str(&self.version)
        } else {
            write!(f, "{}/{}", self.group, self.version)
        }
    }
}

impl Gvk {
    /// Returns this kind.
    #[must_use]
    pub fn new(group: &str, version: &str, kind: &str) -> Self {
        Self {
            group_version: GroupVersion::new(group, version),
            kind: Text::new(kind),
        }
    }
}

/// Writes `apps/v1, Kind=Deployment`, as upstream's messages do.
impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GroupVersion { group, version } = &self.group_version;
        write!(f, "{group}/{version}, Kind={}", self.kind)
    }
}

impl Gvr {
    /// Returns this resource.
    #[must_use]
    pub fn new(group: &str, version: &str, resource: &str) -> Self {
        Self {
            group_version: GroupVersion::new(group, version),
            resource: Text::new(resource),
        }
    }

    /// Returns `deployments.apps`, as messages and `Status.details` name a resource; `pods` for the core group.
    #[must_use]
    pub fn qualified(&self) -> Text {
        qualified(&self.group_version.group, &self.resource)
    }
}

/// Returns `resource.group`, or `resource` alone for the core group.
#[must_use]
pub fn qualified(group: &str, resource: &str) -> Text {
    if group.is_empty() {
        Text::new(resource)
    } else {
        compact_str::format_compact!("{resource}.{group}")
    }
}

#[cfg(test)]
mod tests {
    use super::{GroupVersion, Gvk, Gvr};

    #[test]
    fn reads_and_writes_api_versions() {
        for text in ["v1", "apps/v1"] {
            let parsed = GroupVersion::parse(text).expect("it is a version");
            assert_eq!(parsed.to_string(), text);
        }
        assert_eq!(GroupVersion::parse("a/b/c"), None);
    }

    #[test]
    fn names_as_upstream_does() {
        assert_eq!(
            Gvr::new("apps", "v1", "deployments").qualified(),
            "deployments.apps"
        );
        assert_eq!(Gvr::new("", "v1", "pods").qualified(), "pods");
        assert_eq!(Gvk::new("", "v1", "Pod").to_string(), "/v1, Kind=Pod");
    }
}
