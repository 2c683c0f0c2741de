//! What the product is tried on: a datagram encoder, and a simulated enterprise whose truth is known.
//!
//! | module | holds |
//! |---|---|
//! | [`encode`] | NetFlow v1, v5, v7, v9 and IPFIX, written from plain values |
//! | [`enterprise`] | sites, users, applications and exporters; every packet and what each exporter made of it |
//! | [`load`] | prebuilt datagrams for measuring speed |
//!
//! Nothing here asks what time it is and nothing does I/O: the same seed gives the same octets.

pub mod encode;
pub mod enterprise;
pub mod load;
