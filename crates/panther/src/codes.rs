//! The codes of this front-end's diagnostics.

/// Each code and what it means.
pub const DIAGNOSTICS: &[(&str, &str)] = &[
    ("analysis-type", "the file's `AnalysisType` is none that is known"),
    ("missing-key", "the file lacks a key that it must have"),
    ("bad-value", "the value of a key is not of the kind or range that it must be"),
    ("missing-file", "the Python file that `Filename` names is not beside the YAML file"),
    ("python-syntax", "the Python file cannot be parsed"),
    ("missing-function", "the Python file lacks a function that the YAML file needs of it"),
    ("duplicate-rule-id", "another rule has the same `RuleID`"),
    ("duplicate-module", "another shared file gives a Python module of the same name, or the name is taken"),
    ("data-model-path", "a path of a data model is none that can be followed"),
    ("absent-package", "the rule imports a package that does not exist here; where it uses it, it raises"),
    ("inline-filters", "the rule's inline filters have no effect here"),
    ("sql-syntax", "the SQL of a query cannot be parsed"),
    ("unsupported-sql", "the SQL of a query holds what cannot run here"),
    ("missing-query", "a query that a scheduled rule names is not among the files"),
    ("row-rule", "the Python of a scheduled rule decides over rows in a way that cannot be read: every row counts"),
    ("row-function", "a function of a scheduled rule's Python has no effect here"),
    ("row-tests", "the tests of a scheduled rule are rows of its query, and do not run here"),
    ("row-threshold", "the threshold of a scheduled rule has no effect here: every row counts"),
    ("unsupported-correlation", "a correlation rule correlates findings in a way that cannot run over events"),
    (
        "partial-correlation",
        "of a log type, what a rule that a correlation names matches cannot be read off its program",
    ),
    ("unsupported-type", "detections of this type are known and cannot run here"),
];
