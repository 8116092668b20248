//! `/version`: which API this is and what serves it.

use std::fmt::Write as _;

use api::Text;
use bytes::Bytes;
use schema::openapi::Release;

use crate::answer::Page;

/// What `/version` says. Tools compare the two numbers and read `git_version` as a semantic version.
#[derive(Clone, Debug)]
pub struct Version {
    /// The API's major number: `1`.
    pub major: u32,
    /// The API's minor number: `37`.
    pub minor: u32,
    /// `v1.37.1+pintle-0.1.0`
    pub git_version: Text,
    /// Commit it was built from; empty if unknown.
    pub git_commit: Text,
    /// When it was built, RFC 3339; empty if unknown.
    pub build_date: Text,
    /// `linux/amd64`
    pub platform: Text,
}

impl Version {
    /// Returns what OpenAPI documents name.
    pub(crate) fn release(&self) -> Release {
        Release(Text::from(format!("{}.{}", self.major, self.minor)))
    }

    /// Returns the page.
    pub(crate) fn page(&self) -> Page {
        let (major, minor) = (self.major, self.minor);
        let fields: [(&str, &dyn std::fmt::Display); 13] = [
            ("major", &major),
            ("minor", &minor),
            ("emulationMajor", &major),
            ("emulationMinor", &minor),
            ("minCompatibilityMajor", &major),
            ("minCompatibilityMinor", &minor.saturating_sub(1)),
            ("gitVersion", &self.git_version),
            ("gitCommit", &self.git_commit),
            ("gitTreeState", &""),
            ("buildDate", &self.build_date),
            // Not Go, but clients expect the field to be there.
            ("goVersion", &""),
            ("compiler", &"rustc"),
            ("platform", &self.platform),
        ];
        let mut text = String::from("{\n");
        for (place, (name, value)) in fields.iter().enumerate() {
            let comma = if place + 1 < fields.len() { "," } else { "" };
            // Writing to a string cannot fail; no value here needs escaping.
            let _ = writeln!(text, "  \"{name}\": \"{value}\"{comma}");
        }
        text.push('}');
        Page::json(Bytes::from(text))
    }
}

#[cfg(test)]
mod tests {
    use api::Text;

    use super::Version;

    #[test]
    fn is_json_and_says_the_numbers_as_strings() {
        let page = Version {
            major: 1,
            minor: 37,
            git_version: Text::new("v1.37.1+pintle-0.1.0"),
            git_commit: Text::default(),
            build_date: Text::default(),
            platform: Text::new("linux/amd64"),
        }
        .page();
        let value = api::json::read(&page.bytes).expect("it is JSON").value;
        assert_eq!(value.str_at(&["minor"]), Some("37"));
        assert_eq!(value.str_at(&["minCompatibilityMinor"]), Some("36"));
        assert_eq!(value.str_at(&["gitVersion"]), Some("v1.37.1+pintle-0.1.0"));
    }
}
