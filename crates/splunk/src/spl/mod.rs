//! SPL to pipelines (stand-in until the compiler is merged).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use masthead_ir::Level;
use masthead_ir::pipeline::Pipeline;

/// What a search may refer to.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Macros by name and number of arguments.
    pub macros: BTreeMap<(String, usize), Macro>,
    /// Columns of lookups by name.
    pub tables: BTreeMap<String, Vec<String>>,
    /// Options by name.
    pub options: BTreeMap<String, String>,
    /// The definition of a macro that is not there.
    pub missing_macro: fn(&str) -> Option<String>,
}

/// A macro.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Macro {
    /// Names of arguments.
    pub args: Vec<String>,
    /// Its text.
    pub definition: String,
    /// Whether the text is an eval expression.
    pub iseval: bool,
}

/// What became of a search.
#[derive(Debug, Clone)]
pub struct Compilation {
    /// The pipeline.
    pub pipeline: Option<Pipeline>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Macros.
    pub macros_used: BTreeSet<String>,
    /// Lookups read.
    pub lookups_used: BTreeSet<String>,
    /// Lookups written.
    pub lookups_written: BTreeSet<String>,
    /// Fields, if known.
    pub output: Option<Vec<String>>,
}

/// What is wrong with a search.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Code.
    pub code: &'static str,
    /// Level.
    pub level: Level,
    /// Message.
    pub message: String,
    /// Help.
    pub help: Option<String>,
    /// Bytes of the search.
    pub range: Range<usize>,
    /// Whether it is right, but cannot run here.
    pub unsupported: bool,
}

/// Compiles a search.
pub fn compile(_search: &str, _env: &Environment) -> Compilation {
    Compilation {
        pipeline: Some(Pipeline {
            source: masthead_ir::pipeline::Source::Events { filter: masthead_ir::Expr::And(Vec::new()), range: None },
            stages: Vec::new(),
        }),
        problems: Vec::new(),
        macros_used: BTreeSet::new(),
        lookups_used: BTreeSet::new(),
        lookups_written: BTreeSet::new(),
        output: None,
    }
}
