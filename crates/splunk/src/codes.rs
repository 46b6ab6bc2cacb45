//! The codes of this front-end's diagnostics.

/// Code and meaning of every diagnostic about a rule's document, its shared content and its search.
pub const CODES: &[(&str, &str)] = &[
    ("bad-lookup", "The CSV file of a lookup cannot be read as a table."),
    ("bad-schedule", "A cron expression does not have five fields, or has characters that none may have."),
    ("bad-throttling", "The period of `throttling` is no length of time."),
    ("bad-time", "A time of a schedule is neither a time modifier nor a moment."),
    ("duplicate-lookup", "Two lookups of different content have one name; the first is used."),
    (
        "empty-kvstore",
        "The search reads a lookup of the key-value store, which is empty here until a search writes it.",
    ),
    ("empty-test", "A test has no data; it is not run."),
    ("manual-test", "The rule's author says that its tests need a person; they are not run."),
    ("missing-field", "A key that the rule cannot do without is absent or empty."),
    ("missing-lookup", "The search uses a lookup that no file defines."),
    ("missing-lookup-file", "The search uses a lookup whose CSV file is not there."),
    ("open-token", "The search has a `$token$` that a person fills in before it runs."),
    ("spl-regex", "A regular expression of the search cannot be compiled."),
    ("spl-syntax", "The search cannot be parsed."),
    ("spl-unknown-command", "The search uses a command that SPL does not have."),
    ("spl-unknown-function", "The search uses a function that SPL does not have."),
    ("spl-unsupported", "The search is right, but a part of it cannot run here."),
    ("unknown-macro", "The search calls a macro that no file defines, or one that calls itself."),
    ("unknown-match-type", "A lookup's `match_type` is none of WILDCARD, CIDR and EXACT."),
    ("unknown-schedule", "The rule names a schedule that no file defines; the default is used."),
    ("unknown-token", "A message or an entity names a field that the search's results do not have."),
    ("unknown-type", "The rule's `type` is none that is known."),
    ("unsupported-lookup", "The search uses a lookup of a kind that cannot run here (a machine learning model)."),
    ("wrong-type", "The value of a key is of the wrong type."),
];
