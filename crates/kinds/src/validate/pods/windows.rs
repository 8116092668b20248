//! What is wrong with options of containers on Windows.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go.

use crate::validate::{Findings, Place, texts};

/// How large the specification of credentials may be.
const CREDENTIALS_BYTES_MAX: usize = 64 * 1024;
/// How long the domain of a user is at least, when it is too long.
const DOMAIN_LENGTH_END: usize = 256;
/// How long the name of a user may be.
const USER_LENGTH_MAX: usize = 104;

/// Checks the options of a container or pod.
pub(super) fn options(options: &Place<'_>, found: &mut Findings) {
    if !options.is_set() {
        return;
    }
    let name = options.child("gmsaCredentialSpecName");
    if name.is_set() {
        texts::subdomain(&name, found);
    }
    let credentials = options.child("gmsaCredentialSpec");
    if let Some(text) = credentials.str() {
        if text.is_empty() {
            found.invalid(&credentials, "gmsaCredentialSpec cannot be an empty string");
        } else if text.len() > CREDENTIALS_BYTES_MAX {
            found.invalid(&credentials, "gmsaCredentialSpec size must be under 64 KiB");
        }
    }
    let user = options.child("runAsUserName");
    if let Some(text) = user.str() {
        for why in user_name(text) {
            found.invalid(&user, why);
        }
    }
}

/// Returns what is wrong with the name of a user, with or without its domain.
fn user_name(name: &str) -> Vec<String> {
    let one = |why: &str| vec![why.to_owned()];
    if name.is_empty() {
        return one("runAsUserName cannot be an empty string");
    }
    if name.contains(|letter: char| letter.is_ascii_control()) {
        return one("runAsUserName cannot contain control characters");
    }
    let parts: Vec<&str> = name.split('\\').collect();
    let (domain, user) = match parts[..] {
        [user] => (None, user),
        [domain, user] => (Some(domain), user),
        _ => return one("runAsUserName cannot contain more than one backslash"),
    };
    let mut wrong = Vec::new();
    let mut refuse = |is_wrong: bool, why: &str| {
        if is_wrong {
            wrong.push(why.to_owned());
        }
    };
    refuse(
        domain.is_some_and(|domain| domain.len() >= DOMAIN_LENGTH_END),
        "runAsUserName's Domain length must be under 256 characters",
    );
    refuse(
        domain.is_some_and(|domain| !is_net_bios(domain) && !is_dns(domain)),
        "runAsUserName's Domain doesn't match the NetBios nor the DNS format",
    );
    refuse(user.is_empty(), "runAsUserName's User cannot be empty");
    refuse(
        user.len() > USER_LENGTH_MAX,
        "runAsUserName's User length must not be longer than 104 characters",
    );
    refuse(
        !user.is_empty() && user.bytes().all(|byte| matches!(byte, b'.' | b' ')),
        "runAsUserName's User cannot contain only periods or spaces",
    );
    refuse(
        user.contains(|letter: char| r#""/\:;|=,+*?<>@[]"#.contains(letter)),
        r#"runAsUserName's User cannot contain the following characters: "/\:;|=,+*?<>@[]"#,
    );
    wrong
}

fn is_net_bios(domain: &str) -> bool {
    let count = domain.chars().count();
    (1..=15).contains(&count)
        && !domain.starts_with('.')
        && !domain.contains(|letter: char| r#"\/:*?"<>|"#.contains(letter))
}

fn is_dns(domain: &str) -> bool {
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        bytes.len() <= 63
            && edge(bytes.first())
            && edge(bytes.last())
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::user_name;

    #[track_caller]
    fn check(name: &str, expected: &[&str]) {
        assert_eq!(user_name(name), expected, "{name}");
    }

    #[test]
    fn users_have_names() {
        check("user", &[]);
        check(r"DOMAIN\user", &[]);
        check(r"a.b-c\user name", &[]);
        check("", &["runAsUserName cannot be an empty string"]);
        check("a\n", &["runAsUserName cannot contain control characters"]);
        check(
            r"a\b\c",
            &["runAsUserName cannot contain more than one backslash"],
        );
        check(
            r".a?\",
            &[
                "runAsUserName's Domain doesn't match the NetBios nor the DNS format",
                "runAsUserName's User cannot be empty",
            ],
        );
        check(
            &format!(r"{}\{}", "a".repeat(256), ".".repeat(105)),
            &[
                "runAsUserName's Domain length must be under 256 characters",
                "runAsUserName's Domain doesn't match the NetBios nor the DNS format",
                "runAsUserName's User length must not be longer than 104 characters",
                "runAsUserName's User cannot contain only periods or spaces",
            ],
        );
        check(
            "a@b",
            &[r#"runAsUserName's User cannot contain the following characters: "/\:;|=,+*?<>@[]"#],
        );
    }
}
