//! JSON as every face reads and writes it: arrays of integers in, replies out.

mod document;
mod read;
mod write;

pub use document::{JsonDocument, Numbers};
pub use read::{Fractions, Id, Integer, Integers, Scalar, parse, parse_with};
pub use write::{Style, write_object};
