//! Who is the client, what is it called: what is added to decoded rows.
