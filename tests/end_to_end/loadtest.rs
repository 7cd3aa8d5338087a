//! The built load test client against the built server.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::http_client::Client;
use crate::server::Program;

/// The client, built with the profile and into the folder of the server under test.
fn loadtest() -> Command {
    let sortd = PathBuf::from(env!("CARGO_BIN_EXE_sortd"));
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "loadtest"]);
    build.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    let folder = sortd.parent().expect("it is in a folder");
    build.arg("--target-dir").arg(folder.parent().expect("so is that"));
    if folder.ends_with("release") {
        build.arg("--release");
    }
    assert!(build.status().expect("cargo can be run").success());
    Command::new(sortd.with_file_name(format!("loadtest{}", std::env::consts::EXE_SUFFIX)))
}

fn run(program: &Program, flags: &[&str]) -> Output {
    let socket = program.socket.to_string();
    let output = loadtest().args(["--socket", &socket]).args(flags).output();
    output.expect("the client can be started")
}

#[track_caller]
fn assert_passed(output: &Output) {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn three_hundred_connections_pass_every_check() {
    let program = Program::start(&[], None);
    assert_passed(&run(&program, &["--connections", "300", "--requests", "1500"]));
    // Starting from what is there.
    assert_passed(&run(&program, &["--connections", "300", "--requests", "600"]));
    program.signal("TERM");
    assert_eq!(program.wait(), Some(0));
}

#[test]
fn it_passes_while_others_change_the_array() {
    let program = Program::start(&[], None);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = Client::connect(program.http);
            while !over.load(Ordering::Relaxed) {
                assert_eq!(client.ask("POST", "/array", "[7,8,9]").status, 201);
                assert_eq!(client.ask("DELETE", "/array", "").status, 200);
            }
        });
        let output = run(&program, &["--connections", "100", "--requests", "1000", "--shared"]);
        over.store(true, Ordering::Relaxed);
        assert_passed(&output);
    });
}
