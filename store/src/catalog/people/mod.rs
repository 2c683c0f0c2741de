//! People: who they are, how they are known again, and what they did.
//!
//! | file | holds |
//! |---|---|
//! | `role` | the kinds of work |
//! | `accounts` | who may sign on |
//! | `welcome` | how the first of them is made |
//! | `sessions` | who has signed on, and where |
//! | `identities` | who signs on elsewhere |
//! | `tokens` | programs that ask on somebody's behalf |
//! | `audit` | what was done, row upon row |
//! | `chain` | whether the rows are those that were written |
//!
//! Secrets come here as digests only, and passwords as hashes.

mod accounts;
mod audit;
mod chain;
mod identities;
mod role;
mod sessions;
mod tokens;
mod welcome;

pub use accounts::{Account, AccountChange, NewAccount, PERSON_CHARS_MAX};
pub use audit::{Act, AuditQuery, Deed, Entry};
pub use chain::{AuditCheck, Broken};
pub use identities::Identity;
pub use role::Role;
pub use sessions::{NewSession, Session};
pub use tokens::{NewToken, Token};

/// SHA-256 of what its bearer shows.
pub type Digest = [u8; 32];
