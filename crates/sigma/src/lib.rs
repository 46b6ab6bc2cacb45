//! Front-end for Sigma rules, correlations, filters and processing pipelines: YAML to IR.

#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::sync::Arc;

use masthead_ir::rule::{CompileOptions, RuleSet};
use masthead_rulefile::{Corpus, Dialect, RuleFile};

/// The front-end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sigma;

/// Code and meaning of every diagnostic of this front-end.
pub const CODES: &[(&str, &str)] = &[];

impl Dialect for Sigma {
    fn name(&self) -> &'static str {
        "sigma"
    }

    fn claims(&self, _file: &RuleFile) -> bool {
        false
    }

    fn compile(&self, _corpus: &Corpus, _files: &[Arc<RuleFile>], _options: &CompileOptions) -> RuleSet {
        RuleSet::default()
    }
}
