//! Front-end for Elastic detection rules: TOML with KQL, Lucene, EQL and ES|QL to IR.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod esql;

use std::sync::Arc;

use masthead_ir::rule::{CompileOptions, RuleSet};
use masthead_rulefile::{Corpus, Dialect, RuleFile};

/// The front-end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Elastic;

/// Code and meaning of every diagnostic of this front-end.
pub const CODES: &[(&str, &str)] = &[];

impl Dialect for Elastic {
    fn name(&self) -> &'static str {
        "elastic"
    }

    fn claims(&self, _file: &RuleFile) -> bool {
        false
    }

    fn compile(&self, _corpus: &Corpus, _files: &[Arc<RuleFile>], _options: &CompileOptions) -> RuleSet {
        RuleSet::default()
    }
}
