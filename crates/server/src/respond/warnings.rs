//! `Warning` headers: what a client should know although its request was served.
//!
//! Source: k8s.io/apiserver v0.37.1, pkg/endpoints/filters/warning.go.

use http::{HeaderMap, HeaderValue, header::WARNING};

/// From this many characters in all, each warning is cut short.
const TOTAL_MAX: usize = 4 * 1024;
/// How much of each is left then.
const EACH_MAX: usize = 256;

/// Adds one header for each warning; repeated ones once.
pub(super) fn put(warnings: &[String], headers: &mut HeaderMap) {
    let mut seen: Vec<&str> = Vec::new();
    for warning in warnings {
        if !warning.is_empty() && !seen.contains(&warning.as_str()) {
            seen.push(warning);
        }
    }
    let total: usize = seen.iter().map(|warning| warning.chars().count()).sum();
    let each_max = if total > TOTAL_MAX {
        EACH_MAX
    } else {
        usize::MAX
    };
    let mut sent = 0;
    for warning in seen {
        let cut: String = warning.chars().take(each_max).collect();
        sent += cut.chars().count();
        if sent > TOTAL_MAX {
            return;
        }
        if let Ok(value) = HeaderValue::from_bytes(quoted(&cut).as_bytes()) {
            headers.append(WARNING, value);
        }
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("299 - \"");
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') {
            out.push('\\');
        }
        // A line feed would end the header.
        out.push(if letter.is_control() { ' ' } else { letter });
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::put;

    #[track_caller]
    fn check(warnings: &[&str], expected: &[&str]) {
        let warnings: Vec<String> = warnings.iter().map(|text| (*text).to_owned()).collect();
        let mut headers = HeaderMap::new();
        put(&warnings, &mut headers);
        let values = headers.get_all("warning").iter();
        let values: Vec<&[u8]> = values.map(http::HeaderValue::as_bytes).collect();
        let expected: Vec<&[u8]> = expected.iter().map(|text| text.as_bytes()).collect();
        assert_eq!(values, expected);
    }

    #[test]
    fn quotes_and_sends_each_once() {
        check(&[], &[]);
        check(&["a", "", "b", "a"], &["299 - \"a\"", "299 - \"b\""]);
        check(&["say \"hi\" \\\nü"], &["299 - \"say \\\"hi\\\" \\\\ ü\""]);
    }

    #[test]
    fn cuts_when_there_is_too_much() {
        let long = ["x".repeat(3_000), "y".repeat(3_000)];
        let cut = [
            format!("299 - \"{}\"", "x".repeat(256)),
            format!("299 - \"{}\"", "y".repeat(256)),
        ];
        check(&[&long[0]], &[&format!("299 - \"{}\"", long[0])]);
        check(&[&long[0], &long[1]], &[&cut[0], &cut[1]]);
    }
}
