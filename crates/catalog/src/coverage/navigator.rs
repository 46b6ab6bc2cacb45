//! A layer for the ATT&CK Navigator.

use serde_json::{Value as Json, json};

use super::{Coverage, TechniqueCover};
use crate::attack;
use crate::table::rules;

impl Coverage {
    /// A layer of the ATT&CK Navigator (layer format 4.5, <https://github.com/mitre-attack/attack-navigator>, `layers/spec`):
    /// the score of a technique is the number of its rules, its comment their names. The layer shows the Containers platform;
    /// techniques of other platforms are in it, and seen when its filter is widened.
    pub fn navigator(&self, name: &str) -> Json {
        let most = self.techniques.iter().map(|cover| cover.number).max().unwrap_or(1);
        json!({
            "name": name,
            "versions": {"attack": attack::VERSION, "navigator": "5.2.0", "layer": "4.5"},
            "domain": "enterprise-attack",
            "description": rules(self.counted),
            "filters": {"platforms": ["Containers"]},
            "sorting": 3,
            "layout": {
                "layout": "side", "aggregateFunction": "max", "showID": true, "showName": true,
                "showAggregateScores": false, "countUnscored": false, "expandedSubtechniques": "annotated",
            },
            "hideDisabled": false,
            "techniques": self.techniques.iter().map(|cover| self.technique(cover)).collect::<Vec<_>>(),
            "gradient": {"colors": ["#ffffff", "#8ec843"], "minValue": 0, "maxValue": most},
            "legendItems": [],
            "metadata": [],
            "links": [],
            "showTacticRowBackground": false,
            "selectTechniquesAcrossTactics": true,
            "selectSubtechniquesWithParent": false,
            "selectVisibleTechniques": false,
        })
    }

    fn technique(&self, cover: &TechniqueCover) -> Json {
        let names: Vec<&str> = cover.rules.values().flatten().map(|rule| rule.name.as_str()).collect();
        let counts = cover.rules.iter();
        let metadata: Vec<Json> =
            counts.map(|(dialect, rules)| json!({"name": dialect, "value": rules.len().to_string()})).collect();
        let part = format!("{}.", cover.id);
        json!({
            "techniqueID": cover.id,
            "score": cover.number,
            "comment": names.join("\n"),
            "enabled": true,
            "metadata": metadata,
            "links": [],
            "showSubtechniques": self.techniques.iter().any(|other| other.id.starts_with(&part)),
        })
    }
}
