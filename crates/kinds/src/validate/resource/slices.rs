//! What drivers offer: pools of devices.

use api::{
    Value,
    field::{Error, Shown},
};

use super::{
    Change, Findings, Place, Subject, bindings, bindings_by_rule, capacities, driver,
    effect_by_rule, taint, unique, words,
};
use crate::validate::{tags, texts};

const DEVICES_MAX: usize = 128;
/// How many devices there are at most if some have taints or share counters.
const FANCY_DEVICES_MAX: usize = 64;
const COUNTER_SETS_MAX: usize = 8;
const COUNTERS_MAX: usize = 32;
const CONSUMPTIONS_MAX: usize = 2;
const PARTS_MAX: usize = 32;
const VALUES_MAX: usize = 48;
const TAINTS_MAX: usize = 16;
const VALUE_LEN_MAX: usize = 64;

const ATTRIBUTE_VALUES: [&str; 8] = [
    "int", "bool", "string", "version", "ints", "bools", "strings", "versions",
];

pub(super) fn slice(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, old_spec) = (root.child("spec"), old.child("spec"));
    driver(&spec.child("driver"), found);
    let (pool, old_pool) = (spec.child("pool"), old_spec.child("pool"));
    self::pool(&pool, found);
    if subject.old.is_some() {
        for (now, was) in [
            (pool.child("name"), old_pool.child("name")),
            (spec.child("driver"), old_spec.child("driver")),
            (spec.child("nodeName"), old_spec.child("nodeName")),
        ] {
            if !tags::same(&now, &was) {
                found.invalid(&now, "field is immutable");
            }
        }
    }
    nodes(&spec, found);
    let (devices, counters) = (spec.child("devices"), spec.child("sharedCounters"));
    if devices.is_set() && counters.is_set() {
        let detail = "only one of `sharedCounters` or `devices` is allowed";
        found.push(Error::invalid(spec.path(), "", detail));
    }
    self::devices(&devices, &old_spec, &spec, found);
    if counters.len() <= COUNTER_SETS_MAX {
        for set in counters.items() {
            counter_map(&set.child("counters"), found);
        }
    }
    declared(&Change::of(subject), found);
}

fn pool(pool: &Place<'_>, found: &mut Findings) {
    words::pool(&pool.child("name"), found);
    let count = pool.child("resourceSliceCount");
    if count.int().unwrap_or(0) <= 0 {
        found.invalid_number(&count, "must be greater than zero");
    }
    let generation = pool.child("generation");
    if generation.int().is_some_and(|number| number < 0) {
        let detail = "must be greater than or equal to zero";
        found.invalid(&generation, detail);
    }
}

/// From where devices can be reached: said in one way.
fn nodes(spec: &Place<'_>, found: &mut Findings) {
    let mut given: Vec<&str> = Vec::new();
    let name = spec.child("nodeName");
    if !name.text().is_empty() {
        given.push("`nodeName`");
        texts::subdomain(&name, found);
    } else if name.is_set() {
        let detail = "must be either unset or set to a non-empty string";
        found.invalid(&name, detail);
    }
    let selector = spec.child("nodeSelector");
    if selector.is_set() {
        given.push("`nodeSelector`");
        let terms = selector.child("nodeSelectorTerms");
        if terms.len() == 0 {
            found.required(&terms, "must have at least one node selector term");
        }
        if terms.len() != 1 {
            found.invalid(&terms, "must have exactly one node selector term");
        }
    }
    for (field, name) in [
        ("allNodes", "`allNodes`"),
        ("perDeviceNodeSelection", "`perDeviceNodeSelection`"),
    ] {
        let flag = spec.child(field);
        if flag.is_true() {
            given.push(name);
        } else if flag.is_set() {
            found.invalid(&flag, "must be either unset or set to true");
        }
    }
    let rule = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";
    match given.len() {
        0 => found.required(spec, rule),
        1 => {}
        _ => {
            let shown = format!("{{{}}}", given.join(", "));
            let detail = format!("{rule}, but multiple fields are set");
            found.push(Error::invalid(spec.path(), &shown, detail));
        }
    }
}

fn devices(list: &Place<'_>, old_spec: &Place<'_>, spec: &Place<'_>, found: &mut Findings) {
    let some_have = |field: &str| {
        let mut devices = list.list().iter();
        devices.any(|one| !tags::is_blank(one.get(field)))
    };
    let most = if some_have("taints") || some_have("consumesCounters") {
        FANCY_DEVICES_MAX
    } else {
        DEVICES_MAX
    };
    if list.len() > most {
        found.push(Error::too_many(list.path(), list.len(), most));
        return;
    }
    let old_list = old_spec.child("devices");
    let own_nodes = spec.child("perDeviceNodeSelection").is_true();
    for one in list.items() {
        let name = one.child("name");
        let mut olds = old_list.items();
        let old = olds.find(|old| old.child("name").text() == name.text());
        device(&one, old.as_ref(), own_nodes, found);
    }
    for (index, one) in list.items().enumerate() {
        let name = one.child("name");
        let mut earlier = list.list()[..index].iter();
        if earlier.any(|before| before.str_at(&["name"]).unwrap_or_default() == name.text()) {
            found.push(Error::duplicate(one.path(), name.text()));
        }
    }
}

fn device(device: &Place<'_>, old: Option<&Place<'_>>, own_nodes: bool, found: &mut Findings) {
    texts::label(&device.child("name"), found);
    let (attributes, parts) = (device.child("attributes"), device.child("capacity"));
    let count = attributes.len() + parts.len();
    if count > PARTS_MAX {
        let detail =
            format!("the total number of attributes and capacities must not exceed {PARTS_MAX}");
        found.push(Error::invalid(device.path(), count, detail));
    }
    if attributes.len() > VALUES_MAX {
        let detail = format!("the total number of attribute values must not exceed {VALUES_MAX}");
        found.push(Error::invalid(device.path(), attributes.len(), detail));
    }
    for (key, value) in attributes.entries() {
        words::key(&attributes, key, found);
        attribute(&value, found);
    }
    let is_kept =
        |field| old.is_some_and(|old| tags::same(&device.child(field), &old.child(field)));
    if !is_kept("capacity") {
        let is_shared = device.child("allowMultipleAllocations").is_true();
        capacities::check(&parts, is_shared, found);
    }
    let taints = device.child("taints");
    if !is_kept("taints") {
        if taints.len() > TAINTS_MAX {
            let error = Error::too_many(taints.path(), taints.len(), TAINTS_MAX);
            found.push(error);
        } else {
            for one in taints.items() {
                taint(&one, found);
            }
        }
    }
    let consumed = device.child("consumesCounters");
    if consumed.len() <= CONSUMPTIONS_MAX {
        for one in consumed.items() {
            counter_map(&one.child("counters"), found);
        }
    }
    device_nodes(device, own_nodes, found);
    bindings(device, found);
}

fn attribute(value: &Place<'_>, found: &mut Findings) {
    texts::bytes_max(&value.child("string"), VALUE_LEN_MAX, found);
    let version = value.child("version");
    if version.is_set() {
        if !is_version(version.text()) {
            let detail = "must be a string compatible with semver.org spec 2.0.0";
            found.invalid(&version, detail);
        }
        texts::bytes_max(&version, VALUE_LEN_MAX, found);
    }
}

/// Whether a text is a version as semver.org has it.
fn is_version(text: &str) -> bool {
    let (text, build) = match text.split_once('+') {
        Some((text, build)) => (text, Some(build)),
        None => (text, None),
    };
    let (numbers, before) = match text.split_once('-') {
        Some((numbers, before)) => (numbers, Some(before)),
        None => (text, None),
    };
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_number = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_digit())
            && (word == "0" || !word.starts_with('0'))
    };
    let is_early = |word: &str| {
        is_word(word) && (is_number(word) || !word.bytes().all(|byte| byte.is_ascii_digit()))
    };
    numbers.split('.').count() == 3
        && numbers.split('.').all(is_number)
        && before.is_none_or(|before| before.split('.').all(is_early))
        && build.is_none_or(|build| build.split('.').all(is_word))
}

fn counter_map(counters: &Place<'_>, found: &mut Findings) {
    if counters.len() > COUNTERS_MAX {
        let error = Error::too_many(counters.path(), counters.len(), COUNTERS_MAX);
        found.push(error);
    }
}

/// From where a device can be reached, if each says so for itself.
fn device_nodes(device: &Place<'_>, own_nodes: bool, found: &mut Findings) {
    let (name, selector) = (device.child("nodeName"), device.child("nodeSelector"));
    let all = device.child("allNodes");
    if !own_nodes {
        if name.is_set() || selector.is_set() || all.is_set() {
            let detail = "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec";
            found.push(Error::invalid(device.path(), &Value::Null, detail));
        }
        return;
    }
    let mut given: Vec<&str> = Vec::new();
    if !name.text().is_empty() {
        given.push("`nodeName`");
        texts::subdomain(&name, found);
    } else if name.is_set() {
        found.invalid(&name, "must not be empty");
    }
    if selector.is_set() {
        given.push("`nodeSelector`");
        let terms = selector.child("nodeSelectorTerms");
        if terms.len() == 0 {
            found.required(&terms, "must have at least one node selector term");
        }
    }
    if all.is_true() {
        given.push("`allNodes`");
    } else if all.is_set() {
        found.invalid(&all, "must be either unset or set to true");
    }
    let rule = "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec";
    match given.len() {
        0 => found.required(device, rule),
        1 => {}
        _ => {
            let shown = Shown::from(&format!("{{{}}}", given.join(", ")));
            found.push(Error::invalid(device.path(), shown, rule));
        }
    }
}

/// What the rules of the types say.
fn declared(whole: &Change<'_>, found: &mut Findings) {
    let spec = whole.child("spec");
    let devices = spec.child("devices");
    if !devices.is_kept() {
        for device in devices.items(&[]) {
            device_by_rule(&device, found);
        }
    }
    let sets = spec.child("sharedCounters");
    if sets.is_kept() {
        return;
    }
    sets.items_max(COUNTER_SETS_MAX, found);
    if sets.now.len() <= COUNTER_SETS_MAX {
        unique(&sets.now, &["name"], found);
        for set in sets.items(&["name"]) {
            if !set.is_kept() {
                counters_by_rule(&set, "name", found);
            }
        }
    }
}

fn counters_by_rule(set: &Change<'_>, name: &str, found: &mut Findings) {
    let name = set.child(name);
    if texts::require(&name.now, "", found) {
        let details = api::names::validate::dns1123_label(name.now.text());
        found.each_invalid_text(&name.now, tags::in_bytes(details));
    }
    let counters = set.child("counters");
    if counters.now.len() == 0 {
        found.required(&counters.now, "");
    }
    for (key, _) in counters.now.entries() {
        let details = api::names::validate::dns1123_label(key);
        for detail in tags::in_bytes(details) {
            found.push(Error::invalid(counters.now.path(), key, detail));
        }
    }
}

fn device_by_rule(device: &Change<'_>, found: &mut Findings) {
    for (_, value) in device.now.child("attributes").entries() {
        let none = Change::new(value);
        none.exactly_one(&ATTRIBUTE_VALUES, found);
    }
    let consumed = device.child("consumesCounters");
    consumed.items_max(CONSUMPTIONS_MAX, found);
    if consumed.now.len() <= CONSUMPTIONS_MAX {
        unique(&consumed.now, &["counterSet"], found);
        for one in consumed.items(&["counterSet"]) {
            counters_by_rule(&one, "counterSet", found);
        }
    }
    for one in device.child("taints").items(&[]) {
        effect_by_rule(&one, found);
    }
    bindings_by_rule(device, found);
}
