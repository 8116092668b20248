//! What Go tests report: ginkgo's JSON report for its specs, and the output of `-test.v` for the rest.
//!
//! Knows nothing of what was tested, or against which server.

use serde_json::Value;

/// How one test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It passed.
    Passed,
    /// It failed, panicked, timed out or was interrupted.
    Failed,
    /// It chose not to run, or is written down as pending.
    Skipped,
}

/// One test and how it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Its whole name, containers first.
    pub name: String,
    /// How it ended.
    pub state: State,
    /// How long it took, its preparation and its cleaning up included.
    pub seconds: f64,
    /// Why it failed or was skipped; empty if it passed.
    pub message: String,
}

/// Returns the specs of a JSON report that the run's filter let through.
///
/// A suite's own set-up is reported only if it failed; then nothing else of the suite was run.
///
/// # Errors
/// The text is not a report of ginkgo.
pub fn specs(report: &str) -> Result<Vec<Outcome>, String> {
    let report: Value = serde_json::from_str(report).map_err(|error| error.to_string())?;
    let suites = report.as_array().ok_or("the report is not a list")?;
    Ok(suites
        .iter()
        .flat_map(|suite| suite["SpecReports"].as_array().into_iter().flatten())
        .filter_map(spec)
        .collect())
}

/// Returns the full names of all specs, whether they ran or not.
///
/// # Errors
/// The text is not a report of ginkgo.
pub fn names(report: &str) -> Result<Vec<String>, String> {
    let report: Value = serde_json::from_str(report).map_err(|error| error.to_string())?;
    let suites = report.as_array().ok_or("the report is not a list")?;
    Ok(suites
        .iter()
        .flat_map(|suite| suite["SpecReports"].as_array().into_iter().flatten())
        .filter(|spec| spec["LeafNodeType"] == "It")
        .map(full_name)
        .collect())
}

fn spec(spec: &Value) -> Option<Outcome> {
    let state = match spec["State"].as_str().unwrap_or_default() {
        "passed" => State::Passed,
        "skipped" | "pending" => State::Skipped,
        _ => State::Failed,
    };
    let is_test = spec["LeafNodeType"] == "It";
    // A spec that the filter leaves out is reported as skipped without a word of its own.
    let message = message(spec);
    let left_out = state == State::Skipped && message.is_empty() && spec["State"] == "skipped";
    if left_out || (!is_test && state != State::Failed) {
        return None;
    }
    let name = match is_test {
        true => full_name(spec),
        false => format!("[{}]", spec["LeafNodeType"].as_str().unwrap_or_default()),
    };
    Some(Outcome {
        name,
        state,
        seconds: spec["RunTime"].as_f64().unwrap_or_default() / 1e9,
        message,
    })
}

fn message(spec: &Value) -> String {
    let failure = &spec["Failure"];
    let text = failure["Message"].as_str().unwrap_or_default();
    let panic = failure["ForwardedPanic"].as_str().unwrap_or_default();
    let file = failure["Location"]["FileName"].as_str().unwrap_or_default();
    let line = failure["Location"]["LineNumber"]
        .as_u64()
        .unwrap_or_default();
    let text = format!("{text} {panic}").trim().to_owned();
    if text.is_empty() || file.is_empty() {
        return text;
    }
    let file = file.rsplit('/').next().unwrap_or_default();
    format!("{text}\n({file}:{line})")
}

fn full_name(spec: &Value) -> String {
    let containers = spec["ContainerHierarchyTexts"]
        .as_array()
        .into_iter()
        .flatten();
    let words: Vec<&str> = containers
        .chain([&spec["LeafNodeText"]])
        .filter_map(Value::as_str)
        .filter(|text| !text.is_empty())
        .collect();
    words.join(" ")
}

/// Returns the plain Go tests that a `-test.v` output tells of, the innermost ones only.
///
/// A test that is the door to a ginkgo suite is left out: its specs are counted one by one.
#[must_use]
pub fn plain_tests(output: &str) -> Vec<Outcome> {
    let mut tests: Vec<Outcome> = Vec::new();
    for line in output.lines() {
        let Some((state, rest)) = verdict(line) else {
            continue;
        };
        let (name, seconds) = rest.split_once(" (").unwrap_or((rest, "0s)"));
        tests.push(Outcome {
            name: name.to_owned(),
            state,
            seconds: seconds
                .trim_end_matches(['s', ')'])
                .parse()
                .unwrap_or_default(),
            message: match state {
                State::Passed => String::new(),
                _ => said(output, name),
            },
        });
    }
    let doors = doors(output);
    let names: Vec<String> = tests.iter().map(|test| test.name.clone()).collect();
    tests.retain(|test| {
        let inner = format!("{}/", test.name);
        !doors.contains(&test.name) && !names.iter().any(|name| name.starts_with(&inner))
    });
    tests
}

/// Returns what a test printed while it ran.
fn said(output: &str, name: &str) -> String {
    let mut lines = Vec::new();
    let mut running = "";
    for line in output.lines() {
        if let Some(heading) = line.strip_prefix("=== ") {
            running = heading.split_whitespace().last().unwrap_or_default();
        } else if running == name && verdict(line).is_none() {
            lines.push(line);
        }
    }
    lines.join("\n")
}

fn verdict(line: &str) -> Option<(State, &str)> {
    let rest = line.trim_start().strip_prefix("--- ")?;
    let (word, rest) = rest.split_once(": ")?;
    let state = match word {
        "PASS" => State::Passed,
        "FAIL" => State::Failed,
        "SKIP" => State::Skipped,
        _ => return None,
    };
    Some((state, rest))
}

/// Returns the tests in whose output a ginkgo suite begins.
fn doors(output: &str) -> Vec<String> {
    let mut running = "";
    let mut doors = Vec::new();
    for line in output.lines() {
        if let Some(name) = line.strip_prefix("=== RUN   ") {
            running = name.trim();
        }
        if line.starts_with("Running Suite: ") {
            doors.push(running.to_owned());
        }
    }
    doors
}

#[cfg(test)]
mod tests {
    use super::{names, plain_tests, specs};
    use expect_test::{Expect, expect};

    const REPORT: &str = r#"[{"SpecReports":[
      {"LeafNodeType":"It","ContainerHierarchyTexts":["Client","Create"],"LeafNodeText":"works",
       "State":"passed","RunTime":1500000000},
      {"LeafNodeType":"It","ContainerHierarchyTexts":["Client"],"LeafNodeText":"fails",
       "State":"failed","RunTime":0,
       "Failure":{"Message":"no","Location":{"FileName":"/a/b.go","LineNumber":7}}},
      {"LeafNodeType":"It","ContainerHierarchyTexts":null,"LeafNodeText":"panics",
       "State":"panicked","RunTime":0,"Failure":{"Message":"p","ForwardedPanic":"nil"}},
      {"LeafNodeType":"It","ContainerHierarchyTexts":[],"LeafNodeText":"is left out",
       "State":"skipped","RunTime":0,"Failure":{}},
      {"LeafNodeType":"It","ContainerHierarchyTexts":[],"LeafNodeText":"declines",
       "State":"skipped","RunTime":0,"Failure":{"Message":"needs a node"}},
      {"LeafNodeType":"It","ContainerHierarchyTexts":[],"LeafNodeText":"is pending",
       "State":"pending","RunTime":0},
      {"LeafNodeType":"BeforeSuite","State":"passed","RunTime":0},
      {"LeafNodeType":"AfterSuite","State":"timedout","RunTime":0,"Failure":{"Message":"late"}}
    ]}]"#;

    #[track_caller]
    fn check(outcomes: &[super::Outcome], expected: &Expect) {
        let lines: Vec<String> = outcomes
            .iter()
            .map(|one| {
                format!(
                    "{:?} {} {:.1} {:?}",
                    one.state, one.name, one.seconds, one.message
                )
            })
            .collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn reads_specs_and_what_a_suite_fails_at_itself() {
        check(
            &specs(REPORT).expect("the report is well formed"),
            &expect![[r#"
                Passed Client Create works 1.5 ""
                Failed Client fails 0.0 "no\n(b.go:7)"
                Failed panics 0.0 "p nil"
                Skipped declines 0.0 "needs a node"
                Skipped is pending 0.0 ""
                Failed [AfterSuite] 0.0 "late""#]],
        );
    }

    #[test]
    fn names_what_did_not_run_too() {
        let names = names(REPORT).expect("the report is well formed");
        assert_eq!(names.len(), 6);
        assert_eq!(names[3], "is left out");
    }

    #[test]
    fn refuses_what_is_no_report() {
        assert_eq!(
            specs("{}").unwrap_err(),
            "the report is not a list".to_owned()
        );
        assert!(names("[").is_err());
    }

    #[test]
    fn counts_the_innermost_plain_tests() {
        let output = "=== RUN   TestSource\nRunning Suite: Source Suite - /tmp\n\
                      --- PASS: TestSource (3.00s)\n=== RUN   TestTable\n=== RUN   TestTable/one\n\
                      === RUN   TestTable/two\n    t.go:7: no\n=== NAME  TestTable\n\
                      --- FAIL: TestTable (0.10s)\n    --- PASS: TestTable/one (0.10s)\n    \
                      --- FAIL: TestTable/two (0.00s)\n=== RUN   TestOther\n\
                      --- SKIP: TestOther (0.00s)\n";
        check(
            &plain_tests(output),
            &expect![[r#"
                Passed TestTable/one 0.1 ""
                Failed TestTable/two 0.0 "    t.go:7: no"
                Skipped TestOther 0.0 """#]],
        );
    }
}
