//! Inputs to begin with, and how they are changed.

use base::Rng;

const TABLES: [&str; 8] = [
    include_str!("../../tests/oracle/json.jsonl"),
    include_str!("../../tests/oracle/quantity.jsonl"),
    include_str!("../../tests/oracle/labels.jsonl"),
    include_str!("../../tests/oracle/fields.jsonl"),
    include_str!("../../tests/oracle/time.jsonl"),
    include_str!("../../tests/oracle/duration.jsonl"),
    include_str!("../../tests/oracle/yaml-read.jsonl"),
    include_str!("../../tests/oracle/yaml-write.jsonl"),
];
const MORE: [&str; 6] = [
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/yaml;q=0.5,*/*",
    "application/json; charset=\"utf-8\"; stream=watch",
    "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NDIsInN0YXJ0IjoiZGVmYXVsdC93ZWJcdTAwMDAifQ",
    "my-name.example.com/label_value",
    r#"{"metadata":{"name":"a","labels":{"b":"c"},"resourceVersion":"1","ownerReferences":[{"uid":"x"}]}}"#,
    "a: &a [1, *b]\nb: &b {c: *a}\n<<: *b\n",
];
const LEN_MAX: usize = 4_096;

/// Returns the inputs and the answers of all tables.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let mut corpus: Vec<Vec<u8>> = MORE.iter().map(|text| text.as_bytes().to_vec()).collect();
    for line in TABLES.iter().flat_map(|table| table.lines()) {
        let parsed = api::json::read(line.as_bytes()).expect("the table is JSON");
        for text in parsed.value.as_array().into_iter().flatten() {
            corpus.push(text.as_str().unwrap_or_default().as_bytes().to_vec());
        }
    }
    corpus
}

/// Returns an input with a few changes: bytes flipped, cut, doubled, or spliced with another input.
pub(crate) fn mutated(corpus: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    const SIGNS: &[u8] = b"{}[]\",:\\=!()<>-+.eE0159 \n\tu#&*|%?~'/_aKi";
    let pick = |rng: &mut Rng| &corpus[rng.below(corpus.len() as u64) as usize];
    let mut input = pick(rng).clone();
    for _ in 0..rng.below(6) {
        let at = rng.below(input.len() as u64 + 1) as usize;
        let sign = SIGNS[rng.below(SIGNS.len() as u64) as usize];
        match rng.below(7) {
            0 if at < input.len() => input[at] ^= 1 << rng.below(8),
            1 if at < input.len() => {
                input.remove(at);
            }
            2 => input.truncate(at),
            3 => {
                let other = pick(rng);
                let from = rng.below(other.len() as u64 + 1) as usize;
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            4 => {
                let part = input[at..].to_vec();
                input.extend_from_slice(&part);
            }
            _ => input.insert(at, sign),
        }
        input.truncate(LEN_MAX);
    }
    input
}
