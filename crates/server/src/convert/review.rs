//! `ConversionReview`: what is sent to a webhook, and what it answers.

use api::{GroupVersion, Value, json, quote::quote};
use bytes::Bytes;

/// A version of `ConversionReview`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V1Beta1,
}

impl Version {
    /// Returns the first version that a webhook understands and we do.
    pub(super) fn of(webhook: &Value) -> Option<Self> {
        let known = webhook
            .get("conversionReviewVersions")
            .and_then(Value::as_array);
        let mut known = known.unwrap_or_default().iter();
        known.find_map(|version| match version.as_str() {
            Some("v1") => Some(Self::V1),
            Some("v1beta1") => Some(Self::V1Beta1),
            _ => None,
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V1Beta1 => "v1beta1",
        }
    }
}

/// Returns the review that asks for these objects, which are put in as they lie.
pub(super) fn request(
    version: Version,
    uid: &str,
    target: &GroupVersion,
    objects: &[&Bytes],
) -> Bytes {
    let bytes: usize = objects.iter().map(|object| object.len() + 1).sum();
    let mut out = Vec::with_capacity(bytes + 512);
    out.extend_from_slice(br#"{"kind":"ConversionReview","apiVersion":"apiextensions.k8s.io/"#);
    out.extend_from_slice(version.as_str().as_bytes());
    out.extend_from_slice(br#"","request":{"uid":"#);
    json::write_string(uid, &mut out);
    out.extend_from_slice(br#","desiredAPIVersion":"#);
    json::write_string(&target.to_string(), &mut out);
    out.extend_from_slice(br#","objects":["#);
    for (index, object) in objects.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(object);
    }
    out.extend_from_slice(
        br#"]},"response":{"uid":"","convertedObjects":null,"result":{"metadata":{}}}}"#,
    );
    Bytes::from(out)
}

/// Returns the objects of an answer.
///
/// # Errors
/// What is wrong with the answer, in upstream's words, or what it says went wrong.
pub(super) fn objects(version: Version, uid: &str, answer: &[u8]) -> Result<Vec<Value>, String> {
    let mut review = read(answer)?;
    let text = |name: &str| review.str_at(&[name]).unwrap_or_default();
    let (said_version, said_kind) = (text("apiVersion"), text("kind"));
    let wanted = format!("apiextensions.k8s.io/{}", version.as_str());
    if said_kind != "ConversionReview" || said_version != wanted {
        return Err(strange(version, &wanted, said_version, said_kind));
    }
    let Some(response) = review.get_mut("response").filter(|found| !found.is_null()) else {
        return Err("no response provided".to_owned());
    };
    // The older version never looked at the uid.
    let said = response.str_at(&["uid"]).unwrap_or_default();
    if version == Version::V1 && said != uid {
        let (wanted, said) = (quote(uid), quote(said));
        return Err(format!("expected response.uid={wanted}, got {said}"));
    }
    let outcome = response.str_at(&["result", "status"]).unwrap_or_default();
    if outcome != "Success" {
        let message = response.str_at(&["result", "message"]).unwrap_or_default();
        return Err(if message.is_empty() {
            format!("response.result.status was '{outcome}', not 'Success'")
        } else {
            message.to_owned()
        });
    }
    let objects = response.get_mut("convertedObjects").map(std::mem::take);
    Ok(match objects {
        Some(Value::Array(objects)) => objects,
        _ => Vec::new(),
    })
}

/// Reads an answer as JSON.
fn read(answer: &[u8]) -> Result<Value, String> {
    let unreadable = |why: &str| format!("couldn't get version/kind; json parse error: {why}");
    // What is no JSON is text in YAML, which is what upstream goes on with.
    let value = json::read(answer).map_or(Value::from(""), |parsed| parsed.value);
    if value.as_object().is_some() {
        return Ok(value);
    }
    let found = value.go_type_name();
    Err(unreadable(&format!(
        "json: cannot unmarshal {found} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}"
    )))
}

/// Says what else an answer is than a review of the version that was asked.
fn strange(version: Version, wanted: &str, said_version: &str, said_kind: &str) -> String {
    let other = match version {
        Version::V1 => Version::V1Beta1,
        Version::V1Beta1 => Version::V1,
    };
    let is_other = said_version == format!("apiextensions.k8s.io/{}", other.as_str());
    if is_other && said_kind == "ConversionReview" {
        let (other, version) = (other.as_str(), version.as_str());
        return format!(
            "converting ({other}.ConversionReview) to ({version}.ConversionReview): unknown conversion"
        );
    }
    if !said_version.is_empty() && !said_kind.is_empty() {
        let (kind, said) = (quote(said_kind), quote(said_version));
        return format!(
            "no kind {kind} is registered for version {said} in scheme \"pkg/runtime/scheme.go:111\""
        );
    }
    let slash = if said_version.contains('/') { "" } else { "/" };
    format!(
        "expected webhook response of {wanted}, Kind=ConversionReview, got {slash}{said_version}, Kind={said_kind}"
    )
}

#[cfg(test)]
mod tests {
    use api::{GroupVersion, Value, json, value};
    use bytes::Bytes;
    use expect_test::{Expect, expect};

    use super::{Version, objects, request};

    #[track_caller]
    fn check(answer: &str, expected: &Expect) {
        let found = match objects(Version::V1, "u-1", answer.as_bytes()) {
            Ok(objects) => format!("{} objects", objects.len()),
            Err(why) => why,
        };
        expected.assert_eq(&found);
    }

    fn answer(response: &str) -> String {
        format!(
            r#"{{"kind":"ConversionReview","apiVersion":"apiextensions.k8s.io/v1","response":{response}}}"#
        )
    }

    #[test]
    fn asks_in_the_form_upstream_asks() {
        let objects = [Bytes::from_static(b"{\"a\":1}"), Bytes::from_static(b"{}")];
        let target = GroupVersion::new("example.com", "v2");
        let made = request(
            Version::V1Beta1,
            "u-1",
            &target,
            &[&objects[0], &objects[1]],
        );
        let text = String::from_utf8(made.to_vec()).expect("it is text");
        expect![[r#"{"kind":"ConversionReview","apiVersion":"apiextensions.k8s.io/v1beta1","request":{"uid":"u-1","desiredAPIVersion":"example.com/v2","objects":[{"a":1},{}]},"response":{"uid":"","convertedObjects":null,"result":{"metadata":{}}}}"#]].assert_eq(&text);
        assert!(json::read(&made).is_ok());
    }

    #[test]
    fn takes_the_first_version_both_know() {
        let version =
            |versions: Value| Version::of(&value!({"conversionReviewVersions": (versions)}));
        assert_eq!(
            version(value!(["v9", "v1beta1", "v1"])),
            Some(Version::V1Beta1)
        );
        assert_eq!(version(value!(["v1"])), Some(Version::V1));
        assert_eq!(version(value!(["v2"])), None);
    }

    #[test]
    fn says_what_is_wrong_with_an_answer() {
        let good = r#"{"uid":"u-1","result":{"status":"Success"},"convertedObjects":[{},{}]}"#;
        check(&answer(good), &expect!["2 objects"]);
        check(
            &answer(r#"{"uid":"u-1","result":{"status":"Success"},"convertedObjects":null}"#),
            &expect!["0 objects"],
        );
        check(
            &answer(r#"{"uid":"lie","result":{"status":"Success"}}"#),
            &expect![[r#"expected response.uid="u-1", got "lie""#]],
        );
        check(
            &answer(r#"{"uid":"u-1","result":{"status":"Failure","message":"I will not"}}"#),
            &expect!["I will not"],
        );
        check(
            &answer(r#"{"uid":"u-1"}"#),
            &expect!["response.result.status was '', not 'Success'"],
        );
        check(&answer("null"), &expect!["no response provided"]);
        check(
            r#"{"kind":"AdmissionReview","apiVersion":"apiextensions.k8s.io/v1"}"#,
            &expect![[
                r#"no kind "AdmissionReview" is registered for version "apiextensions.k8s.io/v1" in scheme "pkg/runtime/scheme.go:111""#
            ]],
        );
        check(
            r#"{"kind":"ConversionReview","apiVersion":"apiextensions.k8s.io/v1beta1"}"#,
            &expect![
                "converting (v1beta1.ConversionReview) to (v1.ConversionReview): unknown conversion"
            ],
        );
        check(
            r#"{"response":{}}"#,
            &expect![
                "expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got /, Kind="
            ],
        );
        check(
            "[]",
            &expect![[
                r#"couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#
            ]],
        );
    }
}
