//! UDP sockets: receive, stamp, hand on.
