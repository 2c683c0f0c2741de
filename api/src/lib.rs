//! The JSON API: the questions of the store, the books of the collector, health and metrics.
//!
//! | module | holds |
//! |---|---|
//! | [`router`] | the table of contents: every route, and the OpenAPI document made from them |
//! | [`plant`] | what the API needs of the running product, as a trait that the binary implements |
//! | [`archive`] | the same for recordings |
//! | [`studio`] | the same for whoever draws pictures |
//! | `questions` | top, series, flows |
//! | `pictures` | what questions answer, as SVG or PNG |
//! | `comparing` | two windows side by side |
//! | `operations` | accounting, exporters, readiness, metrics |
//! | `imports`, `rules` | captures in, names of things |
//! | `recordings` | cut, shared, taken in |
//! | [`players`] | views of a recording, or of the live past, as they move |
//! | [`server`], [`tls`], [`proxies`] | connections: accepted, encrypted, made on behalf of others |
//! | [`tickets`] | the button, the queue, and the desk that the binary implements |
//! | `sharing` | the same question by many at nearly the same time |
//! | `view` | the one place that makes a question of what is to be shown |
//! | `parameters` | what stands in an address: windows, filters |
//! | [`pages`] | what is at addresses that are no routes, handed in by the binary |
//! | [`people`] | who asks, and what they may do |
//! | [`outgoing`] | what goes out of the house |
//! | `guard`, `body` | refuses requests that another site's page made, and bodies that do not come |
//! | [`chance`] | octets that nobody can guess |
//! | `headers` | what browsers are told about every answer |

pub mod archive;
mod body;
pub mod chance;
mod comparing;
mod error;
mod guard;
mod headers;
mod imports;
mod operations;
pub mod outgoing;
pub mod pages;
mod parameters;
pub mod people;
mod pictures;
pub mod plant;
pub mod players;
pub mod proxies;
mod questions;
mod recordings;
pub mod router;
mod rules;
pub mod server;
mod sharing;
pub mod studio;
pub mod tickets;
pub mod tls;
mod view;

pub use error::{ApiError, ErrorBody};
pub use parameters::parse_duration;
