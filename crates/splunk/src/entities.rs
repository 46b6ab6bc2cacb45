//! Who is at risk and what points at the attacker, as the three generations say it.

use masthead_ir::rule::{EntityRole, EntityTemplate, Kind, Severity};
use masthead_rulefile::Node;

use crate::fields::Reader;

/// What a rule tells of a match.
#[derive(Debug, Default)]
pub(crate) struct Telling<'n> {
    /// The title, if the rule gives one of its own.
    pub(crate) title: Option<&'n Node>,
    /// The message, if there is one for the whole match.
    pub(crate) message: Option<&'n Node>,
    pub(crate) entities: Vec<EntityTemplate>,
    /// Where each entity's field stands, in the order of `entities`.
    pub(crate) places: Vec<&'n Node>,
    /// Messages of single entities.
    pub(crate) messages: Vec<&'n Node>,
}

/// Reads the keys of whichever generation the rule is of.
pub(crate) fn telling<'n>(node: &'n Node, tags: &'n Node, reader: &mut Reader<'_>) -> Telling<'n> {
    let mut telling = Telling::default();
    if ["finding", "intermediate_findings", "threat_objects"].iter().any(|key| node.get(key).is_some()) {
        telling.read_findings(node, reader);
    } else if let Some(rba) = node.get("rba").filter(|rba| !rba.is_null()) {
        telling.read_rba(rba, reader);
    } else {
        telling.read_tags(tags, reader);
    }
    telling
}

impl<'n> Telling<'n> {
    /// ESCU 6: `finding`, `intermediate_findings`, `threat_objects`.
    fn read_findings(&mut self, node: &'n Node, reader: &mut Reader<'_>) {
        if let Some(finding) = node.get("finding").filter(|node| !node.is_null()) {
            self.title = finding.get("title");
            if reader.required(finding, "title", "the finding").is_some()
                && let Some(entity) = finding.get("entity")
            {
                self.risk(entity, reader);
            }
        }
        if let Some(intermediate) = node.get("intermediate_findings") {
            for entity in reader.list(intermediate, "entities") {
                self.risk(entity, reader);
            }
        }
        self.threats(node, reader);
        self.message = self.title.or(self.messages.first().copied());
    }

    /// ESCU 5: `rba`.
    fn read_rba(&mut self, rba: &'n Node, reader: &mut Reader<'_>) {
        if rba.entries().is_empty() {
            reader.wrong_type(rba, "rba", "a mapping");
            return;
        }
        if reader.required(rba, "message", "`rba`").is_some() {
            self.message = rba.get("message");
        }
        for entity in reader.list(rba, "risk_objects") {
            self.risk(entity, reader);
        }
        self.threats(rba, reader);
    }

    /// ESCU 4: `tags.observable`, one score for all of them.
    fn read_tags(&mut self, tags: &'n Node, reader: &mut Reader<'_>) {
        if reader.text(tags, "message").is_some() {
            self.message = tags.get("message");
        }
        let score = tag_score(tags, reader);
        for observable in reader.list(tags, "observable") {
            let Some(field) = reader.required(observable, "name", "the observable") else { continue };
            let kind = reader.text(observable, "type").unwrap_or("Other");
            let roles = reader.texts(observable, "role");
            let is = |role: &str| roles.iter().any(|given| given.eq_ignore_ascii_case(role));
            // As ESCU's build decides it: whoever has another role, or is a victim of another type, is at risk as `other`.
            let risk = risk_type(kind);
            let (role, entity_type, score) = if is("Victim") && risk != "other" {
                (EntityRole::Risk, risk.to_owned(), score)
            } else if is("Attacker") {
                (EntityRole::Threat, threat_type(kind), None)
            } else {
                (EntityRole::Risk, "other".to_owned(), score)
            };
            self.entities.push(EntityTemplate { field: field.to_owned(), entity_type, role, score, message: None });
            self.places.push(observable.get("name").unwrap_or(observable));
        }
    }

    fn risk(&mut self, entity: &'n Node, reader: &mut Reader<'_>) {
        let Some(field) = reader.required(entity, "field", "the entity") else { return };
        let entity_type = risk_type(reader.text(entity, "type").unwrap_or("other")).to_owned();
        let message = reader.text(entity, "message").map(str::to_owned);
        if message.is_some() {
            self.messages.extend(entity.get("message"));
        }
        let score = reader.integer(entity, "score");
        let field = field.to_owned();
        self.entities.push(EntityTemplate { field, entity_type, role: EntityRole::Risk, score, message });
        self.places.push(entity.get("field").unwrap_or(entity));
    }

    fn threats(&mut self, parent: &'n Node, reader: &mut Reader<'_>) {
        for threat in reader.list(parent, "threat_objects") {
            let Some(field) = reader.required(threat, "field", "the threat object") else { continue };
            let entity_type = threat_type(reader.text(threat, "type").unwrap_or("other"));
            let field = field.to_owned();
            let role = EntityRole::Threat;
            self.entities.push(EntityTemplate { field, entity_type, role, score: None, message: None });
            self.places.push(threat.get("field").unwrap_or(threat));
        }
    }

    /// How bad a match is, by the highest score (contentctl's bounds). A score of nothing counts as none.
    pub(crate) fn severity(&self, kind: Kind, tags: &Node) -> Severity {
        let own = tags.get("risk_score").and_then(Node::as_i64);
        let highest = self.entities.iter().filter_map(|entity| entity.score).chain(own).max().unwrap_or(0);
        match highest {
            ..=0 if kind == Kind::Finding => Severity::High,
            ..=20 => Severity::Informational,
            21..=40 => Severity::Low,
            41..=60 => Severity::Medium,
            61..=80 => Severity::High,
            _ => Severity::Critical,
        }
    }
}

/// `tags.risk_score`, or what it is computed from.
fn tag_score(tags: &Node, reader: &mut Reader<'_>) -> Option<i64> {
    if let Some(score) = reader.integer(tags, "risk_score") {
        return Some(score);
    }
    let (confidence, impact) = (reader.integer(tags, "confidence")?, reader.integer(tags, "impact")?);
    confidence.checked_mul(impact).map(|product| product / 100)
}

/// `IP Address` and `ip_address` are one type.
fn canonical(kind: &str) -> String {
    kind.trim().to_ascii_lowercase().replace([' ', '-'], "_")
}

/// The type of a risk object. ESCU 4 gives the type of an observable instead; its build maps them like this.
fn risk_type(kind: &str) -> &'static str {
    match canonical(kind).as_str() {
        "user" | "username" | "user_name" | "email" | "email_address" => "user",
        "system" | "hostname" | "endpoint" | "ip_address" | "device" => "system",
        _ => "other",
    }
}

fn threat_type(kind: &str) -> String {
    let kind = canonical(kind);
    match kind.as_str() {
        "url_string" => "url".to_owned(),
        _ => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::{risk_type, threat_type};

    #[test]
    fn types_ignore_case_and_spaces() {
        assert_eq!(
            [risk_type("IP Address"), risk_type("User Name"), risk_type("Process")],
            ["system", "user", "other"]
        );
        assert_eq!([threat_type("IP Address"), threat_type("URL String")], ["ip_address", "url"]);
    }
}
