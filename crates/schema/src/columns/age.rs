//! Durations as `kubectl get` prints them.

use base::WallTime;

/// Returns how long ago a time is: `90s`, `2d3h`, or `<unknown>` when it is not known.
#[must_use]
pub fn age(then: Option<WallTime>, now: WallTime) -> String {
    match then {
        None => "<unknown>".to_owned(),
        Some(then) => human_duration((now.micros.saturating_sub(then.micros)) / 1_000_000),
    }
}

/// Returns a duration in seconds with two units at most, coarser the longer it is.
#[must_use]
pub fn human_duration(secs: i64) -> String {
    // Clocks of machines differ a little, so two seconds in the future are now.
    if secs < -1 {
        return "<invalid>".to_owned();
    }
    if secs < 0 {
        return "0s".to_owned();
    }
    let two = |number: i64, unit: char, rest: i64, small: char| {
        if rest == 0 {
            format!("{number}{unit}")
        } else {
            format!("{number}{unit}{rest}{small}")
        }
    };
    let (minutes, hours) = (secs / 60, secs / 3600);
    let (days, years) = (hours / 24, hours / 24 / 365);
    if secs < 120 {
        format!("{secs}s")
    } else if minutes < 10 {
        two(minutes, 'm', secs % 60, 's')
    } else if minutes < 180 {
        format!("{minutes}m")
    } else if hours < 8 {
        two(hours, 'h', minutes % 60, 'm')
    } else if hours < 48 {
        format!("{hours}h")
    } else if hours < 24 * 8 {
        two(days, 'd', hours % 24, 'h')
    } else if hours < 24 * 365 * 2 {
        format!("{days}d")
    } else if hours < 24 * 365 * 8 {
        two(years, 'y', days % 365, 'd')
    } else {
        format!("{years}y")
    }
}

#[cfg(test)]
mod tests {
    use super::{age, human_duration};
    use base::WallTime;

    #[test]
    fn prints_what_kubectl_prints() {
        let cases = [
            (-5, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (599, "9m59s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (10_860, "3h1m"),
            (28_800, "8h"),
            (172_799, "47h"),
            (172_800, "2d"),
            (176_400, "2d1h"),
            (691_200, "8d"),
            (63_072_000, "2y"),
            (63_158_400, "2y1d"),
            (252_288_000, "8y"),
        ];
        for (secs, expected) in cases {
            assert_eq!(human_duration(secs), expected, "{secs}");
        }
        assert_eq!(age(None, WallTime::from_secs(0)), "<unknown>");
        assert_eq!(
            age(Some(WallTime::from_secs(5)), WallTime::from_secs(10)),
            "5s"
        );
    }
}
