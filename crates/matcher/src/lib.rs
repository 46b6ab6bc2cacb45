//! The shared-predicate matcher.
