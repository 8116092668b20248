//! Times and durations as `meta/v1` writes them: `2026-11-21T12:00:00Z`, `1h30m0s`.
//!
//! Source: k8s.io/apimachinery, pkg/apis/meta/v1 (Time, MicroTime, Duration) and Go's time package.

mod duration;

use std::fmt;

use base::WallTime;

use crate::{Value, quote::quote};

pub use duration::{DurationError, format_duration, parse_duration};

const LAYOUT: &str = "2006-01-02T15:04:05Z07:00";
const LAYOUT_MICRO: &str = "2006-01-02T15:04:05.000000Z07:00";

/// Seconds from 0001-01-01 to 1970-01-01; upstream writes the first as `null`.
const YEAR_ONE_SECS: i64 = -62_135_596_800;

/// Why a text is no time; the texts are Go's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// A part is missing or malformed.
    #[error(
        "parsing time {} as {}: cannot parse {} as {}",
        quote(text),
        quote(layout),
        quote(rest),
        quote(wanted)
    )]
    Part {
        /// The whole text.
        text: String,
        /// How a time looks.
        layout: &'static str,
        /// What stands where the part should.
        rest: String,
        /// How the part looks.
        wanted: &'static str,
    },
    /// A part is a number that no calendar has.
    #[error("parsing time {}: {what} out of range", quote(text))]
    Range {
        /// The whole text.
        text: String,
        /// Which part.
        what: &'static str,
    },
    /// Something follows the time.
    #[error("parsing time {}: extra text: {}", quote(text), quote(rest))]
    Extra {
        /// The whole text.
        text: String,
        /// What follows.
        rest: String,
    },
}

/// Reads a time with any fraction of a second, as `Time` does. Nanoseconds are cut to microseconds.
///
/// # Errors
/// [`TimeError`] with Go's text.
pub fn parse(text: &str) -> Result<WallTime, TimeError> {
    Reader::new(text, LAYOUT).time()
}

/// Reads a time with just six digits of fraction, as `MicroTime` does.
///
/// # Errors
/// [`TimeError`] with Go's text.
pub fn parse_micro(text: &str) -> Result<WallTime, TimeError> {
    Reader::new(text, LAYOUT_MICRO).time()
}

/// Returns the text of a `Time`: whole seconds, UTC.
#[must_use]
pub fn format(time: WallTime) -> String {
    let (year, month, day) = civil(time.secs().div_euclid(86_400));
    let second = time.secs().rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Returns the text of a `MicroTime`: six digits of fraction, UTC.
#[must_use]
pub fn format_micro(time: WallTime) -> String {
    let mut text = format(time);
    text.pop();
    let micros = time.micros.rem_euclid(1_000_000);
    text.push_str(&format!(".{micros:06}Z"));
    text
}

/// Returns the value of a `Time`; the zero time is `null`.
#[must_use]
pub fn to_value(time: WallTime) -> Value {
    if time.secs() == YEAR_ONE_SECS {
        return Value::Null;
    }
    Value::string(format(time))
}

/// Returns the value of a `MicroTime`.
#[must_use]
pub fn to_value_micro(time: WallTime) -> Value {
    Value::string(format_micro(time))
}

/// Returns days since 1970-01-01 of a day of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last; eras are 400 years.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Returns year, month and day of a day since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_of_year = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_of_year + 2) / 5 + 1;
    let month = if month_of_year < 10 {
        month_of_year + 3
    } else {
        month_of_year - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
    layout: &'static str,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, layout: &'static str) -> Self {
        Self {
            text,
            rest: text,
            layout,
        }
    }

    fn time(mut self) -> Result<WallTime, TimeError> {
        let year = self.digits(4, "2006")?;
        self.literal("-")?;
        let month = self.digits(2, "01")?;
        self.check(month, 1, 12, "month")?;
        self.literal("-")?;
        let day = self.digits(2, "02")?;
        self.literal("T")?;
        let hour = self.hour()?;
        self.check(hour, 0, 23, "hour")?;
        self.literal(":")?;
        let minute = self.digits(2, "04")?;
        self.check(minute, 0, 59, "minute")?;
        self.literal(":")?;
        let second = self.digits(2, "05")?;
        self.check(second, 0, 59, "second")?;
        let micros = if self.layout == LAYOUT_MICRO {
            self.six_digits()?
        } else {
            self.fraction()
        };
        let offset = self.zone()?;
        if !self.rest.is_empty() {
            return Err(TimeError::Extra {
                text: self.text.to_owned(),
                rest: self.rest.to_owned(),
            });
        }
        self.check(day, 1, days_in_month(year, month), "day")?;
        let secs = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
        Ok(WallTime {
            micros: secs * 1_000_000 + micros,
        })
    }

    fn wrong(&self, wanted: &'static str) -> TimeError {
        TimeError::Part {
            text: self.text.to_owned(),
            layout: self.layout,
            rest: self.rest.to_owned(),
            wanted,
        }
    }

    fn check(&self, number: i64, min: i64, max: i64, what: &'static str) -> Result<(), TimeError> {
        if (min..=max).contains(&number) {
            return Ok(());
        }
        Err(TimeError::Range {
            text: self.text.to_owned(),
            what,
        })
    }

    fn literal(&mut self, literal: &'static str) -> Result<(), TimeError> {
        let rest = self.rest.strip_prefix(literal);
        self.rest = rest.ok_or_else(|| self.wrong(literal))?;
        Ok(())
    }

    fn digits(&mut self, count: usize, wanted: &'static str) -> Result<i64, TimeError> {
        let digits = self.rest.get(..count).filter(|digits| is_digits(digits));
        let digits = digits.ok_or_else(|| self.wrong(wanted))?;
        self.rest = &self.rest[count..];
        Ok(digits.parse().unwrap_or(0))
    }

    /// Go takes an hour of one digit too.
    fn hour(&mut self) -> Result<i64, TimeError> {
        if self.rest.get(..2).is_some_and(is_digits) {
            return self.digits(2, "15");
        }
        self.digits(1, "15")
    }

    /// Reads a fraction of any length if there is one; Go takes a comma too.
    fn fraction(&mut self) -> i64 {
        let Some(rest) = self.rest.strip_prefix(['.', ',']) else {
            return 0;
        };
        let count = rest.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return 0;
        }
        let (digits, rest) = rest.split_at(count);
        self.rest = rest;
        micros(digits)
    }

    fn six_digits(&mut self) -> Result<i64, TimeError> {
        let rest = self.rest.strip_prefix(['.', ',']);
        let digits = rest
            .and_then(|rest| rest.get(..6))
            .filter(|digits| is_digits(digits));
        let digits = digits.ok_or_else(|| self.wrong(".000000"))?;
        self.rest = &self.rest[7..];
        Ok(micros(digits))
    }

    fn zone(&mut self) -> Result<i64, TimeError> {
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(0);
        }
        let parts = self.rest.get(..6).and_then(|zone| {
            let sign = match zone.get(..1)? {
                "+" => 1,
                "-" => -1,
                _ => return None,
            };
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            let number =
                |part: &str| (part.len() == 2 && is_digits(part)).then(|| part.parse().ok());
            Some((sign, number(hours)??, number(minutes)??))
        });
        let (sign, hours, minutes): (i64, i64, i64) = parts.ok_or_else(|| self.wrong("Z07:00"))?;
        self.check(hours, 0, 24, "time zone offset hour")?;
        self.check(minutes, 0, 60, "time zone offset minute")?;
        self.rest = &self.rest[6..];
        Ok(sign * (hours * 3600 + minutes * 60))
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the microseconds that a fraction's digits say; what is smaller is cut.
fn micros(digits: &str) -> i64 {
    let six = digits.bytes().chain(std::iter::repeat(b'0')).take(6);
    six.fold(0, |micros, digit| micros * 10 + i64::from(digit - b'0'))
}

/// A time that prints as `Time` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rfc3339(pub WallTime);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format(self.0))
    }
}

#[cfg(test)]
mod tests {
    use base::WallTime;

    use super::{format, format_micro, parse, to_value};
    use crate::Value;

    #[test]
    fn every_day_comes_back() {
        for day in (-719_162..800_000).step_by(97) {
            let time = WallTime::from_secs(day * 86_400 + 3723);
            assert_eq!(parse(&format(time)), Ok(time));
        }
    }

    #[test]
    fn prints_fractions() {
        let time = WallTime { micros: -1 };
        assert_eq!(format(time), "1969-12-31T23:59:59Z");
        assert_eq!(format_micro(time), "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn the_zero_time_is_null() {
        let zero = parse("0001-01-01T00:00:00Z").expect("a time");
        assert_eq!(to_value(zero), Value::Null);
        assert_eq!(
            to_value(WallTime::from_secs(0)),
            Value::from("1970-01-01T00:00:00Z")
        );
    }
}
