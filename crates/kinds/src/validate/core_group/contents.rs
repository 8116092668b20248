//! What is wrong with config maps and secrets.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go (`ValidateConfigMap`,
//! `ValidateSecret` and their updates).

use api::{
    Value,
    field::{Error, Path},
    json,
    names::validate,
};

use crate::validate::{Findings, Place, Subject, changes};

/// How much a config map or secret holds at most.
const BYTES_MAX: usize = 1 << 20;
const FIXED: &str = "field is immutable when `immutable` is set";
const HIDDEN: &str = "<secret contents redacted>";

/// Checks a config map.
pub(super) fn config_map(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    fixed(&root, &old, &["data", "binaryData"], found);
    let (data, binary) = (root.child("data"), root.child("binaryData"));
    let mut bytes = 0;
    for (key, value) in data.entries() {
        key_of(&value, key, found);
        if binary
            .value()
            .is_some_and(|binary| binary.get(key).is_some())
        {
            let why = "duplicate of key present in binaryData";
            found.push(Error::invalid(value.path(), key, why));
        }
        bytes += value.text().len();
    }
    for (key, value) in binary.entries() {
        key_of(&value, key, found);
        bytes += decoded_len(value.text());
    }
    if bytes > BYTES_MAX {
        found.push(Error::too_long(&Path::new(""), BYTES_MAX));
    }
}

fn key_of(value: &Place<'_>, key: &str, found: &mut Findings) {
    for why in validate::config_map_key(key) {
        found.push(Error::invalid(value.path(), key, why));
    }
}

/// What is immutable stays so.
fn fixed(root: &Place<'_>, old: &Place<'_>, fields: &[&str], found: &mut Findings) {
    if !old.child("immutable").is_true() {
        return;
    }
    if !root.child("immutable").is_true() {
        found.forbidden(&root.child("immutable"), FIXED);
    }
    for name in fields {
        let (now, before) = (root.child(name), old.child(name));
        if !now.is_same(&before) {
            found.forbidden(&now, FIXED);
        }
    }
}

/// Returns how many bytes stand for this text of base 64.
fn decoded_len(text: &str) -> usize {
    let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
    (text.len() / 4 * 3).saturating_sub(padding)
}

/// Checks a secret.
pub(super) fn secret(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    if subject.old.is_some() {
        changes::immutable(&root.child("type"), &old.child("type"), found);
        fixed(&root, &old, &["data"], found);
    }
    let data = root.child("data");
    let mut bytes = 0;
    for (key, value) in data.entries() {
        for why in validate::config_map_key(key) {
            found.push(Error::invalid(value.path(), key, why));
        }
        bytes += decoded_len(value.text());
    }
    if bytes > BYTES_MAX {
        found.push(Error::too_long(data.path(), BYTES_MAX));
    }
    kind(&root, &data, found);
}

/// What each type of secret must hold.
fn kind(root: &Place<'_>, data: &Place<'_>, found: &mut Findings) {
    let has = |key: &str| data.value().is_some_and(|data| data.get(key).is_some());
    let require = |keys: &[&str], found: &mut Findings| {
        for key in keys.iter().filter(|key| !has(key)) {
            found.required(&data.key(key), "");
        }
    };
    match root.child("type").text() {
        "kubernetes.io/service-account-token" => {
            let metadata = root.child("metadata");
            let annotations = metadata.child("annotations");
            let account = annotations.key("kubernetes.io/service-account.name");
            if account.text().is_empty() {
                found.required(&account, "");
            }
        }
        "kubernetes.io/dockercfg" => registry(&data.key(".dockercfg"), found),
        "kubernetes.io/dockerconfigjson" => registry(&data.key(".dockerconfigjson"), found),
        "kubernetes.io/basic-auth" => {
            let keys = ["username", "password"];
            if !keys.into_iter().any(has) {
                require(&keys, found);
            }
        }
        "kubernetes.io/ssh-auth" => {
            let key = data.key("ssh-privatekey");
            if key.text().is_empty() {
                found.required(&key, "");
            }
        }
        "kubernetes.io/tls" => require(&["tls.crt", "tls.key"], found),
        _ => {}
    }
}

/// The credentials of registries are an object of JSON.
fn registry(config: &Place<'_>, found: &mut Findings) {
    if !config.is_set() {
        return found.required(config, "");
    }
    let kind = match json::read(&decoded(config.text())) {
        Ok(parsed) => match parsed.value {
            Value::Null | Value::Object(_) => return,
            other => other.type_name(),
        },
        Err(why) => {
            return found.push(Error::invalid(config.path(), HIDDEN, why.to_string()));
        }
    };
    let kind = match kind {
        "integer" | "float" => "number",
        "boolean" => "bool",
        other => other,
    };
    let why =
        format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}");
    found.push(Error::invalid(config.path(), HIDDEN, why));
}

/// Returns the bytes that a text of base 64 stands for; its form was checked when it was read.
pub(crate) fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    bytes
}
