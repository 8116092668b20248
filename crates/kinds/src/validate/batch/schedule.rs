//! Times at which jobs are made: `*/5 * * * 1-5`, `@daily`, and zones of time.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/batch/validation/validation.go, and
//! github.com/robfig/cron v3, whose words are the errors.

use api::quote::quote;

/// One of the five fields: its bounds, and names for some of its numbers.
struct Field {
    min: u64,
    max: u64,
    names: &'static [&'static str],
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FIELDS: [Field; 5] = [
    Field {
        min: 0,
        max: 59,
        names: &[],
    },
    Field {
        min: 0,
        max: 23,
        names: &[],
    },
    Field {
        min: 1,
        max: 31,
        names: &[],
    },
    Field {
        min: 1,
        max: 12,
        names: &MONTHS,
    },
    Field {
        min: 0,
        max: 6,
        names: &DAYS,
    },
];

/// Words that stand for all five fields.
const WORDS: [&str; 7] = [
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
];

/// Where zones of time lie, and zones that lie nowhere.
const AREAS: [&str; 15] = [
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Brazil",
    "Canada",
    "Chile",
    "Etc",
    "Europe",
    "Indian",
    "Mexico",
    "Pacific",
];
const ZONES: [&str; 45] = [
    "CET",
    "CST6CDT",
    "Cuba",
    "EET",
    "EST",
    "EST5EDT",
    "Egypt",
    "Eire",
    "Factory",
    "GB",
    "GB-Eire",
    "GMT",
    "GMT+0",
    "GMT-0",
    "GMT0",
    "Greenwich",
    "HST",
    "Hongkong",
    "Iceland",
    "Iran",
    "Israel",
    "Jamaica",
    "Japan",
    "Kwajalein",
    "Libya",
    "MET",
    "MST",
    "MST7MDT",
    "NZ",
    "NZ-CHAT",
    "Navajo",
    "PRC",
    "PST8PDT",
    "Poland",
    "Portugal",
    "ROC",
    "ROK",
    "Singapore",
    "Turkey",
    "UCT",
    "UTC",
    "Universal",
    "W-SU",
    "WET",
    "Zulu",
];

/// Checks a schedule.
///
/// # Errors
/// What is wrong with it, in upstream's words.
pub(super) fn parse(schedule: &str) -> Result<(), String> {
    let mut rest = schedule;
    if rest.starts_with("TZ=") || rest.starts_with("CRON_TZ=") {
        let (zone, after) = rest.split_once(' ').unwrap_or((rest, ""));
        let zone = zone.split_once('=').map_or("", |(_, zone)| zone);
        if !is_zone(zone) {
            return Err(format!(
                "provided bad location {zone}: unknown time zone {zone}"
            ));
        }
        rest = after.trim();
    }
    if rest.starts_with('@') {
        return word(rest);
    }
    let fields: Vec<&str> = rest.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!(
            "expected exactly 5 fields, found {}: [{}]",
            fields.len(),
            fields.join(" ")
        ));
    }
    for (text, field) in fields.into_iter().zip(&FIELDS) {
        for range in text.split(',').filter(|range| !range.is_empty()) {
            field.range(range)?;
        }
    }
    Ok(())
}

fn word(text: &str) -> Result<(), String> {
    if WORDS.contains(&text) {
        return Ok(());
    }
    let Some(duration) = text.strip_prefix("@every ") else {
        return Err(format!("unrecognized descriptor: {text}"));
    };
    if is_duration(duration) {
        return Ok(());
    }
    Err(format!(
        "failed to parse duration {text}: time: invalid duration {}",
        quote(duration)
    ))
}

/// Whether Go reads this as a duration: `1h30m`.
fn is_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
        let (number, after) = rest.split_at(end.unwrap_or(rest.len()));
        let is_number = number.bytes().any(|byte| byte.is_ascii_digit())
            && number.bytes().filter(|byte| *byte == b'.').count() <= 1;
        let units = ["ns", "us", "µs", "ms", "s", "m", "h"];
        let unit_end = after.find(|letter: char| letter.is_ascii_digit() || letter == '.');
        let (unit, after) = after.split_at(unit_end.unwrap_or(after.len()));
        if !is_number || !units.contains(&unit) {
            return false;
        }
        rest = after;
    }
    true
}

impl Field {
    fn number(&self, text: &str) -> Result<u64, String> {
        let lower = text.to_lowercase();
        if let Some(at) = self.names.iter().position(|name| *name == lower) {
            return Ok(at as u64 + self.min);
        }
        number(text)
    }

    fn range(&self, range: &str) -> Result<(), String> {
        let parts: Vec<&str> = range.split('/').collect();
        let bounds: Vec<&str> = parts[0].split('-').collect();
        let is_any = matches!(bounds[0], "*" | "?");
        let (start, mut end) = match bounds[..] {
            _ if is_any => (self.min, self.max),
            [one] => {
                let one = self.number(one)?;
                (one, one)
            }
            [first, last] => (self.number(first)?, self.number(last)?),
            _ => {
                self.number(bounds[0])?;
                return Err(format!("too many hyphens: {range}"));
            }
        };
        let step = match parts[..] {
            [_] => 1,
            [_, step] => {
                let step = number(step)?;
                if bounds.len() == 1 {
                    end = self.max;
                }
                step
            }
            _ => return Err(format!("too many slashes: {range}")),
        };
        let (min, max) = (self.min, self.max);
        if start < min {
            return Err(format!(
                "beginning of range ({start}) below minimum ({min}): {range}"
            ));
        }
        if end > max {
            return Err(format!(
                "end of range ({end}) above maximum ({max}): {range}"
            ));
        }
        if start > end {
            return Err(format!(
                "beginning of range ({start}) beyond end of range ({end}): {range}"
            ));
        }
        if step == 0 {
            return Err(format!(
                "step of range should be a positive number: {range}"
            ));
        }
        Ok(())
    }
}

fn number(text: &str) -> Result<u64, String> {
    match text.parse::<i64>() {
        Ok(number) => u64::try_from(number)
            .map_err(|_| format!("negative number ({number}) not allowed: {text}")),
        Err(_) => Err(format!(
            "failed to parse int from {text}: strconv.Atoi: parsing {}: invalid syntax",
            quote(text)
        )),
    }
}

fn is_zone(zone: &str) -> bool {
    if matches!(zone, "" | "UTC" | "Local") || ZONES.contains(&zone) {
        return true;
    }
    let is_area = |area| AREAS.contains(&area) || area == "US";
    zone.split_once('/').is_some_and(|(area, place)| {
        is_area(area) && place.starts_with(|first: char| first.is_ascii_uppercase())
    })
}

/// Returns what is wrong with the name of a zone of time. Which places there are is not known here:
/// any name of a place in a known area is right.
pub(super) fn time_zone(zone: &str) -> Vec<String> {
    if zone.is_empty() {
        return vec!["timeZone must be nil or non-empty string".to_owned()];
    }
    let unknown = || format!("unknown time zone {zone}");
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+');
    let is_part = |part: &str| {
        !matches!(part, "." | "..")
            && !part.starts_with('-')
            && (1..=14).contains(&part.len())
            && part.bytes().all(allowed)
    };
    if !zone.split('/').all(is_part) {
        return vec![unknown()];
    }
    let mut wrong = Vec::new();
    if zone.eq_ignore_ascii_case("Local") {
        let why =
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        wrong.push(why.to_owned());
    }
    if !is_zone(zone) {
        wrong.push(unknown());
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::{parse, time_zone};

    #[track_caller]
    fn check(schedule: &str, expected: &str) {
        assert_eq!(
            parse(schedule).err().unwrap_or_default(),
            expected,
            "{schedule}"
        );
    }

    #[test]
    fn schedules_have_five_fields() {
        check("*/5 0-6,22 1 jan-MAR sun", "");
        check("@daily", "");
        check("@every 1h30m", "");
        check("TZ=Europe/Berlin 0 0 * * *", "");
        check("* * *", "expected exactly 5 fields, found 3: [* * *]");
        check("@x", "unrecognized descriptor: @x");
        check(
            "@every x",
            r#"failed to parse duration @every x: time: invalid duration "x""#,
        );
        check("60 * * * *", "end of range (60) above maximum (59): 60");
        check("* * 0 * *", "beginning of range (0) below minimum (1): 0");
        check(
            "5-1 * * * *",
            "beginning of range (5) beyond end of range (1): 5-1",
        );
        check(
            "*/0 * * * *",
            "step of range should be a positive number: */0",
        );
        check("1-2-3 * * * *", "too many hyphens: 1-2-3");
        check("1/2/3 * * * *", "too many slashes: 1/2/3");
        check(
            "x * * * *",
            r#"failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax"#,
        );
        check(
            "TZ=x * * * * *",
            "provided bad location x: unknown time zone x",
        );
    }

    #[test]
    fn zones_are_places() {
        assert_eq!(time_zone("Europe/Berlin"), [""; 0]);
        assert_eq!(time_zone(""), ["timeZone must be nil or non-empty string"]);
        assert_eq!(time_zone("../etc"), ["unknown time zone ../etc"]);
        assert_eq!(time_zone("Nowhere"), ["unknown time zone Nowhere"]);
        assert_eq!(time_zone("local").len(), 2);
    }
}
