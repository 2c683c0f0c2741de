//! How many files and sockets this process may have open at once.

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// A connection to the API, a part of a table that is read, a segment of the tape are a file each; the engine alone opens
/// some hundred. Below this many, questions begin to fail while what arrives is kept.
pub(crate) const ENOUGH: u64 = 4096;

/// What the system allows: now, and at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) now: u64,
    pub(crate) most: u64,
}

/// Takes as many as the system gives this user (getrlimit(2): the soft limit up to the hard one), for this process and
/// those that it starts.
///
/// # Errors
///
/// The system's reason; the limit is as it was, which is no reason not to start.
pub(crate) fn take_all() -> Result<Limit, Errno> {
    let limit = allowed()?;
    setrlimit(Resource::RLIMIT_NOFILE, limit.most, limit.most)?;
    allowed()
}

/// What is allowed.
///
/// # Errors
///
/// The system's reason.
pub(crate) fn allowed() -> Result<Limit, Errno> {
    let (now, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(Limit { now, most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let limit = take_all().unwrap();
        assert_eq!(limit.now, limit.most);
    }
}
