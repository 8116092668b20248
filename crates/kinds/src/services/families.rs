//! Which families of addresses a Service gets.

use std::net::IpAddr;

use api::{
    Status, Value,
    field::{Error, Path},
};

use super::{
    Services, addresses, invalid,
    spec::{NONE, Spec, set_texts},
};

const SINGLE: &str = "SingleStack";
const PREFER: &str = "PreferDualStack";
const REQUIRE: &str = "RequireDualStack";

impl Services {
    /// Sets `ipFamilyPolicy` and `ipFamilies`, and refuses what contradicts itself or the cluster.
    pub(super) fn settle_families(
        &self,
        service: &mut Value,
        old: Option<&Value>,
    ) -> Result<(), Status> {
        if !Spec(service).needs_address() || old.is_some_and(|old| keeps_both(service, old)) {
            return Ok(());
        }
        if Spec(service).policy().is_none() {
            let policy = default_policy(Spec(service), old).to_owned();
            service.set_at(&["spec", "ipFamilyPolicy"], Value::string(policy));
        }
        refuse(service, &related_errors(service, old))?;
        let mut errors = Vec::new();
        if let Some(old) = old {
            reduce(service, old, &mut errors);
        }
        check_single(Spec(service), &mut errors);
        let families = self.families_of_addresses(Spec(service), &mut errors);
        set_texts(service, "ipFamilies", &families);
        refuse(service, &errors)?;
        let policy = Spec(service).policy().unwrap_or(SINGLE).to_owned();
        let mut families = families;
        if Spec(service).address() == NONE && !Spec(service).has_selector() {
            // Nobody knows what endpoints will stand behind it, so it may have both.
            if families.is_empty() {
                families.push(self.default_family().to_owned());
            }
            if policy != SINGLE {
                complete(&mut families);
            }
            set_texts(service, "ipFamilies", &families);
            return Ok(());
        }
        self.check_configured(service, &policy, &families)?;
        if families.is_empty() {
            families.push(self.default_family().to_owned());
        }
        if policy != SINGLE && self.networks.len() == 2 {
            complete(&mut families);
        }
        set_texts(service, "ipFamilies", &families);
        Ok(())
    }

    /// Adds to the given families those of the given addresses.
    fn families_of_addresses(&self, spec: Spec<'_>, errors: &mut Vec<Error>) -> Vec<String> {
        let mut families: Vec<String> = spec.families().into_iter().map(str::to_owned).collect();
        for (place, address) in spec.addresses().into_iter().enumerate() {
            if address == NONE {
                break;
            }
            if place < families.len() {
                continue;
            }
            let family = addresses::family(address);
            if self.has_family(family) {
                families.push(family.to_owned());
                continue;
            }
            let root = Path::new("spec");
            let list = root.child("clusterIPs");
            errors.push(Error::invalid(
                &list.index(place),
                &spec.shown_addresses(),
                format!("{family} is not configured on this cluster"),
            ));
        }
        families
    }

    fn check_configured(
        &self,
        service: &Value,
        policy: &str,
        families: &[String],
    ) -> Result<(), Status> {
        let root = Path::new("spec");
        let mut errors = Vec::new();
        if policy == REQUIRE && self.networks.len() < 2 {
            errors.push(Error::invalid(
                &root.child("ipFamilyPolicy"),
                policy,
                "this cluster is not configured for dual-stack services",
            ));
        }
        let list = root.child("ipFamilies");
        for (place, family) in families.iter().enumerate() {
            if !self.has_family(family) {
                let path = list.index(place);
                errors.push(Error::invalid(
                    &path,
                    family,
                    "not configured on this cluster",
                ));
            }
        }
        refuse(service, &errors)
    }
}

fn refuse(service: &Value, errors: &[Error]) -> Result<(), Status> {
    match errors {
        [] => Ok(()),
        errors => Err(invalid(service, errors)),
    }
}

/// Adds the other family.
fn complete(families: &mut Vec<String>) {
    if families.len() == 1 {
        let other = if families[0] == "IPv4" {
            "IPv6"
        } else {
            "IPv4"
        };
        families.push(other.to_owned());
    }
}

fn default_policy<'a>(spec: Spec<'_>, old: Option<&'a Value>) -> &'a str {
    match old.and_then(|old| Spec(old).policy()) {
        Some(policy) => policy,
        None if spec.address() == NONE && !spec.has_selector() => REQUIRE,
        None => SINGLE,
    }
}

/// Returns whether an update leaves a Service that prefers both families as it is, whatever the
/// cluster has become meanwhile.
pub(super) fn keeps_both(service: &Value, old: &Value) -> bool {
    let (now, before) = (Spec(service), Spec(old));
    now.kind() == before.kind()
        && matches!(now.kind(), "ClusterIP" | "NodePort" | "LoadBalancer")
        && now.policy() == Some(PREFER)
        && before.policy().is_none_or(|policy| policy == PREFER)
        && now.addresses() == before.addresses()
        && now.families() == before.families()
}

/// Lets go of the second family where that is what the client asks for.
fn reduce(service: &mut Value, old: &Value, errors: &mut Vec<Error>) {
    let before = Spec(old);
    let first = |texts: Vec<&str>| -> Vec<String> {
        texts.into_iter().take(1).map(str::to_owned).collect()
    };
    if Spec(service).policy() == Some(SINGLE) {
        if Spec(service).addresses() == before.addresses() {
            let kept = first(before.addresses());
            set_texts(service, "clusterIPs", &kept);
        }
        if Spec(service).families() == before.families() {
            let kept = first(before.families());
            set_texts(service, "ipFamilies", &kept);
        }
        return;
    }
    let root = Path::new("spec");
    let path = root.child("ipFamilyPolicy");
    let now = Spec(service);
    let is_less = |now: usize, before: usize| now > 0 && now < before;
    let released = [
        (
            is_less(now.addresses().len(), before.addresses().len()),
            "cluster IP",
        ),
        (
            is_less(now.families().len(), before.families().len()),
            "IP family",
        ),
    ];
    for (is_released, what) in released {
        if is_released {
            let why = format!("must be 'SingleStack' to release the secondary {what}");
            errors.push(Error::invalid(&path, now.policy().unwrap_or_default(), why));
        }
    }
}

fn check_single(spec: Spec<'_>, errors: &mut Vec<Error>) {
    if spec.policy() != Some(SINGLE) {
        return;
    }
    let root = Path::new("spec");
    let path = root.child("ipFamilyPolicy");
    let several = [
        (spec.addresses().len(), "cluster IPs"),
        (spec.families().len(), "IP families"),
    ];
    for (count, what) in several {
        if count == 2 {
            let why = format!(
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
            );
            errors.push(Error::invalid(&path, SINGLE, why));
        }
    }
}

/// Returns what is wrong with the addresses, families and policy by themselves and together.
/// Source: `ValidateServiceClusterIPsRelatedFields`.
fn related_errors(service: &Value, old: Option<&Value>) -> Vec<Error> {
    let spec = Spec(service);
    let root = Path::new("spec");
    let list = root.child("clusterIPs");
    let mut errors = Vec::new();
    let given = spec.addresses();
    match (spec.address(), given.first()) {
        ("", None) => {}
        ("", Some(_)) => errors.push(Error::invalid(
            &list,
            &spec.shown_addresses(),
            "must be empty when `clusterIP` is not specified",
        )),
        (_, None) => errors.push(Error::required(&list, "")),
        (single, Some(first)) if single == *first => {}
        _ => errors.push(Error::invalid(
            &list,
            &spec.shown_addresses(),
            "first value must match `clusterIP`",
        )),
    }
    check_words(spec, &mut errors);
    let known = old.map(|old| Spec(old).addresses()).unwrap_or_default();
    if !check_addresses(spec, &known, &mut errors) {
        return errors;
    }
    let families = given.iter().map(|one| addresses::family(one));
    let is_dual = given.len() == 2
        && families.clone().any(|one| one == "IPv4")
        && families.clone().any(|one| one == "IPv6");
    if given.len() > 1 && !is_dual {
        errors.push(Error::invalid(
            &list,
            &spec.shown_addresses(),
            "may specify no more than one IP for each IP family",
        ));
    }
    if given.first() != Some(&NONE) {
        for (place, (address, wanted)) in given.iter().zip(spec.families()).enumerate() {
            let found = addresses::family(address);
            if matches!(wanted, "IPv4" | "IPv6") && found != wanted {
                let why =
                    format!("expected an {wanted} value as indicated by `ipFamilies[{place}]`");
                errors.push(Error::invalid(&list.index(place), *address, why));
            }
        }
    }
    errors
}

fn check_words(spec: Spec<'_>, errors: &mut Vec<Error>) {
    let root = Path::new("spec");
    let list = root.child("ipFamilies");
    let families = spec.families();
    for (place, family) in families.iter().enumerate() {
        if !matches!(*family, "IPv4" | "IPv6") {
            let path = list.index(place);
            errors.push(Error::not_supported(&path, *family, &["IPv4", "IPv6"]));
        }
        if families[..place].contains(family) {
            errors.push(Error::duplicate(&list.index(place), *family));
        }
    }
    let policies = [PREFER, REQUIRE, SINGLE];
    if let Some(policy) = spec.policy().filter(|policy| !policies.contains(policy)) {
        let path = root.child("ipFamilyPolicy");
        errors.push(Error::not_supported(&path, policy, &policies));
    }
}

/// Checks each address; false if looking at them together would mislead.
fn check_addresses(spec: Spec<'_>, known: &[&str], errors: &mut Vec<Error>) -> bool {
    let root = Path::new("spec");
    let list = root.child("clusterIPs");
    let given = spec.addresses();
    let mut is_good = true;
    for (place, address) in given.iter().enumerate() {
        if place == 0 && *address == NONE {
            if given.len() > 1 {
                is_good = false;
                let why = "'None' must be the first and only value";
                errors.push(Error::invalid(&list, &spec.shown_addresses(), why));
            }
            continue;
        }
        if known.contains(address) || address.parse::<IpAddr>().is_ok() {
            continue;
        }
        is_good = false;
        if let Some(why) = crate::validate::wrong_address(address) {
            errors.push(Error::invalid(&list.index(place), *address, why));
        }
    }
    if given.len() > 2 {
        let why = "may only hold up to 2 values";
        errors.push(Error::invalid(&list, &spec.shown_addresses(), why));
    }
    is_good
}
