//! Who asks, and what they may do.
//!
//! | file | holds |
//! |---|---|
//! | `person` | who asks: what handlers know of them |
//! | `permission` | what may be done here, and which role may |
//! | `access` | the table: which route needs which permission |
//! | `door` | the one place that lets requests through, or not |

mod access;
mod door;
mod permission;
mod person;

pub(crate) use door::keep;
pub use permission::Permission;
pub use person::Person;
