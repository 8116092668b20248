//! Services hold addresses and node ports: which, and what they get.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/registry/core/service/storage/{alloc,storage}.go,
//! pkg/registry/core/service/{ipallocator,portallocator} and strategy.go.

mod addresses;
mod families;
mod network;
mod ports;
mod spec;

use std::ops::RangeInclusive;

use api::{Status, Value, field, field::Error, json::Part, value};
use schema::{Allot, Claim, Ledger, ResourceName};

pub use network::{Network, NetworkError};
use spec::Spec;

/// Label of an address object: `IPv4` or `IPv6`.
const LABEL_FAMILY: &str = "ipaddress.kubernetes.io/ip-family";
/// Label of an address object: who made it.
const LABEL_MANAGED_BY: &str = "ipaddress.kubernetes.io/managed-by";
/// Who makes the address objects of Services.
const MANAGER: &str = "ipallocator.k8s.io";

/// What Services take: addresses of the ranges that `ServiceCIDR` objects name, and node ports.
#[derive(Clone, Debug)]
pub struct Services {
    /// The networks the cluster is configured with; the first gives the default family.
    networks: Vec<Network>,
    node_ports: RangeInclusive<u16>,
}

impl Services {
    /// Node ports as upstream has them by default.
    pub const NODE_PORTS: RangeInclusive<u16> = 30000..=32767;

    /// Returns the rules for a cluster with these networks, one of each family at most, and these
    /// node ports.
    ///
    /// # Panics
    /// Without any network: a cluster has one.
    #[must_use]
    pub fn new(networks: Vec<Network>, node_ports: RangeInclusive<u16>) -> Self {
        assert!(!networks.is_empty(), "a cluster has a network of Services");
        Self {
            networks,
            node_ports,
        }
    }

    fn has_family(&self, family: &str) -> bool {
        self.networks.iter().any(|one| one.family() == family)
    }

    fn default_family(&self) -> &'static str {
        self.networks[0].family()
    }
}

impl Allot for Services {
    fn holders(&self) -> ResourceName {
        ("", "services")
    }

    fn deeds(&self) -> ResourceName {
        ("networking.k8s.io", "ipaddresses")
    }

    fn ranges(&self) -> ResourceName {
        ("networking.k8s.io", "servicecidrs")
    }

    fn held_parts(&self) -> &'static [Part] {
        spec::HELD_PARTS
    }

    fn held(&self, service: &Value) -> Vec<Claim> {
        let spec = Spec(service);
        let mut held = Vec::new();
        if spec.needs_address() && !spec.is_headless() {
            held.extend(spec.addresses().into_iter().filter_map(addresses::claim));
        }
        held.extend(spec.node_ports().into_iter().map(Claim::Port));
        if spec.needs_health_port() {
            held.extend(spec.health_port().map(Claim::Port));
        }
        held.sort_unstable();
        held.dedup();
        held
    }

    fn claim_of(&self, deed: &Value) -> Option<Claim> {
        addresses::claim(deed.str_at(&["metadata", "name"])?)
    }

    fn holder_of(&self, deed: &Value) -> Option<String> {
        let parent = |name| deed.str_at(&["spec", "parentRef", name]);
        let ours = deed.str_at(&["metadata", "labels", LABEL_MANAGED_BY]) == Some(MANAGER)
            && parent("group").unwrap_or_default().is_empty()
            && parent("resource") == Some("services");
        ours.then(|| {
            let namespace = parent("namespace").unwrap_or_default();
            format!("{namespace}/{}", parent("name").unwrap_or_default())
        })
    }

    fn deed(&self, claim: Claim, service: &Value) -> Option<Value> {
        let Claim::Address(address) = claim else {
            return None;
        };
        let meta = |name| service.str_at(&["metadata", name]).unwrap_or_default();
        let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
        let mut deed = value!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IPAddress",
            "metadata": {
                "name": (Value::string(address.to_string())),
                "labels": {}
            },
            "spec": {
                "parentRef": {
                    "resource": "services",
                    "namespace": (meta("namespace")),
                    "name": (meta("name"))
                }
            }
        });
        deed.set_at(&["metadata", "labels", LABEL_FAMILY], family.into());
        deed.set_at(&["metadata", "labels", LABEL_MANAGED_BY], MANAGER.into());
        Some(deed)
    }

    fn allot(
        &self,
        service: &mut Value,
        old: Option<&Value>,
        ledger: &mut dyn Ledger,
    ) -> Result<(), Status> {
        if let Some(old) = old {
            spec::keep_allotted(service, old);
        }
        spec::join_addresses(service, old);
        self.settle_families(service, old)?;
        match old {
            None => {
                self.take_addresses(service, ledger)?;
                self.take_ports(service, ledger)?;
            }
            Some(old) => {
                self.change_addresses(service, old, ledger)?;
                self.change_ports(service, old, ledger)?;
                spec::drop_what_no_longer_applies(service, old);
            }
        }
        if !Spec(service).needs_address() {
            // Upstream defaults it for every type, and leaves it out when it shows the Service.
            service.remove_at(&["spec", "internalTrafficPolicy"]);
        }
        Ok(())
    }
}

/// Returns the 422 for a Service with these errors.
fn invalid(service: &Value, errors: &[Error]) -> Status {
    let name = service.str_at(&["metadata", "name"]).unwrap_or_default();
    Status::invalid("", "Service", name, field::causes(errors))
}

#[cfg(test)]
mod tests;
