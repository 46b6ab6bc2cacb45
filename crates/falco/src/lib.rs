//! Front-end for Falco rules over the k8saudit plugin: YAML and filter expressions to IR.

#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::sync::Arc;

use masthead_ir::rule::{CompileOptions, RuleSet};
use masthead_rulefile::{Corpus, Dialect, RuleFile};

/// The front-end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Falco;

/// Code and meaning of every diagnostic of this front-end.
pub const CODES: &[(&str, &str)] = &[];

impl Dialect for Falco {
    fn name(&self) -> &'static str {
        "falco"
    }

    fn claims(&self, _file: &RuleFile) -> bool {
        false
    }

    fn compile(&self, _corpus: &Corpus, _files: &[Arc<RuleFile>], _options: &CompileOptions) -> RuleSet {
        RuleSet::default()
    }
}
