//! What is let pass in a pod that changes, because it was so before.
//!
//! Rules became stricter over the years; a pod that was written under the old ones may still be
//! changed elsewhere.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/api/pod/util.go, with the feature gates that are on by
//! default.

use api::Value;

use super::{resources, scheduling, security, spec::each_container};
use crate::validate::{Findings, Place, labels, texts};

/// What is let pass, and whether it is a pod that is checked, or what pods are made of.
#[derive(Clone, Copy, Default)]
pub(super) struct Rules {
    left: u32,
    is_pod: bool,
}

/// What may be left as it was. The number is its place in [`FROM_OLD`].
#[derive(Clone, Copy)]
enum Left {
    UnevenPages,
    AffinityValues,
    NodeValues,
    SpreadSelectors,
    SpreadKeys,
    TokenPaths,
    HostSysctls,
    UserDevices,
    EmptyImages,
    AdministratorRights,
    PlainRestarts,
    HostNetworkOfUsers,
    ComparingTolerations,
    DeletionCost,
}

/// Which of them an old pod spec has (each on its own bit), in the order of [`Left`].
const FROM_OLD: [fn(&Place<'_>) -> bool; 13] = [
    resources::has_uneven_pages,
    scheduling::has_bad_affinity,
    scheduling::has_bad_node_values,
    scheduling::has_bad_spread_selector,
    scheduling::has_bad_spread_keys,
    has_foreign_token_path,
    security::has_host_sysctl,
    has_devices_of_users,
    has_empty_image,
    security::has_administrator,
    has_plain_restart,
    is_host_network_of_users,
    scheduling::has_comparing_toleration,
];

impl Rules {
    /// The rules of a pod that is created.
    pub(super) fn pod() -> Self {
        Self {
            left: 0,
            is_pod: true,
        }
    }

    /// The rules of a template that is created.
    pub(super) fn template() -> Self {
        Self::default()
    }

    /// These rules, for what changes from an old spec with these annotations.
    pub(super) fn since(self, old_spec: &Place<'_>, old_annotations: &Place<'_>) -> Self {
        if !old_spec.is_set() {
            return self;
        }
        let mut left = 0;
        for (bit, was_so) in FROM_OLD.iter().enumerate() {
            left |= u32::from(was_so(old_spec)) << bit;
        }
        let cost = super::annotations::has_bad_cost(old_annotations);
        left |= u32::from(cost) << (Left::DeletionCost as u32);
        Self { left, ..self }
    }

    /// Whether it is a pod, not a template.
    pub(super) fn is_pod(self) -> bool {
        self.is_pod
    }

    fn leaves(self, left: Left) -> bool {
        self.left & (1 << (left as u32)) != 0
    }

    pub(super) fn leave_uneven_pages(self) -> bool {
        self.leaves(Left::UnevenPages)
    }

    pub(super) fn affinity_values(self) -> labels::SelectorRules {
        if self.leaves(Left::AffinityValues) {
            labels::SelectorRules::AnyValues
        } else {
            labels::SelectorRules::Strict
        }
    }

    pub(super) fn leave_node_values(self) -> bool {
        self.leaves(Left::NodeValues)
    }

    pub(super) fn leave_spread_selectors(self) -> bool {
        self.leaves(Left::SpreadSelectors)
    }

    pub(super) fn leave_spread_keys(self) -> bool {
        self.leaves(Left::SpreadKeys)
    }

    pub(super) fn leave_token_paths(self) -> bool {
        self.leaves(Left::TokenPaths)
    }

    pub(super) fn leave_host_sysctls(self) -> bool {
        self.leaves(Left::HostSysctls)
    }

    pub(super) fn leave_user_devices(self) -> bool {
        self.leaves(Left::UserDevices)
    }

    pub(super) fn leave_empty_images(self) -> bool {
        self.leaves(Left::EmptyImages)
    }

    pub(super) fn leave_administrators(self) -> bool {
        self.leaves(Left::AdministratorRights)
    }

    pub(super) fn leave_plain_restarts(self) -> bool {
        self.leaves(Left::PlainRestarts)
    }

    pub(super) fn leave_host_network_of_users(self) -> bool {
        self.leaves(Left::HostNetworkOfUsers)
    }

    pub(super) fn leave_comparing_tolerations(self) -> bool {
        self.leaves(Left::ComparingTolerations)
    }

    pub(super) fn leave_deletion_cost(self) -> bool {
        self.leaves(Left::DeletionCost)
    }
}

fn has_foreign_token_path(spec: &Place<'_>) -> bool {
    let volumes = spec.list_of("volumes").iter();
    let mut sources = volumes
        .filter_map(|volume| volume.at(&["projected", "sources"])?.as_array())
        .flatten();
    sources.any(|source| {
        let token = source.get("serviceAccountToken");
        token.is_some_and(|token| {
            let mut found = Findings::default();
            let path = Place::new(token.get("path"), api::field::Path::ROOT);
            texts::local_path(&path, &mut found);
            !found.is_empty()
        })
    })
}

fn has_own_users(spec: &Place<'_>) -> bool {
    spec.flag_of("hostUsers") == Some(false)
}

fn has_devices_of_users(spec: &Place<'_>) -> bool {
    has_own_users(spec) && each_container(spec).any(|one| has_items(one.get("volumeDevices")))
}

fn is_host_network_of_users(spec: &Place<'_>) -> bool {
    has_own_users(spec) && spec.flag_of("hostNetwork") == Some(true)
}

fn has_items(list: Option<&Value>) -> bool {
    list.and_then(Value::as_array)
        .is_some_and(|items| !items.is_empty())
}

fn has_empty_image(spec: &Place<'_>) -> bool {
    let mut volumes = spec.list_of("volumes").iter();
    volumes.any(|volume| {
        let image = volume.get("image");
        image.is_some_and(|image| image.str_at(&["reference"]).unwrap_or_default().is_empty())
    })
}

fn has_plain_restart(spec: &Place<'_>) -> bool {
    let initial = spec.list_of("initContainers").iter();
    let mut plain = initial.filter(|one| !super::containers::is_sidecar(one));
    plain.any(|one| {
        let policies = one.get("resizePolicy").and_then(Value::as_array);
        let restarts = |one: &Value| one.str_at(&["restartPolicy"]) == Some("RestartContainer");
        policies.unwrap_or_default().iter().any(restarts)
    })
}
