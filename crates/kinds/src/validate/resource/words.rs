//! Names of pools, attributes and resources.

use api::{field::Error, names::validate as names};

use super::{Findings, Place};
use crate::validate::{tags::in_bytes, texts};

const POOL_LEN_MAX: usize = 253;
const DOMAIN_LEN_MAX: usize = 63;
const ID_LEN_MAX: usize = 32;

/// A pool: names of DNS with slashes between them.
pub(super) fn pool(place: &Place<'_>, found: &mut Findings) {
    if !texts::require(place, "", found) {
        return;
    }
    texts::bytes_max(place, POOL_LEN_MAX, found);
    for part in place.text().split('/') {
        for detail in names::dns1123_subdomain(part) {
            found.push(Error::invalid(place.path(), part, detail));
        }
    }
}

/// A pool, as the rules of the types have it.
pub(super) fn pool_by_rule(place: &Place<'_>, found: &mut Findings) {
    if !texts::require(place, "", found) {
        return;
    }
    texts::bytes_max(place, POOL_LEN_MAX, found);
    for (index, part) in place.text().split('/').enumerate() {
        if part.is_empty() {
            found.invalid(place, format!("segment {index}: must not be empty"));
            continue;
        }
        for detail in in_bytes(names::dns1123_subdomain(part)) {
            let detail = format!("segment {index}: {detail}");
            found.push(Error::invalid(place.path(), part, detail));
        }
    }
}

fn identifier(path: &api::field::Path<'_>, id: &str, found: &mut Findings) {
    if id.len() > ID_LEN_MAX {
        found.push(Error::too_long(path, ID_LEN_MAX));
    }
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let is_one = id.bytes().next().is_some_and(letter)
        && id.bytes().all(|byte| letter(byte) || byte.is_ascii_digit());
    if !is_one {
        let detail = names::regex_error(
            "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
            "[A-Za-z_][A-Za-z0-9_]*",
            &["my_name", "MY_NAME", "MyName"],
        );
        found.push(Error::invalid(path, id, detail));
    }
}

/// The key of an attribute or a capacity, said of the map it stands in.
pub(super) fn key(map: &Place<'_>, key: &str, found: &mut Findings) {
    let path = map.path();
    let parts: Vec<&str> = key.split('/').collect();
    match parts.as_slice() {
        [id] => identifier(path, id, found),
        [domain, id] => {
            if domain.is_empty() {
                found.push(Error::invalid(path, "", "the domain must not be empty"));
            } else {
                if domain.len() > DOMAIN_LEN_MAX {
                    found.push(Error::too_long(path, DOMAIN_LEN_MAX));
                }
                for detail in names::dns1123_subdomain(&domain.to_ascii_lowercase()) {
                    found.push(Error::invalid(path, *domain, detail));
                }
            }
            if id.is_empty() {
                found.push(Error::invalid(path, "", "the name must not be empty"));
            } else {
                identifier(path, id, found);
            }
        }
        _ => {}
    }
}

/// The full name of an attribute, as the rules of the types have it.
pub(super) fn attribute(place: &Place<'_>, found: &mut Findings) {
    let path = place.path();
    let parts: Vec<&str> = place.text().split('/').collect();
    match parts.as_slice() {
        [id] => {
            identifier(path, id, found);
            let detail = "a fully qualified name must be a domain and a name separated by a slash";
            found.invalid_text(place, detail);
        }
        [domain, id] => {
            if domain.is_empty() {
                found.push(Error::invalid(path, "", "prefix must not be empty"));
            } else {
                if domain.len() > DOMAIN_LEN_MAX {
                    found.push(Error::too_long(path, DOMAIN_LEN_MAX));
                }
                for detail in in_bytes(names::dns1123_subdomain(domain)) {
                    let detail = format!("prefix: {detail}");
                    found.push(Error::invalid(path, *domain, detail));
                }
            }
            if id.is_empty() {
                found.push(Error::invalid(path, "", "name must not be empty"));
            } else {
                identifier(path, id, found);
            }
        }
        _ => {}
    }
}

/// A resource of a vendor, as the rules of the types have it.
pub(super) fn extended(place: &Place<'_>, found: &mut Findings) {
    let text = place.text();
    if !text.contains('/') {
        let detail = "a name must be a domain-prefixed path, such as 'example.com/my-prop'";
        found.invalid_text(place, detail);
    } else if text.contains("kubernetes.io/") {
        found.invalid_text(place, "must not have \"kubernetes.io/\" domain");
    }
    if text.starts_with("requests.") {
        found.invalid_text(place, "must not have \"requests.\" prefix");
    }
    let quota = format!("requests.{text}");
    found.each_invalid_text(place, names::qualified_name(&quota));
}

/// A share of a device: a UUID in lower case.
pub(super) fn uuid(place: &Place<'_>, found: &mut Findings) {
    let bytes = place.text().as_bytes();
    let is_one = bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        });
    if !is_one {
        let detail = "must be a lowercase UUID in 8-4-4-4-12 format";
        found.invalid_text(place, detail);
    }
}
