//! What people look at: pictures that are drawn without a browser.
//!
//! | module | what it holds |
//! |---|---|
//! | [`pictures`] | values over time, and the largest groups, as SVG or PNG |

pub mod pictures;
