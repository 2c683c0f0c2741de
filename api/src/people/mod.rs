//! Who asks, what they may do, and what they did.
//!
//! | file | holds |
//! |---|---|
//! | `person` | who asks: what handlers know of them |
//! | `permission` | what may be done here, and which role may |
//! | `access` | the table: which route needs which permission |
//! | `door` | the one place that lets requests through, or not |
//! | `identify` | who it is, by what they show |
//! | `secret`, `session` | what is shown: by chance, kept as a digest; how long it lasts |
//! | `password`, `throttle` | hashing that takes little of the machine, guessing that takes long |
//! | `openid` | sign-on by an OpenID provider |
//! | `signing` | sign-on, sign-off, the first admin, who am I |
//! | `own` | one's own password, sessions and tokens |
//! | `accounts` | who may sign on, for admins |
//! | `audit` | what was done |

mod access;
pub(crate) mod accounts;
pub(crate) mod audit;
mod door;
mod identify;
pub mod openid;
pub(crate) mod own;
mod password;
mod permission;
mod person;
mod secret;
mod session;
pub(crate) mod signing;
mod throttle;

pub(crate) use door::{SeenFrom, keep};
pub use identify::People;
pub use permission::Permission;
pub use person::{Identity, Person};
pub use secret::Secret;
pub use session::Lasting;
