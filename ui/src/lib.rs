//! What people look at: the pages of `web/`, embedded into the binary, and pictures that are drawn without a browser.
//!
//! | module | what it holds |
//! |---|---|
//! | [`pages`] | which file answers which address, and under which rules a browser may use it |
//! | [`pictures`] | values over time, and the largest groups, as SVG or PNG |

pub mod pages;
pub mod pictures;
