//! The front-end.

use std::sync::Arc;

use masthead_ir::rule::{CompileOptions, RuleSet};
use masthead_rulefile::{Corpus, Dialect, RuleFile};

use crate::feed::Feeds;
use crate::template::{ALARM, COMPOSITE_ALARM, METRIC_FILTER, Template};
use crate::{alarm, filter};

/// The front-end's name.
pub(crate) const NAME: &str = "cloudwatch";

/// CloudWatch Logs metric filters and CloudWatch alarms, as CloudFormation templates in YAML have them.
#[derive(Debug, Clone, Copy, Default)]
pub struct CloudWatch;

impl Dialect for CloudWatch {
    fn name(&self) -> &'static str {
        NAME
    }

    fn claims(&self, file: &RuleFile) -> bool {
        Template::of(file).is_some()
    }

    /// Filters are compiled before alarms: an alarm may stand in another file than the filters of its metric.
    fn compile(&self, _corpus: &Corpus, files: &[Arc<RuleFile>], _options: &CompileOptions) -> RuleSet {
        let templates: Vec<Template<'_>> = files.iter().filter_map(|file| Template::of(file)).collect();
        let mut feeds = Feeds::default();
        let mut rules = Vec::new();
        for kind in [METRIC_FILTER, ALARM, COMPOSITE_ALARM] {
            for (at, template) in templates.iter().enumerate() {
                for (place, resource) in template.resources.iter().enumerate().filter(|(_, r)| r.kind == kind) {
                    let compiled = match kind {
                        METRIC_FILTER => filter::compile(template, resource, &mut feeds),
                        ALARM => alarm::compile(template, resource, &feeds),
                        _ => alarm::composite(template, resource),
                    };
                    rules.push((at, place, compiled));
                }
            }
        }
        rules.sort_by(|(at, place, a), (other_at, other_place, b)| {
            a.path.cmp(&b.path).then((at, place).cmp(&(other_at, other_place)))
        });
        RuleSet { rules: rules.into_iter().map(|(_, _, compiled)| compiled).collect(), ..RuleSet::default() }
    }
}
