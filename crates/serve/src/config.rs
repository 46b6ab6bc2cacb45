//! The configuration file.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use masthead_sinks::{Secret, SinksConfig};
use serde::{Deserialize, Deserializer};

/// What `masthead config print-default` prints: every key with its default and what it does. A test holds it to the code.
pub const DEFAULT: &str = include_str!("default.toml");

/// The whole configuration. Every key has a default.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the queue, the state and dead letters lie.
    pub data: DataConfig,
    /// Which rules run, and how.
    pub rules: RulesConfig,
    /// What scheduled searches see.
    pub windows: WindowsConfig,
    /// Where to listen.
    pub server: ServerConfig,
    /// Who may post events.
    pub ingest: IngestConfig,
    /// Files to follow.
    pub files: Vec<FilesConfig>,
    /// Findings' home.
    pub state: StateConfig,
    /// Risk of entities.
    pub risk: RiskConfig,
    /// When a source is said to be silent.
    pub silence: SilenceConfig,
    /// Logs of the service itself.
    pub log: LogConfig,
    /// Where findings go, by name.
    #[serde(rename = "sinks")]
    pub sink: BTreeMap<String, masthead_sinks::SinkConfig>,
    /// Which findings go where.
    pub route: Vec<masthead_sinks::RouteConfig>,
    /// How an address is made of a follow-up search (`https://splunk.example/search?q={search}`).
    pub drilldown_url: Option<String>,
}

/// `[data]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// The folder.
    pub folder: PathBuf,
    /// How many bytes of accepted events may wait to be evaluated.
    #[serde(deserialize_with = "bytes")]
    pub queue: u64,
    /// How long findings are kept, in days.
    pub keep_days: u32,
}

impl Default for DataConfig {
    fn default() -> DataConfig {
        DataConfig { folder: PathBuf::from("masthead-data"), queue: 4 << 30, keep_days: 400 }
    }
}

/// `[rules]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RulesConfig {
    /// Files and folders; empty: the built-in pack.
    pub paths: Vec<PathBuf>,
    /// Only rules whose id, name or file name matches one of these globs.
    pub only: Vec<String>,
    /// Whether rules that their authors switched off run too.
    pub include_disabled: bool,
    /// Dialect options by name.
    pub options: BTreeMap<String, String>,
    /// Files and folders of macros that replace those of the rules (`RULE_filter`).
    pub macros: Vec<PathBuf>,
    /// Files and folders of exceptions.
    pub exceptions: Vec<PathBuf>,
    /// A MaxMind-format database of places.
    pub geoip: Option<PathBuf>,
    /// How often rules and exceptions are looked at for changes; zero: only on SIGHUP.
    #[serde(deserialize_with = "duration")]
    pub reload: Duration,
    /// What is different from what a rule's file says, by rule id or name.
    pub overrides: BTreeMap<String, OverrideConfig>,
}

impl Default for RulesConfig {
    fn default() -> RulesConfig {
        RulesConfig {
            paths: Vec::new(),
            only: Vec::new(),
            include_disabled: false,
            options: BTreeMap::new(),
            macros: Vec::new(),
            exceptions: Vec::new(),
            geoip: None,
            reload: Duration::from_secs(2),
            overrides: BTreeMap::new(),
        }
    }
}

/// `[rules.overrides.RULE]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OverrideConfig {
    /// Whether it runs.
    pub enabled: Option<bool>,
    /// Its severity.
    pub severity: Option<masthead_ir::rule::Severity>,
    /// Its schedule, as five fields of cron.
    pub cron: Option<String>,
    /// How many matches a finding takes (rules that have a threshold).
    pub threshold: Option<u64>,
    /// `live` or `as-scheduled`.
    pub windows: Option<WindowMode>,
}

/// `[windows]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WindowsConfig {
    /// `live` or `as-scheduled`.
    pub mode: WindowMode,
    /// The window of a search without a schedule.
    #[serde(deserialize_with = "duration")]
    pub default: Duration,
    /// How late events may come.
    #[serde(deserialize_with = "duration")]
    pub lateness: Duration,
    /// How far the clocks of API servers may be ahead.
    #[serde(deserialize_with = "duration")]
    pub ahead: Duration,
    /// How much memory windows may take before rows go to temporary files.
    #[serde(deserialize_with = "bytes")]
    pub memory: u64,
    /// How many events are remembered to know doubles.
    pub doubles: usize,
}

impl Default for WindowsConfig {
    fn default() -> WindowsConfig {
        WindowsConfig {
            mode: WindowMode::Live,
            default: Duration::from_secs(3_600),
            lateness: Duration::from_secs(300),
            ahead: Duration::from_secs(300),
            memory: 128 << 20,
            doubles: 1 << 21,
        }
    }
}

/// What a scheduled search sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WindowMode {
    /// What came up to now, at once.
    #[default]
    Live,
    /// What its schedule says, when it says.
    AsScheduled,
}

/// `[server]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// The address.
    pub listen: SocketAddr,
    /// Certificate chain, PEM.
    pub tls_cert: Option<PathBuf>,
    /// Its key, PEM.
    pub tls_key: Option<PathBuf>,
    /// Who signs the certificates of clients (mTLS).
    pub client_ca: Option<PathBuf>,
    /// Whether to listen beyond loopback without TLS or tokens.
    pub insecure: bool,
    /// How many connections at once.
    pub connections: usize,
    /// How long a client may take to send the head of a request.
    #[serde(deserialize_with = "duration")]
    pub header_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 8470)),
            tls_cert: None,
            tls_key: None,
            client_ca: None,
            insecure: false,
            connections: 1_024,
            header_timeout: Duration::from_secs(15),
        }
    }
}

/// `[ingest]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngestConfig {
    /// The longest body, after decompression.
    #[serde(deserialize_with = "bytes")]
    pub max_body: u64,
    /// How long a client may pause while it sends a body.
    #[serde(deserialize_with = "duration")]
    pub body_timeout: Duration,
    /// Who may post, beside API tokens with the scope `ingest`.
    pub token: Vec<IngestToken>,
    /// What client certificates may do, by common name; empty: every certificate that `client_ca` signed may post.
    pub certificate: Vec<IngestCertificate>,
    /// The cluster of events that neither path, token nor certificate name.
    pub cluster: Option<String>,
    /// The log type that raw audit events are given (`Amazon.EKS.Audit`), for rules that ask for one.
    pub log_type: Option<String>,
}

impl Default for IngestConfig {
    fn default() -> IngestConfig {
        IngestConfig {
            max_body: 256 << 20,
            body_timeout: Duration::from_secs(20),
            token: Vec::new(),
            certificate: Vec::new(),
            cluster: None,
            log_type: None,
        }
    }
}

/// `[[ingest.token]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngestToken {
    /// Its name, as reports show it.
    pub name: String,
    /// The token.
    pub secret: Secret,
    /// The cluster of the events that come with it.
    pub cluster: Option<String>,
    /// Whether a HEC client asks for acknowledgements.
    #[serde(default)]
    pub hec_ack: bool,
}

/// `[[ingest.certificate]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngestCertificate {
    /// The common name.
    pub subject: String,
    /// The cluster of the events that come with it.
    pub cluster: Option<String>,
}

/// `[[files]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesConfig {
    /// A name, by which the place in each file is remembered.
    pub name: String,
    /// Which files, with `*`.
    pub paths: Vec<String>,
    /// Where to begin with files that were there at the first start: `beginning` or `end`.
    #[serde(default)]
    pub start: FilesStart,
    /// The cluster of their events.
    pub cluster: Option<String>,
    /// Their log type.
    pub log_type: Option<String>,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilesStart {
    /// With all that is in the file.
    #[default]
    Beginning,
    /// With what comes.
    End,
}

/// `[state]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StateConfig {
    /// `postgres://…`; none: a SQLite file in the data folder.
    pub url: Option<Secret>,
    /// The name of this process among several that share a database; by default that of the machine.
    pub node: Option<String>,
}

/// `[risk]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RiskConfig {
    /// The score over 24 hours at which an entity is a finding; 0: never.
    pub threshold: i64,
    /// From how many ATT&CK tactics of at least two rules within 7 days an entity is a finding; 0: never.
    pub tactics: u64,
    /// After how many hours a score counts half; none: it counts in full.
    pub half_life_hours: Option<u32>,
}

impl Default for RiskConfig {
    fn default() -> RiskConfig {
        RiskConfig { threshold: 100, tactics: 3, half_life_hours: None }
    }
}

/// `[silence]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SilenceConfig {
    /// After how long without an event a source that has sent some is a finding; zero: never.
    #[serde(deserialize_with = "duration")]
    pub after: Duration,
}

impl Default for SilenceConfig {
    fn default() -> SilenceConfig {
        SilenceConfig { after: Duration::from_secs(3_600) }
    }
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `text` or `json`.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, or directives of tracing.
    pub level: String,
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object a line.
    Json,
}

/// What is wrong with a configuration, with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {message}", path.display())]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1; 0 if it is no single one.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What, and a way out.
    pub message: String,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is no TOML, has a key that is not known, or values that do not go together.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let failed = |message: String| ConfigError { path: path.to_owned(), line: 0, column: 0, message };
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let mut config = Config::parse(&text, path)?;
        config.relative_to(path.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    /// Reads a text; `path` stands for it in errors.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
        let config: Config = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let before = text.get(..start).unwrap_or(text);
            ConfigError {
                path: path.to_owned(),
                line: before.matches('\n').count() + 1,
                column: before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1,
                message: suggest(error.message()),
            }
        })?;
        let failed = |message: String| ConfigError { path: path.to_owned(), line: 0, column: 0, message };
        config.check().map_err(failed)?;
        Ok(config)
    }

    /// Paths in a file are relative to it.
    fn relative_to(&mut self, folder: &Path) {
        let own = [&mut self.data.folder].into_iter();
        let rules = &mut self.rules;
        let lists = rules.paths.iter_mut().chain(&mut rules.exceptions).chain(&mut rules.macros);
        let server = &mut self.server;
        let single = [&mut server.tls_cert, &mut server.tls_key, &mut server.client_ca, &mut rules.geoip];
        for path in own.chain(lists).chain(single.into_iter().flatten()) {
            *path = folder.join(&*path);
        }
        for files in &mut self.files {
            for path in &mut files.paths {
                *path = folder.join(&*path).to_string_lossy().into_owned();
            }
        }
    }

    /// What does not go together. A change of a configuration that was read asks for it anew.
    ///
    /// # Errors
    /// What it is, and a way out.
    pub fn check(&self) -> Result<(), String> {
        let server = &self.server;
        if server.tls_cert.is_some() != server.tls_key.is_some() {
            return Err("`server.tls_cert` and `server.tls_key` belong together: give both, or none".to_owned());
        }
        if server.client_ca.is_some() && server.tls_cert.is_none() {
            return Err("`server.client_ca` asks clients for certificates, which needs `server.tls_cert`".to_owned());
        }
        if !server.listen.ip().is_loopback() && server.tls_cert.is_none() && !server.insecure {
            return Err(format!(
                "`server.listen` is {}, which others can reach, and there is no TLS: give `tls_cert` and `tls_key`, \
                 or say `insecure = true` (--insecure) if something before it takes care of that",
                server.listen
            ));
        }
        let mut names = std::collections::BTreeSet::new();
        for files in &self.files {
            if !names.insert(&files.name) {
                return Err(format!("there are two `[[files]]` with the name `{}`", files.name));
            }
        }
        for (index, route) in self.route.iter().enumerate() {
            for sink in &route.sinks {
                if !self.sink.contains_key(sink) {
                    return Err(format!("route {} leads to `{sink}`, and there is no `[sinks.{sink}]`", index + 1));
                }
            }
        }
        Ok(())
    }

    /// Sinks and routes.
    pub fn sinks(&self) -> SinksConfig {
        SinksConfig {
            sink: self.sink.clone(),
            route: self.route.clone(),
            drilldown_url: self.drilldown_url.clone(),
            timeout_seconds: None,
        }
    }

    /// The database's address: SQLite in the data folder unless told.
    ///
    /// # Errors
    /// When the secret that holds it cannot be read.
    pub fn state_url(&self) -> Result<String, String> {
        match &self.state.url {
            Some(url) => Ok(url.resolve().map_err(|error| format!("state.url: {error}"))?.expose().to_owned()),
            None => Ok(format!("sqlite:{}", self.data.folder.join("masthead.db").display())),
        }
    }

    /// The name of this process among several that share a database: that of the machine, unless told.
    pub fn node(&self) -> String {
        let machine = || match self.state.url {
            Some(_) => rustix::system::uname().nodename().to_string_lossy().into_owned(),
            None => "masthead".to_owned(),
        };
        self.state.node.clone().unwrap_or_else(machine)
    }
}

/// Adds the nearest name to a message about one that is not known.
fn suggest(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    let Some(wrong) = names.next().filter(|_| message.starts_with("unknown field")) else { return message.to_owned() };
    let nearest = names.max_by(|a, b| strsim::jaro_winkler(a, wrong).total_cmp(&strsim::jaro_winkler(b, wrong)));
    match nearest.filter(|name| strsim::jaro_winkler(name, wrong) > 0.7) {
        Some(nearest) => format!("unknown key `{wrong}`: did you mean `{nearest}`?"),
        None => message.replacen("unknown field", "unknown key", 1),
    }
}

/// A length of time: `90s`, `5m`, `1h 30m`.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let parsed: Result<jiff::SignedDuration, _> = text.parse();
    parsed
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .or_else(|| (text.trim() == "0").then_some(Duration::ZERO))
        .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no length of time: write `90s`, `5m` or `1h`")))
}

/// A number of bytes: `512KiB`, `4GiB`, or a number.
fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Size {
        Number(u64),
        Text(String),
    }
    let text = match Size::deserialize(deserializer)? {
        Size::Number(number) => return Ok(number),
        Size::Text(text) => text,
    };
    let digits = text.trim().trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim();
    let unit = text.trim()[digits.len()..].trim().to_ascii_lowercase();
    let shift = match unit.as_str() {
        "" | "b" => Some(0),
        "kib" | "k" => Some(10),
        "mib" | "m" => Some(20),
        "gib" | "g" => Some(30),
        "tib" | "t" => Some(40),
        _ => None,
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .zip(shift)
        .and_then(|(number, shift)| number.checked_mul(1 << shift))
        .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no size: write `512KiB`, `128MiB` or `4GiB`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("m.toml"))
    }

    #[test]
    fn the_printed_default_is_the_default() {
        let commented: String = DEFAULT.lines().map(|line| format!("{}\n", uncomment(line))).collect();
        let printed = parse(&commented).unwrap();
        let mut told = format!("{:?}", printed);
        let mut own = format!("{:?}", Config::default());
        // What has no default is shown as an example.
        for text in [&mut told, &mut own] {
            *text = text.split("files: [").next().unwrap_or_default().to_owned();
        }
        for key in ["token", "certificate", "overrides"] {
            assert!(DEFAULT.contains(key), "{key} is not explained");
        }
        let strip = |text: &str| {
            let examples = [
                "paths: [",
                "exceptions: [",
                "macros: [",
                "only: [",
                "options: {",
                "overrides: {",
                "token: [",
                "certificate: [",
            ];
            examples.iter().fold(text.to_owned(), |text, start| without(&text, start))
        };
        let nothing = |text: String| text.replace("Some(\"example\")", "None");
        assert_eq!(nothing(strip(&told)), strip(&own));
    }

    /// Settings stand in comments as `#key = value`, explanations as `# text`.
    fn uncomment(line: &str) -> &str {
        match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest,
            _ => line,
        }
    }

    /// A text without the bracket that begins so.
    fn without(text: &str, start: &str) -> String {
        let Some(at) = text.find(start) else { return text.to_owned() };
        let mut depth = 0;
        let from = at + start.len() - 1;
        for (offset, byte) in text[from..].bytes().enumerate() {
            depth += i32::from(matches!(byte, b'[' | b'{')) - i32::from(matches!(byte, b']' | b'}'));
            if depth == 0 {
                return format!("{}{}", &text[..at], &text[from + offset + 1..]);
            }
        }
        text.to_owned()
    }

    #[test]
    fn faults_have_a_place_and_a_way_out() {
        for (text, expected) in [
            (
                "[server]\nlisten = \"127.0.0.1:1\"\nlisten_on = 3\n",
                "m.toml:3:1: unknown key `listen_on`: did you mean `listen`?",
            ),
            ("[sever]\n", "m.toml:1:2: unknown key `sever`: did you mean `server`?"),
            ("[windows]\nlateness = \"soon\"\n", "m.toml:2:12: `soon` is no length of time: write `90s`, `5m` or `1h`"),
            ("[data]\nqueue = \"4 GB\"\n", "m.toml:2:9: `4 GB` is no size: write `512KiB`, `128MiB` or `4GiB`"),
            (
                "[server]\ntls_cert = \"a\"\n",
                "m.toml:0:0: `server.tls_cert` and `server.tls_key` belong together: give both, or none",
            ),
            ("[[route]]\nsinks = [\"x\"]\n", "m.toml:0:0: route 1 leads to `x`, and there is no `[sinks.x]`"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), expected, "{text}");
        }
        let open = parse("[server]\nlisten = \"0.0.0.0:8470\"\n").unwrap_err();
        assert!(open.message.contains("--insecure"), "{open}");
        assert!(parse("[server]\nlisten = \"0.0.0.0:8470\"\ninsecure = true\n").is_ok());
    }

    #[test]
    fn lengths_and_sizes_are_read() {
        let config = parse("[windows]\nlateness = \"1h 30m\"\nmemory = \"1GiB\"\n[rules]\nreload = \"0s\"\n").unwrap();
        assert_eq!(config.windows.lateness, Duration::from_secs(5_400));
        assert_eq!(config.windows.memory, 1 << 30);
        assert_eq!(config.rules.reload, Duration::ZERO);
    }
}
