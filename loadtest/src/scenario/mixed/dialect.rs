//! How requests and replies are spelt.

use super::answer::Reply;
use super::operation::Operation;
use crate::verify::Malformed;
use std::fmt::Debug;

/// A protocol's spelling of the mix.
pub(crate) trait Dialect: Debug {
    /// Appends the text of a request.
    fn request(&self, operation: &Operation, text: &mut Vec<u8>);

    /// The reply to `operation` that `bytes` begin with, and its length; `None` if it is not
    /// complete. It may be asked again, from the reply's first byte, each time that more have come:
    /// replies of the mix are short.
    fn reply(
        &self,
        operation: &Operation,
        bytes: &[u8],
    ) -> Result<Option<(Reply, usize)>, Malformed>;
}
