//! Servers with a certificate of their own authority.

use std::sync::Arc;

use masthead_sinks::DeliveryError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::{finding, sinks};

/// A server that accepts one request a connection. Its port and its certificate.
async fn server() -> (u16, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate: CertificateDer<'static> = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = Vec::new();
            let mut part = [0; 4096];
            // The body of the test's only request ends so.
            while !request.ends_with(b"}") {
                match stream.read(&mut part).await {
                    Ok(read) if read > 0 => request.extend_from_slice(&part[..read]),
                    _ => break,
                }
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").await;
            let _ = stream.shutdown().await;
        }
    });
    (port, made.cert.pem())
}

#[tokio::test]
async fn an_own_authority_is_trusted_when_it_is_named() {
    let (port, pem) = server().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pem).unwrap();
    let toml = format!(
        "[sinks.named]\ntype = 'slack'\nurl = 'https://localhost:{port}/'\nca_file = '{}'\n\
         [sinks.unnamed]\ntype = 'slack'\nurl = 'https://localhost:{port}/'",
        file.display()
    );
    let sinks = sinks(&toml);
    sinks.deliver("named", &[finding("id")]).await.unwrap();
    let error = sinks.deliver("unnamed", &[finding("id")]).await.unwrap_err();
    assert!(matches!(&error, DeliveryError::Retry { message, .. } if message.contains("certificate")), "{error:?}");
}
