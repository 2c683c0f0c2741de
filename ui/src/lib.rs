//! What people look at: the pages of `web/`, embedded into the binary.
//!
//! | module | what it holds |
//! |---|---|
//! | [`pages`] | which file answers which address, and under which rules a browser may use it |

pub mod pages;
