//! Amounts of resources, and the names of resources.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go and
//! pkg/apis/core/helper/helpers.go.

use api::{
    Quantity,
    field::{Error, Path},
    names::validate,
};

use super::{
    Findings, Place,
    numbers::{NEGATIVE, NOT_POSITIVE},
};

/// What the names of huge pages begin with; their size follows.
pub(crate) const HUGE_PAGES: &str = "hugepages-";

/// Resources without a domain that something may name somewhere.
const STANDARD: [&str; 20] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "storage",
    "requests.storage",
    "services.nodeports",
    "services.loadbalancers",
];

/// Resources that are counted.
const COUNTED: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];

/// Returns the amount of a field; `None` if there is none (shapes have checked its form).
pub(crate) fn of(place: &Place<'_>) -> Option<Quantity> {
    Quantity::from_value(place.value()?).ok()
}

/// An amount that is there is not below zero.
pub(crate) fn non_negative(place: &Place<'_>, found: &mut Findings) {
    if let Some(amount) = of(place)
        && amount.sign() < 0
    {
        let shown = amount.to_string();
        found.push(Error::invalid(place.path(), &shown, NEGATIVE));
    }
}

/// An amount that is there is above zero.
pub(crate) fn positive(place: &Place<'_>, found: &mut Findings) {
    if let Some(amount) = of(place)
        && amount.sign() <= 0
    {
        let shown = amount.to_string();
        found.push(Error::invalid(place.path(), &shown, NOT_POSITIVE));
    }
}

/// Checks the amount of a resource (`ValidateResourceQuantityValue`).
pub(crate) fn amount_of(resource: &str, place: &Place<'_>, found: &mut Findings) {
    let Some(amount) = of(place) else {
        return;
    };
    if amount.sign() < 0 {
        let shown = amount.to_string();
        found.push(Error::invalid(place.path(), &shown, NEGATIVE));
    }
    if amount.milli_value() % 1000 != 0 && is_integer(resource) {
        let shown = amount.to_string();
        found.push(Error::invalid(place.path(), &shown, "must be an integer"));
    }
}

/// Checks the name of any resource (`validateResourceName`). Says whether it is right.
pub(crate) fn name(path: &Path<'_>, name: &str, found: &mut Findings) -> bool {
    let sentences = validate::qualified_name(name);
    if !sentences.is_empty() {
        for sentence in sentences {
            found.push(Error::invalid(path, name, sentence));
        }
        return false;
    }
    if !name.contains('/') && !is_standard(name) {
        let why = "must be a standard resource type or fully qualified";
        found.push(Error::invalid(path, name, why));
        return false;
    }
    true
}

/// Checks the name of a resource that containers have (`ValidateContainerResourceName`).
pub(crate) fn name_for_containers(path: &Path<'_>, resource: &str, found: &mut Findings) {
    // The three that nearly everybody names.
    if is_compute(resource) {
        return;
    }
    name(path, resource, found);
    if !resource.contains('/') {
        if !is_huge_pages(resource) {
            let why = "must be a standard resource for containers";
            found.push(Error::invalid(path, resource, why));
        }
    } else if !is_native(resource) && !is_extended(resource) {
        let why = "doesn't follow extended resource name standard";
        found.push(Error::invalid(path, resource, why));
    }
}

fn is_compute(name: &str) -> bool {
    matches!(name, "cpu" | "memory" | "ephemeral-storage")
}

/// Whether this is a resource that something may name without a domain.
pub(crate) fn is_standard(name: &str) -> bool {
    STANDARD.contains(&name) || is_huge_pages_of_quota(name)
}

/// Whether these are huge pages of some size.
pub(crate) fn is_huge_pages(name: &str) -> bool {
    name.starts_with(HUGE_PAGES)
}

/// Whether these are huge pages as quotas name them.
pub(crate) fn is_huge_pages_of_quota(name: &str) -> bool {
    is_huge_pages(name) || name.starts_with("requests.hugepages-")
}

/// Whether an amount is a whole number of huge pages of the size that their name says.
pub(crate) fn is_whole_pages(name: &str, amount: &Quantity) -> bool {
    let size = name.strip_prefix(HUGE_PAGES).unwrap_or_default();
    let Ok(size) = Quantity::parse(size) else {
        return false;
    };
    let is_size = size.sign() > 0 && size.milli_value() % 1000 == 0;
    is_size && amount.value() % size.value() == 0
}

/// Whether a resource is Kubernetes' own: without a domain, or in its own.
pub(crate) fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Whether a resource is someone else's, and quotas can name it too.
pub(crate) fn is_extended(name: &str) -> bool {
    if is_native(name) || name.starts_with("requests.") {
        return false;
    }
    validate::qualified_name(&format!("requests.{name}")).is_empty()
}

/// Whether a resource is counted in whole numbers.
pub(crate) fn is_integer(name: &str) -> bool {
    COUNTED.contains(&name) || is_extended(name)
}

/// Whether more of a resource may be limited than is asked for.
pub(crate) fn may_overcommit(name: &str) -> bool {
    is_native(name) && !is_huge_pages(name)
}

#[cfg(test)]
mod tests {
    use api::Value;

    use super::*;

    #[track_caller]
    fn check(resource: &str, amount: &str, expected: &[&str]) {
        let value = Value::from(amount);
        let path = Path::new("a");
        let mut found = Findings::default();
        name_for_containers(&path, resource, &mut found);
        amount_of(resource, &Place::new(Some(&value), path), &mut found);
        let found: Vec<String> = found.errors().iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{resource} {amount}");
    }

    #[test]
    fn containers_have_resources() {
        check("cpu", "100m", &[]);
        check("hugepages-2Mi", "2Mi", &[]);
        check("a.b/c", "1", &[]);
        check(
            "a.b/c",
            "1500m",
            &[r#"a: Invalid value: "1500m": must be an integer"#],
        );
        check(
            "memory",
            "-1",
            &[r#"a: Invalid value: "-1": must be greater than or equal to 0"#],
        );
        check(
            "pods",
            "1",
            &[r#"a: Invalid value: "pods": must be a standard resource for containers"#],
        );
        check(
            "x",
            "1",
            &[
                r#"a: Invalid value: "x": must be a standard resource type or fully qualified"#,
                r#"a: Invalid value: "x": must be a standard resource for containers"#,
            ],
        );
        check(
            "requests.a/b",
            "1",
            &[
                r#"a: Invalid value: "requests.a/b": doesn't follow extended resource name standard"#,
            ],
        );
    }

    #[test]
    fn pages_are_whole() {
        let amount = |text| Quantity::parse(text).expect("it is an amount");
        assert!(is_whole_pages("hugepages-2Mi", &amount("4Mi")));
        assert!(!is_whole_pages("hugepages-2Mi", &amount("3Mi")));
        assert!(!is_whole_pages("hugepages-x", &amount("3Mi")));
        assert!(
            may_overcommit("cpu") && !may_overcommit("hugepages-2Mi") && !may_overcommit("a.b/c")
        );
    }
}
