//! Front-end for Falco rules over the k8saudit plugin: YAML and filter expressions to IR.
//!
//! # What is read
//!
//! Rules files of Falco's format: lists, macros and rules, with `append`, `override`, `exceptions` and `enabled`. All
//! claimed files make one set, read in the order of their paths, as Falco reads the files it is given: a later definition
//! replaces an earlier one. Only rules whose `source` is `k8s_audit` can run here; a rule without a `source` is one of
//! system calls. Macros may be used before they are defined, which Falco does not allow.
//!
//! # What it means
//!
//! An event fires every rule that it matches. Falco by default stops at the first rule that matches (`rule_matching:
//! first`); with `rule_matching: all` it does what is done here. Nothing is implied about the stage of an event: the
//! published rules ask for it themselves.
//!
//! # Comparisons
//!
//! They follow libsinsp (`sinsp_filtercheck.cpp` and `filter_compare.cpp`).
//!
//! * A field that the event lacks makes every comparison false, `!=` too; `not` turns that into true. So `a != b` and
//!   `not a = b` differ for an event without `a`.
//! * Letter case counts, except for `icontains` and `iglob`. `regex` must match the whole value.
//! * A list field (`ka.req.pod.containers.image`) can only be asked with `in`, `intersects` and `exists`, as in libsinsp,
//!   also when an index is given. `in` wants all its values in the set, `intersects` any. A list without values is a field
//!   that the event lacks.
//! * `<`, `<=`, `>` and `>=` compare by number where both sides read as numbers. Falco compares fields of the plugin,
//!   which are all text, by their bytes; for numbers of one length, such as response codes, that is the same.
//!
//! # Fields
//!
//! Fields mean what the plugin's field list says. Where the plugin reads something else than it says (`ka.sourceips`,
//! `eff_run_as_user`, `eff_run_as_group`, `add_capabilities` as of 0.18), they mean what it says.
//!
//! # Findings
//!
//! The message of a finding is the rule's output. Each field of the output is a column of the finding's row, under the name
//! that Falco gives it in `output_fields`; one that the event lacks is `<NA>`, as Falco prints it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod condition;
mod content;
mod dialect;
mod exceptions;
mod fields;
mod output;
mod rule;
mod text;

pub use dialect::Falco;

/// Code and meaning of every diagnostic of this front-end.
pub const CODES: &[(&str, &str)] = &[
    ("falco-condition", "a condition cannot be run, for instance because a regular expression in it is faulty"),
    (
        "falco-exception",
        "an exception of a rule lacks something, or its fields, comparisons and values do not fit together",
    ),
    ("falco-field", "a condition names a field that the plugin does not have"),
    ("falco-field-argument", "a field is given an argument that it does not take, or lacks one that it needs"),
    ("falco-item", "an item of a rules file is none that Falco knows"),
    ("falco-key", "an item has a key that Falco does not know; it has no effect"),
    ("falco-list-cycle", "a list holds itself, directly or through other lists"),
    ("falco-macro-cycle", "a macro uses itself, directly or through other macros"),
    ("falco-missing-key", "an item lacks a key that it needs, or the key holds no value of the right kind"),
    ("falco-no-base", "an item appends to or overrides something that was not defined before"),
    ("falco-operator", "a field cannot be compared this way"),
    ("falco-output-field", "an output names a field that the plugin does not have; it is shown as it is written"),
    ("falco-override", "an override names a key that cannot be overridden this way, or a way that does not exist"),
    ("falco-priority", "a rule's priority is none of Falco's"),
    ("falco-source", "a rule is about another source of events than Kubernetes audit logs"),
    ("falco-syntax", "a condition is not written in Falco's language"),
    ("falco-too-large", "a condition is too large once its macros are put in"),
    ("falco-unknown-list", "a word in a set looks like the name of a list, but there is none; it is taken as a value"),
    ("falco-unknown-macro", "a condition uses a macro that is not defined"),
];
