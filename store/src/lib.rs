//! The store: ClickHouse schema, columnar writer, typed questions and their answers; and the catalog (SQLite).

pub mod catalog;
pub mod question;
