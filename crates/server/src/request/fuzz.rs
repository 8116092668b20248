//! The entry of fuzzers: whatever a client writes into a URL is read without harm.

use http::Method;

use super::{
    BodyType, Options, Query, Target, path,
    query::{Plus, decode},
};

/// Reads `METHOD PATH?QUERY`, as a request would be read, with every option of its verb.
///
/// # Panics
/// When a part of the path is lost or made up: that is what a fuzzer looks for.
pub fn request_line(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (method, url) = text.split_once(' ').unwrap_or(("GET", &text));
    let (raw_path, raw_query) = url.split_once('?').unwrap_or((url, ""));
    let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET);
    let query = Query::parse(raw_query);
    assert_eq!(query.raw(), raw_query);
    let Some(decoded) = decode(raw_path, Plus::IsPlus) else {
        return;
    };
    let Ok((verb, target)) = path::read(&method, &decoded, &query) else {
        return;
    };
    for body in ["", "application/apply-patch+yaml", raw_query] {
        let _ = Options::read_for(verb, &query, &BodyType::parse(body));
    }
    if let Target::Resource(resource) = target {
        assert!(decoded.contains(resource.resource.as_str()));
        assert!(resource.selected_by_name || decoded.contains(resource.name.as_str()));
        assert!(
            decoded.contains(resource.rest.as_str()),
            "{decoded} {resource:?}"
        );
    }
}

#[cfg(test)]
mod tests {
    use base::Rng;

    use super::request_line;

    /// Pieces from which a careless parser would break.
    const PIECES: [&str; 24] = [
        "GET ",
        "DELETE ",
        "PATCH ",
        "/",
        "//",
        "api",
        "apis",
        "v1",
        "namespaces",
        "watch",
        "proxy",
        "pods",
        "status",
        "%2f",
        "%",
        "%zz",
        "?",
        "&",
        "=",
        "watch=1",
        "limit=",
        "fieldSelector=metadata.name%3D",
        "dryRun=All",
        "\u{fffd}",
    ];

    #[test]
    fn reads_anything() {
        for seed in 0..20_000 {
            let mut rng = Rng::from_seed(seed);
            let count = rng.below(12);
            let line: String = (0..count)
                .map(|_| PIECES[rng.below(PIECES.len() as u64) as usize])
                .collect();
            request_line(line.as_bytes());
            let mut noise = vec![0; rng.below(40) as usize];
            rng.fill(&mut noise);
            request_line(&noise);
        }
    }
}
