//! IR pipelines lowered to DataFusion plans.
