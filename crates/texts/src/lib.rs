//! Descriptions of the built-in kinds and their fields, for OpenAPI and `kubectl explain`.
//!
//! Upstream's texts are not in this repository. They lie in the sources of `k8s-openapi`, which
//! guests are built with anyway; the build script of this crate reads these sources, keeps the
//! descriptions and packs them. What is left is one constant in the read-only pages of the
//! binary, which costs no memory until somebody reads it.
//!
//! Invariant: this room knows no kind, no shape and no document. It hands over bytes;
//! `schema::openapi::Texts` reads what they unpack to, and whoever serves documents unpacks them.
//!
//! Start reading at `distil.rs`, which says what the bytes unpack to.
//!
//! ```
//! assert!(texts::PACKED.len() < 512 * 1024, "a description is not worth more than this");
//! ```

#[cfg(test)]
mod distil;

/// The descriptions, packed with raw DEFLATE.
pub const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/texts.deflate"));

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::{PACKED, distil};

    fn unpacked() -> String {
        let mut text = String::new();
        flate2::read::DeflateDecoder::new(PACKED)
            .read_to_string(&mut text)
            .expect("the build script packed text");
        text
    }

    /// Returns what is said of a type, or of one of its fields.
    fn said(text: &str, name: &str, field: &str) -> Option<String> {
        let mut lines = text
            .lines()
            .skip_while(|line| line.split_once('\t').map_or(*line, |(name, _)| name) != name);
        let first = lines.next()?;
        if field.is_empty() {
            return first.split_once('\t').map(|(_, text)| text.to_owned());
        }
        lines
            .take_while(|line| line.starts_with('\t'))
            .find_map(|line| {
                line[1..]
                    .split_once('\t')
                    .filter(|(name, _)| *name == field)
            })
            .map(|(_, text)| text.to_owned())
    }

    #[test]
    fn describes_kinds_and_fields() {
        let text = unpacked();
        let pod = "io.k8s.api.core.v1.Pod";
        let about = said(&text, pod, "").expect("pods are described");
        assert!(
            about.starts_with("Pod is a collection of containers"),
            "{about}"
        );
        let spec = said(&text, pod, "spec").expect("the spec of pods is described");
        assert!(
            spec.starts_with("Specification of the desired behavior"),
            "{spec}"
        );
        assert_eq!(said(&text, pod, "nosuch"), None);
    }

    /// What the build script does with one type.
    #[track_caller]
    fn check(source: &str, expected: &str) {
        let mut out = String::new();
        let found = distil::file(source, &mut out);
        assert_eq!((found, out.as_str()), (!expected.is_empty(), expected));
    }

    #[test]
    fn keeps_descriptions_and_nothing_else() {
        check("pub struct Other;", "");
        check(
            r#"
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "io.k8s.Thing".into()
    }
        crate::schemars::json_schema!({
            "description": "A thing.\n\n\tIts \"name\" \\ \u{e4}.",
            "type": "object",
            "properties": {
                "description": {
                    "type": "string",
                },
                "name": {
                    "description": "Its name.",
                    "type": "string",
                },
                "other": ({
                    let mut schema_obj = __gen.subschema_for::<crate::Other>();
                    schema_obj.ensure_object().insert("description".into(), "Another.".into());
                    schema_obj
                }),
                "items": {
                    "type": "array",
                    "items": ({
                        "description": "Not of the field.",
                    }),
                },
            },
        })
"#,
            "io.k8s.Thing\tA thing.\\n\\n\\tIts \"name\" \\\\ \u{e4}.\n\tname\tIts name.\n\tother\tAnother.\n",
        );
    }
}
