//! What a front-end is to the rest.

use std::sync::Arc;

use masthead_ir::rule::{CompileOptions, RuleSet};

use crate::corpus::{Corpus, RuleFile};

/// A front-end: files of one dialect to the intermediate representation.
pub trait Dialect: Sync {
    /// Its name, in lower case.
    fn name(&self) -> &'static str;

    /// Whether a file is of this dialect, rule or shared content. Only one front-end may claim a file.
    fn claims(&self, file: &RuleFile) -> bool;

    /// Compiles the files that it claimed. Whatever is wrong with a file is a diagnostic; the others are compiled.
    fn compile(&self, corpus: &Corpus, files: &[Arc<RuleFile>], options: &CompileOptions) -> RuleSet;
}
