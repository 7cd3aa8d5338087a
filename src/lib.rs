//! A concurrent sorted multiset of 64-bit integers, on its way to become a server.

pub mod store;
