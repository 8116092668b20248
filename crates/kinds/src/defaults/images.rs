//! Names of container images, as far as pull policies depend on them.
//!
//! Source: github.com/distribution/reference, by way of pkg/util/parsers.

/// How long the name of an image may be, without tag and digest.
const NAME_LENGTH_MAX: usize = 255;

/// How long a tag may be.
const TAG_LENGTH_MAX: usize = 128;

/// Returns how often an image is pulled when nobody says so: an image that says `latest`, or says
/// nothing about which one it is, may be another one each time. What is no name of an image counts
/// as if it stayed the same.
pub(super) fn pull_policy(image: &str) -> &'static str {
    match tag(image) {
        Some("latest") => "Always",
        _ => "IfNotPresent",
    }
}

/// Returns the tag of an image, `latest` if it has neither tag nor digest; `None` if it is no name
/// of an image.
fn tag(image: &str) -> Option<&str> {
    // A bare digest is the name of nothing.
    if image.len() == 64 && image.bytes().all(is_hex) {
        return None;
    }
    let (name, digest) = match image.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (image, None),
    };
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match name[last..].find(':') {
        Some(colon) => (&name[..last + colon], Some(&name[last + colon + 1..])),
        None => (name, None),
    };
    let is_fine = is_name(name) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest);
    if !is_fine {
        return None;
    }
    Some(match (tag, digest) {
        (Some(tag), _) => tag,
        (None, Some(_)) => "",
        (None, None) => "latest",
    })
}

/// Returns whether this is a path of components, maybe after a domain.
fn is_name(name: &str) -> bool {
    let (domain, path) = match name.split_once('/') {
        Some((first, rest)) if is_like_domain(first) => (Some(first), rest),
        _ => (None, name),
    };
    name.len() <= NAME_LENGTH_MAX
        && domain.is_none_or(is_domain)
        && path.split('/').all(is_component)
}

/// Returns whether the first part of a name is meant as a domain and not as a folder.
fn is_like_domain(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost" || part.bytes().any(|b| b.is_ascii_uppercase())
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = if domain.starts_with('[') {
        let Some(end) = domain.find(']') else {
            return false;
        };
        let inside = &domain[1..end];
        let is_address = !inside.is_empty() && inside.bytes().all(|b| is_any_hex(b) || b == b':');
        if !is_address {
            return false;
        }
        ("", domain[end + 1..].strip_prefix(':').map(Some))
    } else {
        match domain.split_once(':') {
            Some((host, port)) => (host, Some(Some(port))),
            None => (domain, None),
        }
    };
    let is_label = |label: &str| {
        let inside = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(inside)
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    (host.is_empty() && domain.starts_with('[') || host.split('.').all(is_label))
        && port.flatten().is_none_or(is_port)
}

/// Returns whether this is a part of a path: small letters and digits, between which may stand a
/// dot, one or two underscores, or any number of dashes.
fn is_component(part: &str) -> bool {
    let mut rest = part.as_bytes();
    loop {
        let word = rest.iter().take_while(|b| is_small(**b)).count();
        if word == 0 {
            return false;
        }
        rest = &rest[word..];
        let between = rest.iter().take_while(|b| !is_small(**b)).count();
        if between == 0 {
            return true;
        }
        let (signs, after) = rest.split_at(between);
        let is_separator = matches!(signs, b"." | b"_" | b"__") || signs.iter().all(|b| *b == b'-');
        if !is_separator {
            return false;
        }
        rest = after;
    }
}

fn is_tag(tag: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= TAG_LENGTH_MAX
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|b| is_word(b) || matches!(b, b'.' | b'-'))
}

fn is_digest(digest: &str) -> bool {
    let length = match digest.split_once(':') {
        Some(("sha256", _)) => 64,
        Some(("sha384", _)) => 96,
        Some(("sha512", _)) => 128,
        _ => return false,
    };
    let sum = digest.split_once(':').map_or("", |(_, sum)| sum);
    sum.len() == length && sum.bytes().all(is_hex)
}

fn is_small(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

fn is_hex(b: u8) -> bool {
    matches!(b, b'0'..=b'9' | b'a'..=b'f')
}

fn is_any_hex(b: u8) -> bool {
    b.is_ascii_hexdigit()
}

#[cfg(test)]
mod tests {
    use super::tag;

    #[test]
    fn finds_tags_as_upstreams_parser_does() {
        let sum = "a".repeat(64);
        for (image, expected) in [
            ("nginx", Some("latest")),
            ("nginx:latest", Some("latest")),
            ("nginx:1.27", Some("1.27")),
            ("registry.k8s.io/pause:3.10", Some("3.10")),
            ("localhost:5000/app", Some("latest")),
            ("localhost:5000/app:v1", Some("v1")),
            ("[::1]:5000/app", Some("latest")),
            ("[::1]/app:v1", Some("v1")),
            ("a__b/c-----d/e.f", Some("latest")),
            ("Example.com/app", Some("latest")),
            ("", None),
            ("Nginx", None),
            ("nginx:", None),
            ("nginx:-x", None),
            ("a..b", None),
            ("a/_b", None),
            ("-a.com/b", None),
            ("a.com:x/b", None),
            ("[::1/b", None),
            ("[zz]/b", None),
            (" nginx", None),
            (&"x".repeat(256), None),
            (sum.as_str(), None),
            (&format!("nginx@sha256:{sum}"), Some("")),
            (&format!("nginx:latest@sha256:{sum}"), Some("latest")),
            ("nginx@sha256:abc", None),
            ("nginx@md5:d41d8cd98f00b204e9800998ecf8427e", None),
        ] {
            assert_eq!(tag(image), expected, "{image}");
        }
    }
}
