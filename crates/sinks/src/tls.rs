//! Whom TLS connections trust: the system's authorities, or Mozilla's where the system has none, and those of a file.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// The system's authorities.
pub(crate) struct Authorities {
    system: Vec<CertificateDer<'static>>,
}

impl Authorities {
    /// Reads them. What cannot be read is left out.
    pub(crate) fn of_the_system() -> Authorities {
        let found = rustls_native_certs::load_native_certs();
        if !found.errors.is_empty() {
            tracing::debug!(errors = found.errors.len(), "some of the system's certificates cannot be read");
        }
        Authorities { system: found.certs }
    }

    /// Those of the system and of the file.
    fn with(&self, file: Option<&Path>) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.system.iter().cloned());
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        let own = file.map(read).transpose()?.unwrap_or_default();
        for certificate in &own {
            roots.add(certificate.clone()).map_err(|error| format!("ca_file: {error}"))?;
        }
        Ok((roots, own))
    }

    /// A client's settings.
    pub(crate) fn client_config(&self, file: Option<&Path>) -> Result<ClientConfig, String> {
        let (roots, _) = self.with(file)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| format!("TLS cannot be set up: {error}"))?;
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }

    /// The certificates that e-mail trusts, and whether Mozilla's are to be added.
    pub(crate) fn certificates(&self, file: Option<&Path>) -> Result<(Vec<CertificateDer<'static>>, bool), String> {
        let (_, own) = self.with(file)?;
        // One that cannot be parsed would be an error there.
        let mut usable = RootCertStore::empty();
        let system = self.system.iter().filter(|certificate| usable.add((*certificate).clone()).is_ok()).cloned();
        let all: Vec<_> = system.chain(own).collect();
        Ok((all, usable.is_empty()))
    }
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("ca_file {}: {error}", path.display());
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| failed(&error))?;
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(|error| failed(&error))?;
    if certificates.is_empty() {
        return Err(failed(&"there is no certificate in it"));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, "nothing").unwrap();
        let authorities = Authorities { system: Vec::new() };
        assert!(authorities.client_config(Some(&path)).unwrap_err().contains("no certificate"));
        assert!(authorities.client_config(Some(&folder.path().join("none.pem"))).is_err());
        // Without the system's own there are still Mozilla's.
        assert!(!authorities.with(None).unwrap().0.is_empty());
    }
}
