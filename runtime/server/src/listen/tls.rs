//! The certificate and key that the listeners show, and how they change while we serve.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};

/// What to offer by ALPN, best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// TLS as one listener or several speak it: a certificate chain and its key, from two PEM files.
#[derive(Clone)]
pub(crate) struct Tls(Arc<Shared>);

struct Shared {
    cert_path: PathBuf,
    key_path: PathBuf,
    current: ArcSwap<ServerConfig>,
}

/// Why the files cannot be used. Each says which file it is and what to do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("{path}: cannot be read ({source}); check the path and that this user may read the file")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{path}: not PEM ({source}); it must hold `-----BEGIN …-----` blocks")]
    NotPem { path: PathBuf, source: pem::Error },
    #[error("{path}: holds no certificate; it must hold the server's certificate, then the intermediate ones")]
    NoCertificate { path: PathBuf },
    #[error("{path}: holds no private key; it must hold one unencrypted PKCS#8, PKCS#1 or SEC1 block")]
    NoKey { path: PathBuf },
    #[error("{cert_path} and {key_path}: not usable together ({source}); write both files anew from one issue")]
    Mismatch { cert_path: PathBuf, key_path: PathBuf, source: rustls::Error },
}

impl Tls {
    /// Reads a certificate chain and its private key.
    ///
    /// # Errors
    /// A file cannot be read, holds something else, or the two don't belong together.
    pub(crate) fn load(cert_path: &Path, key_path: &Path) -> Result<Self, TlsError> {
        let current = ArcSwap::from_pointee(read(cert_path, key_path)?);
        Ok(Self(Arc::new(Shared { cert_path: cert_path.to_owned(), key_path: key_path.to_owned(), current })))
    }

    /// Reads the same files again. Handshakes from now on use what they hold; connections that stand stay as they are.
    ///
    /// # Errors
    /// As for [`Tls::load`]; then what was there before stays in use.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        let fresh = read(&self.0.cert_path, &self.0.key_path)?;
        self.0.current.store(Arc::new(fresh));
        Ok(())
    }

    pub(super) fn current(&self) -> Arc<ServerConfig> {
        self.0.current.load_full()
    }
}

fn read(cert_path: &Path, key_path: &Path) -> Result<ServerConfig, TlsError> {
    let chain = read_chain(cert_path)?;
    let key = read_key(key_path)?;
    let mismatch =
        |source| TlsError::Mismatch { cert_path: cert_path.to_owned(), key_path: key_path.to_owned(), source };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(mismatch)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(mismatch)?;
    config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&read_file(path)?)
        .collect::<Result<_, _>>()
        .map_err(|source| TlsError::NotPem { path: path.to_owned(), source })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    match PrivateKeyDer::from_pem_slice(&read_file(path)?) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => Err(TlsError::NoKey { path: path.to_owned() }),
        Err(source) => Err(TlsError::NotPem { path: path.to_owned(), source }),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}
