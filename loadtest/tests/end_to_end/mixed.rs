//! Scenarios `mixed` and `rest`, and RESP, against honest servers and others.

use crate::server::{Fault, Server};
use crate::vocabulary::Lie;
use crate::{Run, load};

/// How the mix is spoken.
const FACES: [&[&str]; 3] = [
    &["--scenario", "mixed"],
    &["--scenario", "mixed", "--protocol", "resp"],
    &["--scenario", "rest"],
];

/// Runs the mix over one face: enough requests that each kind comes several times.
fn mixed(server: &Server, face: &[&str], flags: &[&str]) -> Run {
    let seeded = ["--rng-seed", "1", "--requests", "2000"];
    load(server, &[face, &seeded, flags].concat())
}

/// A server that lies so is found out, over each of these faces, by a check of this name.
#[track_caller]
fn assert_found(lie: Lie, faces: &[&[&str]], check: &str) {
    for face in faces {
        // One request at a time: what there is is known then, and not only in bounds.
        let run = mixed(&Server::start(Fault::Lies(lie)), face, &["--connections", "1"]);
        run.assert_failed_with(check);
    }
}

#[test]
fn honest_server_passes_over_each_face() {
    for face in FACES {
        for flags in [&["--pipeline", "1"][..], &["--pipeline", "16"], &["--values", "-3..50"]] {
            let server = Server::start(Fault::None);
            let run = mixed(&server, face, flags);
            run.assert_passed();
            assert_eq!(run.value("requests "), "2000");
        }
    }
}

#[test]
fn honest_server_with_values_passes() {
    for face in FACES {
        let array = vec![i64::MIN, i64::MIN, -7, 0, 0, 5, i64::MAX];
        mixed(&Server::start_with(Fault::None, array), face, &["--values", "-9..9"])
            .assert_passed();
    }
}

#[test]
fn faces_leave_the_same_array() {
    let arrays = FACES.map(|face| {
        let server = Server::start(Fault::None);
        mixed(&server, face, &["--connections", "1"]).assert_passed();
        server.array()
    });
    assert!(!arrays[0].is_empty());
    assert_eq!(arrays[0], arrays[1]);
    assert_eq!(arrays[0], arrays[2]);
}

#[test]
fn disorder_is_found() {
    assert_found(Lie::Order, &FACES, "unsorted");
}

#[test]
fn short_read_is_found() {
    // Over RESP a read does not say how many values match.
    assert_found(Lie::FewerValues, &[FACES[0], FACES[2]], "length");
}

#[test]
fn read_beyond_its_bounds_is_found() {
    assert_found(Lie::OutOfBounds, &FACES, "out_of_bounds");
}

#[test]
fn invented_values_are_found() {
    assert_found(Lie::InventedValues, &FACES, "unknown_value");
    assert_found(Lie::InventedExtreme, &FACES, "unknown_value");
}

#[test]
fn wrong_count_is_found() {
    assert_found(Lie::Count, &[FACES[1], FACES[2]], "count");
}

#[test]
fn impossible_rank_is_found() {
    assert_found(Lie::Rank, &FACES, "rank");
}

#[test]
fn answer_to_another_question_is_found() {
    assert_found(Lie::RankOfAnother, &[FACES[0], FACES[2]], "echo");
    assert_found(Lie::OtherIndex, &[FACES[0], FACES[2]], "echo");
    assert_found(Lie::OtherFractions, &FACES, "echo");
}

#[test]
fn wrong_presence_is_found() {
    assert_found(Lie::ValueBeyondTheEnd, &FACES, "presence");
    assert_found(Lie::NoExtreme, &FACES, "presence");
    assert_found(Lie::NoQuantiles, &FACES, "presence");
}

#[test]
fn descending_quantiles_are_found() {
    assert_found(Lie::QuantilesDescend, &FACES, "unsorted");
}

#[test]
fn wrong_removals_are_found() {
    assert_found(Lie::TooManyRemoved, &FACES, "removed");
    assert_found(Lie::TooFewCleared, &FACES, "removed");
    assert_found(Lie::TooFewCleared, &FACES, "final_count");
}

#[test]
fn wrong_pops_are_found() {
    assert_found(Lie::TooManyPopped, &FACES, "length");
    assert_found(Lie::InventedPop, &FACES, "popped");
}

#[test]
fn wrong_adds_are_found() {
    for face in FACES {
        for (fault, kind) in [
            (Fault::CountTooLarge, "count"),
            (Fault::DropsValue, "final_count"),
            (Fault::InventsValue, "unknown_value"),
            (Fault::HangsUp, "closed_early"),
            (Fault::ClosesWithoutReply, "closed_early"),
            (Fault::RepliesNonsense, "protocol"),
        ] {
            mixed(&Server::start(fault), face, &[]).assert_failed_with(kind);
        }
    }
    for face in [FACES[0], FACES[2]] {
        mixed(&Server::start(Fault::WrongAdded), face, &[]).assert_failed_only_with("added");
    }
}

#[test]
fn wrong_end_is_found() {
    for face in FACES {
        let run = mixed(&Server::start(Fault::WrongFinalArray), face, &[]);
        run.assert_failed_only_with("final_array");
    }
}

#[test]
fn shared_allows_changes_by_others() {
    for face in FACES {
        let server = Server::start(Fault::SharedWithOthers);
        mixed(&server, face, &["--shared"]).assert_passed();
        let server = Server::start(Fault::Lies(Lie::Order));
        mixed(&server, face, &["--shared"]).assert_failed_only_with("unsorted");
    }
}

#[test]
fn classic_and_ingest_pass_over_resp() {
    for scenario in ["classic", "ingest"] {
        let server = Server::start(Fault::None);
        let run = load(&server, &["--scenario", scenario, "--protocol", "resp"]);
        run.assert_passed();
        assert!(server.array().len() >= 2000);
    }
    let flags = ["--scenario", "ingest", "--protocol", "resp", "--pipeline", "16"];
    load(&Server::start(Fault::None), &flags).assert_passed();
}

#[test]
fn lies_are_found_over_resp() {
    for (fault, scenario, kind) in [
        (Fault::CountTooSmall, "ingest", "count"),
        (Fault::CountTooLarge, "ingest", "count"),
        (Fault::CountTooLarge, "classic", "count"),
        (Fault::CountDecreases, "ingest", "count_decreased"),
        (Fault::DropsValue, "ingest", "final_count"),
        (Fault::DropsValue, "classic", "final_count"),
        (Fault::Lies(Lie::Order), "classic", "unsorted"),
        (Fault::Lies(Lie::FewerValues), "classic", "length"),
        (Fault::Lies(Lie::InventedValues), "classic", "batch_missing"),
        (Fault::HangsUp, "ingest", "closed_early"),
        (Fault::RepliesNonsense, "classic", "protocol"),
        (Fault::RepliesTwice, "ingest", "protocol"),
        (Fault::StrayByteAtClose, "ingest", "protocol"),
    ] {
        // The last request is the one that gets the faulty treatment.
        let flags = ["--connections", "1", "--requests", "10"];
        let flags = [&["--scenario", scenario, "--protocol", "resp"], &flags[..]].concat();
        load(&Server::start(fault), &flags).assert_failed_with(kind);
    }
}

#[test]
fn no_rest_listener_is_one_clear_line() {
    let server = Server::start(Fault::None);
    let socket = server.address().to_string();
    let flags = ["--scenario", "rest", "--socket", &socket, "--http", "127.0.0.1:1"];
    let run = crate::loadtest(&flags);
    assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""), "{run:?}");
    assert!(run.stderr.contains("127.0.0.1:1") && run.stderr.lines().count() == 1, "{run:?}");
}
