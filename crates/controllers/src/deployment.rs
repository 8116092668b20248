//! Rolls a deployment's pods from one template to the next.
//!
//! [`plan`] decides, in [`plan::rollout`] and [`plan::status`]; [`act`] carries out. Rollback needs
//! nothing here: `kubectl rollout undo` writes an old template back, and the replica set that has it
//! becomes the new one again.

pub mod act;
pub mod plan;

use kit::{Head, Resource, Scope, Selector, Time};
use serde::{Deserialize, Serialize, de};
use serde_json::value::RawValue;

use crate::{
    claim::headed,
    replicaset::{empty, is_zero, is_zero_long},
    template::Template,
};

/// What controllers remember of a deployment.
#[derive(Debug)]
pub struct Deployment {
    /// Metadata.
    pub metadata: Head,
    /// Wanted number of pods.
    pub replicas: i32,
    /// How long a pod must be ready before it counts as available.
    pub min_ready_secs: i32,
    /// Whether rollouts rest.
    pub paused: bool,
    /// How many old replica sets are kept; `None` keeps all.
    pub history_limit: Option<i32>,
    /// How long a rollout may stand still; `None` for ever.
    pub deadline_secs: Option<i32>,
    /// How pods are replaced.
    pub strategy: Strategy,
    /// Selector.
    pub selector: Selector,
    /// Selector as it was written.
    pub selector_raw: Box<RawValue>,
    /// What the pods are made from.
    pub template: Template,
    /// What was last written about it.
    pub status: Status,
}

/// How pods are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// All old ones go before the first new one comes.
    Recreate,
    /// New ones come as old ones go.
    RollingUpdate {
        /// How many more than wanted there may be.
        surge: Amount,
        /// How many fewer than wanted may be available.
        unavailable: Amount,
    },
}

/// A number, or a share of the wanted number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// A number.
    Number(i32),
    /// Hundredths.
    Percent(i32),
}

/// The status of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// Generation this status speaks of.
    #[serde(skip_serializing_if = "is_zero_long")]
    pub observed_generation: i64,
    /// Number of pods.
    #[serde(skip_serializing_if = "is_zero")]
    pub replicas: i32,
    /// Number of pods made from the current template.
    #[serde(skip_serializing_if = "is_zero")]
    pub updated_replicas: i32,
    /// Number of ready pods.
    #[serde(skip_serializing_if = "is_zero")]
    pub ready_replicas: i32,
    /// Number of available pods.
    #[serde(skip_serializing_if = "is_zero")]
    pub available_replicas: i32,
    /// Number of pods missing or not available.
    #[serde(skip_serializing_if = "is_zero")]
    pub unavailable_replicas: i32,
    /// Number of pods that leave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminating_replicas: Option<i32>,
    /// Conditions.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "kit::object::null_as_default"
    )]
    pub conditions: Vec<Condition>,
    /// How many names of replica sets were taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collision_count: Option<i32>,
}

/// A condition of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// When it was last looked at with news.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_update_time: Option<Time>,
    /// When the status last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// One word.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// A sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

impl Deployment {
    /// Returns the resource.
    #[must_use]
    pub fn resource() -> Resource {
        Resource::new("apps", "v1", "deployments", "Deployment", Scope::Namespaced)
    }

    /// Returns how many pods more than wanted there may be, and how many fewer available.
    ///
    /// Both are found in one step, since they must not both be nothing: 1 % of a few rounded down
    /// is none, and then nothing could ever move.
    #[must_use]
    pub fn fences(&self) -> (i32, i32) {
        let Strategy::RollingUpdate { surge, unavailable } = self.strategy else {
            return (0, 0);
        };
        let surge = surge.of_rounded_up(self.replicas);
        let unavailable = unavailable.of_rounded_down(self.replicas);
        if surge == 0 && unavailable == 0 {
            return (0, 1);
        }
        (surge, unavailable)
    }

    /// Returns how many pods fewer than wanted may be available.
    #[must_use]
    pub fn unavailable_max(&self) -> i32 {
        if self.replicas == 0 {
            return 0;
        }
        self.fences().1.min(self.replicas)
    }

    /// Returns how many pods there may be.
    #[must_use]
    pub fn replicas_max(&self) -> i32 {
        self.replicas.saturating_add(self.fences().0)
    }
}

impl Amount {
    /// Returns the number; a share is rounded up.
    #[must_use]
    pub fn of_rounded_up(self, total: i32) -> i32 {
        match self {
            Self::Number(number) => number,
            Self::Percent(percent) => share(percent, total, 99),
        }
    }

    /// Returns the number; a share is rounded down.
    #[must_use]
    pub fn of_rounded_down(self, total: i32) -> i32 {
        match self {
            Self::Number(number) => number,
            Self::Percent(percent) => share(percent, total, 0),
        }
    }
}

fn share(percent: i32, total: i32, round: i64) -> i32 {
    let share = (i64::from(percent) * i64::from(total) + round) / 100;
    i32::try_from(share).unwrap_or(i32::MAX)
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(i32),
            Text(String),
        }
        match Raw::deserialize(deserializer)? {
            Raw::Number(number) => Ok(Self::Number(number)),
            Raw::Text(text) => {
                let percent = text.strip_suffix('%').and_then(|text| text.parse().ok());
                percent
                    .map(Self::Percent)
                    .ok_or_else(|| de::Error::custom("neither a number nor a percentage"))
            }
        }
    }
}

headed!(Deployment);

#[derive(Deserialize)]
struct Raw {
    metadata: Head,
    #[serde(default)]
    spec: RawSpec,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawSpec {
    replicas: Option<i32>,
    min_ready_seconds: i32,
    paused: bool,
    revision_history_limit: Option<i32>,
    progress_deadline_seconds: Option<i32>,
    strategy: RawStrategy,
    selector: Option<Box<RawValue>>,
    template: Option<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawStrategy {
    #[serde(rename = "type")]
    kind: String,
    rolling_update: Option<RawRolling>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawRolling {
    max_surge: Option<Amount>,
    max_unavailable: Option<Amount>,
}

impl<'de> Deserialize<'de> for Deployment {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Raw {
            metadata,
            spec,
            status,
        } = Raw::deserialize(deserializer)?;
        let template = Template::read(spec.template.unwrap_or_else(empty));
        let selector_raw = spec.selector.unwrap_or_else(empty);
        // The largest number means "no limit" in both of them.
        let limit = |number: Option<i32>| number.filter(|number| *number != i32::MAX);
        let strategy = if spec.strategy.kind == "Recreate" {
            Strategy::Recreate
        } else {
            let rolling = spec.strategy.rolling_update.unwrap_or_default();
            Strategy::RollingUpdate {
                surge: rolling.max_surge.unwrap_or(Amount::Number(0)),
                unavailable: rolling.max_unavailable.unwrap_or(Amount::Number(0)),
            }
        };
        Ok(Self {
            metadata,
            replicas: spec.replicas.unwrap_or(1),
            min_ready_secs: spec.min_ready_seconds,
            paused: spec.paused,
            history_limit: limit(spec.revision_history_limit),
            deadline_secs: limit(spec.progress_deadline_seconds),
            strategy,
            selector: serde_json::from_str(selector_raw.get()).map_err(de::Error::custom)?,
            selector_raw,
            template: template.map_err(de::Error::custom)?,
            status,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Deployment;

    #[track_caller]
    fn check(replicas: i32, surge: &str, unavailable: &str, expected: (i32, i32)) {
        let amount = |text: &str| {
            text.parse::<i32>()
                .map_or(serde_json::json!(text), |number| serde_json::json!(number))
        };
        let deployment: Deployment = serde_json::from_value(serde_json::json!({
            "metadata": {}, "spec": {"replicas": replicas, "strategy": {"rollingUpdate":
                {"maxSurge": amount(surge), "maxUnavailable": amount(unavailable)}}}}))
        .unwrap();
        assert_eq!(deployment.fences(), expected);
    }

    #[test]
    fn shares_round_towards_safety() {
        check(10, "25%", "25%", (3, 2));
        check(1, "25%", "25%", (1, 0));
        check(4, "0", "1", (0, 1));
    }

    #[test]
    fn something_may_always_move() {
        check(2, "0%", "1%", (0, 1));
        check(1, "0", "0", (0, 1));
    }

    #[test]
    fn an_amount_is_a_number_or_a_share() {
        assert!(serde_json::from_str::<super::Amount>("\"some\"").is_err());
    }
}
