//! The rows of rules that judge single events: what a finding shows.

use masthead_ir::FieldPath;
use masthead_ir::expr::{DOTTED_COLUMN, Expr};
use masthead_ir::pipeline::{Pipeline, Source, Stage};
use masthead_ir::rule::{EntityRole, EntityTemplate};

/// Columns that every finding shows where the event has them.
pub const CONTEXT: &[&str] = &[
    "verb",
    "user.username",
    "impersonatedUser.username",
    "sourceIPs{}",
    "userAgent",
    "objectRef.resource",
    "objectRef.subresource",
    "objectRef.namespace",
    "objectRef.name",
    "requestURI",
    "responseStatus.code",
];

/// The pipeline of a rule that judges single events: rows show [`CONTEXT`], what the condition reads, and `more`. A column of
/// a dotted name is shown under the name itself.
pub fn single(filter: Expr, more: impl IntoIterator<Item = FieldPath>) -> Pipeline {
    let paths = filter.fields().into_iter().chain(more).collect::<Vec<_>>();
    let stages = shown(paths);
    Pipeline { source: Source::Events { filter, range: None }, stages }
}

/// The stages that leave of rows what a finding shows: [`CONTEXT`] and these fields, each under its plain name.
pub fn shown(paths: impl IntoIterator<Item = FieldPath>) -> Vec<Stage> {
    let mut fields: Vec<String> = CONTEXT.iter().map(|name| (*name).to_owned()).collect();
    for path in paths {
        let Some(column) = path.column() else { continue };
        if column != "_raw" && !fields.iter().any(|known| *known == *column) {
            fields.push(column.into_owned());
        }
    }
    let plain = |column: &String| column.strip_prefix(DOTTED_COLUMN).map(|name| (column.clone(), name.to_owned()));
    let pairs: Vec<(String, String)> = fields.iter().filter_map(plain).collect();
    let mut stages = vec![Stage::Keep { fields, ordered: true }];
    if !pairs.is_empty() {
        stages.push(Stage::Rename(pairs));
    }
    stages
}

/// Who a single event is about: its user is at risk, its addresses point at the attacker.
pub fn entities(score: Option<i64>) -> Vec<EntityTemplate> {
    let entity = |field: &str, entity_type: &str, role, score| EntityTemplate {
        field: field.to_owned(),
        entity_type: entity_type.to_owned(),
        role,
        score,
        message: None,
    };
    vec![
        entity("user.username", "user", EntityRole::Risk, score),
        entity("sourceIPs{}", "ip_address", EntityRole::Threat, None),
    ]
}

#[cfg(test)]
mod tests {
    use masthead_ir::pattern::Pattern;

    use super::*;

    #[test]
    fn what_a_condition_reads_is_shown_under_its_plain_name() {
        let field = FieldPath::dotted("requestObject.spec.type");
        let pipeline = single(Expr::Test { field, pattern: Pattern::Present }, []);
        let [Stage::Keep { fields, ordered: true }, Stage::Rename(pairs)] = pipeline.stages.as_slice() else {
            panic!("{:?}", pipeline.stages)
        };
        assert_eq!(fields.last().unwrap(), "~requestObject.spec.type");
        assert_eq!(*pairs, [("~requestObject.spec.type".to_owned(), "requestObject.spec.type".to_owned())]);
    }
}
