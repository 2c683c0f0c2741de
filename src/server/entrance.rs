//! How the pages and the API are come to: encrypted, and through which proxies.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use api::proxies::Proxies;
use api::server::Entrance;
use api::tls::Tls;

use crate::config::{Config, SignOn};

/// Between two looks whether the certificate's files are others.
const RENEW_EVERY: Duration = Duration::from_secs(60);

/// As the configuration wants it.
pub(super) fn open(config: &Config) -> Result<Entrance> {
    let tls = config.tls.as_ref().map(|files| {
        let tls = Tls::open(&files.certificate, &files.key);
        tls.context("tls").map(Arc::new)
    });
    let user_header = config.proxies.user_header.as_deref();
    let user_header = user_header.map(str::parse).transpose();
    let entrance = Entrance {
        tls: tls.transpose()?,
        proxies: Proxies {
            addresses: config.proxies.addresses.clone(),
            user_header: user_header.context("proxies.user_header")?,
        },
    };
    let is_alone = entrance.tls.is_none() && entrance.proxies.addresses.is_empty();
    if is_alone && config.sign_on == SignOn::Required && !config.http.ip().is_loopback() {
        tracing::warn!(
            http = %config.http,
            "passwords and tokens cross the network unencrypted, and browsers on other machines keep no session: set tls.certificate \
             and tls.key, or proxies.addresses if a proxy has them"
        );
    }
    Ok(entrance)
}

/// Takes a certificate that was replaced, for ever.
pub(super) async fn renew(tls: Arc<Tls>) {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        match tls.renew() {
            Ok(false) => {}
            Ok(true) => tracing::info!("the certificate was replaced: the new one is shown"),
            Err(error) => {
                tracing::error!(error = %crate::output::chain(&error), "the certificate from before stays")
            }
        }
    }
}
