//! A recording that can be shown to others: the same key for datagrams, flows and enrichment.

use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use api::archive::ArchiveError;
use api::chance;
use collector::rewrite::{Anonymizer, Key};
use flow::address::{narrow, widen};
use flow::clock;
use flow::site::Rules;
use replay::reel::{Manifest, NewTape, read_tape};
use sha2::{Digest as _, Sha256};
use store::recording::OtherAddresses;

use super::RunningArchive;
use super::failing::failed;

/// The setting of the catalog that holds the key which is made by chance.
const SETTING: &str = "anonymize_key";

impl RunningArchive {
    /// Who rewrites, under this installation's key: what leaves today can be compared with what left yesterday.
    pub(super) async fn anonymizer(&self) -> Result<Anonymizer, ArchiveError> {
        let key = self.key().await?;
        let decode = self.config.decode.clone();
        Ok(Anonymizer::new(key, decode, self.fields()?))
    }

    /// The operator's key, or one that was made by chance the first time.
    async fn key(&self) -> Result<Key, ArchiveError> {
        if let Some(path) = &self.config.recordings.anonymize_key_file {
            let failed = |source: Box<dyn std::error::Error + Send + Sync>| ArchiveError::Failed {
                what: format!("recordings.anonymize_key_file = '{}'", path.display()),
                source,
            };
            let text = std::fs::read_to_string(path).map_err(|error| failed(error.into()))?;
            let key = text.trim().parse::<Key>();
            return key.map_err(|error| failed(error.into()));
        }
        if let Some(known) = self.catalog.setting::<String>(SETTING).await? {
            return known.parse::<Key>().map_err(failed("the catalog's key"));
        }
        let text = chance::hex::<32>().map_err(failed("no key can be made"))?;
        let key = text.parse::<Key>().map_err(failed("no key can be made"))?;
        self.catalog.set_setting(SETTING, &text).await?;
        Ok(key)
    }
}

/// What the store asks for.
pub(super) struct Under<'a>(pub(super) &'a Anonymizer);

impl OtherAddresses for Under<'_> {
    fn address(&self, address: Ipv6Addr) -> Ipv6Addr {
        widen(self.0.address(narrow(address)))
    }

    fn mac(&self, mac: u64) -> u64 {
        self.0.mac(mac)
    }

    /// `10.1.2.3:8443/tcp`, `[2001:db8::1]:53/udp`. What does not look so says nothing.
    fn application(&self, name: &str) -> String {
        let other = || {
            let (address, port) = name.rsplit_once(':')?;
            let bare = address.trim_start_matches('[').trim_end_matches(']');
            let other = self.0.address(bare.parse().ok()?);
            Some(match other {
                IpAddr::V6(other) if address.starts_with('[') => format!("[{other}]:{port}"),
                other => format!("{other}:{port}"),
            })
        };
        other().unwrap_or_default()
    }
}

/// The datagrams of a tape under other addresses. One that can't be read can't be rewritten either, and stays behind.
pub(super) fn tape(
    anonymizer: &mut Anonymizer,
    from: &Path,
    to: &Path,
) -> Result<(), ArchiveError> {
    let unwritten = || failed("the recording's tape can't be written");
    let mut tape = NewTape::begin(to, clock::now()).map_err(unwritten())?;
    for datagram in read_tape(from) {
        let datagram = datagram.map_err(failed("the recording's tape can't be read"))?;
        if let Ok(other) = anonymizer.datagram(&datagram) {
            tape.append(&other).map_err(unwritten())?;
        }
    }
    let done = anonymizer.counts();
    if done.unreadable + done.sets_unknown + done.sets_misfit > 0 {
        tracing::warn!(
            ?done,
            "what can't be read of a recording is left out of its file, or overwritten"
        );
    }
    tape.finish().map(drop).map_err(unwritten())
}

/// The rules under other addresses. Names stay.
pub(super) fn rules(anonymizer: &Anonymizer, mut rules: Rules) -> Rules {
    for rule in &mut rules.applications {
        for net in rule.servers.iter_mut().chain(&mut rule.clients) {
            *net = anonymizer.prefix(*net);
        }
    }
    for net in rules.sites.iter_mut().flat_map(|site| &mut site.subnets) {
        *net = anonymizer.prefix(*net);
    }
    for exporter in &mut rules.exporters {
        exporter.address = anonymizer.address(exporter.address);
    }
    rules
}

/// The manifest without what people wrote: filters, names and notes may say addresses. Its id is another, always the same one.
pub(super) fn manifest(manifest: Manifest) -> Manifest {
    let digest = Sha256::digest(format!("anonymized {}", manifest.id));
    let id = digest.iter().take(16);
    let id: String = id.map(|octet| format!("{octet:02x}")).collect();
    Manifest {
        name: format!("anonymized {}", id.get(..8).unwrap_or_default()),
        id,
        filter: String::new(),
        cut_by: String::new(),
        collector: String::new(),
        anonymized: true,
        ..manifest
    }
}
