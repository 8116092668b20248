//! Moments and durations: reading, writing, reckoning and their parts.

use std::fmt;

use super::{
    declared::DeclKind,
    value::{Fault, Octets, Outcome, Val},
};

/// First and last second that a moment can have: the years 1 to 9999.
const SECS_MIN: i64 = -62_135_596_800;
const SECS_MAX: i64 = 253_402_300_799;

const SECOND: i64 = 1_000_000_000;

/// A moment, in nanoseconds since 1970 (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Nanoseconds since 1970-01-01T00:00:00Z; 128 bits hold every year that can be written.
    pub nanos: i128,
}

impl Time {
    /// Returns the moment this many seconds after 1970 began, if its year can be written.
    pub(super) fn from_secs(secs: i64) -> Option<Self> {
        Self::new(i128::from(secs) * i128::from(SECOND))
    }

    fn new(nanos: i128) -> Option<Self> {
        let time = Self { nanos };
        (SECS_MIN..=SECS_MAX).contains(&time.secs()).then_some(time)
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "moments lie between the years 1 and 9999"
    )]
    pub(super) fn secs(self) -> i64 {
        self.nanos.div_euclid(i128::from(SECOND)) as i64
    }

    #[allow(clippy::cast_possible_truncation, reason = "a remainder is small")]
    fn fraction(self) -> i64 {
        self.nanos.rem_euclid(i128::from(SECOND)) as i64
    }

    /// Returns the moment a duration later.
    pub(super) fn plus(self, nanos: i128) -> Result<Self, Fault> {
        Self::new(self.nanos + nanos).ok_or_else(|| Fault::new("timestamp overflow"))
    }

    /// Returns the time between two moments.
    pub(super) fn minus(self, other: Self) -> Result<i64, Fault> {
        i64::try_from(self.nanos - other.nanos).map_err(|_| Fault::new("duration overflow"))
    }

    /// Reads a moment as RFC 3339 writes it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let number = |from: usize, length: usize| -> Option<i64> {
            let part = text.get(from..from + length)?;
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten()
        };
        let is = |at: usize, wanted: &[u8]| bytes.get(at).is_some_and(|byte| wanted.contains(byte));
        let separated =
            is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
        if !separated {
            return None;
        }
        let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
        let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
        let days = days_of(year, month, day)?;
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let mut rest = &text[19..];
        let mut fraction = 0;
        if let Some(after) = rest.strip_prefix(['.', ',']) {
            let length = after.bytes().take_while(u8::is_ascii_digit).count();
            if length == 0 {
                return None;
            }
            let digits = after
                .bytes()
                .take(length)
                .chain(std::iter::repeat(b'0'))
                .take(9);
            fraction = digits.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
            rest = &after[length..];
        }
        let offset = offset_of(rest, true)?;
        let secs = days * 86_400 + hour * 3600 + minute * 60 + second - offset;
        Self::new(i128::from(secs) * i128::from(SECOND) + i128::from(fraction))
    }

    /// Reads a day.
    fn parse_date(text: &str) -> Option<Self> {
        let longer = format!("{text}T00:00:00Z");
        (text.len() == 10).then(|| Self::parse(&longer)).flatten()
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (
            self.secs().div_euclid(86_400),
            self.secs().rem_euclid(86_400),
        );
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        if self.fraction() > 0 {
            let digits = format!("{:09}", self.fraction());
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

/// Reads `Z` and `+01:30`, and without `strict` also `02:00`; returns seconds.
fn offset_of(text: &str, strict: bool) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ if strict => return None,
        _ => (1, text),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let number = |part: &str| -> Option<i64> {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Returns days since 1970 of a day that the calendar has.
fn days_of(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    // Years begin in March, so that the leap day is their last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Returns year, month and day of a day since 1970.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 {
        (year + era * 400, month + 3)
    } else {
        (year + era * 400 + 1, month - 9)
    };
    (year, month, day)
}

/// Writes a duration in seconds, as conversions do.
pub(super) fn show_duration(nanos: i64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "upstream writes it as a float")]
    let seconds = (nanos / SECOND) as f64 + (nanos % SECOND) as f64 / SECOND as f64;
    format!("{seconds}s")
}

/// Returns what a string of a format stands for.
pub(super) fn formatted<'a>(kind: &DeclKind, text: &str) -> Outcome<'a> {
    match kind {
        DeclKind::Duration => parse_duration(text)
            .map(Val::Duration)
            .ok_or_else(|| Fault::new(format!("Invalid duration {text}"))),
        DeclKind::Date => Time::parse_date(text)
            .map(Val::Timestamp)
            .ok_or_else(|| Fault::new(format!("Invalid date formatted string {text}"))),
        DeclKind::DateTime => Time::parse(text)
            .map(Val::Timestamp)
            .ok_or_else(|| Fault::new(format!("Invalid date-time formatted string {text}"))),
        DeclKind::Bytes => {
            use base64::Engine;
            let bytes = base64::engine::general_purpose::STANDARD.decode(text);
            let bytes =
                bytes.map_err(|_| Fault::new(format!("Invalid byte formatted string {text}")))?;
            Ok(Val::Bytes(Octets::Shared(bytes.into())))
        }
        _ => Err(Fault::new("invalid data, expected another type")),
    }
}

/// Reads a duration of a schema: as Go writes it, or in words (`3 days`).
fn parse_duration(text: &str) -> Option<i64> {
    if let Ok(nanos) = api::time::parse_duration(text) {
        return Some(nanos);
    }
    let mut rest = text.trim_start();
    let mut total: f64 = 0.0;
    while !rest.is_empty() {
        let end =
            rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.' && letter != '-')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = rest[end..].trim_start();
        let end = rest
            .find(|letter: char| !letter.is_alphabetic())
            .unwrap_or(rest.len());
        #[allow(clippy::cast_precision_loss, reason = "units are small numbers")]
        let unit = SECOND as f64
            * match &rest[..end] {
                "ns" | "nano" | "nanos" | "nanoseconds" => 1e-9,
                "us" | "µs" | "micro" | "micros" | "microseconds" => 1e-6,
                "ms" | "milli" | "millis" | "milliseconds" => 1e-3,
                "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
                "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
                "h" | "hr" | "hour" | "hours" => 3600.0,
                "d" | "day" | "days" => 86_400.0,
                "w" | "wk" | "week" | "weeks" => 604_800.0,
                _ => return None,
            };
        total += number * unit;
        rest = rest[end..].trim_start();
    }
    #[allow(
        clippy::cast_possible_truncation,
        reason = "conversions stop at the bounds"
    )]
    (!text.is_empty()).then_some(total as i64)
}

/// Functions on the parts of a moment or a duration, by name.
pub(super) fn part<'a>(name: &str, args: &[Val<'a>]) -> Outcome<'a> {
    let (time, zone) = match args {
        [Val::Duration(nanos)] => return duration_part(name, *nanos),
        [Val::Timestamp(time)] => (*time, "UTC"),
        [Val::Timestamp(time), Val::String(zone)] => (*time, zone.as_str()),
        _ => return Err(Fault::new(format!("no such overload: {name}"))),
    };
    let offset = match zone {
        "" | "UTC" | "GMT" | "Etc/UTC" | "Local" => 0,
        _ => {
            offset_of(zone, false).ok_or_else(|| Fault::new(format!("unknown time zone {zone}")))?
        }
    };
    let secs = time.secs() + offset;
    let (days, second) = (secs.div_euclid(86_400), secs.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    Ok(Val::Int(match name {
        "getFullYear" => year,
        "getMonth" => month - 1,
        "getDayOfYear" => days - days_of(year, 1, 1).unwrap_or(days),
        "getDayOfMonth" => day - 1,
        "getDate" => day,
        "getDayOfWeek" => (days + 4).rem_euclid(7),
        "getHours" => second / 3600,
        "getMinutes" => second / 60 % 60,
        "getSeconds" => second % 60,
        _ => time.fraction() / 1_000_000,
    }))
}

fn duration_part<'a>(name: &str, nanos: i64) -> Outcome<'a> {
    Ok(Val::Int(match name {
        "getHours" => nanos / (3600 * SECOND),
        "getMinutes" => nanos / (60 * SECOND),
        "getSeconds" => nanos / SECOND,
        "getMilliseconds" => nanos / 1_000_000,
        _ => return Err(Fault::new(format!("no such overload: {name}"))),
    }))
}

#[cfg(test)]
mod tests {
    use super::{Time, show_duration};

    #[track_caller]
    fn check(text: &str, written: Option<&str>) {
        let time = Time::parse(text).map(|time| time.to_string());
        assert_eq!(time.as_deref(), written, "{text}");
    }

    #[test]
    fn reads_and_writes_moments() {
        check("2009-02-13T23:31:30Z", Some("2009-02-13T23:31:30Z"));
        check(
            "2009-02-13T23:31:30.5+02:00",
            Some("2009-02-13T21:31:30.5Z"),
        );
        check("0001-01-01T00:00:00Z", Some("0001-01-01T00:00:00Z"));
        check(
            "9999-12-31T23:59:59.999999999Z",
            Some("9999-12-31T23:59:59.999999999Z"),
        );
        check("0000-12-31T23:59:59Z", None);
        check("2009-02-30T00:00:00Z", None);
        check("2009-02-13", None);
        assert_eq!(show_duration(1_500_000_000), "1.5s");
        assert_eq!(show_duration(-90_000_000_000), "-90s");
    }
}
