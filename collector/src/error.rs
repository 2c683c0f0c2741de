//! What can go wrong in this crate, with its place.
