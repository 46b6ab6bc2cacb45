//! What the manual leaves open, or what its letter makes useless: named options.

use std::collections::BTreeMap;

use masthead_ir::expr::{Expr, FieldPath, Func};
use masthead_ir::pattern::Differs;
use masthead_ir::pipeline::Stage;

/// Options by name: values, default, meaning.
pub const OPTIONS: &[(&str, &str, &str, &str)] = &[
    (
        "splunk.fillnull",
        "strict, lenient",
        "strict",
        "whether `fillnull` without fields fills only fields that some event has, as Splunk does, so that `stats … by` a field \
         that none has gives nothing; or those that the next `stats` groups by, too",
    ),
    (
        "splunk.iplocation-unknown",
        "empty, absent",
        "empty",
        "whether the place of an address that the database does not know is empty text or no field at all, so that `stats … by \
         Country` drops the row",
    ),
    (
        "splunk.mv-not-equal",
        "some, every",
        "some",
        "whether `field!=value` holds for a field of several values if some of them differ, or only if every one does",
    ),
];

/// Options as they were chosen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    pub(super) not_equal: Differs,
    lenient_fill: bool,
    unknown_place_absent: bool,
}

impl Options {
    pub(super) fn of(chosen: &BTreeMap<String, String>) -> Options {
        let is = |name: &str, value: &str| chosen.get(name).is_some_and(|chosen| chosen == value);
        Options {
            not_equal: if is("splunk.mv-not-equal", "every") { Differs::EveryValue } else { Differs::SomeValue },
            lenient_fill: is("splunk.fillnull", "lenient"),
            unknown_place_absent: is("splunk.iplocation-unknown", "absent"),
        }
    }

    /// Stages as the options want them.
    pub(super) fn apply(self, stages: Vec<Stage>) -> Vec<Stage> {
        let mut out = Vec::with_capacity(stages.len());
        let mut filling: Option<String> = None;
        for stage in stages {
            match &stage {
                Stage::Fill { fields, value } if fields.is_empty() && self.lenient_fill => {
                    filling = Some(value.clone())
                }
                Stage::Aggregate(aggregation) => {
                    if let Some(value) = filling.take().filter(|_| !aggregation.by.is_empty()) {
                        out.push(Stage::Fill { fields: aggregation.by.clone(), value });
                    }
                }
                _ => {}
            }
            let places = match &stage {
                Stage::GeoIp { prefix, all, .. } if self.unknown_place_absent => places(prefix, *all),
                _ => Vec::new(),
            };
            out.push(stage);
            out.extend(places.into_iter().map(without_empty));
        }
        out
    }
}

/// The fields that `iplocation` makes.
fn places(prefix: &str, all: bool) -> Vec<String> {
    let more: &[&str] = if all { &["Continent", "MetroCode", "Timezone"] } else { &[] };
    ["City", "Country", "Region", "lat", "lon"].iter().chain(more).map(|name| format!("{prefix}{name}")).collect()
}

fn without_empty(field: String) -> Stage {
    let value = Expr::Field(FieldPath::flat(&field));
    let empty = Expr::Literal(masthead_ir::Value::text(""));
    Stage::Assign { field, expr: Expr::Call { func: Func::NullIf, args: vec![value, empty] } }
}
