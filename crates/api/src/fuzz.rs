//! What must hold for any input: one function per parser, called by `/fuzz` and by the seeded loop.
//!
//! Each panics when something does not hold that always must.

use crate::{
    Head, Value, continue_token, json, media, names::validate, quantity::Quantity,
    revision::ResourceVersion, selector, time, yaml,
};

/// One fuzz target.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 8] = [
    ("json", json),
    ("yaml", yaml),
    ("selectors", selectors),
    ("continue_tokens", continue_tokens),
    ("quantities", quantities),
    ("media", media),
    ("names", names),
    ("times", times),
];

fn written(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    json::write(value, &mut out);
    out
}

/// What was read is written so that it reads the same; scanning never panics.
pub fn json(data: &[u8]) {
    let _ = json::scan::find_field(data, &["metadata", "name"]);
    let _ = Head::scan(data);
    let Ok(parsed) = json::read(data) else {
        return;
    };
    let bytes = written(&parsed.value);
    let again = json::read(&bytes).expect("what was written is JSON");
    assert!(again.duplicates.is_empty(), "a name is written twice");
    // A negative zero loses its sign the second time, in Go as well; from then on all is still.
    let second = written(&again.value);
    let third = json::read(&second).expect("what was written is JSON");
    assert_eq!(written(&third.value), second, "it changed on its way");
    for (name, field) in parsed
        .value
        .as_object()
        .into_iter()
        .flat_map(crate::Object::iter)
    {
        // Names that need escapes are not found by scanning; that is said there.
        let mut quoted = Vec::new();
        json::write_string(name, &mut quoted);
        if quoted.len() == name.len() + 2 {
            let place = json::scan::find_field(&bytes, &[name]).expect("it is there");
            assert_eq!(written(field), bytes[place], "another field was found");
        }
    }
}

/// What was read is written so that it reads the same.
pub fn yaml(data: &[u8]) {
    let Ok(parsed) = yaml::read(data) else {
        return;
    };
    let mut text = Vec::new();
    yaml::write(&parsed.value, &mut text);
    let again = yaml::read(&text).expect("what was written is YAML");
    let sorted = |value: &Value| {
        let mut text = Vec::new();
        yaml::write(value, &mut text);
        text
    };
    assert_eq!(sorted(&again.value), text, "it changed on its way");
    assert_eq!(again.strict, None, "a key is written twice");
}

/// What was read is printed so that it reads the same.
pub fn selectors(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(selector) = selector::LabelSelector::parse(&text) {
        let printed = selector.to_string();
        let again =
            selector::LabelSelector::parse(&printed).expect("what was printed is a selector");
        assert_eq!(again.to_string(), printed, "it changed on its way");
    }
    if let Ok(selector) = selector::FieldSelector::parse(&text) {
        let printed = selector.to_string();
        let again =
            selector::FieldSelector::parse(&printed).expect("what was printed is a selector");
        assert_eq!(again.requirements().len(), selector.requirements().len());
        let fields = |selector: &selector::FieldSelector| {
            let mut all: Vec<String> = selector
                .requirements()
                .iter()
                .map(|one| format!("{one:?}"))
                .collect();
            all.sort_unstable();
            all
        };
        assert_eq!(fields(&again), fields(&selector), "it changed on its way");
    }
}

/// A token that is understood never climbs out of its list, and comes back as it went.
pub fn continue_tokens(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(token) = continue_token::decode(&text) {
        assert!(
            !token
                .start
                .split('/')
                .any(|part| part == ".." || part == ".")
        );
        let again = continue_token::decode(&continue_token::encode(&token));
        if !token.start.is_empty() {
            assert_eq!(again, Ok(token), "it changed on its way");
        }
    }
    let _ = ResourceVersion::parse(&text);
}

/// Reckoning never panics; what was printed is a quantity, and the same one if it has a suffix.
pub fn quantities(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut sum = Quantity::zero();
    for part in text.split([' ', ',']) {
        let Ok(quantity) = Quantity::parse(part) else {
            continue;
        };
        let again = Quantity::parse(&quantity.to_string()).expect("what was printed is a quantity");
        let whole = quantity.value().unsigned_abs();
        if whole < 1 << 60 && quantity.milli_value() != 0 {
            assert_eq!(again, quantity, "it changed on its way");
        }
        sum.add(&quantity);
        sum.sub(&again);
        sum.mul(3);
        let _ = (
            sum.to_string(),
            sum.value(),
            sum.milli_value(),
            sum.compare(&quantity),
        );
    }
}

/// No header makes it panic.
pub fn media(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let offers = [
        media::Format::Json,
        media::Format::Yaml,
        media::Format::Protobuf,
    ];
    for wanted in media::wanted(&text, &offers) {
        assert!(!wanted.stream || wanted.format.streams());
    }
    if let Some(found) = media::content_type(&text) {
        assert!(!found.contains(';'));
    }
}

/// What is a label is a subdomain, and what is generated from a good beginning is good.
pub fn names(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if validate::dns1035_label(&text).is_empty() {
        assert!(validate::dns1123_label(&text).is_empty());
    }
    if validate::dns1123_label(&text).is_empty() {
        assert!(validate::dns1123_subdomain(&text).is_empty());
        assert!(validate::label_value(&text).is_empty());
        assert!(validate::qualified_name(&text).is_empty());
        let name = validate::generate_name(&text, &mut base::Rng::from_seed(data.len() as u64));
        assert!(validate::dns1123_label(&name).is_empty(), "{name}");
    }
    let _ = (
        validate::NameRule::Subdomain.check_prefix(&text),
        validate::path_segment_name(&text),
        validate::port_name(&text),
        validate::config_map_key(&text),
        validate::environment_name(&text),
        validate::wildcard_dns1123_subdomain(&text),
    );
}

/// A time that was read is printed so that it reads the same.
pub fn times(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(found) = time::parse(&text) {
        // Years beyond four digits cannot be written; a zone can push a time there.
        if let Ok(again) = time::parse_micro(&time::format_micro(found)) {
            assert_eq!(again, found, "it changed on its way");
        }
    }
    let _ = time::parse_micro(&text);
    if let Ok(nanos) = time::parse_duration(&text) {
        let printed = time::format_duration(nanos);
        assert_eq!(
            time::parse_duration(&printed),
            Ok(nanos),
            "it changed on its way"
        );
    }
}
