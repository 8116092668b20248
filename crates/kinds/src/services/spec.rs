//! The parts of a Service that hang together: reading them, and keeping them in step.

use api::{Value, json::Part};

/// The address of a Service that has none, by wish.
pub(super) const NONE: &str = "None";

/// What of a Service says which addresses and ports it holds.
pub(super) const HELD_PARTS: &[Part] = &[Part::of(
    "spec",
    &[
        Part::whole("type"),
        Part::whole("clusterIPs"),
        Part::of("ports", &[Part::whole("nodePort")]),
        Part::whole("externalTrafficPolicy"),
        Part::whole("healthCheckNodePort"),
    ],
)];

/// A view of a Service.
#[derive(Clone, Copy)]
pub(super) struct Spec<'a>(pub(super) &'a Value);

impl<'a> Spec<'a> {
    fn at(self, name: &str) -> Option<&'a Value> {
        self.0.at(&["spec", name])
    }

    fn text(self, name: &str) -> &'a str {
        self.at(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn texts(self, name: &str) -> Vec<&'a str> {
        let found = self.at(name).and_then(Value::as_array).unwrap_or_default();
        let text = |one: &'a Value| one.as_str().unwrap_or_default();
        found.iter().map(text).collect()
    }

    pub(super) fn kind(self) -> &'a str {
        self.text("type")
    }

    pub(super) fn address(self) -> &'a str {
        self.text("clusterIP")
    }

    pub(super) fn addresses(self) -> Vec<&'a str> {
        self.texts("clusterIPs")
    }

    /// Returns the addresses as errors show them.
    pub(super) fn shown_addresses(self) -> Value {
        self.at("clusterIPs").cloned().unwrap_or_default()
    }

    pub(super) fn families(self) -> Vec<&'a str> {
        self.texts("ipFamilies")
    }

    pub(super) fn policy(self) -> Option<&'a str> {
        self.at("ipFamilyPolicy").and_then(Value::as_str)
    }

    pub(super) fn ports(self) -> &'a [Value] {
        self.at("ports")
            .and_then(Value::as_array)
            .unwrap_or_default()
    }

    /// Returns whether pods stand behind it by their labels.
    pub(super) fn has_selector(self) -> bool {
        let selector = self.at("selector").and_then(Value::as_object);
        selector.is_some_and(|selector| !selector.is_empty())
    }

    pub(super) fn needs_address(self) -> bool {
        self.kind() != "ExternalName"
    }

    pub(super) fn is_headless(self) -> bool {
        self.addresses().first() == Some(&NONE)
    }

    /// Returns whether its type opens ports on nodes.
    pub(super) fn is_on_nodes(self) -> bool {
        matches!(self.kind(), "NodePort" | "LoadBalancer")
    }

    /// Returns whether it can be reached from outside of the cluster.
    fn is_exposed(self) -> bool {
        let outside = self.texts("externalIPs");
        self.is_on_nodes() || (self.kind() == "ClusterIP" && !outside.is_empty())
    }

    /// Returns whether ports without a node port are given one.
    pub(super) fn wants_node_ports(self) -> bool {
        let given = self
            .at("allocateLoadBalancerNodePorts")
            .and_then(Value::as_bool);
        match self.kind() {
            "NodePort" => true,
            "LoadBalancer" => given.unwrap_or(true),
            _ => false,
        }
    }

    pub(super) fn needs_health_port(self) -> bool {
        self.kind() == "LoadBalancer" && self.text("externalTrafficPolicy") == "Local"
    }

    /// Returns the node ports, in the order of ports.
    pub(super) fn node_ports(self) -> Vec<u16> {
        self.ports().iter().filter_map(node_port).collect()
    }

    pub(super) fn health_port(self) -> Option<u16> {
        port_number(self.at("healthCheckNodePort"))
    }
}

fn port_number(value: Option<&Value>) -> Option<u16> {
    let number = value.and_then(Value::as_int)?;
    u16::try_from(number).ok().filter(|number| *number != 0)
}

/// Returns the node port of one port.
pub(super) fn node_port(port: &Value) -> Option<u16> {
    port_number(port.get("nodePort"))
}

/// Returns the number that stands in a port's `nodePort`, good or not; none for 0.
pub(super) fn wished_port(port: &Value) -> Option<i64> {
    let number = port.get("nodePort").and_then(Value::as_int);
    number.filter(|number| *number != 0)
}

pub(super) fn ports_mut(service: &mut Value) -> &mut [Value] {
    let ports = service.at_mut(&["spec", "ports"]);
    let ports = ports.and_then(Value::as_array_mut);
    ports.map_or(&mut [], Vec::as_mut_slice)
}

/// Sets a list of texts; an empty one goes.
pub(super) fn set_texts(service: &mut Value, name: &str, texts: &[String]) {
    if texts.is_empty() {
        service.remove_at(&["spec", name]);
        return;
    }
    let texts = texts.iter().map(|text| Value::from(text.as_str()));
    service.set_at(&["spec", name], Value::Array(texts.collect()));
}

fn take_over(service: &mut Value, old: &Value, name: &str) {
    match old.at(&["spec", name]) {
        Some(value) => service.set_at(&["spec", name], value.clone()),
        None => {
            service.remove_at(&["spec", name]);
        }
    }
}

/// Keeps what the server gave and the client did not repeat.
pub(super) fn keep_allotted(service: &mut Value, old: &Value) {
    let before = Spec(old);
    if before.needs_address() && Spec(service).needs_address() {
        if Spec(service).address().is_empty() {
            take_over(service, old, "clusterIP");
        }
        if Spec(service).addresses().is_empty() && !before.addresses().is_empty() {
            take_over(service, old, "clusterIPs");
        }
    }
    if before.wants_node_ports() && Spec(service).wants_node_ports() {
        let now = Spec(service).node_ports();
        let used: Vec<u16> = before
            .node_ports()
            .into_iter()
            .filter(|port| now.contains(port))
            .collect();
        let named = |port: &Value| port.str_at(&["name"]).unwrap_or_default().to_owned();
        for port in ports_mut(service) {
            if wished_port(port).is_some() {
                continue;
            }
            let name = named(port);
            // Of ports with one name the last counts.
            let known = before.ports().iter().rev().find(|one| named(one) == name);
            let known = known
                .and_then(node_port)
                .filter(|known| !used.contains(known));
            if let Some(known) = known {
                port.set_at(&["nodePort"], Value::Int(i64::from(known)));
            }
        }
    }
    if before.needs_health_port()
        && Spec(service).needs_health_port()
        && Spec(service).health_port().is_none()
    {
        take_over(service, old, "healthCheckNodePort");
    }
}

/// Brings the one address and the list of them in step, as far as it is clear what was meant.
pub(super) fn join_addresses(service: &mut Value, old: Option<&Value>) {
    let single = Spec(service).address().to_owned();
    let Some(old) = old else {
        if !single.is_empty() && Spec(service).addresses().is_empty() {
            set_texts(service, "clusterIPs", &[single]);
        }
        return;
    };
    let before = Spec(old);
    let is_same_single = before.address() == single;
    if !before.addresses().is_empty() && Spec(service).addresses().is_empty() && is_same_single {
        take_over(service, old, "clusterIPs");
    }
    if is_same_single || before.addresses() != Spec(service).addresses() {
        return;
    }
    // Only the one address was changed: the list follows.
    let list = if single.is_empty() {
        Vec::new()
    } else {
        vec![single]
    };
    set_texts(service, "clusterIPs", &list);
}

/// Wipes what a change of type has left without meaning, unless the client changed it as well, which
/// validation then refuses.
pub(super) fn drop_what_no_longer_applies(service: &mut Value, old: &Value) {
    let before = Spec(old);
    let same = |service: &Value, name: &str| service.at(&["spec", name]) == old.at(&["spec", name]);
    if before.needs_address() && !Spec(service).needs_address() {
        if same(service, "clusterIP") && same(service, "clusterIPs") {
            service.remove_at(&["spec", "clusterIP"]);
            service.remove_at(&["spec", "clusterIPs"]);
        }
        for name in ["ipFamilies", "ipFamilyPolicy"] {
            if same(service, name) {
                service.remove_at(&["spec", name]);
            }
        }
    }
    if before.is_on_nodes() && !Spec(service).is_on_nodes() {
        let known = before.node_ports();
        if Spec(service)
            .node_ports()
            .iter()
            .all(|port| known.contains(port))
        {
            for port in ports_mut(service) {
                port.remove_at(&["nodePort"]);
            }
        }
    }
    if before.is_exposed() && !Spec(service).is_exposed() && same(service, "externalTrafficPolicy")
    {
        service.remove_at(&["spec", "externalTrafficPolicy"]);
    }
    if before.needs_health_port()
        && !Spec(service).needs_health_port()
        && same(service, "healthCheckNodePort")
    {
        service.remove_at(&["spec", "healthCheckNodePort"]);
    }
    if before.kind() == "LoadBalancer" && Spec(service).kind() != "LoadBalancer" {
        for name in ["allocateLoadBalancerNodePorts", "loadBalancerClass"] {
            if same(service, name) {
                service.remove_at(&["spec", name]);
            }
        }
    }
    if Spec(service).kind() != "LoadBalancer" && service.at(&["status", "loadBalancer"]).is_some() {
        service.set_at(&["status", "loadBalancer"], Value::object());
    }
}
