//! Rules found by words.

use std::sync::Arc;

use masthead_ir::rule::Rule;
use serde::Serialize;

use crate::listing::{self, Listed};
use crate::table::{Align, Table};
use crate::{attack, condition};

/// A rule that has all words of a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// The rule.
    pub rule: Listed,
    /// How well it fits; only good to be compared with other hits of the same query.
    pub score: u32,
    /// The best place of each word, in the order of the query.
    pub places: Vec<(String, Place)>,
}

/// Where a word was found. A place before another one counts more than it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the name.
    Name,
    /// In the id, or in the id or the name of an ATT&CK technique.
    Id,
    /// In a tag or reference.
    Tag,
    /// In the description.
    Description,
    /// In the name of a field that is tested, or in what it is compared with.
    Test,
}

impl Place {
    fn weight(self) -> u32 {
        match self {
            Place::Name => 10_000,
            Place::Id => 1_000,
            Place::Tag => 100,
            Place::Description => 10,
            Place::Test => 1,
        }
    }

    fn shown(self) -> &'static str {
        match self {
            Place::Name => "name",
            Place::Id => "id or technique",
            Place::Tag => "tag",
            Place::Description => "description",
            Place::Test => "fields and values",
        }
    }
}

/// The rules that have every word of the query somewhere, case aside; the best come first. A query without words finds none.
pub fn search(rules: &[Arc<Rule>], query: &str) -> Vec<Hit> {
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    if words.is_empty() {
        return Vec::new();
    }
    let mut hits: Vec<Hit> = rules.iter().filter_map(|rule| hit(rule, &words)).collect();
    hits.sort_by(|a, b| {
        let key = |hit: &Hit| (hit.rule.name.clone(), hit.rule.id.clone());
        b.score.cmp(&a.score).then_with(|| key(a).cmp(&key(b)))
    });
    hits
}

fn hit(rule: &Rule, words: &[String]) -> Option<Hit> {
    let texts = texts(rule);
    let mut score = 0u32;
    let mut places = Vec::with_capacity(words.len());
    for word in words {
        let (place, text) = texts.iter().find(|(_, text)| text.contains(word.as_str()))?;
        // A word on its own says more than a part of one.
        let whole = text.split(|c: char| !c.is_alphanumeric()).any(|part| part == word);
        score = score.saturating_add(place.weight() * if whole { 3 } else { 2 });
        places.push((word.clone(), *place));
    }
    Some(Hit { rule: Listed::of(rule), score, places })
}

/// All that is searched, in lower case, the weightiest first.
fn texts(rule: &Rule) -> Vec<(Place, String)> {
    let mut texts = vec![(Place::Name, rule.name.clone()), (Place::Id, rule.id.clone())];
    for id in &rule.attack {
        texts.push((Place::Id, id.clone()));
        texts.extend(attack::technique(id).map(|technique| (Place::Id, technique.name.to_owned())));
    }
    texts.extend(rule.tags.iter().chain(&rule.guide.references).map(|tag| (Place::Tag, tag.clone())));
    texts.push((Place::Description, rule.description.clone()));
    texts.extend(condition::fields(rule).into_iter().map(|field| (Place::Test, field)));
    texts.extend(condition::values(rule).into_iter().map(|value| (Place::Test, value)));
    for (_, text) in &mut texts {
        *text = text.to_lowercase();
    }
    texts
}

/// The hits as a table of plain text.
pub fn text(hits: &[Hit]) -> String {
    let names = ["severity", "dialect", "name", "ATT&CK", "found in", "id", "path"];
    let mut table = Table::new(names.map(|name| (name, Align::Left)));
    for Hit { rule, places, .. } in hits {
        let mut found: Vec<Place> = places.iter().map(|(_, place)| *place).collect();
        found.sort_unstable();
        found.dedup();
        table.row(vec![
            listing::severity(rule.severity).to_owned(),
            rule.dialect.to_owned(),
            rule.name.clone(),
            rule.attack.join(" "),
            found.into_iter().map(Place::shown).collect::<Vec<_>>().join(", "),
            rule.id.clone(),
            rule.path.clone(),
        ]);
    }
    table.text()
}
