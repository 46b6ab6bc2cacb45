//! Scans, rule tests and checks over events.
