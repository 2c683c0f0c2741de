//! What an element means: the built-in table and the operator's mapping file.
