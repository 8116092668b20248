//! Lists of indexes, as jobs write them: `1,3-5,7`.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/batch/validation/validation.go.

use api::quote::quote;

/// Checks a list and returns how many indexes it has.
///
/// # Errors
/// What is wrong with it, in upstream's words.
pub(super) fn parse(text: &str, completions: i64) -> Result<i64, String> {
    let mut total = 0;
    let mut last: Option<i64> = None;
    if text.is_empty() {
        return Ok(0);
    }
    for part in text.split(',') {
        let (first, end) = interval(part, completions)?;
        if let Some(last) = last.filter(|last| *last >= first) {
            return Err(not_increasing(last, first));
        }
        total += end - first + 1;
        last = Some(end);
    }
    Ok(total)
}

fn not_increasing(previous: i64, current: i64) -> String {
    format!("non-increasing order, previous: {previous}, current: {current}")
}

fn interval(part: &str, completions: i64) -> Result<(i64, i64), String> {
    let index = |text: &str| -> Result<i64, String> {
        let number: i64 = text.parse().map_err(|_| {
            format!(
                "cannot convert string to integer for index: {}",
                quote(text)
            )
        })?;
        if number >= completions {
            return Err(format!("too large index: {}", quote(text)));
        }
        Ok(number)
    };
    let limits: Vec<&str> = part.split('-').collect();
    match limits[..] {
        [one] => index(one).map(|one| (one, one)),
        [first, end] => {
            let (first, end) = (index(first)?, index(end)?);
            if first >= end {
                return Err(not_increasing(first, end));
            }
            Ok((first, end))
        }
        _ => Err(format!(
            "the fragment {} violates the requirement that an index interval can have at most two parts separated by '-'",
            quote(part)
        )),
    }
}

/// Returns the first index that stands in both lists; what is no interval is passed over.
pub(super) fn overlap(completed: &str, failed: &str, completions: i64) -> Option<i64> {
    let read = |text: &str| -> Vec<(i64, i64)> {
        let parts = text.split(',');
        parts
            .filter_map(|part| interval(part, completions).ok())
            .collect()
    };
    let (completed, failed) = (read(completed), read(failed));
    let (mut done, mut lost) = (completed.iter().peekable(), failed.iter().peekable());
    while let (Some(own), Some(other)) = (done.peek(), lost.peek()) {
        if own.0 <= other.1 && other.0 <= own.1 {
            return Some(own.0.max(other.0));
        }
        if own.0 <= other.0 {
            done.next();
        } else {
            lost.next();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{overlap, parse};

    #[track_caller]
    fn check(text: &str, expected: Result<i64, &str>) {
        assert_eq!(parse(text, 10), expected.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn indexes_are_counted() {
        check("", Ok(0));
        check("1,3-5,7", Ok(5));
        check("10", Err(r#"too large index: "10""#));
        check(
            "1,x",
            Err(r#"cannot convert string to integer for index: "x""#),
        );
        check("3,1", Err("non-increasing order, previous: 3, current: 1"));
        check("5-3", Err("non-increasing order, previous: 5, current: 3"));
        check(
            "1-2-3",
            Err(
                r#"the fragment "1-2-3" violates the requirement that an index interval can have at most two parts separated by '-'"#,
            ),
        );
    }

    #[test]
    fn nothing_is_done_and_lost() {
        assert_eq!(overlap("1,3-5", "2,6", 10), None);
        assert_eq!(overlap("1,3-5", "x,4-6", 10), Some(4));
    }
}
