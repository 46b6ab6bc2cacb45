//! Who may do what: API tokens of the state, ingest tokens and certificates of the configuration.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use masthead_sources::http::{Gatekeeper, Grant};
use masthead_state::{Scope, State};
use sha2::{Digest as _, Sha256};

use crate::config::{IngestConfig, ServerConfig};

/// Decides.
pub(crate) struct Gate {
    state: State,
    /// Whether nobody needs a credential: only on loopback, or where the operator said so.
    open: bool,
    /// Hashes of ingest tokens, so that a comparison tells nothing of where two differ.
    tokens: Vec<([u8; 32], Grant)>,
    certificates: Vec<(String, Grant)>,
    /// Whether every certificate that the authority signed may post.
    any_certificate: bool,
}

impl Gate {
    /// # Errors
    /// When the secret of a token cannot be read.
    pub(crate) fn new(state: State, server: &ServerConfig, ingest: &IngestConfig) -> Result<Gate, String> {
        let mut tokens = Vec::new();
        for token in &ingest.token {
            let secret = token.secret.resolve().map_err(|error| format!("ingest token `{}`: {error}", token.name))?;
            let grant = Grant {
                name: token.name.as_str().into(),
                cluster: token.cluster.as_deref().map(Arc::from),
                hec_ack: token.hec_ack,
            };
            tokens.push((hash(secret.expose()), grant));
        }
        let certificates = ingest.certificate.iter().map(|certificate| {
            let cluster = certificate.cluster.as_deref().map(Arc::from);
            (certificate.subject.clone(), Grant { name: certificate.subject.as_str().into(), cluster, hec_ack: false })
        });
        let loopback = server.listen.ip().is_loopback();
        Ok(Gate {
            state,
            open: tokens.is_empty() && server.client_ca.is_none() && (loopback || server.insecure),
            tokens,
            certificates: certificates.collect(),
            any_certificate: server.client_ca.is_some() && ingest.certificate.is_empty(),
        })
    }

    /// Whether a request with this secret may do what the scope says; the name of who it is.
    pub(crate) async fn allows(&self, secret: Option<&str>, scope: Scope, loopback: bool) -> Result<String, Denied> {
        let Some(secret) = secret else {
            // A person at the machine itself needs no token, as long as the machine is all that is listened to.
            return if self.open && loopback { Ok("local".to_owned()) } else { Err(Denied::Unknown) };
        };
        let now = jiff::Timestamp::now().as_microsecond();
        match self.state.check_token(secret, now).await {
            Ok(Some(token)) if token.scopes.contains(&scope) => Ok(token.name),
            Ok(Some(_)) => Err(Denied::Scope),
            Ok(None) => Err(Denied::Unknown),
            Err(error) => {
                tracing::error!(%error, "tokens cannot be read");
                Err(Denied::Unavailable)
            }
        }
    }
}

/// Why somebody may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    Unknown,
    Scope,
    Unavailable,
}

impl Gatekeeper for Gate {
    fn open(&self) -> bool {
        self.open
    }

    fn by_secret<'a>(&'a self, secret: &'a str) -> BoxFuture<'a, Option<Grant>> {
        async move {
            let own = hash(secret);
            if let Some((_, grant)) = self.tokens.iter().find(|(hash, _)| *hash == own) {
                return Some(grant.clone());
            }
            let now = jiff::Timestamp::now().as_microsecond();
            let token = self.state.check_token(secret, now).await.ok().flatten()?;
            token
                .scopes
                .contains(&Scope::Ingest)
                .then(|| Grant { name: token.name.as_str().into(), ..Grant::default() })
        }
        .boxed()
    }

    fn by_certificate(&self, subject: &str) -> Option<Grant> {
        let own = self.certificates.iter().find(|(name, _)| name == subject).map(|(_, grant)| grant.clone());
        own.or_else(|| self.any_certificate.then(|| Grant { name: subject.into(), ..Grant::default() }))
    }
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
