//! The server's state before and after a run, compared.

use crate::args::Address;
use crate::control::Control;
use crate::error::RequestError;
use crate::stats::Stats;
use crate::verify::{ArrayChecks, Ledger, check_announced};
use std::net::SocketAddr;
use std::time::Duration;

/// How the server's state is asked for, and how much may be concluded from it.
#[derive(Debug)]
pub(crate) struct Audit {
    /// The address that answered.
    pub(crate) server: SocketAddr,
    /// What it calls itself, if it does.
    pub(crate) server_version: Option<String>,
    timeout: Duration,
    shared: bool,
    max_compared: u64,
}

impl Audit {
    /// Finds the server, and opens the books with what it holds. With `shared` nothing follows from
    /// that, so only its count is asked for; nor is an array read, then or at the end, of more than
    /// `max_compared` values. An error is one line that names the address.
    pub(crate) fn begin(
        address: &Address,
        timeout: Duration,
        shared: bool,
        max_compared: u64,
    ) -> Result<(Self, Ledger), String> {
        let failed = |error: RequestError| {
            format!("cannot read the array's count from {}: {error}", address.text)
        };
        let (server, mut control) = connect_any(address, timeout).map_err(failed)?;
        let count = control.count().map_err(failed)?;
        let server_version = control.version().map_err(failed)?;
        // Where nothing can be compared, nothing needs to be kept.
        let mut ledger = Ledger::new(count, if shared { 0 } else { max_compared });
        if count > 0 && ledger.keeps_values() {
            let mut found = 0_u64;
            let announced = control.array(|value| {
                ledger.there_at_start(value);
                found += 1;
            });
            let announced = announced
                .map_err(|error| format!("cannot read the array from {}: {error}", address.text))?;
            if (announced, found) != (count, count) {
                return Err(format!(
                    "{} counts {count} values, but its array announces {announced} and holds {found}: \
                     if others change it meanwhile, use --shared",
                    address.text
                ));
            }
        }
        control.close().map_err(failed)?;
        Ok((Self { server, server_version, timeout, shared, max_compared }, ledger))
    }

    /// Asks again at the end, and checks that the server holds what the books say.
    pub(crate) fn finish(&self, ledger: &mut Ledger, stats: &mut Stats) {
        let unresolved = ledger.requests_unresolved();
        if self.shared {
            let reason = "final_count, final_array: others may change the array (--shared)";
            stats.checks_skipped.push(reason.to_owned());
        } else if unresolved > 0 {
            let reason = format!(
                "final_count, final_array: nobody knows whether {unresolved} request(s) took effect"
            );
            stats.checks_skipped.push(reason);
        }
        let exact = !self.shared && unresolved == 0;
        if let Err(error) = self.compare(ledger, stats, exact) {
            stats.error(&error, "the final count and array");
        }
    }

    fn compare(
        &self,
        ledger: &mut Ledger,
        stats: &mut Stats,
        exact: bool,
    ) -> Result<(), RequestError> {
        let context = || "at the end".to_owned();
        let mut control = Control::connect(self.server, self.timeout)?;
        let count = control.count()?;
        if exact {
            stats.check(ledger.check_count(count), context);
        }
        if count > self.max_compared || (exact && !ledger.keeps_values()) {
            stats.checks_skipped.push(format!(
                "final_array: an array of more than {} values is neither kept nor read",
                self.max_compared
            ));
            return control.close();
        }
        let mut comparison = if exact { ledger.comparison() } else { None };
        let mut checks = ArrayChecks::new(Vec::new());
        let announced = control.array(|value| {
            checks.value(value);
            if let Some(comparison) = &mut comparison {
                comparison.found(value);
            }
        })?;
        stats.check(checks.order(), context);
        stats.check(check_announced(announced, checks.len()), context);
        if let Some(comparison) = comparison {
            stats.check(comparison.finish(), context);
        }
        control.close()
    }
}

/// Connects to the first candidate that answers; the last one's error if none does.
fn connect_any(
    address: &Address,
    timeout: Duration,
) -> Result<(SocketAddr, Control), RequestError> {
    let mut outcome = Err(RequestError::Timeout);
    for candidate in &address.candidates {
        outcome = Control::connect(*candidate, timeout).map(|control| (*candidate, control));
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}
