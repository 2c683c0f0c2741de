//! The catalog: users, applications, recordings, tickets (SQLite).
