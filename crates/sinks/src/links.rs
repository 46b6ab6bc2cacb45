//! Follow-up searches and references of a finding, as links where they can be.

use masthead_ir::finding::Finding;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use serde_json::Value as Json;

use crate::error::SinkError;
use crate::text;

/// How many are shown.
const MAX: usize = 5;
/// Longer addresses are not shown: Slack takes 3000 characters in all, browsers about 2000.
const MAX_URL: usize = 2000;
const PLACES: [&str; 5] = ["{search}", "{name}", "{earliest}", "{latest}", "{finding_id}"];

/// Something to go on with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FollowUp {
    /// What it is called; one line.
    pub(crate) name: String,
    /// Its address: http or https, without spaces, quotes, `<`, `>` and `|`.
    pub(crate) url: Option<String>,
    /// The search or text, where there is no address.
    pub(crate) text: Option<String>,
}

/// Makes addresses of searches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Links {
    template: Option<String>,
}

impl Links {
    /// Takes `drilldown_url` of the configuration.
    pub(crate) fn new(template: Option<&str>) -> Result<Links, SinkError> {
        let Some(template) = template else { return Ok(Links::default()) };
        let wrong = |message: String| SinkError::Setting { key: "drilldown_url", message };
        let mut filled = template.to_owned();
        for place in PLACES {
            filled = filled.replace(place, "x");
        }
        if filled.contains(['{', '}']) {
            return Err(wrong(format!("only {} are filled in", PLACES.join(", "))));
        }
        if web(&filled).is_none() {
            return Err(wrong("an address that begins with http:// or https:// is needed".to_owned()));
        }
        Ok(Links { template: Some(template.to_owned()) })
    }

    /// The follow-ups of a finding, and how many more there are.
    pub(crate) fn of(&self, finding: &Finding) -> (Vec<FollowUp>, usize) {
        let drilldowns = finding.details.get("drilldowns").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        let mut all: Vec<FollowUp> = Vec::new();
        for (key, name) in [("runbook", "Runbook"), ("reference", "Reference")] {
            let told = finding.details.get(key).and_then(Json::as_str).filter(|told| !told.trim().is_empty());
            all.extend(told.map(|told| follow_up(name, web(told.trim()), told)));
        }
        let room = MAX.saturating_sub(all.len());
        all.extend(drilldowns.iter().take(room).map(|drilldown| self.drilldown(drilldown, finding)));
        (all, drilldowns.len().saturating_sub(room))
    }

    fn drilldown(&self, drilldown: &Json, finding: &Finding) -> FollowUp {
        let told = |key: &str| drilldown.get(key).and_then(Json::as_str).filter(|told| !told.trim().is_empty());
        let search = told("search").unwrap_or_default();
        let name = told("name").unwrap_or("Follow-up search");
        let own = told("url").and_then(|url| web(url.trim()));
        let url = own.or_else(|| {
            let template = self.template.as_deref()?;
            let times = [
                told("earliest").or(finding.first_seen.as_deref()).unwrap_or_default(),
                told("latest").or(finding.last_seen.as_deref()).unwrap_or_default(),
            ];
            web(&fill(template, [search, name, times[0], times[1], &finding.finding_id]))
        });
        follow_up(name, url, search)
    }
}

fn follow_up(name: &str, url: Option<String>, text: &str) -> FollowUp {
    let text = url.is_none().then(|| text::clean(text.trim(), 500)).filter(|text| !text.is_empty());
    FollowUp { name: text::line(name, 100), url, text }
}

/// Fills the places, in the order of [`PLACES`]. What is filled in is not looked at again.
fn fill(template: &str, values: [&str; 5]) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        match PLACES.iter().zip(values).find(|(place, _)| rest.starts_with(*place)) {
            Some((place, value)) => {
                out.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
                rest = &rest[place.len()..];
            }
            None => {
                out.push('{');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

/// The address in a form that is safe in every message, if it is one of the web.
fn web(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())?;
    let url = url.as_str().replace('|', "%7C").replace('\'', "%27").replace(['<', '>', '"', ' '], "");
    (url.len() <= MAX_URL).then_some(url)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sample_finding;

    fn with(drilldown: Json) -> Finding {
        let mut finding = sample_finding();
        finding.details.clear();
        finding.details.insert("drilldowns".to_owned(), json!([drilldown]));
        finding
    }

    #[test]
    fn a_search_becomes_a_link_with_encoded_parts() {
        let links = Links::new(Some("https://s.example/search?q={search}&from={earliest}&id={finding_id}")).unwrap();
        let finding = with(json!({"name": "All of a|b", "search": "user=\"{name}\" | stats count"}));
        let (found, more) = links.of(&finding);
        assert_eq!(more, 0);
        assert_eq!(found[0].name, "All of a|b");
        assert_eq!(
            found[0].url.as_deref(),
            Some(
                "https://s.example/search?q=user%3D%22%7Bname%7D%22%20%7C%20stats%20count&from=2026%2D01%2D01T00%3A00%3A00Z\
                 &id=00000000%2D0000%2D5000%2D8000%2D000000000000"
            )
        );
        assert_eq!(found[0].text, None);
    }

    #[test]
    fn what_is_no_address_of_the_web_is_text() {
        let (found, _) = Links::default().of(&with(json!({"name": "n", "search": "s", "url": "javascript:alert(1)"})));
        assert_eq!(found, [FollowUp { name: "n".to_owned(), url: None, text: Some("s".to_owned()) }]);
        let (found, _) = Links::default().of(&with(json!({"name": "n", "url": "https://x.example/a|b>c"})));
        assert_eq!(found[0].url.as_deref(), Some("https://x.example/a%7Cb%3Ec"));
    }

    #[test]
    fn no_more_than_five() {
        let mut finding = sample_finding();
        let many: Vec<Json> = (0..9).map(|n| json!({"name": n.to_string(), "search": "s"})).collect();
        finding.details.insert("drilldowns".to_owned(), Json::Array(many));
        // The reference of the sample is one of the five.
        let (found, more) = Links::default().of(&finding);
        assert_eq!((found.len(), more), (5, 5));
    }

    #[test]
    fn a_wrong_template_is_refused() {
        assert!(Links::new(Some("https://s.example/{user}")).is_err());
        assert!(Links::new(Some("ftp://s.example/{search}")).is_err());
    }
}
