//! Parsing, comparing and recording, as lines of text.

use expect_test::{Expect, expect};

use super::{Item, Printed, Transcript};

fn stdout(text: &str) -> Printed {
    Printed {
        stdout: text.to_owned(),
        ..Printed::default()
    }
}

/// Compares one expected line with one printed line.
#[track_caller]
fn check(expected: &str, printed: &str, matches: bool) {
    assert_eq!(
        stdout(expected).matches(&stdout(printed)),
        matches,
        "{expected} | {printed}"
    );
}

/// Records one printed line.
#[track_caller]
fn check_recorded(printed: &str, expected: &Expect) {
    let recorded = stdout(printed).recorded();
    assert!(
        recorded.matches(&stdout(printed)),
        "a recording must match its origin"
    );
    expected.assert_eq(recorded.stdout.trim_end());
}

const EXAMPLE: &str = "\
# About config maps.

file cm.yaml
    kind: ConfigMap
    data:
      a: b
$ kubectl create -f cm.yaml
    configmap/a created
$ kubectl get \\
  nosuch
    
  ! error: nothing
exit 1
watch w: kubectl get configmap -w
~ true
seen w
    NAME
";

#[test]
fn renders_what_it_parsed() {
    let transcript = Transcript::parse(EXAMPLE).expect("the example is well formed");
    assert_eq!(transcript.render(), EXAMPLE);
}

#[test]
fn parses_output_errors_and_exit_code() {
    let transcript = Transcript::parse(EXAMPLE).expect("the example is well formed");
    let Some(Item::Step(step)) = transcript.items.get(4) else {
        panic!("the fifth item is a step: {:?}", transcript.items);
    };
    expect![[r#"
        Step {
            mode: Once(
                "kubectl get \\\n  nosuch",
            ),
            expected: Printed {
                stdout: "\n",
                stderr: "error: nothing\n",
                exit: 1,
            },
        }
    "#]]
    .assert_debug_eq(step);
}

#[test]
fn refuses_other_lines_with_their_number() {
    let refusal = Transcript::parse("# a\nkubectl get\n");
    assert_eq!(
        refusal,
        Err("line 2: neither prose, file nor step: kubectl get".to_owned())
    );
    let refusal = Transcript::parse("$ true\nexit none\n");
    assert_eq!(
        refusal,
        Err("line 1: 'none' is not an exit code".to_owned())
    );
}

#[test]
fn compares_lines_with_placeholders() {
    check("configmap/a created", "configmap/a created", true);
    check("configmap/a created", "configmap/b created", false);
    check("a   1   <age>", "a      1   12s", true);
    check("a   1   <age>", "a 1   12s", false);
    check("a   1   <age>", "a   1   soon", false);
    check(
        "  a: <uid>",
        "  a: 0bf30937-9b0e-4b7e-8b39-7c1a3c2e0c11",
        true,
    );
    check("  a: b", "    a: b", false);
    check(
        "web-<hash>-<rand>   <none>",
        "web-6d4cf56db6-x7k2p   <none>",
        true,
    );
    check("a (b) [c] *", "a (b) [c] *", true);
    check("one\ntwo", "one", false);
    check("one", "one\ntwo", false);
}

#[test]
fn compares_exit_code_and_stderr() {
    let failed = Printed {
        exit: 1,
        ..stdout("a")
    };
    assert!(!failed.matches(&stdout("a")));
    let complained = Printed {
        stderr: "b".to_owned(),
        ..stdout("a")
    };
    assert!(!complained.matches(&stdout("a")));
}

#[test]
fn records_what_differs_between_runs() {
    check_recorded("a   1   12s", &expect!["a   1   <age>"]);
    check_recorded(
        "web   0/2   2   0   3m4s   12s",
        &expect!["web   0/2   2   0   <age>   <age>"],
    );
    check_recorded(
        "web-6d4cf56db6-x7k2p   0/1",
        &expect!["web-<hash>-<rand>   0/1"],
    );
    check_recorded(
        "  resourceVersion: \"17\"",
        &expect![[r#"  resourceVersion: "<rv>""#]],
    );
    check_recorded(
        "creationTimestamp: \"2026-11-21T12:00:00Z\"",
        &expect![[r#"creationTimestamp: "<time>""#]],
    );
    check_recorded(
        "configmap/kube-root-ca.crt created",
        &expect!["configmap/kube-root-ca.crt created"],
    );
}

#[test]
fn shows_only_what_differs() {
    let expected = stdout("same\nNAME\na   <age>\nend\n");
    let printed = stdout("same\nNAME\nb   1s\nend\n");
    expect![[r"
              same
              NAME
        -     a   <age>
        +     b   1s
    "]]
    .assert_eq(&expected.difference(&printed));
}
