//! How long it takes until many custom resources stand in the v2 document.

use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{Door, JSON, PAUSE, V2_PROTOBUF, parse};
use crate::conformance::{Ground, Target};
use crate::failure::{Doing, Failure};

/// Upstream takes minutes for a thousand.
const PATIENCE: Duration = Duration::from_secs(300);

/// Creates so many definitions, and prints how long it takes until all are published, once more
/// after one of them changed, and how long the document itself takes.
pub(super) fn run(target: &Target, count: usize) -> Result<(), Failure> {
    let ground = Ground::prepare(target, &[])?;
    let door = Door::open(&ground.bin, &ground.kubeconfig)?;
    let file = ground.scratch.path.join("many.yaml");
    let kubectl = |verb: &str, text: String| -> Result<(), Failure> {
        std::fs::write(&file, text).doing("write the definitions")?;
        let output = Command::new(ground.bin.join("kubectl"))
            .arg("--kubeconfig")
            .arg(&ground.kubeconfig)
            .args([verb, "-f"])
            .arg(&file)
            .output()
            .doing("run kubectl")?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        Err(Failure::new(format!("kubectl {verb}: {text}")))
    };
    let begun = Instant::now();
    let all: String = (0..count)
        .map(|number| definition(number, "first"))
        .collect();
    kubectl("create", all)?;
    println!("{count} definitions created in {:.1?}", begun.elapsed());

    let created = Instant::now();
    let last = format!("com.example.g{}.v1.Thing{}", (count - 1) % 50, count - 1);
    let took = until(&door, |document| {
        let things = document["definitions"].as_object().into_iter().flatten();
        let things = things.filter(|(name, _)| name.starts_with("com.example.g"));
        // Each has a definition and one of its list.
        things.count() == 2 * count
    })?;
    println!(
        "all of them in /openapi/v2 {:.3?} after the last was created; the request took {took:.3?}",
        created.elapsed()
    );

    kubectl("apply", definition(count - 1, "second"))?;
    let changed = Instant::now();
    let took = until(&door, |document| {
        document["definitions"][&last]["properties"]["spec"]["properties"]
            .get("second")
            .is_some()
    })?;
    println!(
        "a change in /openapi/v2 {:.3?} after it was made; the request took {took:.3?}",
        changed.elapsed()
    );
    for (form, accept) in [("JSON", JSON), ("protobuf", V2_PROTOBUF)] {
        let begun = Instant::now();
        let bytes = door.get("/openapi/v2", accept)?.len();
        println!("again, in {form}: {bytes} bytes in {:.3?}", begun.elapsed());
    }
    Ok(())
}

/// Asks until the document is good; returns how long the last request took.
fn until(door: &Door, is_good: impl Fn(&serde_json::Value) -> bool) -> Result<Duration, Failure> {
    let begun = Instant::now();
    loop {
        let asked = Instant::now();
        let bytes = door.get("/openapi/v2", JSON)?;
        let took = asked.elapsed();
        if is_good(&parse(&bytes)?) {
            return Ok(took);
        }
        if begun.elapsed() > PATIENCE {
            return Err(Failure::new("the definitions are not published"));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Returns one definition, of a size as operators have them; fifty groups share them all.
fn definition(number: usize, field: &str) -> String {
    let group = format!("g{}.example.com", number % 50);
    let mut fields = String::new();
    for place in 0..40 {
        // Writing to a string cannot fail.
        let _ = writeln!(
            fields,
            "              field{place}: {{type: object, description: What it is for., properties: {{a: {{type: string, maxLength: 10}}, b: {{type: array, items: {{type: integer}}}}}}}}"
        );
    }
    format!(
        "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: thing{number}s.{group}}}\nspec:\n  group: {group}\n  names: {{plural: thing{number}s, singular: thing{number}, kind: Thing{number}, listKind: Thing{number}List}}\n  scope: Namespaced\n  versions:\n  - name: v1\n    served: true\n    storage: true\n    subresources: {{status: {{}}}}\n    schema:\n      openAPIV3Schema:\n        type: object\n        properties:\n          spec:\n            type: object\n            properties:\n              {field}: {{type: string}}\n{fields}"
    )
}
