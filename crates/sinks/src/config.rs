//! The configuration, as it stands in `masthead.toml`.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;

use masthead_ir::rule::{Kind, Severity};
use serde::Deserialize;

use crate::secret::Secret;

/// The sinks and the routes to them.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SinksConfig {
    /// `[sinks.NAME]`: where findings can go.
    #[serde(rename = "sinks")]
    pub sink: BTreeMap<String, SinkConfig>,
    /// `[[route]]`: which findings go where. Without any, every sink gets every finding of the kind `finding`.
    pub route: Vec<RouteConfig>,
    /// How an address is made of a follow-up search: `https://splunk.example/search?q={search}`. `{search}`, `{name}`, `{earliest}`,
    /// `{latest}` and `{finding_id}` are filled in, percent-encoded. Without it such searches are shown as text.
    pub drilldown_url: Option<String>,
    /// How long one delivery may take, in seconds; 30 if not given.
    pub timeout_seconds: Option<NonZeroU32>,
}

/// One sink.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SinkConfig {
    /// Lines on the standard output.
    Stdout(StdoutConfig),
    /// Lines in a file.
    File(FileConfig),
    /// An HTTP request to any address.
    Webhook(WebhookConfig),
    /// A message in a Slack channel, by an incoming webhook.
    Slack(SlackConfig),
    /// An event of PagerDuty (Events API v2).
    #[serde(rename = "pagerduty")]
    PagerDuty(PagerDutyConfig),
    /// A card in a Microsoft Teams channel, by a workflow's webhook.
    Teams(TeamsConfig),
    /// Events of a Splunk HTTP Event Collector.
    SplunkHec(SplunkHecConfig),
    /// E-mail.
    Email(EmailConfig),
}

/// How a finding is written on a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The finding's own JSON.
    #[default]
    Jsonl,
    /// OCSF Detection Finding.
    Ocsf,
}

/// `type = "stdout"`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StdoutConfig {
    /// How a line looks.
    pub format: Format,
}

/// `type = "file"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    /// The file, which is appended to.
    pub path: PathBuf,
    /// How a line looks.
    #[serde(default)]
    pub format: Format,
    /// At this size the file is renamed to `….1` and a new one begun; 100 MiB if not given.
    pub max_bytes: Option<u64>,
    /// How many renamed files stay; 5 if not given.
    pub keep: Option<u32>,
}

/// `type = "webhook"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// The address. It may be a secret, because many addresses carry one.
    pub url: Secret,
    /// The method.
    #[serde(default)]
    pub method: WebhookMethod,
    /// More headers.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// The body as a Jinja template with `finding` (the first), `findings`, `count`. Where the content type is JSON, `{{ finding.title }}`
    /// writes a whole JSON value, quotes included. Without it the body is `{"findings": […], "count": n}`.
    pub template: Option<String>,
    /// The key of the signature in `X-Masthead-Signature`; none: no signature.
    pub hmac_secret: Option<Secret>,
    /// A PEM file with authorities to trust besides those of the system.
    pub ca_file: Option<PathBuf>,
}

/// The methods of a webhook.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum WebhookMethod {
    #[default]
    Post,
    Put,
    Patch,
}

/// `type = "slack"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlackConfig {
    /// The address of the incoming webhook.
    pub url: Secret,
    /// A PEM file with authorities to trust besides those of the system.
    pub ca_file: Option<PathBuf>,
}

/// `type = "pagerduty"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagerDutyConfig {
    /// The integration's key.
    pub routing_key: Secret,
    /// The address of the Events API; `https://events.pagerduty.com/v2/enqueue` if not given.
    pub url: Option<String>,
    /// A PEM file with authorities to trust besides those of the system.
    pub ca_file: Option<PathBuf>,
}

/// `type = "teams"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamsConfig {
    /// The address of the workflow.
    pub url: Secret,
    /// A PEM file with authorities to trust besides those of the system.
    pub ca_file: Option<PathBuf>,
}

/// `type = "splunk_hec"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplunkHecConfig {
    /// The collector; `/services/collector/event` is added where there is no path.
    pub url: String,
    /// The token.
    pub token: Secret,
    /// The index; the token's own if not given.
    pub index: Option<String>,
    /// The source; `masthead` if not given.
    pub source: Option<String>,
    /// The sourcetype; `masthead:finding` if not given.
    pub sourcetype: Option<String>,
    /// A PEM file with authorities to trust besides those of the system.
    pub ca_file: Option<PathBuf>,
}

/// `type = "email"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// `smtp://host:587` or `smtps://host:465`.
    pub url: String,
    /// Who sends.
    pub from: String,
    /// Who receives.
    pub to: Vec<String>,
    /// Whether `smtp://` must go over to TLS (STARTTLS) before anything is sent; yes if not given.
    pub starttls: Option<bool>,
    /// The user, where the server wants one.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// A PEM file with authorities to trust besides those of the system.
    pub ca_file: Option<PathBuf>,
}

/// Which findings go to which sinks, and how they are gathered there. Empty conditions hold for everything.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouteConfig {
    /// The sinks; none: what matches is not sent.
    pub sinks: Vec<String>,
    /// The lowest severity.
    pub severity: Option<Severity>,
    /// Patterns (`*`, `?`, `[…]`, `{a,b}`) for the rule's id or name.
    pub rules: Vec<String>,
    /// Patterns for one of the rule's tags.
    pub tags: Vec<String>,
    /// Patterns for the cluster. A finding without a cluster does not match.
    pub clusters: Vec<String>,
    /// The kinds; only `finding` if empty.
    pub kinds: Vec<Kind>,
    /// What findings in one message have in common.
    pub group_by: Option<Vec<GroupKey>>,
    /// How long to wait for more findings of a group, in seconds.
    pub group_wait_seconds: Option<u32>,
    /// How many messages a minute.
    pub rate_per_minute: Option<NonZeroU32>,
    /// Whether the routes after this one are looked at too.
    #[serde(rename = "continue")]
    pub continues: bool,
}

/// What findings can have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupKey {
    /// The rule's id.
    Rule,
    /// The severity.
    Severity,
    /// The cluster.
    Cluster,
    /// All entities at risk; where none is at risk, all entities.
    Entity,
}
