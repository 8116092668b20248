//! A pod's priority comes from its priority class.
//!
//! Source: k8s.io/kubernetes, plugin/pkg/admission/priority.

use std::sync::Arc;

use api::{Meta, Text, Value};

use super::{Around, Operation, Refusal, Request};
use crate::world::{Compiled, Resource};

const GROUP: &str = "scheduling.k8s.io";

/// The priority classes.
pub struct PriorityClasses(Compiled<Class, Vec<Arc<Class>>>);

struct Class {
    name: Text,
    value: i64,
    is_default: bool,
    preemption: Option<Text>,
}

/// What a pod gets.
struct Established {
    name: Text,
    value: i64,
    preemption: Option<Text>,
}

impl Default for PriorityClasses {
    fn default() -> Self {
        Self(Compiled::new(
            Resource::PRIORITY_CLASSES,
            Class::of,
            |all| all,
        ))
    }
}

impl Class {
    fn of(object: &Value) -> Option<Self> {
        Some(Self {
            name: Text::new(Meta::of(object).name()),
            value: object.get("value").and_then(Value::as_int).unwrap_or(0),
            is_default: is_default(object),
            preemption: object.str_at(&["preemptionPolicy"]).map(Text::new),
        })
    }
}

fn is_default(object: &Value) -> bool {
    let flag = object.get("globalDefault").and_then(Value::as_bool);
    flag == Some(true)
}

impl PriorityClasses {
    pub(super) fn change(
        &self,
        request: &Request<'_>,
        object: &mut Value,
        old: Option<&Value>,
        around: &Around<'_>,
    ) -> Result<(), Refusal> {
        if !request.writes("", "pods") {
            return Ok(());
        }
        if request.operation == Operation::Update {
            // Validation forbids changes; what is left out is kept.
            for name in ["priority", "preemptionPolicy"] {
                let before = old.and_then(|old| old.at(&["spec", name]));
                let missing = matches!(object.at(&["spec", name]), None | Some(Value::Null));
                if let (Some(before), true) = (before, missing) {
                    object.set_at(&["spec", name], before.clone());
                }
            }
            return Ok(());
        }
        let found = self.establish(request, object, around)?;
        let given = object.at(&["spec", "priority"]).and_then(Value::as_int);
        if let Some(given) = given.filter(|given| *given != found.value) {
            let why = format!(
                "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller computed {} from the given PriorityClass name",
                found.value
            );
            return Err(request.forbidden(object, why));
        }
        let given = object.str_at(&["spec", "preemptionPolicy"]);
        if let (Some(given), Some(policy)) = (given, &found.preemption)
            && given != policy
        {
            let why = format!(
                "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority admission controller computed {policy} from the given PriorityClass name"
            );
            return Err(request.forbidden(object, why));
        }
        if !found.name.is_empty() {
            object.set_at(&["spec", "priorityClassName"], Value::String(found.name));
        }
        object.set_at(&["spec", "priority"], Value::Int(found.value));
        if let Some(policy) = found.preemption {
            object.set_at(&["spec", "preemptionPolicy"], Value::String(policy));
        }
        Ok(())
    }

    fn establish(
        &self,
        request: &Request<'_>,
        object: &Value,
        around: &Around<'_>,
    ) -> Result<Established, Refusal> {
        let (_, classes) = self.0.get(around.world);
        let wanted = object
            .str_at(&["spec", "priorityClassName"])
            .unwrap_or_default();
        if wanted.is_empty() {
            return Ok(match default_of(&classes) {
                Some(class) => class.establish(),
                None => Established {
                    name: Text::default(),
                    value: 0,
                    preemption: Some(Text::const_new("PreemptLowerPriority")),
                },
            });
        }
        let found = classes.iter().find(|class| class.name == wanted);
        found.map(|class| class.establish()).ok_or_else(|| {
            request.forbidden(
                object,
                format!("no PriorityClass with name {wanted} was found"),
            )
        })
    }

    pub(super) fn check(
        &self,
        request: &Request<'_>,
        object: &Value,
        around: &Around<'_>,
    ) -> Result<(), Refusal> {
        if !request.writes(GROUP, "priorityclasses") || !is_default(object) {
            return Ok(());
        }
        let (_, classes) = self.0.get(around.world);
        let Some(known) = default_of(&classes) else {
            return Ok(());
        };
        let same = known.name == Meta::of(object).name();
        if request.operation == Operation::Update && same {
            return Ok(());
        }
        let why = format!(
            "PriorityClass {} is already marked as default. Only one default can exist",
            known.name
        );
        Err(request.forbidden(object, why))
    }
}

impl Class {
    fn establish(&self) -> Established {
        Established {
            name: self.name.clone(),
            value: self.value,
            preemption: self.preemption.clone(),
        }
    }
}

/// Returns the default; of several, which only a race can make, the lowest.
fn default_of(classes: &[Arc<Class>]) -> Option<&Arc<Class>> {
    let defaults = classes.iter().filter(|class| class.is_default);
    defaults.min_by_key(|class| class.value)
}
