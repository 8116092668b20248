//! What is wrong with the rights that pods and containers ask for, on Linux and on Windows.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go.

use api::{Value, field::Error};

use super::{
    gostruct,
    rules::Rules,
    spec::{Frame, each_container, visit},
    windows,
};
use crate::validate::{Findings, Place, Seen, numbers, texts};

/// Highest number of a user or group.
const ID_MAX: i64 = i32::MAX as i64;
/// How long the name of a kernel parameter may be.
const SYSCTL_LENGTH_MAX: usize = 253;
/// How long the path of an AppArmor profile may be.
const PROFILE_LENGTH_MAX: usize = 4095;

/// Checks the rights of a container.
pub(super) fn of_container(context: &Place<'_>, frame: &Frame<'_>, found: &mut Findings) {
    if !context.is_set() {
        return;
    }
    for field in ["runAsUser", "runAsGroup"] {
        numbers::within(&context.child(field), 0, ID_MAX, found);
    }
    let mount = context.child("procMount");
    if mount.is_set() {
        texts::choice(&mount, &["Default", "Unmasked"], found);
        if frame.has_host_users && mount.text() == "Unmasked" {
            found.invalid(&mount, "`hostUsers` must be false to use `Unmasked`");
        }
    }
    seccomp(&context.child("seccompProfile"), found);
    if context.flag_of("allowPrivilegeEscalation") == Some(false) {
        let mut refuse = |why: &str| {
            let shown = gostruct::shown(context, "SecurityContext");
            found.push(Error::invalid(context.path(), shown, why));
        };
        if context.flag_of("privileged") == Some(true) {
            refuse("cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
        }
        if !frame.rules.leave_administrators() {
            for capability in context.child("capabilities").list_of("add") {
                if capability.as_str() == Some(ADMINISTRATOR) {
                    refuse(
                        "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN",
                    );
                }
            }
        }
    }
    windows::options(&context.child("windowsOptions"), found);
    app_armor(&context.child("appArmorProfile"), found);
}

const ADMINISTRATOR: &str = "CAP_SYS_ADMIN";

/// Whether a container may become administrator though it may not rise.
pub(super) fn has_administrator(spec: &Place<'_>) -> bool {
    each_container(spec).any(|container| {
        let Some(context) = container.get("securityContext") else {
            return false;
        };
        let rises = context.get("allowPrivilegeEscalation") == Some(&Value::Bool(true));
        let added = context
            .at(&["capabilities", "add"])
            .and_then(Value::as_array);
        let mut added = added.unwrap_or_default().iter();
        !rises && added.any(|one| one.as_str() == Some(ADMINISTRATOR))
    })
}

/// Checks the rights of a pod.
pub(super) fn of_pod(spec: &Place<'_>, rules: Rules, found: &mut Findings) {
    let context = spec.child("securityContext");
    if context.len() == 0 {
        return;
    }
    for field in ["fsGroup", "runAsUser", "runAsGroup"] {
        numbers::within(&context.child(field), 0, ID_MAX, found);
    }
    for group in context.child("supplementalGroups").items() {
        numbers::within(&group, 0, ID_MAX, found);
    }
    sysctls(&context.child("sysctls"), spec, rules, found);
    let policy = context.child("fsGroupChangePolicy");
    texts::optional_choice(&policy, &["Always", "OnRootMismatch"], found);
    seccomp(&context.child("seccompProfile"), found);
    windows::options(&context.child("windowsOptions"), found);
    app_armor(&context.child("appArmorProfile"), found);
    let policy = context.child("supplementalGroupsPolicy");
    texts::optional_choice(&policy, &["Merge", "Strict"], found);
    let policy = context.child("seLinuxChangePolicy");
    texts::optional_choice(&policy, &["MountOption", "Recursive"], found);
}

fn seccomp(profile: &Place<'_>, found: &mut Findings) {
    if !profile.is_set() {
        return;
    }
    let kind = profile.child("type");
    if texts::require(&kind, "type is required when seccompProfile is set", found) {
        texts::choice(&kind, &["Localhost", "RuntimeDefault", "Unconfined"], found);
    }
    let path = profile.child("localhostProfile");
    if kind.text() == "Localhost" {
        if path.is_set() {
            texts::descending_path(&path, found);
        } else {
            found.required(&path, "must be set when seccomp type is Localhost");
        }
    } else if path.is_set() {
        let shown = gostruct::shown(profile, "SeccompProfile");
        let why = "can only be set when seccomp type is Localhost";
        found.push(Error::invalid(path.path(), shown, why));
    }
}

fn app_armor(profile: &Place<'_>, found: &mut Findings) {
    const NEEDED: &str = "must be set when AppArmor type is Localhost";
    if !profile.is_set() {
        return;
    }
    let (kind, path) = (profile.child("type"), profile.child("localhostProfile"));
    match kind.text() {
        "Localhost" => {
            if !path.is_set() {
                return found.required(&path, NEEDED);
            }
            let text = path.text();
            if text.trim() != text {
                found.invalid(&path, "must not be padded with whitespace");
            } else if text.is_empty() {
                found.required(&path, NEEDED);
            }
            texts::bytes_max(&path, PROFILE_LENGTH_MAX, found);
        }
        "RuntimeDefault" | "Unconfined" => {
            if path.is_set() {
                found.invalid(&path, "can only be set when AppArmor type is Localhost");
            }
        }
        "" => found.required(&kind, "type is required when appArmorProfile is set"),
        _ => found.not_supported(&kind, &["Localhost", "RuntimeDefault", "Unconfined"]),
    }
}

/// Checks parameters of the kernel.
fn sysctls(list: &Place<'_>, spec: &Place<'_>, rules: Rules, found: &mut Findings) {
    let mut seen = Seen::new();
    for (sysctl, value) in list.items().zip(list.list()) {
        let name = sysctl.child("name");
        let text = value.str_at(&["name"]).unwrap_or_default();
        if text.is_empty() {
            found.required(&name, "");
        } else if !is_sysctl(text) {
            let why = format!(
                r"must have at most {SYSCTL_LENGTH_MAX} characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
            );
            found.invalid(&name, why);
        } else if seen.has(text) {
            found.duplicate(&name);
        }
        if !rules.leave_host_sysctls()
            && let Some(why) = of_host(text, spec)
        {
            found.invalid_text(&name, why);
        }
        seen.insert(text);
    }
}

fn is_sysctl(name: &str) -> bool {
    let edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_part = |part: &str| {
        let bytes = part.as_bytes();
        bytes.first().is_some_and(|byte| edge(*byte))
            && bytes.last().is_some_and(|byte| edge(*byte))
            && bytes
                .iter()
                .all(|byte| edge(*byte) || matches!(byte, b'-' | b'_'))
    };
    name.len() <= SYSCTL_LENGTH_MAX && name.split(['.', '/']).all(is_part)
}

/// Returns why a parameter may not be set, where it would be the host's.
fn of_host(sysctl: &str, spec: &Place<'_>) -> Option<&'static str> {
    let is = |field: &str| spec.flag_of(field) == Some(true);
    let first = sysctl.find(['.', '/']);
    // `net/ipv4` is another way to write `net.ipv4`.
    let swaps = first.is_some_and(|at| sysctl.as_bytes()[at] == b'/');
    let name: String = sysctl
        .chars()
        .map(|letter| match letter {
            '.' if swaps => '/',
            '/' if swaps => '.',
            other => other,
        })
        .take_while(|letter| *letter != '*')
        .collect();
    let is_of_processes = matches!(
        name.as_str(),
        "kernel.sem"
            | "kernel.shmall"
            | "kernel.shmmax"
            | "kernel.shmmni"
            | "kernel.shm_rmid_forced"
            | "kernel.shm"
            | "kernel.msgmax"
            | "kernel.msgmnb"
            | "kernel.msgmni"
            | "kernel.msg"
    ) || name.starts_with("fs.mqueue.");
    if is("hostNetwork") && name.starts_with("net.") {
        Some("may not be specified when 'hostNetwork' is true")
    } else if is("hostIPC") && is_of_processes {
        Some("may not be specified when 'hostIPC' is true")
    } else {
        None
    }
}

/// Whether a pod sets parameters of its host.
pub(super) fn has_host_sysctl(spec: &Place<'_>) -> bool {
    let context = spec.child("securityContext");
    let mut sysctls = context.list_of("sysctls").iter();
    sysctls.any(|one| of_host(one.str_at(&["name"]).unwrap_or_default(), spec).is_some())
}

/// Checks that processes of a Windows host are in pods of their own.
pub(super) fn host_processes(spec: &Place<'_>, found: &mut Findings) {
    let flag = |context: Option<&Value>| context?.at(&["windowsOptions", "hostProcess"])?.as_bool();
    let whole = flag(spec.get("securityContext"));
    let own = |container: &Value| flag(container.get("securityContext"));
    if whole.is_none() && each_container(spec).all(|one| own(one).is_none()) {
        return;
    }
    let (mut all, mut of_host) = (0, 0);
    visit(spec, |container| {
        all += 1;
        let own = container.value().and_then(own);
        if let (Some(whole), Some(own)) = (whole, own)
            && whole != own
        {
            let context = container.child("securityContext");
            let options = context.child("windowsOptions");
            let why = format!(
                "pod hostProcess value must be identical if both are specified, was {whole}"
            );
            found.invalid(&options.child("hostProcess"), why);
        }
        if own.or(whole) == Some(true) {
            of_host += 1;
        }
    });
    if of_host == 0 {
        return;
    }
    if of_host != all {
        let why = "If pod contains any hostProcess containers then all containers must be HostProcess containers";
        found.push(Error::invalid(spec.path(), "", why));
    }
    let network = spec.child("hostNetwork");
    if !network.is_true() {
        let why = "hostNetwork must be true if pod contains any hostProcess containers";
        found.push(Error::invalid(network.path(), false, why));
    }
}

/// Checks that a pod of Linux has nothing of Windows.
pub(super) fn of_linux(spec: &Place<'_>, found: &mut Findings) {
    const WHY: &str = "windows options cannot be set for a linux pod";
    let mut check = |place: &Place<'_>| {
        let context = place.child("securityContext");
        let options = context.child("windowsOptions");
        if options.is_set() {
            found.forbidden(&options, WHY);
        }
    };
    check(spec);
    visit(spec, check);
}

/// What pods of Windows may not have in their rights.
const NOT_WINDOWS: [&str; 11] = [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "seLinuxChangePolicy",
];

/// What containers of Windows may not have in their rights.
const NOT_WINDOWS_CONTAINER: [&str; 10] = [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
];

/// Checks that a pod of Windows has nothing of Linux.
pub(super) fn of_windows(spec: &Place<'_>, found: &mut Findings) {
    const WHY: &str = "cannot be set for a windows pod";
    let context = spec.child("securityContext");
    for field in NOT_WINDOWS {
        let place = context.child(field);
        if place.is_set() && (field != "sysctls" || place.len() > 0) {
            found.forbidden(&place, WHY);
        }
    }
    for (field, is_pointer) in [
        ("hostUsers", true),
        ("hostPID", false),
        ("hostIPC", false),
        ("shareProcessNamespace", true),
    ] {
        let place = spec.child(field);
        if place.is_true() || (is_pointer && place.is_set()) {
            found.forbidden(&place, WHY);
        }
    }
    visit(spec, |container| {
        let context = container.child("securityContext");
        for field in NOT_WINDOWS_CONTAINER {
            let place = context.child(field);
            if place.is_set() {
                found.forbidden(&place, WHY);
            }
        }
    });
}
