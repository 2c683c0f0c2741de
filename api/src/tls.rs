//! TLS by certificate files, which may be replaced while the server runs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not what it should be.
    #[error("{}: no {wanted} in PEM form can be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        wanted: &'static str,
        /// What is wrong.
        source: pem::Error,
    },
    /// Key and certificate are each readable, and do not belong together, or are of a kind that nobody uses any more.
    #[error("{}: the certificate and its key {} cannot be used", certificate.display(), key.display())]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's.
        key: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
}

/// The server's side of TLS 1.3 and 1.2.
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    pair: Arc<Pair>,
    acceptor: TlsAcceptor,
}

/// What is shown to those who connect from now on.
#[derive(Debug)]
struct Pair(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Pair {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now())
    }
}

impl Pair {
    fn now(&self) -> Arc<CertifiedKey> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }
}

impl Tls {
    /// Reads a certificate, with those that vouch for it behind it, and its key, both in PEM form.
    ///
    /// # Errors
    ///
    /// [`TlsError`] names the file; fatal at start.
    pub fn open(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let pair = read(certificate, key, &provider)?;
        let pair = Arc::new(Pair(RwLock::new(Arc::new(pair))));
        let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(|source| TlsError::Pair {
                certificate: certificate.to_owned(),
                key: key.to_owned(),
                source,
            })?
            .with_no_client_auth()
            .with_cert_resolver(pair.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            pair,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }

    /// Reads the files again, for those who connect from now on. Whether the certificate is another one.
    ///
    /// # Errors
    ///
    /// [`TlsError`] names the file; the pair from before stays in force.
    pub fn renew(&self) -> Result<bool, TlsError> {
        let provider = ring::default_provider();
        let read = read(&self.certificate, &self.key, &provider)?;
        let is_other = self.pair.now().cert != read.cert;
        if is_other {
            let mut held = self.pair.0.write().unwrap_or_else(PoisonError::into_inner);
            *held = Arc::new(read);
        }
        Ok(is_other)
    }

    /// Shakes hands.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }
}

fn read(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let wrong = |path: &Path, wanted| {
        let path = path.to_owned();
        move |source| TlsError::File {
            path,
            wanted,
            source,
        }
    };
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain: Vec<_> = chain.map_err(wrong(certificate, "certificate"))?;
    if chain.is_empty() {
        return Err(wrong(certificate, "certificate")(pem::Error::NoItemsFound));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(wrong(key, "private key"))?;
    CertifiedKey::from_der(chain, private, provider).map_err(|source| TlsError::Pair {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate for `localhost` and its key, as files.
    fn files(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (
            folder.join(format!("{name}.pem")),
            folder.join(format!("{name}.key")),
        );
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        (certificate, key)
    }

    #[test]
    fn a_new_certificate_is_taken_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = files(folder.path(), "first");
        let (other, other_key) = files(folder.path(), "second");
        let tls = Tls::open(&certificate, &key).unwrap();
        let first = tls.pair.now();
        assert!(!tls.renew().unwrap());
        // Half of a pair, as while they are being replaced.
        std::fs::copy(&other, &certificate).unwrap();
        let error = tls.renew().unwrap_err();
        assert!(matches!(error, TlsError::Pair { .. }), "{error}");
        assert!(Arc::ptr_eq(&tls.pair.now(), &first));
        std::fs::copy(&other_key, &key).unwrap();
        assert!(tls.renew().unwrap());
        assert_ne!(tls.pair.now().cert, first.cert);
        std::fs::write(&certificate, "nothing").unwrap();
        let error = tls.renew().unwrap_err().to_string();
        assert!(
            error.contains("first.pem") && error.contains("certificate"),
            "{error}"
        );
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = files(folder.path(), "own");
        let absent = folder.path().join("absent.pem");
        for (certificate, key, named) in [
            (&absent, &key, "absent.pem: no certificate"),
            (&certificate, &absent, "absent.pem: no private key"),
            (&key, &key, "own.key: no certificate"),
        ] {
            let error = Tls::open(certificate, key).err().unwrap().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
