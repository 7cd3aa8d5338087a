//! This process's memory, and children of it.

use std::env;
use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::Options;

/// Readings of the resident memory, one after the other, that must be the same for it to be at rest.
const SAME_READINGS: usize = 5;

/// Readings after which it is taken as it is.
const MAX_READINGS: usize = 500;

/// The time between two readings.
const READ_EVERY: Duration = Duration::from_millis(10);

/// Bytes of memory that are resident now.
pub(crate) fn resident() -> i64 {
    status("VmRSS:")
}

/// The most bytes of memory that ever were.
pub(crate) fn peak() -> i64 {
    status("VmHWM:")
}

/// [`resident`], once what other threads still free is free.
pub(crate) fn resident_at_rest() -> i64 {
    let (mut last, mut same) = (resident(), 0);
    for _ in 0..MAX_READINGS {
        thread::sleep(READ_EVERY);
        let now = resident();
        same = if now == last { same + 1 } else { 0 };
        last = now;
        if same == SAME_READINGS {
            break;
        }
    }
    last
}

fn status(key: &str) -> i64 {
    let status = fs::read_to_string("/proc/self/status").expect("this runs on Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: i64 = kib.and_then(|kib| kib.parse().ok()).expect("the kernel tells a process's size");
    kib * 1024
}

/// Runs this program with other arguments and returns what it prints.
pub(crate) fn output(args: &[String]) -> String {
    let output = this_program().args(args).stderr(Stdio::inherit()).output();
    let output = output.expect("this program can be started again");
    assert!(output.status.success(), "{args:?} failed: {}", output.status);
    String::from_utf8(output.stdout).expect("it prints text")
}

/// Runs this program for one group, with the same options.
pub(crate) fn run_group(name: &str, options: &Options) {
    let mut command = this_program();
    command.arg(name).args(["--up-to", &options.up_to.to_string()]);
    command.args(["--rounds", &options.rounds.to_string()]);
    command.args(["--pairs", &options.pairs.to_string()]);
    command.args(options.peers.then_some("--peers"));
    let status = command.status().expect("this program can be started again");
    assert!(status.success(), "{name} failed: {status}");
}

fn this_program() -> Command {
    Command::new(env::current_exe().expect("the system tells which program this is"))
}
