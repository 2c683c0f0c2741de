//! What an operator may say about listening.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::allow::AllowList;

/// The ports that exporters use unless told otherwise: 2055 by habit (NetFlow), 4739 by
/// [RFC 7011 §10.3.4](https://www.rfc-editor.org/rfc/rfc7011#section-10.3.4) (IPFIX).
pub const PORTS: [u16; 2] = [2055, 4739];

/// Where to listen and whom to hear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListenConfig {
    /// UDP addresses. `0.0.0.0:2055` and `[::]:2055` can stand side by side: IPv6 sockets take IPv6 only. Port 0 lets
    /// the kernel choose.
    pub addresses: Vec<SocketAddr>,
    /// Octets of payload that the kernel should hold for each socket while its thread is busy. Above the system's
    /// `net.core.rmem_max` this takes the capability `CAP_NET_ADMIN`; what was really got is in the statistics.
    pub receive_buffer_octets: usize,
    /// Sockets, each with a thread of its own, that share each address (`SO_REUSEPORT`): the kernel keeps an exporter
    /// with one of them. 1 is enough for several hundred thousand datagrams a second.
    pub threads_per_address: usize,
    /// Batches (of up to 64 datagrams each) that may wait for the tape. When it is full, the newest batch waits for two
    /// seconds, and what arrives meanwhile in the receive buffers; then it is dropped and its datagrams are counted as
    /// `queue_full`.
    pub queue_batches: usize,
    /// Octets of memory that these batches may hold.
    pub queue_octets: usize,
    /// Exporters that are heard; by default all private address ranges. `["0.0.0.0/0", "::/0"]` hears everybody.
    pub allow: Vec<IpNet>,
}

impl Default for ListenConfig {
    fn default() -> Self {
        let unspecified = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        Self {
            addresses: unspecified
                .into_iter()
                .flat_map(|address| PORTS.map(|port| SocketAddr::new(address, port)))
                .collect(),
            receive_buffer_octets: 32 * 1024 * 1024,
            threads_per_address: 1,
            queue_batches: 1024,
            queue_octets: 64 * 1024 * 1024,
            allow: AllowList::default().networks().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listens_on_both_ports_in_both_families() {
        let texts: Vec<_> = ListenConfig::default()
            .addresses
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            texts,
            ["0.0.0.0:2055", "0.0.0.0:4739", "[::]:2055", "[::]:4739"]
        );
    }

    #[test]
    fn reads_what_an_operator_writes_and_refuses_what_it_does_not_know() {
        let config: ListenConfig = toml::from_str(
            "addresses = ['127.0.0.1:9995']\nallow = ['198.51.100.0/24']\nthreads_per_address = 2",
        )
        .unwrap();
        assert_eq!(config.addresses, ["127.0.0.1:9995".parse().unwrap()]);
        assert_eq!(config.allow, ["198.51.100.0/24".parse().unwrap()]);
        assert_eq!(config.threads_per_address, 2);
        assert_eq!(config.queue_batches, 1024);
        assert!(toml::from_str::<ListenConfig>("adresses = []").is_err());
    }
}
