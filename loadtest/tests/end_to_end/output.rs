//! The JSON report against its documentation.

use crate::server::{Fault, Server};
use crate::{Run, load};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

const DOCUMENTATION: &str = include_str!("../../../docs/loadtest-report.md");

/// A run's report, and the run.
fn report(name: &str, server: &Server, flags: &[&str]) -> (Value, Run) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("report-{name}.json"));
    let path = path.to_str().expect("it is text");
    let run = load(server, &[&["--output", path], flags].concat());
    let text = std::fs::read_to_string(path).expect("the report is there");
    std::fs::remove_file(path).expect("it is this test's own");
    (serde_json::from_str(&text).expect("it is JSON"), run)
}

/// Every field that is documented, with its type.
fn documented() -> BTreeMap<&'static str, &'static str> {
    let rows = DOCUMENTATION.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let mut cells = row.split(" | ");
        let name = cells.next().and_then(|name| name.strip_suffix('`'));
        (name.expect("a name"), cells.next().expect("a type"))
    })
    .collect()
}

/// Adds the path and type of each field below `value`.
fn fields(value: &Value, path: &str, found: &mut Vec<(String, &'static str)>) {
    let kind = match value {
        Value::Object(object) => {
            for (name, field) in object {
                let dot = if path.is_empty() { "" } else { "." };
                fields(field, &format!("{path}{dot}{name}"), found);
            }
            return;
        }
        Value::Array(elements) => {
            return elements.iter().for_each(|element| {
                fields(element, &format!("{path}[]"), found);
            });
        }
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
    };
    found.push((path.to_owned(), kind));
}

#[test]
fn report_has_the_documented_fields_and_no_others() {
    let good = report("good", &Server::start(Fault::None), &["--scenario", "ingest"]).0;
    let mut found = Vec::new();
    fields(&good, "", &mut found);
    // Errors, failed checks and skipped ones have fields of their own.
    let bad = report("bad", &Server::start(Fault::Refuses), &["--duration", "200ms", "--shared"]).0;
    fields(&bad, "", &mut found);
    let unsorted = report("unsorted", &Server::start(Fault::Unsorted), &[]).0;
    fields(&unsorted, "", &mut found);

    let documented = documented();
    for (name, kind) in &found {
        let types = documented.get(name.as_str()).unwrap_or_else(|| panic!("{name} is not there"));
        assert!(types.split(" or ").any(|allowed| allowed == *kind), "{name} is {kind}: {types}");
    }
    for name in documented.keys() {
        assert!(found.iter().any(|(found, _)| found == name), "no report has {name}");
    }
}

#[test]
fn report_says_what_is_printed() {
    let flags = ["--scenario", "mixed", "--requests", "2000", "--rng-seed", "18446744073709551615"];
    let (report, run) = report("mixed", &Server::start(Fault::None), &flags);
    run.assert_passed();
    assert_eq!((&report["schema_version"], &report["passed"]), (&1.into(), &true.into()));
    assert_eq!(report["run"]["rng_seed"], run.value("rng seed "));
    assert_eq!(report["totals"]["requests"], 2000);
    assert_eq!(report["checks"]["passed"].to_string(), run.value("checks passed "));
    let requests = &report["latency"]["request"];
    let buckets = requests["buckets"].as_array().expect("an array");
    let sum: u64 = buckets.iter().filter_map(|bucket| bucket["count"].as_u64()).sum();
    assert_eq!((sum, &requests["count"]), (2000, &2000.into()));
    assert!(buckets.is_sorted_by_key(|bucket| bucket["up_to_ns"].as_u64()));
    let command_line = report["environment"]["command_line"].as_array().expect("an array");
    assert!(flags.iter().all(|flag| command_line.iter().any(|word| word == flag)));
    let added = report["totals"]["values_added"].as_u64().expect("a number");
    assert!(report["totals"]["values_removed"].as_u64().is_some_and(|n| 0 < n && n <= added));
}

#[test]
fn failed_run_has_its_report() {
    let (report, run) = report("failed", &Server::start(Fault::Unsorted), &[]);
    run.assert_failed_only_with("unsorted");
    assert_eq!(report["passed"], false);
    assert_eq!(report["checks"]["kinds"][0]["kind"], "unsorted");
}

#[test]
fn unwritable_file_is_one_clear_line_before_the_load() {
    let server = Server::start(Fault::None);
    let run = load(&server, &["--output", "/nonexistent/report.json"]);
    assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""), "{run:?}");
    assert!(run.stderr.contains("/nonexistent/report.json"), "{run:?}");
    assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    assert!(server.array().is_empty());
}
