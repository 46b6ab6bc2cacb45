//! IR pipelines over the events that their sources let through, lowered to DataFusion plans.
//!
//! A pipeline runs in segments. Relational stages (filters, assignments, renamings, aggregations, lookups, …) become nodes
//! of a DataFusion plan whose functions carry IR expressions, so that there is one meaning of an expression. Stages that
//! look at neighbouring rows, or whose columns come from the data, are barriers: the plan so far is run, they work on its
//! rows, and a new segment begins.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod accumulate;
mod correlate;
mod demand;
mod first_seen;
mod flow;
mod geoip;
mod incremental;
mod input;
mod kind;
mod map;
mod metrics;
mod names;
mod parse_stages;
mod pool;
mod row_stages;
mod rows;
mod run;
mod sed;
mod stages;
mod udaf;
mod udf;
mod window;

pub use datafusion::error::DataFusionError;
pub use demand::{Demand, EventSource, sources};
pub use first_seen::FirstSeen;
pub use geoip::GeoIp;
pub use incremental::{Form, Grown, Incremental, form};
pub use input::{EventRow, Input, InputBuilder};
pub use metrics::MetricsTable;
pub use parse_stages::pairs_of;
pub use run::{Output, Resources, ResultRow, RunContext, run, run_each};
pub use window::{Added, WindowRows};

/// Why a pipeline could not be run.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// A stage could not be planned or run.
    #[error("stage {stage}: {message}")]
    Stage {
        /// Which: 0 is the source, 1 the first stage behind it.
        stage: usize,
        /// What is wrong.
        message: String,
    },
    /// There is no runtime to run it on.
    #[error("no runtime: {0}")]
    Runtime(#[source] std::io::Error),
}

impl QueryError {
    fn stage(stage: usize, error: &DataFusionError) -> QueryError {
        QueryError::Stage { stage, message: error.strip_backtrace() }
    }
}
