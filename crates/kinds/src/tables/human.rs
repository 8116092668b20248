//! How durations, labels and lists are told to people.

use api::selector::LabelSelector;

use super::{NONE, Row, UNSET};

const SECOND: i64 = 1_000_000;

/// Returns a duration the way people say it: coarser the longer it is.
pub(super) fn human(micros: i64) -> String {
    let seconds = micros / SECOND;
    // Two units while the first is small, and only if the second is not zero.
    let two = |first: i64, unit: char, second: i64, rest: char| match second {
        0 => format!("{first}{unit}"),
        second => format!("{first}{unit}{second}{rest}"),
    };
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => two(minutes, 'm', seconds % 60, 's'),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => two(hours, 'h', minutes % 60, 'm'),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 192 => two(days, 'd', hours % 24, 'h'),
        _ if days < 730 => format!("{days}d"),
        _ if days < 2_920 => two(days / 365, 'y', days % 365, 'd'),
        _ => format!("{}y", days / 365),
    }
}

/// Returns labels as a selector's text.
pub(super) fn labels(pairs: &[(&str, &str)]) -> String {
    if pairs.is_empty() {
        return NONE.to_owned();
    }
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join(",")
}

/// Returns the label selector at a path as text, `<none>` if it is empty.
pub(super) fn selector(row: Row<'_>, path: &[&str]) -> String {
    let Ok(selector) = LabelSelector::from_value(row.object.at(path)) else {
        return "<error>".to_owned();
    };
    match selector.to_string() {
        text if text.is_empty() => NONE.to_owned(),
        text => text,
    }
}

/// Returns the first three of a list, and how many more there are.
pub(super) fn some(all: &[String]) -> String {
    const SHOWN: usize = 3;
    match all {
        [] => UNSET.to_owned(),
        all if all.len() <= SHOWN => match all.join(",") {
            text if text.is_empty() => UNSET.to_owned(),
            text => text,
        },
        all => format!("{} + {} more...", all[..SHOWN].join(","), all.len() - SHOWN),
    }
}

/// Returns the names and the images of the containers at a path.
pub(super) fn containers(row: Row<'_>, path: &[&str]) -> (String, String) {
    let of = |field: &str| {
        let words: Vec<&str> = row.items(path).map(|one| one.text(&[field])).collect();
        words.join(",")
    };
    (of("name"), of("image"))
}

/// Returns the access modes of the list at a path, short, in a fixed order.
pub(super) fn access_modes(row: Row<'_>, path: &[&str]) -> String {
    let given = row.texts(path);
    let modes = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let short: Vec<&str> = modes
        .into_iter()
        .filter(|(mode, _)| given.contains(mode))
        .map(|(_, short)| short)
        .collect();
    short.join(",")
}
