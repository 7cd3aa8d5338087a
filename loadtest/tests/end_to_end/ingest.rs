//! Scenario `ingest` against honest servers and others.

use crate::server::{Fault, Server};
use crate::{Run, load};

/// Runs the scenario against a server with these flags.
fn ingest(server: &Server, flags: &[&str]) -> Run {
    load(server, &[&["--scenario", "ingest"], flags].concat())
}

fn ingest_faulty(fault: Fault, flags: &[&str]) -> Run {
    ingest(&Server::start(fault), flags)
}

#[test]
fn honest_server_passes_with_every_reply_and_pipeline() {
    for (reply, checks_each) in [("count", 3), ("batch", 6), ("array", 6)] {
        for pipeline in ["1", "16"] {
            let server = Server::start(Fault::None);
            let run = ingest(&server, &["--reply", reply, "--pipeline", pipeline]);
            run.assert_passed();
            assert_eq!((run.value("requests "), run.value("pipeline ")), ("200", pipeline));
            // Four more at the end.
            let checks: u64 = run.value("checks passed ").parse().expect("a number");
            assert_eq!(checks, 200 * checks_each + 4, "{reply} {pipeline}");
            let array = server.array();
            assert!((2000..=4000).contains(&array.len()), "{} values", array.len());
            assert!(array.first() < Some(&(i64::MIN / 2)) && array.last() > Some(&(i64::MAX / 2)));
        }
    }
}

#[test]
fn honest_server_with_values_passes() {
    let array = vec![i64::MIN, i64::MIN, -7, 0, 0, 5, i64::MAX];
    let flags = ["--values", "-5..5", "--batch", "1..60", "--pipeline", "3"];
    ingest(&Server::start_with(Fault::None, array), &flags).assert_passed();
}

#[test]
fn more_connections_than_requests_pass() {
    let flags = ["--connections", "50", "--requests", "3", "--pipeline", "7"];
    let run = ingest_faulty(Fault::None, &flags);
    run.assert_passed();
    assert_eq!(run.value("requests "), "3");
}

#[test]
fn duration_ends_the_run() {
    let flags = ["--duration", "200ms", "--connections", "2", "--pipeline", "4"];
    let run = ingest_faulty(Fault::None, &flags);
    run.assert_passed();
    assert_ne!(run.value("requests "), "0");
}

/// More than the sockets' buffers hold in either direction.
#[test]
fn large_batches_in_flight_pass() {
    let flags = ["--batch", "20000..20000", "--pipeline", "16", "--connections", "1"];
    let run = ingest_faulty(Fault::None, &[&flags[..], &["--requests", "48"]].concat());
    run.assert_passed();
}

#[test]
fn same_seed_sends_the_same() {
    let sent = |pipeline| {
        let server = Server::start(Fault::None);
        ingest(&server, &["--rng-seed", "7", "--pipeline", pipeline]).assert_passed();
        server.array()
    };
    assert_eq!(sent("1"), sent("16"));
}

#[test]
fn array_too_long_to_compare_is_skipped() {
    let server = Server::start_with(Fault::DropsValue, vec![0; 2_000_001]);
    let run = ingest(&server, &["--requests", "9"]);
    run.assert_passed();
    assert!(run.value("checks skipped ").contains("final_array"), "{run:?}");
    let run = ingest(&server, &["--requests", "9"]);
    run.assert_failed_with("final_count");
}

#[test]
fn wrong_added_is_found() {
    ingest_faulty(Fault::WrongAdded, &["--pipeline", "16"]).assert_failed_only_with("added");
}

#[test]
fn count_too_small_is_found() {
    let run = ingest_faulty(Fault::CountTooSmall, &["--pipeline", "4"]);
    run.assert_failed_with("count");
    assert!(run.stdout.contains("too small"), "{run:?}");
}

#[test]
fn count_too_large_is_found() {
    let run = ingest_faulty(Fault::CountTooLarge, &["--pipeline", "4"]);
    run.assert_failed_with("count");
    assert!(run.stdout.contains("too large"), "{run:?}");
}

#[test]
fn decreasing_count_is_found() {
    let flags = ["--connections", "1", "--pipeline", "16"];
    ingest_faulty(Fault::CountDecreases, &flags).assert_failed_with("count_decreased");
}

#[test]
fn unsorted_batch_is_found() {
    let flags = ["--reply", "batch", "--pipeline", "4"];
    ingest_faulty(Fault::Unsorted, &flags).assert_failed_only_with("unsorted");
}

#[test]
fn unsorted_array_is_found() {
    let flags = ["--reply", "array", "--pipeline", "4"];
    ingest_faulty(Fault::Unsorted, &flags).assert_failed_only_with("unsorted");
}

#[test]
fn batch_without_a_value_is_found() {
    let run = ingest_faulty(Fault::OmitsFromReply, &["--reply", "batch"]);
    run.assert_failed_with("batch_missing");
    run.assert_failed_with("length");
}

#[test]
fn array_without_the_batch_is_found() {
    let run = ingest_faulty(Fault::OmitsFromReply, &["--reply", "array"]);
    run.assert_failed_with("batch_missing");
    run.assert_failed_with("length");
}

#[test]
fn dropped_and_invented_values_are_found() {
    ingest_faulty(Fault::DropsValue, &["--pipeline", "4"]).assert_failed_with("final_count");
    let run = ingest_faulty(Fault::InventsValue, &["--pipeline", "4"]);
    run.assert_failed_with("final_count");
    assert!(run.stdout.contains("1000000 20 time(s) too many"), "{run:?}");
}

#[test]
fn wrong_count_at_the_end_is_found() {
    ingest_faulty(Fault::WrongCount, &[]).assert_failed_only_with("final_count");
}

#[test]
fn wrong_array_at_the_end_is_found() {
    ingest_faulty(Fault::WrongFinalArray, &[]).assert_failed_only_with("final_array");
}

#[test]
fn refusal_is_an_error_of_one_request() {
    let run = ingest_faulty(Fault::Refuses, &["--pipeline", "4"]);
    run.assert_failed_only_with("server_error:full");
    assert_eq!((run.value("requests "), run.value("errors ")), ("200", "20"));
}

#[test]
fn connection_sent_away_is_replaced() {
    let run = ingest_faulty(Fault::TurnsAway, &["--connections", "4"]);
    run.assert_failed_only_with("server_error:too_many_connections");
    assert_eq!((run.value("requests "), run.value("errors ")), ("200", "1"));
}

#[test]
fn hang_up_within_a_reply_is_an_error() {
    let run = ingest_faulty(Fault::HangsUp, &["--pipeline", "4"]);
    run.assert_failed_with("closed_early");
    assert_eq!(run.value("requests "), "200");
    assert!(run.value("checks skipped ").contains("nobody knows whether"), "{run:?}");
}

#[test]
fn hang_up_instead_of_a_reply_is_an_error() {
    ingest_faulty(Fault::ClosesWithoutReply, &[]).assert_failed_only_with("closed_early");
}

#[test]
fn silence_is_an_error_in_the_end() {
    let flags = ["--timeout", "1s", "--requests", "60", "--pipeline", "2"];
    let run = ingest_faulty(Fault::NeverReplies, &flags);
    run.assert_failed_only_with("timeout");
    assert_eq!(run.value("requests "), "60");
}

#[test]
fn swallowed_reply_is_an_error_in_the_end() {
    let flags = ["--timeout", "1s", "--requests", "60"];
    ingest_faulty(Fault::SwallowsReply, &flags).assert_failed_only_with("timeout");
    // Here the next reply takes its place, and only the last request waits in vain.
    let flags = ["--timeout", "1s", "--requests", "60", "--pipeline", "4"];
    ingest_faulty(Fault::SwallowsReply, &flags).assert_failed_with("timeout");
}

#[test]
fn nonsense_is_an_error() {
    ingest_faulty(Fault::RepliesNonsense, &["--pipeline", "4"]).assert_failed_with("protocol");
}

#[test]
fn extra_line_is_an_error() {
    ingest_faulty(Fault::RepliesTwice, &[]).assert_failed_only_with("protocol");
    let flags = ["--pipeline", "4", "--batch", "5..5"];
    ingest_faulty(Fault::RepliesTwice, &flags).assert_failed_with("protocol");
}

#[test]
fn stray_byte_at_close_is_an_error() {
    let flags = ["--connections", "1", "--requests", "10", "--pipeline", "4"];
    let run = ingest_faulty(Fault::StrayByteAtClose, &flags);
    run.assert_failed_only_with("protocol");
    assert!(run.stdout.contains("after the last reply"), "{run:?}");
}

#[test]
fn connection_left_open_is_an_error_in_the_end() {
    let flags = ["--connections", "1", "--requests", "10", "--timeout", "500ms"];
    let run = ingest_faulty(Fault::NeverCloses, &flags);
    run.assert_failed_only_with("timeout");
    assert!(run.stdout.contains("after the last reply on a connection: timed out"), "{run:?}");
}

/// Only Linux has a second loopback address without further ado.
#[cfg(target_os = "linux")]
#[test]
fn server_gone_midway_ends_the_run() {
    for goal in [["--requests", "1000000000"], ["--duration", "1h"]] {
        let flags = [&["--timeout", "500ms", "--pipeline", "2"], &goal[..]].concat();
        let run = ingest_faulty(Fault::Dies, &flags);
        run.assert_failed_with("connect");
        run.assert_failed_with("gave_up");
        // One attempt a millisecond, and not all at once.
        let requests: u64 = run.value("requests ").parse().expect("a number");
        assert!((100..2000).contains(&requests), "{run:?}");
    }
}

#[test]
fn shared_allows_changes_by_others() {
    for reply in ["count", "batch", "array"] {
        let flags = ["--shared", "--reply", reply, "--pipeline", "4"];
        ingest_faulty(Fault::SharedWithOthers, &flags).assert_passed();
    }
    ingest_faulty(Fault::SharedWithOthers, &[]).assert_failed_with("count");
    let flags = ["--shared", "--reply", "array"];
    ingest_faulty(Fault::SharedAndUnsorted, &flags).assert_failed_only_with("unsorted");
}
