//! Named formats, and what breaks them.

use api::names::validate::{
    dns1035_label, dns1123_label, dns1123_subdomain, label_value, qualified_name,
};

use super::{
    super::{
        extension::Extension,
        value::{Outcome, Val},
    },
    Function, extension, mismatch, strings_list,
};
use crate::validate::format::is_wrong;

/// A format that strings may have.
#[derive(Debug)]
pub struct NamedFormat {
    /// Its name, as upstream compares it.
    pub name: &'static str,
    /// How long its pattern is thought to be.
    pub(in super::super) pattern_length: u64,
    check: fn(&str) -> Vec<String>,
}

/// Returns the names of prefixes: a hyphen or dot at the end stands for what will follow.
fn prefix(text: &str) -> String {
    match text.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => format!("{rest}a"),
        _ => text.to_owned(),
    }
}

fn schema_format(format: &str, text: &str, words: &str) -> Vec<String> {
    if is_wrong(format, text) {
        vec![words.to_owned()]
    } else {
        Vec::new()
    }
}

/// The formats by the names that expressions say.
static FORMATS: [(&str, NamedFormat); 13] = [
    (
        "dns1123Label",
        NamedFormat {
            name: "DNS1123Label",
            pattern_length: 30,
            check: dns1123_label,
        },
    ),
    (
        "dns1123Subdomain",
        NamedFormat {
            name: "DNS1123Subdomain",
            pattern_length: 60,
            check: dns1123_subdomain,
        },
    ),
    (
        "dns1035Label",
        NamedFormat {
            name: "DNS1035Label",
            pattern_length: 30,
            check: dns1035_label,
        },
    ),
    (
        "qualifiedName",
        NamedFormat {
            name: "QualifiedName",
            pattern_length: 60,
            check: qualified_name,
        },
    ),
    (
        "dns1123LabelPrefix",
        NamedFormat {
            name: "DNS1123LabelPrefix",
            pattern_length: 30,
            check: |text| dns1123_label(&prefix(text)),
        },
    ),
    (
        "dns1123SubdomainPrefix",
        NamedFormat {
            name: "DNS1123SubdomainPrefix",
            pattern_length: 60,
            check: |text| dns1123_subdomain(&prefix(text)),
        },
    ),
    (
        "dns1035LabelPrefix",
        NamedFormat {
            name: "DNS1035LabelPrefix",
            pattern_length: 30,
            check: |text| dns1035_label(&prefix(text)),
        },
    ),
    (
        "labelValue",
        NamedFormat {
            name: "LabelValue",
            pattern_length: 40,
            check: label_value,
        },
    ),
    (
        "uri",
        NamedFormat {
            name: "URI",
            pattern_length: 1103,
            check: |text| super::url::error(text).into_iter().collect(),
        },
    ),
    (
        "uuid",
        NamedFormat {
            name: "uuid",
            pattern_length: 70,
            check: |text| schema_format("uuid", text, "does not match the UUID format"),
        },
    ),
    (
        "byte",
        NamedFormat {
            name: "byte",
            pattern_length: 84,
            check: |text| schema_format("byte", text, "invalid base64"),
        },
    ),
    (
        "date",
        NamedFormat {
            name: "date",
            pattern_length: 71,
            check: |text| schema_format("date", text, "invalid date"),
        },
    ),
    (
        "datetime",
        NamedFormat {
            name: "datetime",
            pattern_length: 71,
            check: |text| schema_format("datetime", text, "invalid datetime"),
        },
    ),
];

fn at<'a>(place: usize) -> Outcome<'a> {
    extension(Extension::Format(&FORMATS[place].1))
}

/// Functions without arguments that answer a format.
pub(super) fn constant(name: &str) -> Option<Function> {
    let name = name.strip_prefix("format.")?;
    let place = FORMATS.iter().position(|(known, _)| *known == name)?;
    Some(match place {
        0 => |_| at(0),
        1 => |_| at(1),
        2 => |_| at(2),
        3 => |_| at(3),
        4 => |_| at(4),
        5 => |_| at(5),
        6 => |_| at(6),
        7 => |_| at(7),
        8 => |_| at(8),
        9 => |_| at(9),
        10 => |_| at(10),
        11 => |_| at(11),
        _ => |_| at(12),
    })
}

pub(super) fn named<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let [Val::String(name)] = args else {
        return mismatch();
    };
    match FORMATS
        .iter()
        .position(|(known, _)| *known == name.as_str())
    {
        Some(place) => at(place).map(Val::some),
        None => Ok(Val::Optional(None)),
    }
}

pub(super) fn validate<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let [Val::Extension(value), Val::String(text)] = args else {
        return mismatch();
    };
    let Extension::Format(format) = &**value else {
        return mismatch();
    };
    let errors = (format.check)(text.as_str());
    if errors.is_empty() {
        return Ok(Val::Optional(None));
    }
    Ok(Val::some(strings_list(errors)))
}
