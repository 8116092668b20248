//! What names, labels and finalizers may look like, with upstream's exact sentences.
//!
//! Every check answers with a list of sentences; an empty list means that all is well.
//!
//! Source: k8s.io/apimachinery, pkg/util/validation and pkg/api/validation.

use base::Rng;

/// Longest DNS label.
pub const LABEL_LEN_MAX: usize = 63;
/// Longest DNS subdomain.
pub const SUBDOMAIN_LEN_MAX: usize = 253;
/// Longest base of a generated name; five characters follow it.
pub const GENERATED_BASE_LEN_MAX: usize = 58;

const SUFFIX_LEN: usize = 5;
/// Without vowels and look-alikes, so that no words appear.
const SUFFIX_LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

const LABEL_FMT: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN_FMT: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const DNS1035_FMT: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const KEY_FMT: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const KEY_RULE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

/// How the name of an object of some kind is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameRule {
    /// A DNS subdomain: most kinds, and every custom resource.
    #[default]
    Subdomain,
    /// A DNS label: namespaces, services (since 1.37), stateful sets.
    Label,
    /// A DNS label that begins with a letter: services before 1.37.
    Dns1035Label,
    /// Anything that is one segment of a path: RBAC kinds.
    PathSegment,
    /// Anything; the kind has its own rule.
    Any,
}

impl NameRule {
    /// Checks the name of an object.
    #[must_use]
    pub fn check(self, name: &str) -> Vec<String> {
        match self {
            Self::Subdomain => dns1123_subdomain(name),
            Self::Label => dns1123_label(name),
            Self::Dns1035Label => dns1035_label(name),
            Self::PathSegment => path_segment_name(name),
            Self::Any => Vec::new(),
        }
    }

    /// Checks `generateName`; a dash at its end is well, since letters will follow.
    #[must_use]
    pub fn check_prefix(self, prefix: &str) -> Vec<String> {
        match self {
            Self::PathSegment => path_segment_prefix(prefix),
            _ => self.check(&mask_trailing_dash(prefix)),
        }
    }
}

fn mask_trailing_dash(name: &str) -> String {
    match name.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => {
            // Upstream replaces the last two bytes by one letter.
            let mut chars = rest.chars();
            chars.next_back();
            format!("{}a", chars.as_str())
        }
        _ => name.to_owned(),
    }
}

/// Returns `base` with five random characters, cut so that a DNS label remains.
#[must_use]
pub fn generate_name(base: &str, rng: &mut Rng) -> String {
    let mut end = base.len().min(GENERATED_BASE_LEN_MAX);
    while !base.is_char_boundary(end) {
        end -= 1;
    }
    let mut name = String::with_capacity(end + SUFFIX_LEN);
    name.push_str(&base[..end]);
    name.push_str(&random_suffix(rng));
    name
}

/// Returns five random characters that are safe in names.
#[must_use]
pub fn random_suffix(rng: &mut Rng) -> String {
    let letter = |_| char::from(SUFFIX_LETTERS[rng.below(SUFFIX_LETTERS.len() as u64) as usize]);
    (0..SUFFIX_LEN).map(letter).collect()
}

/// Returns upstream's sentence about a length in characters.
#[must_use]
pub fn max_len_error(length: usize) -> String {
    format!("must be no more than {length} characters")
}

/// Returns upstream's sentence about a length in bytes.
#[must_use]
pub fn max_bytes_error(length: usize) -> String {
    format!("must be no more than {length} bytes")
}

/// Returns upstream's sentence about a pattern, with examples of what fits.
#[must_use]
pub fn regex_error(rule: &str, pattern: &str, examples: &[&str]) -> String {
    if examples.is_empty() {
        return format!("{rule} (regex used for validation is '{pattern}')");
    }
    let quoted: Vec<String> = examples.iter().map(|one| format!("'{one}', ")).collect();
    let examples = quoted.join(" or ");
    format!("{rule} (e.g. {examples}regex used for validation is '{pattern}')")
}

/// Returns upstream's sentence about a range.
#[must_use]
pub fn range_error(low: i64, high: i64) -> String {
    format!("must be between {low} and {high}, inclusive")
}

fn is_label(name: &str) -> bool {
    is_framed(name, lower_or_digit, |byte| {
        lower_or_digit(byte) || byte == b'-'
    })
}

fn is_subdomain(name: &str) -> bool {
    name.split('.').all(is_label)
}

fn lower_or_digit(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Returns whether `text` begins and ends with a byte of `edge` and has only bytes of `inner`.
fn is_framed(text: &str, edge: impl Fn(u8) -> bool, inner: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    edge(*first) && edge(*last) && bytes.iter().all(|byte| inner(*byte))
}

/// Checks a lower-case RFC 1123 label.
#[must_use]
pub fn dns1123_label(name: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if name.len() > LABEL_LEN_MAX {
        errors.push(max_len_error(LABEL_LEN_MAX));
    }
    if !is_label(name) {
        if is_subdomain(name) {
            errors.push("must not contain dots".to_owned());
        } else {
            errors.push(regex_error(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
                LABEL_FMT,
                &["my-name", "123-abc"],
            ));
        }
    }
    errors
}

/// Checks a lower-case RFC 1123 subdomain.
#[must_use]
pub fn dns1123_subdomain(name: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if name.len() > SUBDOMAIN_LEN_MAX {
        errors.push(max_len_error(SUBDOMAIN_LEN_MAX));
    }
    if !is_subdomain(name) {
        errors.push(subdomain_error());
    }
    errors
}

fn subdomain_error() -> String {
    regex_error(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
        SUBDOMAIN_FMT,
        &["example.com"],
    )
}

/// Checks a subdomain whose first label is `*`.
#[must_use]
pub fn wildcard_dns1123_subdomain(name: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if name.len() > SUBDOMAIN_LEN_MAX {
        errors.push(max_len_error(SUBDOMAIN_LEN_MAX));
    }
    if !name.strip_prefix("*.").is_some_and(is_subdomain) {
        errors.push(regex_error(
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
            &format!(r"\*\.{SUBDOMAIN_FMT}"),
            &["*.example.com"],
        ));
    }
    errors
}

/// Checks a label that begins with a letter.
#[must_use]
pub fn dns1035_label(name: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if name.len() > LABEL_LEN_MAX {
        errors.push(max_len_error(LABEL_LEN_MAX));
    }
    let begins = name.starts_with(|letter: char| letter.is_ascii_lowercase());
    if !(begins && is_label(name)) {
        errors.push(regex_error(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
            DNS1035_FMT,
            &["my-name", "abc-123"],
        ));
    }
    errors
}

fn is_key(name: &str) -> bool {
    let edge = |byte: u8| byte.is_ascii_alphanumeric();
    is_framed(name, edge, |byte| {
        edge(byte) || matches!(byte, b'-' | b'_' | b'.')
    })
}

fn key_error() -> String {
    regex_error(KEY_RULE, KEY_FMT, &["MyName", "my.name", "123-abc"])
}

/// Checks a qualified name: a label's or annotation's key, a finalizer.
#[must_use]
pub fn qualified_name(key: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let parts: Vec<&str> = key.splitn(4, '/').collect();
    let name = match parts.as_slice() {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                errors.push("prefix part must be non-empty".to_owned());
            } else {
                if prefix.len() > SUBDOMAIN_LEN_MAX {
                    errors.push(format!(
                        "prefix part {}",
                        max_bytes_error(SUBDOMAIN_LEN_MAX)
                    ));
                }
                if !is_subdomain(prefix) {
                    errors.push(format!("prefix part {}", subdomain_error()));
                }
            }
            name
        }
        _ => {
            errors.push(format!(
                "a valid label key {} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
                key_error()
            ));
            return errors;
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_LEN_MAX {
        errors.push(format!("name part {}", max_bytes_error(LABEL_LEN_MAX)));
    }
    if !is_key(name) {
        errors.push(format!("name part {}", key_error()));
    }
    errors
}

/// Checks a label's value.
#[must_use]
pub fn label_value(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if value.len() > LABEL_LEN_MAX {
        errors.push(max_bytes_error(LABEL_LEN_MAX));
    }
    if !value.is_empty() && !is_key(value) {
        errors.push(regex_error(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
            &format!("({KEY_FMT})?"),
            &["MyValue", "my_value", "12345"],
        ));
    }
    errors
}

/// Checks a name that is one segment of a path.
#[must_use]
pub fn path_segment_name(name: &str) -> Vec<String> {
    if let "." | ".." = name {
        return vec![format!("may not be '{name}'")];
    }
    path_segment_prefix(name)
}

/// Checks the beginning of a name that is one segment of a path.
#[must_use]
pub fn path_segment_prefix(name: &str) -> Vec<String> {
    let banned = ["/", "%"].into_iter().filter(|one| name.contains(one));
    banned
        .map(|one| format!("may not contain '{one}'"))
        .collect()
}

/// Checks a port's number.
#[must_use]
pub fn port_number(port: i64) -> Vec<String> {
    if (1..=65_535).contains(&port) {
        return Vec::new();
    }
    vec![range_error(1, 65_535)]
}

/// Checks a port's name.
#[must_use]
pub fn port_name(name: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let mut refuse = |wrong: bool, text: &str| {
        if wrong {
            errors.push(text.to_owned());
        }
    };
    let allowed = |byte: u8| lower_or_digit(byte) || byte == b'-';
    refuse(name.len() > 15, &max_len_error(15));
    refuse(
        name.is_empty() || !name.bytes().all(allowed),
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
    );
    refuse(
        !name.bytes().any(|byte| byte.is_ascii_lowercase()),
        "must contain at least one letter (a-z)",
    );
    refuse(name.contains("--"), "must not contain consecutive hyphens");
    refuse(
        name.starts_with('-') || name.ends_with('-'),
        "must not begin or end with a hyphen",
    );
    errors
}

/// Checks the key of a config map or secret.
#[must_use]
pub fn config_map_key(key: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if key.len() > SUBDOMAIN_LEN_MAX {
        errors.push(max_len_error(SUBDOMAIN_LEN_MAX));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if key.is_empty() || !key.bytes().all(allowed) {
        errors.push(regex_error(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
            "[-._a-zA-Z0-9]+",
            &["key.name", "KEY_NAME", "key-name"],
        ));
    }
    if key == "." {
        errors.push("must not be '.'".to_owned());
    } else if key == ".." {
        errors.push("must not be '..'".to_owned());
    } else if key.starts_with("..") {
        errors.push("must not start with '..'".to_owned());
    }
    errors
}

/// Checks the name of an environment variable: printable ASCII without `=`.
#[must_use]
pub fn environment_name(name: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if name.is_empty() {
        errors.push("environment variable name must be non-empty".to_owned());
    }
    if !name
        .bytes()
        .all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=')
    {
        errors.push("a valid environment variable name must consist only of printable ASCII characters other than '='".to_owned());
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prints the first words of each sentence; nothing means that all is well.
    #[track_caller]
    fn check(errors: &[String], expected: &[&str]) {
        assert_eq!(errors.len(), expected.len(), "{errors:?}");
        for (error, expected) in errors.iter().zip(expected) {
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn labels_and_subdomains() {
        check(&dns1123_label("a-0"), &[]);
        check(&dns1123_label("a.b"), &["must not contain dots"]);
        check(
            &dns1123_label(""),
            &["a lowercase RFC 1123 label must consist"],
        );
        check(&dns1123_label("-a"), &["a lowercase RFC 1123 label"]);
        check(
            &dns1123_label(&"a".repeat(64)),
            &["must be no more than 63 characters"],
        );
        check(&dns1123_subdomain("a.b-c.0"), &[]);
        check(
            &dns1123_subdomain("a..b"),
            &["a lowercase RFC 1123 subdomain"],
        );
        check(
            &dns1123_subdomain(&"a".repeat(254)),
            &["must be no more than 253 characters"],
        );
        check(&dns1035_label("a1"), &[]);
        check(&dns1035_label("1a"), &["a DNS-1035 label"]);
        check(&wildcard_dns1123_subdomain("*.a.b"), &[]);
        check(
            &wildcard_dns1123_subdomain("a.b"),
            &["a wildcard DNS-1123 subdomain"],
        );
        assert_eq!(
            dns1123_subdomain("A").remove(0),
            r"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        );
        assert_eq!(
            dns1035_label("A").remove(0),
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
        );
    }

    #[test]
    fn qualified_names_and_values() {
        check(&qualified_name("a"), &[]);
        check(&qualified_name("example.com/My_Name.0"), &[]);
        check(&qualified_name("/a"), &["prefix part must be non-empty"]);
        check(
            &qualified_name("A/a"),
            &["prefix part a lowercase RFC 1123 subdomain"],
        );
        check(
            &qualified_name("a/b/c"),
            &["a valid label key must consist"],
        );
        check(
            &qualified_name("a/"),
            &["name part must be non-empty", "name part must consist"],
        );
        check(
            &qualified_name(&"a".repeat(64)),
            &["name part must be no more than 63 bytes"],
        );
        check(&label_value(""), &[]);
        check(&label_value("a_b"), &[]);
        check(
            &label_value("a b"),
            &["a valid label must be an empty string"],
        );
        check(
            &label_value(&"a".repeat(64)),
            &["must be no more than 63 bytes"],
        );
    }

    #[test]
    fn object_names_by_rule() {
        check(&NameRule::Subdomain.check_prefix("abc-"), &[]);
        check(&NameRule::Subdomain.check("abc-"), &["a lowercase"]);
        check(&NameRule::Subdomain.check_prefix("-"), &["a lowercase"]);
        check(&NameRule::Dns1035Label.check("a"), &[]);
        check(&NameRule::Label.check("a.b"), &["must not contain dots"]);
        check(&NameRule::PathSegment.check("system:a"), &[]);
        check(&NameRule::PathSegment.check(".."), &["may not be '..'"]);
        check(
            &NameRule::PathSegment.check("a/b%"),
            &["may not contain '/'", "may not contain '%'"],
        );
        check(&NameRule::PathSegment.check_prefix(".."), &[]);
        check(&NameRule::Any.check("/"), &[]);
    }

    #[test]
    fn other_names() {
        check(&port_number(0), &["must be between 1 and 65535, inclusive"]);
        check(&port_number(1), &[]);
        check(&port_name("http-1"), &[]);
        check(&port_name("1"), &["must contain at least one letter"]);
        check(
            &port_name("-A--"),
            &[
                "must contain only",
                "must contain at least",
                "must not contain consecutive",
                "must not begin",
            ],
        );
        check(
            &port_name(&"a".repeat(16)),
            &["must be no more than 15 characters"],
        );
        check(&config_map_key("a.B_c-1"), &[]);
        check(&config_map_key(".."), &["must not be '..'"]);
        check(&config_map_key("..a"), &["must not start with '..'"]);
        check(&config_map_key("a/b"), &["a valid config key"]);
        check(&environment_name("a b"), &[]);
        check(
            &environment_name("a=b"),
            &["a valid environment variable name"],
        );
        check(
            &environment_name(""),
            &["environment variable name must be non-empty"],
        );
    }

    #[test]
    fn generates_names() {
        let mut rng = Rng::from_seed(1);
        let name = generate_name("abc-", &mut rng);
        assert_eq!(name.len(), 9);
        assert!(name[4..].bytes().all(|byte| SUFFIX_LETTERS.contains(&byte)));
        assert_ne!(name, generate_name("abc-", &mut rng));
        assert_eq!(generate_name(&"x".repeat(100), &mut rng).len(), 63);
        assert_eq!(
            generate_name(&"é".repeat(100), &mut rng).chars().count(),
            29 + 5
        );
    }
}
