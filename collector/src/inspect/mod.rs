//! Every field of every datagram, for people.
