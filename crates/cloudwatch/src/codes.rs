//! What this front-end may say of a template.

/// Code and meaning of every diagnostic of this front-end.
pub const CODES: &[(&str, &str)] = &[
    (ALARM_VALUE, "A number of an alarm is outside what CloudWatch allows."),
    (ATTACK, "A technique id in the metadata is none."),
    (DEPLOY_VALUE, "A value is known only when CloudFormation deploys the template."),
    (DIMENSIONS, "The dimensions of an alarm and of the filters that feed it do not fit."),
    (INNER_STAR, "A star stands in the middle of a value, where it is no wildcard."),
    (MISSING_PROPERTY, "A property that a resource must have is not there."),
    (NO_EFFECT, "A property has no effect here."),
    (OPERATOR, "A filter pattern has an operator that does not exist."),
    (OPTIONAL_IGNORED, "Optional terms stand beside others, where CloudWatch ignores them."),
    (PATTERN, "A filter pattern cannot be read."),
    (PROPERTY_TYPE, "The value of a property is of the wrong type."),
    (PROPERTY_VALUE, "The value of a property is none of those that exist."),
    (REGEX, "A regular expression of a filter pattern cannot be run, or CloudWatch would refuse it."),
    (UNIT, "An alarm and the filter that feeds it have different units."),
    (UNKNOWN_METRIC, "No metric filter in the files feeds the metric of an alarm."),
    (UNKNOWN_PROPERTY, "A resource has a property that does not exist."),
    (UNSUPPORTED, "Something that CloudWatch has and that cannot run here."),
];

pub(crate) const ALARM_VALUE: &str = "cloudwatch-alarm-value";
pub(crate) const ATTACK: &str = "cloudwatch-attack";
pub(crate) const DEPLOY_VALUE: &str = "cloudwatch-deploy-value";
pub(crate) const DIMENSIONS: &str = "cloudwatch-dimensions";
pub(crate) const INNER_STAR: &str = "cloudwatch-inner-star";
pub(crate) const MISSING_PROPERTY: &str = "cloudwatch-missing-property";
pub(crate) const NO_EFFECT: &str = "cloudwatch-no-effect";
pub(crate) const OPERATOR: &str = "cloudwatch-operator";
pub(crate) const OPTIONAL_IGNORED: &str = "cloudwatch-optional-ignored";
pub(crate) const PATTERN: &str = "cloudwatch-pattern";
pub(crate) const PROPERTY_TYPE: &str = "cloudwatch-property-type";
pub(crate) const PROPERTY_VALUE: &str = "cloudwatch-property-value";
pub(crate) const REGEX: &str = "cloudwatch-regex";
pub(crate) const UNIT: &str = "cloudwatch-unit";
pub(crate) const UNKNOWN_METRIC: &str = "cloudwatch-unknown-metric";
pub(crate) const UNKNOWN_PROPERTY: &str = "cloudwatch-unknown-property";
pub(crate) const UNSUPPORTED: &str = "cloudwatch-unsupported";
