//! E-mail, as plain text and as HTML.

use std::path::Path;
use std::time::Duration;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use reqwest::Url;

use crate::card::Card;
use crate::digest::{Digest, severity_name};
use crate::error::DeliveryError;
use crate::http::chain;
use crate::links::Links;
use crate::text::{html, line};
use crate::tls::Authorities;

/// A mail server and whom to write to.
pub(crate) struct Email {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

/// How a mail server is reached.
pub(crate) struct Server<'s> {
    pub(crate) url: &'s str,
    pub(crate) starttls: bool,
    /// User and password.
    pub(crate) login: Option<(&'s str, &'s str)>,
    pub(crate) ca_file: Option<&'s Path>,
    pub(crate) timeout: Duration,
}

impl Email {
    pub(crate) fn new(server: &Server<'_>, from: &str, to: &[String], trust: &Authorities) -> Result<Email, String> {
        let mailbox =
            |text: &str| text.parse::<Mailbox>().map_err(|error| format!("`{text}` is no mail address: {error}"));
        let to: Vec<Mailbox> = to.iter().map(|text| mailbox(text)).collect::<Result<_, _>>()?;
        if to.is_empty() {
            return Err("`to` needs at least one address".to_owned());
        }
        Ok(Email { transport: transport(server, trust)?, from: mailbox(from)?, to })
    }

    pub(crate) async fn deliver(&self, digest: Digest<'_>, links: &Links) -> Result<(), DeliveryError> {
        let message = self.message(digest, links).map_err(DeliveryError::permanent)?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let text = format!("mail: {}", chain(&error));
                Err(if error.is_permanent() { DeliveryError::permanent(text) } else { DeliveryError::retry(text) })
            }
        }
    }

    fn message(&self, digest: Digest<'_>, links: &Links) -> Result<Message, String> {
        let failed = |error: &dyn std::fmt::Display| format!("no mail can be made: {error}");
        let subject = format!("[masthead] {}: {}", severity_name(digest.worst().severity), digest.headline());
        // Two tries of one message have one id, by which mail programs drop doubles.
        let id = format!("<{}@{}>", line(&digest.key(), 100), self.from.email.domain());
        let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        let mut builder = Message::builder().from(self.from.clone()).subject(line(&subject, 200)).message_id(Some(id));
        builder = builder.raw_header(automatic);
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        let cards: Vec<Card> = digest.shown().into_iter().map(|finding| Card::new(finding, links)).collect();
        let headline = digest.headline();
        let headline = (!digest.is_single()).then_some(headline.as_str());
        let more = digest.more_text();
        let body = MultiPart::alternative_plain_html(
            plain(headline, &cards, more.as_deref()),
            marked_up(headline, &cards, more.as_deref()),
        );
        builder.multipart(body).map_err(|error| failed(&error))
    }
}

fn transport(server: &Server<'_>, trust: &Authorities) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let url = Url::parse(server.url).map_err(|error| format!("url: this is no address: {error}"))?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or("url: a host is missing")?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if !url.username().is_empty() || url.password().is_some() {
        return Err("url: give user and password as `username` and `password`".to_owned());
    }
    let (port, implicit) = match url.scheme() {
        "smtp" => (587, false),
        "smtps" => (465, true),
        other => return Err(format!("url: an address must begin with smtp:// or smtps://, not {other}://")),
    };
    let encrypted = implicit || server.starttls;
    if server.login.is_some() && !encrypted {
        return Err(
            "user and password are not sent over an unencrypted connection: use smtps:// or starttls".to_owned()
        );
    }
    let tls = if encrypted {
        let parameters = tls(host, server.ca_file, trust)?;
        if implicit { Tls::Wrapper(parameters) } else { Tls::Required(parameters) }
    } else {
        Tls::None
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(url.port().unwrap_or(port))
        .timeout(Some(server.timeout))
        .tls(tls);
    if let Some((user, password)) = server.login {
        builder = builder.credentials(Credentials::new(user.to_owned(), password.to_owned()));
    }
    Ok(builder.build())
}

fn tls(host: &str, ca_file: Option<&Path>, trust: &Authorities) -> Result<TlsParameters, String> {
    let failed = |error: &dyn std::error::Error| format!("TLS cannot be set up: {}", chain(error));
    let (certificates, mozilla) = trust.certificates(ca_file)?;
    let store = if mozilla { CertificateStore::WebpkiRoots } else { CertificateStore::None };
    let mut builder = TlsParameters::builder(host.to_owned()).certificate_store(store);
    for certificate in certificates {
        let certificate = Certificate::from_der(certificate.to_vec()).map_err(|error| failed(&error))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build_rustls().map_err(|error| failed(&error))
}

fn plain(headline: Option<&str>, cards: &[Card], more: Option<&str>) -> String {
    let mut out = headline.map(|headline| format!("{headline}\n\n")).unwrap_or_default();
    for card in cards {
        out.push_str(&format!("{}: {}\n", card.severity, card.title));
        if let Some(message) = &card.message {
            out.push_str(&format!("\n{message}\n"));
        }
        out.push('\n');
        for (name, value) in &card.facts {
            out.push_str(&format!("{name}: {value}\n"));
        }
        for entity in &card.entities {
            out.push_str(&format!("Entity: {entity}\n"));
        }
        for follow_up in &card.follow_ups {
            let told = follow_up.url.as_ref().or(follow_up.text.as_ref()).map(|told| format!(": {told}"));
            out.push_str(&format!("{}{}\n", follow_up.name, told.unwrap_or_default()));
        }
        out.push_str(&format!("Finding: {}\n\n", card.finding_id));
    }
    out.extend(more.map(|more| format!("{more}\n")));
    out
}

fn marked_up(headline: Option<&str>, cards: &[Card], more: Option<&str>) -> String {
    let mut out = String::from("<!DOCTYPE html><html><body>");
    out.extend(headline.map(|headline| format!("<h1>{}</h1>", html(headline))));
    for card in cards {
        out.push_str(&format!("<h2>{}: {}</h2>", card.severity, html(&card.title)));
        out.extend(card.message.as_ref().map(|message| format!("<p>{}</p>", html(message).replace('\n', "<br>"))));
        out.push_str("<table>");
        let mut row = |name: &str, value: &str| {
            out.push_str(&format!("<tr><th align=\"left\">{}</th><td>{value}</td></tr>", html(name)));
        };
        for (name, value) in &card.facts {
            row(name, &html(value));
        }
        for entity in &card.entities {
            row("Entity", &html(entity));
        }
        for follow_up in &card.follow_ups {
            match &follow_up.url {
                Some(url) => row("Follow-up", &format!("<a href=\"{}\">{}</a>", html(url), html(&follow_up.name))),
                None => row(
                    &follow_up.name,
                    &format!("<code>{}</code>", html(follow_up.text.as_deref().unwrap_or_default())),
                ),
            }
        }
        row("Finding", &html(&card.finding_id));
        out.push_str("</table>");
    }
    out.extend(more.map(|more| format!("<p>{}</p>", html(more))));
    out + "</body></html>"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Server<'_> {
        Server { url, starttls: true, login: None, ca_file: None, timeout: Duration::from_secs(1) }
    }

    fn fault(server: &Server<'_>, to: &[&str]) -> String {
        let to: Vec<String> = to.iter().map(|&to| to.to_owned()).collect();
        Email::new(server, "masthead@example.org", &to, &Authorities::of_the_system()).err().unwrap()
    }

    #[test]
    fn faulty_settings_are_named() {
        let someone = &["soc@example.org"][..];
        assert!(fault(&server("http://x"), someone).contains("smtp://"));
        assert!(fault(&server("smtp://"), someone).starts_with("url: "));
        let error = fault(&server("smtp://u:hush@x"), someone);
        assert!(error.contains("`username`") && !error.contains("hush"), "{error}");
        assert!(fault(&server("smtp://x"), &[]).contains("`to`"));
        assert!(fault(&server("smtp://x"), &["nobody"]).contains("`nobody`"));
        let open = Server { starttls: false, login: Some(("u", "hush")), ..server("smtp://x") };
        assert!(fault(&open, someone).contains("unencrypted"));
    }
}
