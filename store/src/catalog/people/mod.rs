//! People: who they are, and what kind of work they do here.

mod role;

pub use role::Role;
