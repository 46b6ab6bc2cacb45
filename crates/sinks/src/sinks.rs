//! All sinks, ready to be delivered to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::time::Duration;

use masthead_ir::finding::Finding;
use reqwest::header::HeaderValue;
use reqwest::{Client, Method};

use crate::config::{
    EmailConfig, FileConfig, PagerDutyConfig, SinkConfig, SinksConfig, SplunkHecConfig, WebhookConfig, WebhookMethod,
};
use crate::digest::Digest;
use crate::error::{DeliveryError, SinkError};
use crate::links::Links;
use crate::rotating::RotatingFile;
use crate::route::{Grouping, Routes, groupings};
use crate::secret::{Resolved, Secret};
use crate::target::email::{Email, Server};
use crate::target::lines::Lines;
use crate::target::webhook::{Template, Webhook, headers};
use crate::target::{Post, Target, pagerduty, splunk};
use crate::tls::Authorities;
use crate::{http, text};

/// How long one delivery may take.
const WHOLE: Duration = Duration::from_secs(30);
const DEFAULT_FILE_BYTES: u64 = 100 * 1024 * 1024;
const DEFAULT_FILES_KEPT: u32 = 5;
/// A shorter text is not hidden in errors: it would be found in every word.
const SHORTEST_SECRET: usize = 4;
/// Parts of addresses are words more often than tokens are, so they are longer.
const SHORTEST_PART: usize = 12;
/// No error is longer, in characters.
const MAX_MESSAGE: usize = 300;

/// The sinks of a configuration, their secrets fetched and their templates compiled. `Debug` shows their names only.
pub struct Sinks {
    sinks: BTreeMap<String, Sink>,
    routes: Routes,
    links: Links,
    whole: Duration,
}

struct Sink {
    target: Target,
    grouping: Grouping,
    /// What must not stand in errors.
    secrets: Vec<String>,
}

impl fmt::Debug for Sinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sinks").field("names", &self.names()).finish_non_exhaustive()
    }
}

impl Sinks {
    /// Checks the configuration, fetches secrets, compiles templates. Nothing is sent and no file is made.
    ///
    /// # Errors
    /// The first fault of the configuration.
    pub fn new(config: &SinksConfig) -> Result<Sinks, SinkError> {
        let whole = config.timeout_seconds.map_or(WHOLE, |seconds| Duration::from_secs(seconds.get().into()));
        let links = Links::new(config.drilldown_url.as_deref())?;
        let names: Vec<String> = config.sink.keys().cloned().collect();
        let routes = Routes::new(&config.route, &names)?;
        let mut groupings = groupings(&config.route)?;
        let authorities = Authorities::of_the_system();
        let mut files = BTreeSet::new();
        let mut sinks = BTreeMap::new();
        for (name, config) in &config.sink {
            let mut setup = Setup { name, authorities: &authorities, whole, secrets: Vec::new() };
            setup.check_name()?;
            if let SinkConfig::File(file) = config
                && !files.insert(file.path.clone())
            {
                return Err(setup.wrong("another sink writes to this file already"));
            }
            let target = setup.target(config)?;
            let mut grouping = groupings.remove(name).unwrap_or_default();
            if grouping.keys.is_none() && target.is_batched() {
                grouping.keys = Some(Vec::new());
            }
            sinks.insert(name.clone(), Sink { target, grouping, secrets: setup.secrets });
        }
        Ok(Sinks { sinks, routes, links, whole })
    }

    /// The names of all sinks, in order.
    pub fn names(&self) -> Vec<String> {
        self.sinks.keys().cloned().collect()
    }

    /// The sinks that a finding goes to, each once, in the order of the routes. `tags` are those of its rule. Without routes every
    /// sink gets every finding of the kind `finding`.
    pub fn route(&self, finding: &Finding, tags: &[String]) -> Vec<String> {
        self.routes.sinks(finding, tags)
    }

    /// How findings are gathered on their way to a sink.
    pub fn grouping(&self, sink: &str) -> Grouping {
        self.sinks.get(sink).map(|sink| sink.grouping.clone()).unwrap_or_default()
    }

    /// Delivers one group of findings to one sink as one message, once. `Ok`: the other side has accepted it. A group of none is
    /// accepted at once.
    ///
    /// # Errors
    /// Why it was not accepted, and whether it may be later.
    pub async fn deliver(&self, sink: &str, findings: &[Finding]) -> Result<(), DeliveryError> {
        let Some(sink) = self.sinks.get(sink) else {
            return Err(DeliveryError::permanent(format!("there is no sink `{sink}`")));
        };
        let Some(digest) = Digest::new(findings) else { return Ok(()) };
        match tokio::time::timeout(self.whole, sink.target.deliver(digest, &self.links)).await {
            Ok(result) => result.map_err(|error| error.map_message(|message| sink.without_secrets(&message))),
            Err(_) => Err(DeliveryError::retry(format!("no answer within {} s", self.whole.as_secs()))),
        }
    }
}

impl Sink {
    /// The other side may have told us our own secret.
    fn without_secrets(&self, message: &str) -> String {
        let mut message = message.to_owned();
        for secret in &self.secrets {
            message = message.replace(secret.as_str(), "***");
            // What was sent with line ends or runs of blanks may come back without.
            message = message.replace(&text::line(secret, usize::MAX), "***");
        }
        text::line(&message, MAX_MESSAGE)
    }
}

/// The making of one sink.
struct Setup<'s> {
    name: &'s str,
    authorities: &'s Authorities,
    whole: Duration,
    secrets: Vec<String>,
}

impl Setup<'_> {
    fn wrong(&self, message: impl Into<String>) -> SinkError {
        SinkError::Sink { sink: self.name.to_owned(), message: message.into() }
    }

    fn check_name(&self) -> Result<(), SinkError> {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(fine) {
            return Err(self.wrong("a name has 1 to 64 letters, digits, `_`, `-` or `.`"));
        }
        Ok(())
    }

    /// Fetches a secret. A credential in the configuration itself is warned about.
    fn secret(&mut self, key: &str, secret: &Secret, credential: bool) -> Result<Resolved, SinkError> {
        if credential && secret.is_plain() {
            tracing::warn!(
                sink = self.name,
                key,
                "a secret stands in the configuration file; use {{ env = \"NAME\" }} or {{ file = \"PATH\" }}"
            );
        }
        let resolved = secret.resolve().map_err(|source| SinkError::Secret {
            sink: self.name.to_owned(),
            key: key.to_owned(),
            source,
        })?;
        self.hide(resolved.expose());
        Ok(resolved)
    }

    /// Keeps a text, and the parts of an address that may be its token, out of errors.
    fn hide(&mut self, secret: &str) {
        if secret.len() >= SHORTEST_SECRET {
            self.secrets.push(secret.to_owned());
        }
        let Ok(url) = http::url(secret) else { return };
        let path = std::iter::once(url.path()).chain(url.path().split('/')).map(str::to_owned);
        let parts = path.chain(url.query_pairs().map(|(_, value)| value.into_owned()));
        self.secrets.extend(parts.filter(|part| part.len() >= SHORTEST_PART));
        self.secrets.extend(url.password().map(str::to_owned));
    }

    fn client(&self, ca_file: Option<&Path>) -> Result<Client, SinkError> {
        http::client(self.authorities, ca_file, self.whole).map_err(|message| self.wrong(message))
    }

    fn post(&self, url: &str, ca_file: Option<&Path>) -> Result<Post, SinkError> {
        let url = http::url(url).map_err(|message| self.wrong(format!("url: {message}")))?;
        Ok(Post { client: self.client(ca_file)?, url })
    }

    fn target(&mut self, config: &SinkConfig) -> Result<Target, SinkError> {
        Ok(match config {
            SinkConfig::Stdout(stdout) => Target::Lines(Lines::stdout(stdout.format)),
            SinkConfig::File(file) => Target::Lines(self.file(file)?),
            SinkConfig::Webhook(webhook) => Target::Webhook(Box::new(self.webhook(webhook)?)),
            SinkConfig::Slack(slack) => {
                let url = self.secret("url", &slack.url, true)?;
                Target::Slack(self.post(url.expose(), slack.ca_file.as_deref())?)
            }
            SinkConfig::Teams(teams) => {
                let url = self.secret("url", &teams.url, true)?;
                Target::Teams(self.post(url.expose(), teams.ca_file.as_deref())?)
            }
            SinkConfig::PagerDuty(pagerduty) => self.pagerduty(pagerduty)?,
            SinkConfig::SplunkHec(splunk) => Target::SplunkHec(Box::new(self.splunk(splunk)?)),
            SinkConfig::Email(email) => Target::Email(Box::new(self.email(email)?)),
        })
    }

    fn file(&self, config: &FileConfig) -> Result<Lines, SinkError> {
        if config.path.file_name().is_none() {
            return Err(self.wrong("path: a file name is missing"));
        }
        let max_bytes = config.max_bytes.unwrap_or(DEFAULT_FILE_BYTES);
        if max_bytes == 0 {
            return Err(self.wrong("max_bytes: must be more than 0"));
        }
        let file = RotatingFile::new(&config.path, max_bytes, config.keep.unwrap_or(DEFAULT_FILES_KEPT));
        Ok(Lines::file(config.format, file))
    }

    fn webhook(&mut self, config: &WebhookConfig) -> Result<Webhook, SinkError> {
        let url = self.secret("url", &config.url, false)?;
        let url = http::url(url.expose()).map_err(|message| self.wrong(format!("url: {message}")))?;
        let mut given = Vec::new();
        for (name, value) in &config.headers {
            let credential = is_credential(name);
            let value = if credential || !value.is_plain() {
                self.secret(&format!("headers.{name}"), value, credential)?
            } else {
                // An ordinary value such as a content type must not be hidden in errors.
                value.resolve().map_err(|source| SinkError::Secret {
                    sink: self.name.to_owned(),
                    key: format!("headers.{name}"),
                    source,
                })?
            };
            given.push((name.as_str(), value));
        }
        let headers =
            headers(given.iter().map(|(name, value)| (*name, value))).map_err(|message| self.wrong(message))?;
        let template =
            config.template.as_deref().map(|source| Template::new(self.name, source, &headers)).transpose()?;
        let hmac_secret = match &config.hmac_secret {
            Some(secret) => Some(self.secret("hmac_secret", secret, true)?),
            None => None,
        };
        let method = match config.method {
            WebhookMethod::Post => Method::POST,
            WebhookMethod::Put => Method::PUT,
            WebhookMethod::Patch => Method::PATCH,
        };
        Ok(Webhook { client: self.client(config.ca_file.as_deref())?, method, url, headers, template, hmac_secret })
    }

    fn pagerduty(&mut self, config: &PagerDutyConfig) -> Result<Target, SinkError> {
        let key = self.secret("routing_key", &config.routing_key, true)?;
        let url = config.url.as_deref().unwrap_or(pagerduty::URL);
        Ok(Target::PagerDuty(self.post(url, config.ca_file.as_deref())?, key))
    }

    fn splunk(&mut self, config: &SplunkHecConfig) -> Result<splunk::SplunkHec, SinkError> {
        let token = self.secret("token", &config.token, true)?;
        let mut authorization = HeaderValue::from_str(&format!("Splunk {}", token.expose()))
            .map_err(|_| self.wrong("token: it has characters that no header may have"))?;
        authorization.set_sensitive(true);
        let text = |given: &Option<String>, default: &str| given.clone().unwrap_or_else(|| default.to_owned());
        Ok(splunk::SplunkHec {
            client: self.client(config.ca_file.as_deref())?,
            url: splunk::url(&config.url).map_err(|message| self.wrong(format!("url: {message}")))?,
            authorization,
            index: config.index.clone(),
            source: text(&config.source, "masthead"),
            sourcetype: text(&config.sourcetype, "masthead:finding"),
        })
    }

    fn email(&mut self, config: &EmailConfig) -> Result<Email, SinkError> {
        let password = match &config.password {
            Some(password) => Some(self.secret("password", password, true)?),
            None => None,
        };
        let login = match (config.username.as_deref(), password.as_ref()) {
            (Some(user), Some(password)) => Some((user, password.expose())),
            (None, None) => None,
            _ => return Err(self.wrong("`username` and `password` go together")),
        };
        let server = Server {
            url: &config.url,
            starttls: config.starttls.unwrap_or(true),
            login,
            ca_file: config.ca_file.as_deref(),
            timeout: self.whole,
        };
        Email::new(&server, &config.from, &config.to, self.authorities).map_err(|message| self.wrong(message))
    }
}

/// Whether a header of this name carries a credential.
fn is_credential(header: &str) -> bool {
    let header = header.to_ascii_lowercase();
    ["auth", "token", "key", "secret", "cookie", "password"].iter().any(|word| header.contains(word))
}
