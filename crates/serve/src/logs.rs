//! Logs of the service itself, on standard error.

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Begins to write logs as the configuration says. `RUST_LOG` overrides the level.
///
/// # Errors
/// When the level cannot be read.
pub fn start(config: &LogConfig, colours: bool) -> Result<(), String> {
    let told = std::env::var("RUST_LOG").ok().filter(|level| !level.is_empty());
    let level = told.unwrap_or_else(|| config.level.clone());
    let filter = EnvFilter::builder().parse(&level).map_err(|error| format!("log level `{level}`: {error}"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Text => builder.with_ansi(colours).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    // A second start in one process keeps what the first one set up.
    drop(started);
    Ok(())
}
