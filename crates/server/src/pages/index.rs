//! `/`: every path there is.

use std::fmt::Write as _;

use crate::answer::Page;

/// Returns the page of these paths, each once, sorted.
pub(crate) fn page(mut paths: Vec<String>) -> Page {
    paths.sort_unstable();
    paths.dedup();
    let mut text = String::from("{\n  \"paths\": [\n");
    for (place, path) in paths.iter().enumerate() {
        let comma = if place + 1 < paths.len() { "," } else { "" };
        // Writing to a string cannot fail; no path here needs escaping.
        let _ = writeln!(text, "    \"{path}\"{comma}");
    }
    text.push_str("  ]\n}");
    Page::json(text)
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn sorts_and_says_each_once() {
        let paths = ["/version", "/apis", "/apis"].map(str::to_owned).to_vec();
        let page = page(paths);
        let text = String::from_utf8_lossy(&page.bytes);
        assert_eq!(
            text,
            "{\n  \"paths\": [\n    \"/apis\",\n    \"/version\"\n  ]\n}"
        );
    }
}
