//! The formats of strings that schemas may ask for; others are not checked.
//!
//! Source: kube-openapi's validation/strfmt, and the list that apiextensions supports.

use std::net::Ipv6Addr;

use api::names::validate::{dns1123_label, dns1123_subdomain};

/// Returns whether `text` breaks the format. Unknown formats are never broken.
pub(crate) fn is_wrong(format: &str, text: &str) -> bool {
    let right: fn(&str) -> bool = match format.replace('-', "").as_str() {
        "bsonobjectid" => |text| text.len() == 24 && all(text, |c| c.is_ascii_hexdigit()),
        "uri" => is_uri,
        "email" => is_email,
        "hostname" => is_hostname,
        "ipv4" => |text| text.contains('.') && is_ip(text),
        "ipv6" => |text| text.contains(':') && is_ip(text),
        "cidr" => is_cidr,
        "mac" => is_mac,
        "uuid" => |text| is_uuid(text, None),
        "uuid3" => |text| is_uuid(text, Some(b'3')),
        "uuid4" => |text| is_uuid(text, Some(b'4')),
        "uuid5" => |text| is_uuid(text, Some(b'5')),
        "isbn" => |text| is_isbn10(text) || is_isbn13(text),
        "isbn10" => is_isbn10,
        "isbn13" => is_isbn13,
        "creditcard" => is_credit_card,
        "ssn" => is_ssn,
        "hexcolor" => is_hex_color,
        "rgbcolor" => is_rgb_color,
        "byte" => is_base64,
        "date" => is_date,
        "duration" => is_duration,
        "datetime" => is_date_time,
        "k8sshortname" => |text| dns1123_label(text).is_empty(),
        "k8slongname" => |text| dns1123_subdomain(text).is_empty(),
        _ => return false,
    };
    !right(text)
}

/// Returns whether a schema of this type may ask for this format; others are ignored.
pub(crate) fn is_supported(kind: &str, format: &str) -> bool {
    match kind {
        "" | "string" => matches!(
            format.replace('-', "").as_str(),
            "bsonobjectid"
                | "uri"
                | "email"
                | "hostname"
                | "ipv4"
                | "ipv6"
                | "cidr"
                | "mac"
                | "uuid"
                | "uuid3"
                | "uuid4"
                | "uuid5"
                | "isbn"
                | "isbn10"
                | "isbn13"
                | "creditcard"
                | "ssn"
                | "hexcolor"
                | "rgbcolor"
                | "byte"
                | "password"
                | "date"
                | "duration"
                | "datetime"
                | "k8sshortname"
                | "k8slongname"
        ),
        "integer" => matches!(format, "int32" | "int64"),
        "number" => matches!(format, "float" | "double"),
        _ => false,
    }
}

fn all(text: &str, test: fn(char) -> bool) -> bool {
    text.chars().all(test)
}

/// What Go's `url.ParseRequestURI` takes: an absolute URI or an absolute path.
fn is_uri(text: &str) -> bool {
    if text.is_empty() || text.chars().any(|c| c.is_ascii_control()) {
        return false;
    }
    let rest = if text.starts_with('/') {
        text
    } else {
        let Some((scheme, rest)) = text.split_once(':') else {
            return text == "*";
        };
        let mut letters = scheme.chars();
        let first = letters.next().is_some_and(|c| c.is_ascii_alphabetic());
        if !first || !letters.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) {
            return false;
        }
        rest
    };
    if let Some(authority) = rest.strip_prefix("//") {
        let end = authority.find(['/', '?']).unwrap_or(authority.len());
        let host = authority[..end].rsplit('@').next().unwrap_or_default();
        if !is_host(host) {
            return false;
        }
    }
    has_whole_escapes(rest.split(['?', '#']).next().unwrap_or_default())
}

fn is_host(host: &str) -> bool {
    let port = if let Some(inner) = host.strip_prefix('[') {
        match inner.split_once(']') {
            Some((_, after)) => after,
            None => return false,
        }
    } else {
        if host.contains([' ', '<', '>', '"', '^', '`', '{', '}', '|', '\\']) {
            return false;
        }
        host.find(':').map_or("", |colon| &host[colon..])
    };
    port.is_empty() || (port.starts_with(':') && all(&port[1..], |c| c.is_ascii_digit()))
}

fn has_whole_escapes(text: &str) -> bool {
    text.split('%')
        .skip(1)
        .all(|after| after.len() >= 2 && after.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit))
}

/// What Go's `mail.ParseAddress` takes, of the forms people write: `a@b` and `Name <a@b>`.
fn is_email(text: &str) -> bool {
    let text = text.trim();
    let bare = match (text.rfind('<'), text.ends_with('>')) {
        (Some(open), true) => &text[open + 1..text.len() - 1],
        (None, false) => text,
        _ => return false,
    };
    let Some((local, domain)) = bare.rsplit_once('@') else {
        return false;
    };
    let atom =
        |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || !c.is_ascii();
    let dotted = |text: &str| {
        text.split('.')
            .all(|part| !part.is_empty() && part.chars().all(atom))
    };
    let quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let literal = domain.starts_with('[') && domain.ends_with(']');
    (dotted(local) || quoted) && (dotted(domain) || literal)
}

fn is_hostname(text: &str) -> bool {
    if text.len() > 255 || text.split('.').any(|label| label.len() > 63) {
        return false;
    }
    // Symbols count as letters, as upstream's pattern has them.
    let sign = |c: char| {
        c.is_ascii_alphanumeric()
            || (!c.is_ascii() && !c.is_whitespace() && !c.is_control())
            || "$+<=>^`|~".contains(c)
    };
    let labels: Vec<&str> = text.split('.').collect();
    match labels.as_slice() {
        [one] => {
            let mut letters = one.chars();
            letters.next().is_some_and(sign)
                && match letters.next() {
                    None => true,
                    Some('-') => letters.all(sign),
                    Some(second) => sign(second) && letters.all(sign),
                }
        }
        [front @ .., last] => {
            let label = |text: &&str| {
                text.starts_with(sign)
                    && text.ends_with(sign)
                    && text.chars().all(|c| sign(c) || c == '-')
            };
            let top = last.chars().count() >= 2 && last.chars().all(char::is_alphabetic);
            front.iter().all(label) && top
        }
        [] => false,
    }
}

/// Reads an address as Go did before 1.17: leading zeros are well.
fn is_ip(text: &str) -> bool {
    if text.contains(':') {
        return text.parse::<Ipv6Addr>().is_ok();
    }
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() == 4
        && parts.iter().all(|part| {
            !part.is_empty()
                && all(part, |c| c.is_ascii_digit())
                && part.parse::<u64>().is_ok_and(|number| number <= 255)
        })
}

fn is_cidr(text: &str) -> bool {
    let Some((address, prefix)) = text.split_once('/') else {
        return false;
    };
    let max = if address.contains(':') { 128 } else { 32 };
    is_ip(address)
        && !prefix.is_empty()
        && all(prefix, |c| c.is_ascii_digit())
        && prefix.parse::<u64>().is_ok_and(|bits| bits <= max)
}

fn is_mac(text: &str) -> bool {
    let hex =
        |part: &str, digits: usize| part.len() == digits && all(part, |c| c.is_ascii_hexdigit());
    let parted = |by: char, digits: usize| {
        let parts: Vec<&str> = text.split(by).collect();
        matches!(parts.len() * digits / 2, 6 | 8 | 20) && parts.iter().all(|part| hex(part, digits))
    };
    parted(':', 2) || parted('-', 2) || parted('.', 4)
}

fn is_uuid(text: &str, version: Option<u8>) -> bool {
    // Each dash may be left out, wherever the others stand.
    let mut digits = Vec::with_capacity(32);
    let mut bytes = text.bytes().peekable();
    for length in [8, 4, 4, 4, 12] {
        if !digits.is_empty() && bytes.peek() == Some(&b'-') {
            bytes.next();
        }
        for _ in 0..length {
            match bytes.next() {
                Some(byte) if byte.is_ascii_hexdigit() => digits.push(byte.to_ascii_lowercase()),
                _ => return false,
            }
        }
    }
    if bytes.next().is_some() {
        return false;
    }
    match version {
        None => true,
        Some(b'3') => digits[12] == b'3',
        Some(version) => digits[12] == version && b"89ab".contains(&digits[16]),
    }
}

fn digits_of(text: &str) -> String {
    text.chars().filter(|c| *c != '-' && *c != ' ').collect()
}

fn is_isbn10(text: &str) -> bool {
    let text = digits_of(text);
    let bytes = text.as_bytes();
    if bytes.len() != 10 {
        return false;
    }
    let value = |(place, byte): (usize, &u8)| match byte {
        b'0'..=b'9' => Some(u32::from(byte - b'0')),
        b'X' if place == 9 => Some(10),
        _ => None,
    };
    let values: Option<Vec<u32>> = bytes.iter().enumerate().map(value).collect();
    values.is_some_and(|values| {
        let sum: u32 = (1..)
            .zip(values)
            .map(|(weight, value)| weight * value)
            .sum();
        sum.is_multiple_of(11)
    })
}

fn is_isbn13(text: &str) -> bool {
    let text = digits_of(text);
    if text.len() != 13 || !all(&text, |c| c.is_ascii_digit()) {
        return false;
    }
    let sum: u32 = text
        .bytes()
        .enumerate()
        .map(|(place, byte)| u32::from(byte - b'0') * if place % 2 == 0 { 1 } else { 3 })
        .sum();
    sum.is_multiple_of(10)
}

fn is_credit_card(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if digits.len() < 13 || digits.len() > 16 {
        return false;
    }
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0');
            match (place % 2, digit * 2) {
                (0, _) => digit,
                (_, double) if double > 9 => double - 9,
                (_, double) => double,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

fn is_ssn(text: &str) -> bool {
    let bytes = text.as_bytes();
    let bare: Vec<u8> = bytes.iter().copied().filter(u8::is_ascii_digit).collect();
    let dashes_fit = match bytes.len() {
        9 => true,
        10 => matches!(bytes[3], b'-' | b' ') || matches!(bytes[5], b'-' | b' '),
        11 => matches!(bytes[3], b'-' | b' ') && matches!(bytes[6], b'-' | b' '),
        _ => false,
    };
    bare.len() == 9 && dashes_fit
}

fn is_hex_color(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or(text);
    matches!(digits.len(), 3 | 6) && all(digits, |c| c.is_ascii_hexdigit())
}

fn is_rgb_color(text: &str) -> bool {
    let inner = text
        .strip_prefix("rgb(")
        .and_then(|rest| rest.strip_suffix(')'));
    inner.is_some_and(|inner| {
        let parts: Vec<&str> = inner.split(',').map(str::trim).collect();
        parts.len() == 3
            && parts.iter().all(|part| {
                !part.is_empty()
                    && all(part, |c| c.is_ascii_digit())
                    && part.parse::<u32>().is_ok_and(|number| number <= 255)
            })
    })
}

fn is_base64(text: &str) -> bool {
    let bare = text.trim_end_matches('=');
    let padding = text.len() - bare.len();
    !text.is_empty()
        && text.len().is_multiple_of(4)
        && padding <= 2
        && bare
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

fn is_date(text: &str) -> bool {
    let whole = format!("{text}T00:00:00Z");
    text.len() == 10 && api::time::parse(&whole).is_ok()
}

fn is_date_time(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let Some((date, rest)) = lower.split_once('t') else {
        return false;
    };
    if !is_date(date) || !rest.is_ascii() || rest.len() < 9 {
        return false;
    }
    let (clock, rest) = rest.split_at(8);
    let bytes = clock.as_bytes();
    let two = |at: usize| {
        let both = bytes[at].is_ascii_digit() && bytes[at + 1].is_ascii_digit();
        both.then(|| u32::from(bytes[at] - b'0') * 10 + u32::from(bytes[at + 1] - b'0'))
    };
    let clock_fits = bytes[2] == b':'
        && bytes[5] == b':'
        && two(0).is_some_and(|hour| hour <= 23)
        && two(3).is_some_and(|minute| minute <= 59)
        && two(6).is_some_and(|second| second <= 59);
    let zone = |zone: &str| {
        let bytes = zone.as_bytes();
        zone == "z"
            || (bytes.len() == 6
                && matches!(bytes[0], b'+' | b'-')
                && bytes[3] == b':'
                && [1, 2, 4, 5].iter().all(|at| bytes[*at].is_ascii_digit()))
    };
    // Upstream's pattern takes any sign before the fraction.
    let fraction = rest
        .get(1..)
        .map(|after| after.trim_start_matches(|c: char| c.is_ascii_digit()))
        .filter(|after| after.len() + 1 < rest.len());
    clock_fits && (zone(rest) || fraction.is_some_and(zone))
}

fn is_duration(text: &str) -> bool {
    if api::time::parse_duration(text).is_ok() {
        return true;
    }
    // Otherwise Scala's way: `3 weeks`, `22 ns`.
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let unit = text[digits..].trim().to_ascii_lowercase();
    let units = [
        "ns", "nano", "us", "µs", "micro", "ms", "milli", "s", "sec", "m", "min", "h", "hr",
        "hour", "d", "day", "w", "wk", "week",
    ];
    digits > 0
        && units
            .iter()
            .any(|known| unit == *known || (known.len() > 2 && unit.starts_with(known)))
}

#[cfg(test)]
mod tests {
    use super::is_wrong;

    #[test]
    fn knows_right_from_wrong() {
        let cases = [
            ("date-time", "2026-11-21T12:00:00Z", "2026-11-21 12:00:00Z"),
            (
                "date-time",
                "2026-11-21t12:00:00.123+02:00",
                "2026-13-21T12:00:00Z",
            ),
            ("date", "2026-02-28", "2026-02-30"),
            (
                "uuid",
                "123E4567-e89b-12d3-a456-426614174000",
                "123e4567-e89b-12d3-a456-42661417400",
            ),
            (
                "uuid4",
                "123e4567-e89b-42d3-a456-426614174000",
                "123e4567-e89b-12d3-a456-426614174000",
            ),
            ("ipv4", "10.0.00.1", "10.0.0.256"),
            ("ipv6", "::1", "10.0.0.1"),
            ("cidr", "10.0.0.0/8", "10.0.0.0/33"),
            ("mac", "00:11:22:33:44:55", "00:11:22:33:44"),
            ("hostname", "a.example.com", "-a.example.com"),
            ("email", "a@b.c", "a b@c"),
            ("uri", "https://a/b?c=%20", "a/b"),
            ("byte", "YWI=", "YWI"),
            ("duration", "3 weeks", "soon"),
            ("duration", "1h30m", "h"),
            ("hexcolor", "#fff", "#ffff"),
            ("rgbcolor", "rgb(1, 2,255)", "rgb(1,2,256)"),
            ("isbn10", "0321751043", "0321751044"),
            ("isbn13", "978-0321751041", "978-0321751042"),
            ("creditcard", "4111 1111 1111 1111", "4111 1111 1111 1112"),
            ("ssn", "111-11-1111", "111-11-111"),
            ("bsonobjectid", "507f1f77bcf86cd799439011", "507f"),
            ("k8s-short-name", "a-b", "a.b"),
            ("k8s-long-name", "a.b", "A.b"),
        ];
        for (format, right, wrong) in cases {
            assert!(!is_wrong(format, right), "{format} {right}");
            assert!(is_wrong(format, wrong), "{format} {wrong}");
        }
        assert!(!is_wrong("password", "") && !is_wrong("anything", "x"));
    }

    #[test]
    fn stays_whole_on_odd_text() {
        for format in [
            "date-time",
            "date",
            "uuid",
            "cidr",
            "mac",
            "ssn",
            "uri",
            "email",
            "hostname",
            "duration",
        ] {
            for text in [
                "",
                "é",
                "::::",
                "....",
                "2026-11-21T1é:00:00Z",
                "%",
                "<>",
                "@",
                "-",
                "1é",
                "[",
                "//[",
                "/%é",
            ] {
                // Whether it fits does not matter here; it must answer.
                let _ = is_wrong(format, text);
            }
        }
    }
}
