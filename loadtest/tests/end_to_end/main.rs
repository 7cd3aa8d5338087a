//! The built binary against small servers, of which most lie: each lie must be found and named.

mod http;
mod ingest;
mod lines;
mod mixed;
mod output;
mod resp;
mod server;
mod vocabulary;

use server::{Fault, Server};
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// A run that has not ended by then is stuck: it is killed and the test fails.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// What came of a run of the binary.
#[derive(Debug)]
struct Run {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Run {
    /// Kinds of errors and failed checks in the report, in its order.
    fn kinds(&self) -> Vec<&str> {
        let indented = self.stdout.lines().filter(|line| line.starts_with("  "));
        indented.filter_map(|line| line.split_whitespace().next()).collect()
    }

    /// The value of a line of the report.
    fn value(&self, name: &str) -> &str {
        let value = self.stdout.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap_or_else(|| panic!("the report names no {name}: {self:?}")).trim()
    }

    #[track_caller]
    fn assert_passed(&self) {
        assert_eq!(self.status, Some(0), "{self:?}");
        assert!(self.stdout.ends_with("\nPASS\n"), "{self:?}");
        assert_eq!(self.kinds(), [""; 0], "{self:?}");
    }

    /// It failed with at least this kind of error or check.
    #[track_caller]
    fn assert_failed_with(&self, kind: &str) {
        assert_eq!(self.status, Some(1), "{self:?}");
        assert!(self.stdout.ends_with("\nFAIL\n"), "{self:?}");
        assert!(self.kinds().contains(&kind), "expected {kind}: {self:?}");
    }

    /// It failed with this kind of error or check and no other.
    #[track_caller]
    fn assert_failed_only_with(&self, kind: &str) {
        self.assert_failed_with(kind);
        assert_eq!(self.kinds(), [kind], "{self:?}");
    }
}

/// Runs the binary with these flags alone.
fn loadtest(flags: &[&str]) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdout = child.stdout.take().expect("it is piped");
    let mut stderr = child.stderr.take().expect("it is piped");
    let (sender, receiver) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let (mut out, mut err) = (String::new(), String::new());
        // One after the other: a report is far smaller than a pipe, so neither can block the child.
        let read = stdout.read_to_string(&mut out).and_then(|_| stderr.read_to_string(&mut err));
        // Nobody listens any more if the child was stuck.
        let _ = sender.send((out, err));
        read.expect("the binary writes text");
    });
    let texts = receiver.recv_timeout(STUCK_AFTER);
    if texts.is_err() {
        child.kill().expect("the child is this test's own");
    }
    let status = child.wait().expect("the child ends").code();
    reader.join().expect("the reader does not panic");
    let (stdout, stderr) = texts.expect("the run ends by itself");
    Run { status, stdout, stderr }
}

/// Runs the binary against a server with these flags; where they say nothing else, with 20
/// connections and 200 requests.
fn load(server: &Server, flags: &[&str]) -> Run {
    let address = server.address().to_string();
    let mut all = vec!["--socket", &address, "--http", &address];
    let given = |flag| flags.contains(&flag);
    if !given("--connections") {
        all.extend(["--connections", "20"]);
    }
    if !given("--requests") && !given("--duration") {
        all.extend(["--requests", "200"]);
    }
    all.extend(flags);
    loadtest(&all)
}

fn load_faulty(fault: Fault, flags: &[&str]) -> Run {
    load(&Server::start(fault), flags)
}

#[test]
fn honest_server_passes() {
    let server = Server::start(Fault::None);
    let run = load(&server, &["--rng-seed", "42"]);
    run.assert_passed();
    assert_eq!(
        (run.value("requests "), run.value("rng seed "), run.value("errors ")),
        ("200", "42", "0")
    );
    // Three checks a request, and four at the end.
    assert_eq!((run.value("checks passed "), run.value("checks failed ")), ("604", "0"));
    let array = server.array();
    assert!((2000..=4000).contains(&array.len()), "{} values", array.len());
    assert!(array.iter().all(|value| (0..=100).contains(value)));
    assert_eq!(run.stderr, "", "progress is for terminals");
}

#[test]
fn honest_server_with_values_passes() {
    let array = vec![i64::MIN, i64::MIN, -7, 0, 0, 5, i64::MAX];
    load(&Server::start_with(Fault::None, array), &[]).assert_passed();
}

#[test]
fn all_of_i64_passes() {
    let flags = ["--values", "-9223372036854775808..9223372036854775807", "--batch", "1..60"];
    load_faulty(Fault::None, &flags).assert_passed();
}

#[test]
fn more_connections_than_requests_pass() {
    load_faulty(Fault::None, &["--connections", "50", "--requests", "3"]).assert_passed();
}

#[test]
fn duration_ends_the_run() {
    let run = load_faulty(Fault::None, &["--duration", "200ms", "--connections", "2"]);
    run.assert_passed();
    assert_ne!(run.value("requests "), "0");
}

#[test]
fn same_seed_sends_the_same() {
    let sent = |seed| {
        let server = Server::start(Fault::None);
        load(&server, &["--rng-seed", seed]).assert_passed();
        server.array()
    };
    assert_eq!(sent("7"), sent("7"));
    assert_ne!(sent("7"), sent("8"));
}

#[test]
fn dropped_value_is_found() {
    load_faulty(Fault::DropsValue, &[]).assert_failed_with("final_count");
}

#[test]
fn dropped_value_is_found_in_the_next_reply() {
    let run = load_faulty(Fault::DropsValue, &["--connections", "1", "--requests", "30"]);
    run.assert_failed_with("length");
    run.assert_failed_with("final_array");
}

#[test]
fn invented_value_is_found() {
    let run = load_faulty(Fault::InventsValue, &[]);
    run.assert_failed_with("final_count");
    run.assert_failed_with("final_array");
    assert!(run.stdout.contains("1000000 20 time(s) too many"), "{run:?}");
}

#[test]
fn unsorted_reply_is_found() {
    load_faulty(Fault::Unsorted, &[]).assert_failed_only_with("unsorted");
}

#[test]
fn value_missing_in_reply_is_found() {
    load_faulty(Fault::OmitsFromReply, &[]).assert_failed_with("batch_missing");
}

#[test]
fn refusal_is_an_error() {
    let run = load_faulty(Fault::Refuses, &[]);
    run.assert_failed_only_with("server_error:full");
    assert_eq!(run.value("errors "), "20");
    assert!(run.stdout.contains("not now"), "{run:?}");
}

#[test]
fn refused_connection_is_an_error() {
    load_faulty(Fault::TurnsAway, &[]).assert_failed_with("server_error:too_many_connections");
}

#[test]
fn hang_up_within_the_reply_is_an_error() {
    let run = load_faulty(Fault::HangsUp, &[]);
    run.assert_failed_only_with("closed_early");
    assert!(
        run.value("checks skipped ").contains("nobody knows whether 20 request(s) took effect"),
        "{run:?}"
    );
}

#[test]
fn hang_up_before_the_reply_is_an_error() {
    load_faulty(Fault::ClosesWithoutReply, &[]).assert_failed_only_with("closed_early");
}

#[test]
fn reset_is_an_error() {
    load_faulty(Fault::Resets, &[]).assert_failed_only_with("reset");
}

#[test]
fn silence_is_an_error_in_the_end() {
    let run = load_faulty(Fault::NeverReplies, &["--timeout", "1s", "--requests", "40"]);
    run.assert_failed_only_with("timeout");
}

#[test]
fn connection_left_open_is_an_error_in_the_end() {
    let run = load_faulty(Fault::NeverCloses, &["--timeout", "1s", "--requests", "40"]);
    run.assert_failed_only_with("timeout");
    assert!(run.stdout.contains("after its complete reply: timed out"), "{run:?}");
}

#[test]
fn nonsense_is_an_error() {
    load_faulty(Fault::RepliesNonsense, &[]).assert_failed_only_with("protocol");
}

#[test]
fn second_reply_is_an_error() {
    load_faulty(Fault::RepliesTwice, &[]).assert_failed_only_with("protocol");
}

#[test]
fn stray_byte_at_close_is_an_error() {
    load_faulty(Fault::StrayByteAtClose, &[]).assert_failed_only_with("protocol");
}

#[test]
fn wrong_count_at_the_end_is_found() {
    load_faulty(Fault::WrongCount, &[]).assert_failed_only_with("final_count");
}

#[test]
fn wrong_array_at_the_end_is_found() {
    load_faulty(Fault::WrongFinalArray, &[]).assert_failed_only_with("final_array");
}

#[test]
fn wrong_announcement_is_found() {
    load_faulty(Fault::WrongAnnouncement, &[]).assert_failed_only_with("final_array");
}

/// Only Linux has a second loopback address without further ado.
#[cfg(target_os = "linux")]
#[test]
fn server_gone_midway_ends_the_run() {
    let run = load_faulty(Fault::StopsListening, &["--timeout", "5s"]);
    run.assert_failed_with("connect");
    assert_eq!(run.value("requests "), "200");
}

#[test]
fn shared_allows_changes_by_others() {
    load_faulty(Fault::SharedWithOthers, &["--shared"]).assert_passed();
    load_faulty(Fault::SharedWithOthers, &[]).assert_failed_with("final_count");
}

#[test]
fn shared_still_finds_disorder() {
    load_faulty(Fault::SharedAndUnsorted, &["--shared"]).assert_failed_only_with("unsorted");
}

#[test]
fn no_server_is_one_clear_line() {
    let run = loadtest(&["--socket", "127.0.0.1:1"]);
    assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""), "{run:?}");
    assert!(run.stderr.contains("127.0.0.1:1") && run.stderr.lines().count() == 1, "{run:?}");
}

#[test]
fn silent_server_is_one_clear_line() {
    let run = load_faulty(Fault::NeverCounts, &["--timeout", "200ms"]);
    assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""), "{run:?}");
    assert!(run.stderr.contains("timed out") && run.stderr.lines().count() == 1, "{run:?}");
}

#[test]
fn array_changing_at_the_start_is_refused() {
    let run = load(&Server::start_with(Fault::WrongCount, vec![1, 2]), &[]);
    assert_eq!(run.status, Some(1), "{run:?}");
    assert!(run.stderr.contains("--shared"), "{run:?}");
}

#[test]
fn too_many_connections_are_refused() {
    let run = loadtest(&["--connections", "4000000000"]);
    assert_eq!(run.status, Some(1), "{run:?}");
    assert!(run.stderr.contains("--connections"), "{run:?}");
}

#[test]
fn usage_errors_exit_with_2() {
    for flags in [
        &["--values", "5..1"][..],
        &["--batch", "0..0"],
        &["--duration", "1s", "--requests", "1"],
        &["--scenario", "nonsense"],
        &["--http", "8080"],
        &["--protocol", "resp", "--scenario", "rest"],
        &["--reply", "batch", "--scenario", "ingest", "--protocol", "resp"],
        &["--reply", "count", "--scenario", "mixed"],
        &["--nonsense"],
        &["--pipeline", "0"],
        &["--pipeline", "2"],
        &["--pipeline", "11", "--scenario", "ingest", "--batch", "1..1000000"],
        &["--reply", "all", "--scenario", "ingest"],
        &["--reply", "array"],
    ] {
        let run = loadtest(flags);
        assert_eq!((run.status, run.stdout.as_str()), (Some(2), ""), "{run:?}");
        assert!(run.stderr.contains(flags[0]), "{run:?}");
    }
}
