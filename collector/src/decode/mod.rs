//! What a datagram means: export packets to rows of a flow batch.
