//! The operating system's limit on open files, which is one on connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors kept for other things than connections: the three standard streams, the poll, a
/// control connection, and whatever the process was started with.
const RESERVED_DESCRIPTORS: u64 = 16;

/// Raises the soft limit on open files to the hard one, and refuses more connections than it
/// allows.
pub(crate) fn admit(connections: usize) -> Result<(), String> {
    check(connections, raise_open_files())
}

/// Returns the limit afterwards; `None` is no limit.
fn raise_open_files() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        // Some systems refuse "no limit" here. What was allowed before still is.
        Err(_) => current,
    }
}

fn check(connections: usize, open_files: Option<u64>) -> Result<(), String> {
    let Some(open_files) = open_files else {
        return Ok(());
    };
    let most = open_files.saturating_sub(RESERVED_DESCRIPTORS);
    if connections as u64 <= most {
        return Ok(());
    }
    Err(format!(
        "--connections {connections}: the limit of {open_files} open files (ulimit -Hn) \
         allows at most {most}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_descriptors_are_kept() {
        assert_eq!(check(1000, Some(1016)), Ok(()));
        assert!(check(1001, Some(1016)).is_err());
        assert!(check(1, Some(3)).is_err());
        assert_eq!(check(1_000_000, None), Ok(()));
    }
}
