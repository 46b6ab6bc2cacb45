//! A sandboxed Python host in a worker process.
