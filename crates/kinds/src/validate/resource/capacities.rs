//! Capacities of devices, and what of them may be asked for.

use api::{Quantity, field::Error};

use super::{Findings, Place, words};
use crate::validate::quantities;

const CHOICES_MAX: usize = 10;

pub(super) fn check(map: &Place<'_>, is_shared: bool, found: &mut Findings) {
    for (key, capacity) in map.entries() {
        words::key(map, key, found);
        let policy = capacity.child("requestPolicy");
        if !policy.is_set() {
            continue;
        }
        if is_shared {
            let whole = quantities::of(&capacity.child("value")).unwrap_or_else(Quantity::zero);
            self::policy(&whole, &policy, found);
        } else {
            found.forbidden(&policy, "allowMultipleAllocations must be true");
        }
    }
}

fn policy(whole: &Quantity, policy: &Place<'_>, found: &mut Findings) {
    let (choices, range) = (policy.child("validValues"), policy.child("validRange"));
    let default = policy.child("default");
    if choices.len() > 0 && range.is_set() {
        let detail = "exactly one policy can be specified, cannot specify \"validValues\" and \"validRange\" at the same time";
        found.forbidden(policy, detail);
    } else if choices.len() > 0 {
        match quantities::of(&default) {
            Some(default) => self::choices(&default, whole, &choices, found),
            None => found.required(&default, "required when validValues is defined"),
        }
    } else if range.is_set() {
        match quantities::of(&default) {
            Some(default) => self::range(&default, whole, &range, found),
            None => found.required(&default, "required when validRange is defined"),
        }
    }
}

fn choices(default: &Quantity, whole: &Quantity, list: &Place<'_>, found: &mut Findings) {
    let all: Vec<Quantity> = list
        .items()
        .map(|one| quantities::of(&one).unwrap_or_else(Quantity::zero))
        .collect();
    for (index, pair) in all.windows(2).enumerate() {
        if pair[0].compare(&pair[1]).is_gt() {
            let detail = "values must be sorted in ascending order";
            found.invalid(&list.index(index + 1), detail);
        }
    }
    if all.len() > CHOICES_MAX {
        found.push(Error::too_many(list.path(), all.len(), CHOICES_MAX));
    } else {
        for (place, one) in list.items().zip(&all) {
            if one.compare(whole).is_gt() {
                found.invalid(
                    &place,
                    format!("option is larger than capacity value: {whole}"),
                );
            }
        }
        for (index, place) in list.items().enumerate() {
            let mut earlier = all[..index].iter();
            if earlier.any(|one| one.compare(&all[index]).is_eq()) {
                found.duplicate(&place);
            }
        }
    }
    let is_one = all.len() <= CHOICES_MAX && all.iter().any(|one| one.compare(default).is_eq());
    if !is_one {
        let shown = default.to_string();
        let detail = "default value is not valid according to the requestPolicy";
        found.push(Error::invalid(list.path(), &shown, detail));
    }
}

fn range(default: &Quantity, whole: &Quantity, range: &Place<'_>, found: &mut Findings) {
    let [least, most, step] = ["min", "max", "step"].map(|name| quantities::of(&range.child(name)));
    let Some(least) = least else {
        let detail = "required when validRange is defined";
        found.required(&range.child("min"), detail);
        return;
    };
    let mut wrong = |field: &str, shown: &Quantity, detail: String| {
        let shown = shown.to_string();
        found.push(Error::invalid(range.child(field).path(), &shown, detail));
    };
    if least.compare(whole).is_gt() {
        wrong(
            "min",
            &least,
            format!("min is larger than capacity value: {whole}"),
        );
    }
    if default.compare(&least).is_lt() {
        wrong(
            "default",
            default,
            format!("default is less than min: {least}"),
        );
    }
    if let Some(most) = &most {
        if least.compare(most).is_gt() {
            wrong("max", &least, format!("min is larger than max: {most}"));
        }
        if most.compare(whole).is_gt() {
            wrong(
                "max",
                most,
                format!("max is larger than capacity value: {whole}"),
            );
        }
        if default.compare(most).is_gt() {
            wrong(
                "default",
                default,
                format!("default is more than max: {most}"),
            );
        }
    }
    let Some(step) = step else {
        return;
    };
    if step.sign() <= 0 {
        wrong("step", &step, String::from("must be greater than zero"));
        return;
    }
    let mut added = least.clone();
    added.add(&step);
    if added.compare(whole).is_gt() {
        let detail = format!("one step {added} is larger than capacity value: {whole}");
        wrong("step", &step, detail);
    }
    let stride = step.milli_value();
    for value in [Some(default), most.as_ref()].into_iter().flatten() {
        if stride != 0 && (value.milli_value() - least.milli_value()) % stride != 0 {
            let detail = format!("value is not a multiple of a given step ({step}) from ({least})");
            wrong("step", value, detail);
        }
    }
}
