//! One line of progress on standard error, if that is a terminal.

use crate::args::Goal;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// The line; it vanishes when dropped, so that the report stands alone.
#[derive(Debug)]
pub(crate) struct ProgressLine(ProgressBar);

impl ProgressLine {
    /// Shows nothing yet.
    pub(crate) fn new(goal: Goal) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let (length, template) = match goal {
            Goal::Requests(requests) => {
                (Some(requests), "{wide_bar} {pos}/{len} requests, {per_sec}, {msg}".to_owned())
            }
            Goal::Duration(duration) => {
                let duration = humantime::format_duration(duration);
                (None, format!("{{elapsed}} of {duration}, {{pos}} requests, {{per_sec}}, {{msg}}"))
            }
        };
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
        Self(bar.with_style(
            ProgressStyle::with_template(&template).expect("the templates are constants"),
        ))
    }

    /// Shows where the run stands.
    pub(crate) fn update(&self, requests: u64, errors: u64, failed_checks: u64) {
        self.0.set_message(format!("{errors} errors, {failed_checks} failed checks"));
        self.0.set_position(requests);
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
