//! Durations as Go writes them: `1h30m0s`, `100ms`, `-1.5s`.

use std::time::Duration;

use crate::quote::quote;

const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("μs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

/// Why a text is no duration; the texts are Go's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// The text has another shape, or is too long a time.
    #[error("time: invalid duration {}", quote(.0))]
    Invalid(String),
    /// A number has no unit.
    #[error("time: missing unit in duration {}", quote(.0))]
    MissingUnit(String),
    /// A unit is unknown.
    #[error("time: unknown unit {} in duration {}", quote(unit), quote(text))]
    UnknownUnit {
        /// The unit.
        unit: String,
        /// The whole text.
        text: String,
    },
}

/// Reads a duration and returns its nanoseconds, which may be negative.
///
/// # Errors
/// [`DurationError`] with Go's text.
pub fn parse_duration(text: &str) -> Result<i64, DurationError> {
    let invalid = || DurationError::Invalid(text.to_owned());
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (number, after) =
            rest.split_at(span(rest, |byte| byte.is_ascii_digit() || byte == b'.'));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            // A second point begins what Go takes for a unit.
            if let Some(at) = fraction.find('.').filter(|_| !number.starts_with("..")) {
                let unit = &rest[whole.len() + 1 + at..];
                return Err(unknown(unit, text));
            }
            return Err(invalid());
        }
        let end = span(after, |byte| byte != b'.' && !byte.is_ascii_digit());
        let (unit, after) = after.split_at(end);
        if unit.is_empty() {
            return Err(DurationError::MissingUnit(text.to_owned()));
        }
        let found = UNITS.iter().find(|(name, _)| *name == unit);
        let (_, nanos) = found.ok_or_else(|| unknown(unit, text))?;
        let part = part_nanos(whole, fraction, *nanos as u64).ok_or_else(invalid)?;
        total = total.checked_add(part).ok_or_else(invalid)?;
        if total > 1 << 63 {
            return Err(invalid());
        }
        rest = after;
    }
    if negative {
        return Ok((total.cast_signed()).wrapping_neg());
    }
    i64::try_from(total).map_err(|_| invalid())
}

fn unknown(unit: &str, text: &str) -> DurationError {
    let end = span(unit, |byte| byte != b'.' && !byte.is_ascii_digit());
    if end == 0 {
        return DurationError::MissingUnit(text.to_owned());
    }
    DurationError::UnknownUnit {
        unit: unit[..end].to_owned(),
        text: text.to_owned(),
    }
}

fn span(text: &str, keep: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| keep(*byte)).count()
}

fn part_nanos(whole: &str, fraction: &str, unit: u64) -> Option<u64> {
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let nanos = whole.checked_mul(unit)?;
    // Go keeps the digits of a fraction that fit 63 bits.
    let (mut part, mut scale) = (0_u64, 1.0);
    for digit in fraction.bytes() {
        if part > (i64::MAX as u64) / 10 {
            break;
        }
        let next = part * 10 + u64::from(digit - b'0');
        if next > 1 << 63 {
            break;
        }
        (part, scale) = (next, scale * 10.0);
    }
    let part = part as f64 * (unit as f64 / scale);
    nanos.checked_add(part as u64)
}

/// Returns the text of a duration of this many nanoseconds.
#[must_use]
pub fn format_duration(nanos: i64) -> String {
    let size = nanos.unsigned_abs();
    let sign = if nanos < 0 { "-" } else { "" };
    if size == 0 {
        return "0s".to_owned();
    }
    if size < 1_000_000_000 {
        let (unit, name) = match size {
            0..1000 => (1, "ns"),
            1000..1_000_000 => (1000, "µs"),
            _ => (1_000_000, "ms"),
        };
        return format!("{sign}{}{name}", decimal(size, unit));
    }
    let duration = Duration::from_nanos(size);
    let minutes = duration.as_secs() / 60;
    let seconds = decimal(size - minutes * 60_000_000_000, 1_000_000_000);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// Prints `size / unit` without zeros at the end.
fn decimal(size: u64, unit: u64) -> String {
    let (whole, rest) = (size / unit, size % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let digits = unit.ilog10() as usize;
    let fraction = format!("{rest:0digits$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}
