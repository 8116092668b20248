//! Warnings about files of a volume that lie at the same place, or one below the other.

use api::{Value, quote::quote};

use super::Warnings;
use crate::validate::Place;

/// A file, and where its content comes from.
#[derive(Clone, PartialEq, Eq)]
struct File {
    path: String,
    source: String,
}

impl File {
    fn shown(&self) -> String {
        let path = quote(&self.path);
        if self.source.is_empty() {
            path
        } else {
            format!("{path} ({})", self.source)
        }
    }

    fn overlaps(&self, other: &File) -> bool {
        let (own, other) = (format!("{}/", self.path), format!("{}/", other.path));
        own.starts_with(&other) || other.starts_with(&own)
    }
}

/// Looks over the volumes of a pod.
pub(super) fn volumes(list: &Place<'_>, warnings: &mut Warnings) {
    for volume in list.list() {
        let name = volume.str_at(&["name"]).unwrap_or_default();
        let mut tell = |called: &str, files: Vec<File>| {
            for text in overlaps(files) {
                let name = quote(name);
                warnings.push(format!(
                    "volume {name} ({called}): overlapping paths: {text}"
                ));
            }
        };
        if let Some(source) = volume.get("configMap") {
            let called = source.str_at(&["name"]).unwrap_or_default();
            tell(&format!("ConfigMap {}", quote(called)), files(source, ""));
        }
        if let Some(source) = volume.get("secret") {
            let called = source.str_at(&["secretName"]).unwrap_or_default();
            tell(&format!("Secret {}", quote(called)), files(source, ""));
        }
        if let Some(source) = volume.get("downwardAPI") {
            tell("DownwardAPI", files(source, ""));
        }
        let sources = volume
            .at(&["projected", "sources"])
            .and_then(Value::as_array);
        let mut all = Vec::new();
        for source in sources.unwrap_or_default() {
            if source.as_object().is_none_or(api::Object::is_empty) {
                let name = quote(name);
                warnings.push(format!("volume {name} (Projected) has no sources provided"));
            } else {
                all.extend(projected(source));
            }
        }
        for text in overlaps(all) {
            let name = quote(name);
            warnings.push(format!(
                "volume {name} (Projected): overlapping paths: {text}"
            ));
        }
    }
}

fn files(source: &Value, from: &str) -> Vec<File> {
    let items = source.get("items").and_then(Value::as_array);
    let path = |item: &Value| item.str_at(&["path"]).unwrap_or_default().to_owned();
    let file = |item: &Value| File {
        path: path(item),
        source: from.to_owned(),
    };
    items.unwrap_or_default().iter().map(file).collect()
}

/// Returns the files of one source of a projected volume; upstream looks at the first of several.
fn projected(source: &Value) -> Vec<File> {
    let text = |part: &Value, field: &str| part.str_at(&[field]).unwrap_or_default().to_owned();
    let has_items = |part: &&Value| part.get("items").is_some();
    let one = |path: String, source: String| File { path, source };
    if let Some(part) = source.get("configMap").filter(has_items) {
        return files(part, &format!("ConfigMap {}", quote(&text(part, "name"))));
    }
    if let Some(part) = source.get("secret").filter(has_items) {
        return files(part, &format!("Secret {}", quote(&text(part, "name"))));
    }
    if let Some(part) = source.get("downwardAPI").filter(has_items) {
        return files(part, "DownwardAPI");
    }
    if let Some(part) = source.get("serviceAccountToken") {
        return vec![one(text(part, "path"), "ServiceAccountToken".to_owned())];
    }
    if let Some(part) = source.get("clusterTrustBundle") {
        let name = part
            .str_at(&["name"])
            .map_or_else(|| text(part, "signerName"), str::to_owned);
        let called = format!("ClusterTrustBundle {}", quote(&name));
        return vec![one(text(part, "path"), called)];
    }
    let Some(part) = source.get("podCertificate") else {
        return Vec::new();
    };
    [
        ("certificateChainPath", "PodCertificate chain"),
        ("keyPath", "PodCertificate key"),
        ("credentialBundlePath", "PodCertificate credential bundle"),
    ]
    .into_iter()
    .map(|(field, called)| one(text(part, field), called.to_owned()))
    .filter(|file| !file.path.is_empty())
    .collect()
}

fn overlaps(files: Vec<File>) -> Vec<String> {
    let mut told = Vec::new();
    let mut before: Vec<File> = Vec::new();
    for mut file in files {
        file.path = file.path.trim_end_matches('/').to_owned();
        if !file.path.is_empty() {
            let others = before.iter().filter(|other| !other.path.is_empty());
            for other in others.filter(|other| file.overlaps(other)) {
                told.push(format!("{} with {}", file.shown(), other.shown()));
            }
        }
        before.push(file);
    }
    told
}
