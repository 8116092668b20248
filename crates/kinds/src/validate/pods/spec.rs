//! What is wrong with the spec of a pod, be it of a pod or of a template.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go.

use api::{Value, field::Error, names::validate};

use super::{
    containers, resources,
    rules::Rules,
    scheduling, security,
    volumes::{self, Volumes},
};
use crate::validate::{Findings, Place, Seen, labels, numbers, texts};

const RESTART_POLICIES: [&str; 3] = ["Always", "OnFailure", "Never"];
const DNS_POLICIES: [&str; 4] = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];

/// How many servers for names a pod may have, which is what the C library reads.
const NAMESERVERS_MAX: usize = 3;
/// How many domains a pod may search.
const SEARCHES_MAX: usize = 32;
/// How long those may be together, with a space between each two.
const SEARCHES_LENGTH_MAX: usize = 2048;

/// What the checks of containers know of their pod.
pub(super) struct Frame<'a> {
    pub(super) rules: Rules,
    pub(super) spec: &'a Place<'a>,
    pub(super) volumes: Volumes<'a>,
    pub(super) restart_policy: &'a str,
    /// Users of the pod are those of the host.
    pub(super) has_host_users: bool,
    pub(super) grace: Option<i64>,
}

/// Returns every container of a spec, in upstream's order.
pub(super) fn each_container<'a>(spec: &Place<'a>) -> impl Iterator<Item = &'a Value> {
    let lists = ["initContainers", "containers", "ephemeralContainers"];
    let lists = lists.map(|list| spec.list_of(list));
    lists.into_iter().flatten()
}

/// Visits every container of a spec with its place, in upstream's order.
pub(super) fn visit(spec: &Place<'_>, mut each: impl FnMut(&Place<'_>)) {
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in spec.child(list).items() {
            each(&container);
        }
    }
}

/// Checks a spec. The name of its pod is known only where it is a pod's; `claims_barred` says that
/// the pod comes from a kubelet, which asks for no claims.
pub(super) fn check(spec: &Place<'_>, rules: Rules, pod: Option<&Place<'_>>, found: &mut Findings) {
    let grace = spec.child("terminationGracePeriodSeconds");
    if !grace.is_set() {
        found.required(&grace, "");
    }
    let list = spec.child("volumes");
    let pod_name = pod.map_or("", |metadata| metadata.text_of("name"));
    let volumes = volumes::volumes(&list, rules, pod_name, found);
    let claims = spec.child("resourceClaims");
    if claims.len() > 0 {
        resources::claims(&claims, pod, found);
    }
    let frame = Frame {
        rules,
        spec,
        volumes,
        restart_policy: spec.text_of("restartPolicy"),
        has_host_users: spec.flag_of("hostUsers") != Some(false),
        grace: grace.int(),
    };
    let (regular, initial) = (spec.list_of("containers"), spec.list_of("initContainers"));
    containers::regular(&spec.child("containers"), &frame, found);
    containers::initial(&spec.child("initContainers"), regular, &frame, found);
    let added = spec.child("ephemeralContainers");
    containers::ephemeral(&added, regular, initial, &frame, found);
    resources::of_pod(&frame, found);
    host_network(&frame, found);
    texts::required_choice(&spec.child("restartPolicy"), &RESTART_POLICIES, found);
    texts::required_choice(&spec.child("dnsPolicy"), &DNS_POLICIES, found);
    labels::labels(&spec.child("nodeSelector"), found);
    security::of_pod(spec, rules, found);
    let shared = spec.child("shareProcessNamespace");
    if shared.is_true() && spec.flag_of("hostPID") == Some(true) {
        let why = "ShareProcessNamespace and HostPID cannot both be enabled";
        found.invalid(&shared, why);
    }
    scheduling::affinity(&spec.child("affinity"), rules, found);
    dns(spec, found);
    gates(spec, found);
    let spread = spec.child("topologySpreadConstraints");
    scheduling::spread(&spread, rules, found);
    security::host_processes(spec, found);
    own_users(spec, rules, found);
    hostname(spec, found);
    names(spec, found);
    scheduling::tolerations(&spec.child("tolerations"), rules, found);
    aliases(&spec.child("hostAliases"), found);
    classes(&frame, found);
    files_of_variables(spec, found);
}

/// On the host's network a container's ports are the host's. Pods have had that filled in.
fn host_network(frame: &Frame<'_>, found: &mut Findings) {
    if frame.spec.flag_of("hostNetwork") != Some(true) {
        return;
    }
    for container in frame.spec.child("containers").items() {
        for port in container.child("ports").items() {
            let host = port.int_of("hostPort").unwrap_or(0);
            let own = port.int_of("containerPort").unwrap_or(0);
            if host != own && (frame.rules.is_pod() || host != 0) {
                let why = "must match `containerPort` when `hostNetwork` is true";
                found.invalid_number(&port.child("hostPort"), why);
            }
        }
    }
}

fn dns(spec: &Place<'_>, found: &mut Findings) {
    let config = spec.child("dnsConfig");
    let servers = config.child("nameservers");
    if spec.text_of("dnsPolicy") == "None" {
        if !config.is_set() {
            return found.required(&config, "must provide `dnsConfig` when `dnsPolicy` is None");
        }
        if servers.len() == 0 {
            let why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            return found.required(&servers, why);
        }
    }
    if !config.is_set() {
        return;
    }
    if servers.len() > NAMESERVERS_MAX {
        let why = format!("must not have more than {NAMESERVERS_MAX} nameservers");
        found.invalid(&servers, why);
    }
    for server in servers.items() {
        texts::ip_of_old(&server, found);
    }
    let searches = config.child("searches");
    if searches.len() > SEARCHES_MAX {
        let why = format!("must not have more than {SEARCHES_MAX} search paths");
        found.invalid(&searches, why);
    }
    let lengths = searches
        .list()
        .iter()
        .map(|one| one.as_str().unwrap_or_default().len());
    if lengths.sum::<usize>() + searches.len().saturating_sub(1) > SEARCHES_LENGTH_MAX {
        let why = format!(
            "must not have more than {SEARCHES_LENGTH_MAX} characters (including spaces) in the search list"
        );
        found.invalid(&searches, why);
    }
    for search in searches.items() {
        let text = search.text();
        if text == "." {
            continue;
        }
        let text = text.strip_suffix('.').unwrap_or(text);
        for sentence in texts::subdomain_with_underscore(text) {
            found.push(Error::invalid(search.path(), text, sentence));
        }
    }
    for option in config.child("options").items() {
        if option.text_of("name").is_empty() {
            found.required(&option, "must not be empty");
        }
    }
}

fn gates(spec: &Place<'_>, found: &mut Findings) {
    for gate in spec.child("readinessGates").items() {
        texts::qualified(&gate.child("conditionType"), found);
    }
    let list = spec.child("schedulingGates");
    let mut seen = Seen::new();
    for (gate, value) in list.items().zip(list.list()) {
        // The path of these errors is upstream's: that of the gate.
        let name = Place::new(gate.get("name"), *gate.path());
        texts::qualified(&name, found);
        if !seen.insert(value.str_at(&["name"]).unwrap_or_default()) {
            found.push(Error::duplicate(gate.path(), name.text()));
        }
    }
}

/// A pod with users of its own shares little else with its host.
fn own_users(spec: &Place<'_>, rules: Rules, found: &mut Findings) {
    const WHY: &str = "when `hostUsers` is false";
    if spec.flag_of("hostUsers") != Some(false) {
        return;
    }
    if spec.flag_of("hostNetwork") == Some(true) && !rules.leave_host_network_of_users() {
        found.forbidden(&spec.child("hostNetwork"), WHY);
    }
    for (field, called) in [("hostPID", "HostPID"), ("hostIPC", "HostIPC")] {
        if spec.flag_of(field) == Some(true) {
            found.forbidden(&spec.child(called), WHY);
        }
    }
    if rules.leave_user_devices() {
        return;
    }
    visit(spec, |container| {
        let devices = container.child("volumeDevices");
        if devices.len() > 0 {
            found.forbidden(&devices, WHY);
        }
    });
}

fn hostname(spec: &Place<'_>, found: &mut Findings) {
    let name = spec.child("hostnameOverride");
    if !name.is_set() {
        return;
    }
    if spec.flag_of("setHostnameAsFQDN") == Some(true) {
        found.forbidden(&name, "may not be specified when setHostnameAsFQDN is true");
    }
    if spec.flag_of("hostNetwork") == Some(true) {
        found.forbidden(&name, "may not be specified when hostNetwork is true");
    }
    texts::bytes_max(&name, 64, found);
    texts::subdomain(&name, found);
}

fn names(spec: &Place<'_>, found: &mut Findings) {
    let given = |place: &Place<'_>| !place.text().is_empty();
    let account = spec.child("serviceAccountName");
    if given(&account) {
        texts::subdomain(&account, found);
    }
    let old = spec.text_of("serviceAccount");
    if old != account.text() {
        let place = spec.child("deprecatedServiceAccount");
        let name = api::quote::quote(account.text());
        let why = format!("must be the same as serviceAccountName: {name}");
        found.push(Error::invalid(place.path(), old, why));
    }
    let node = spec.child("nodeName");
    if given(&node) {
        texts::subdomain(&node, found);
    }
    numbers::within(
        &spec.child("activeDeadlineSeconds"),
        1,
        i64::from(i32::MAX),
        found,
    );
    for field in ["hostname", "subdomain"] {
        let name = spec.child(field);
        if given(&name) {
            texts::label(&name, found);
        }
    }
}

fn aliases(list: &Place<'_>, found: &mut Findings) {
    for alias in list.items() {
        texts::ip_of_old(&alias.child("ip"), found);
        for name in alias.child("hostnames").items() {
            texts::subdomain(&name, found);
        }
    }
}

fn classes(frame: &Frame<'_>, found: &mut Findings) {
    let spec = frame.spec;
    let priority = spec.child("priorityClassName");
    if !priority.text().is_empty() {
        texts::subdomain(&priority, found);
    }
    let runtime = spec.child("runtimeClassName");
    if runtime.is_set() {
        texts::subdomain(&runtime, found);
    }
    let preemption = spec.child("preemptionPolicy");
    if preemption.is_set() {
        let policies = ["PreemptLowerPriority", "Never"];
        texts::required_choice(&preemption, &policies, found);
    }
    let overhead = spec.child("overhead");
    if overhead.is_set() {
        resources::overhead(&overhead, frame.rules, found);
    }
    let os = spec.child("os");
    if os.is_set() {
        let name = os.child("name");
        match name.text() {
            "" => found.required(&name, ""),
            "linux" => security::of_linux(spec, found),
            "windows" => security::of_windows(spec, found),
            other => found.push(Error::not_supported(
                os.path(),
                other,
                &["linux", "windows"],
            )),
        }
    }
    let group = spec.child("schedulingGroup");
    if group.is_set() {
        let name = group.child("podGroupName");
        match name.str() {
            None => found.invalid(&name, "must specify one of: `podGroupName`"),
            Some(text) => found.each_invalid(&name, validate::dns1123_subdomain(text)),
        }
    }
}

/// Variables come from files of empty directories only.
fn files_of_variables(spec: &Place<'_>, found: &mut Findings) {
    visit(spec, |container| {
        for variable in container.child("env").items() {
            let source = variable.child("valueFrom");
            if !source.has("fileKeyRef") {
                continue;
            }
            let file = source.child("fileKeyRef");
            let name = file.child("volumeName");
            let is_it = |one: &&Value| one.str_at(&["name"]).unwrap_or_default() == name.text();
            // Upstream keeps the last of a name.
            match spec.list_of("volumes").iter().rev().find(is_it) {
                None => found.push(Error::not_found(name.path(), name.text())),
                Some(volume) if volume.get("emptyDir").is_none() => {
                    found.invalid_text(&name, "referenced volume must be of type emptyDir");
                }
                Some(_) => {}
            }
        }
    });
}
