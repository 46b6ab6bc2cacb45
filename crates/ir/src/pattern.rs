//! Tests of one value against a literal: what a leaf of a filter asks.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::value::Value;

/// Whether letter case counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Case {
    /// `A` and `a` differ.
    Sensitive,
    /// `A` and `a` are the same (Unicode simple lower case of both sides).
    Folded,
}

/// A test of one value against a literal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Pattern {
    /// There is a value, whatever it is.
    Present,
    /// The text is equal; with `numeric`, also if both sides read as numbers and these are equal (`403` and `403.0`).
    Text {
        /// The literal.
        text: String,
        /// Whether letter case counts.
        case: Case,
        /// Whether numbers written differently are equal.
        numeric: bool,
    },
    /// Type and value are equal: text with text (case counts), number with number, truth value with truth value.
    Same(Value),
    /// `*` stands for any run of characters, also none; the whole text must match; there is no escape.
    Wildcard {
        /// The pattern with its stars.
        glob: String,
        /// Whether letter case counts.
        case: Case,
    },
    /// The text starts with this.
    Prefix {
        /// The literal.
        text: String,
        /// Whether letter case counts.
        case: Case,
    },
    /// The text ends with this.
    Suffix {
        /// The literal.
        text: String,
        /// Whether letter case counts.
        case: Case,
    },
    /// The text holds this somewhere.
    Contains {
        /// The literal.
        text: String,
        /// Whether letter case counts.
        case: Case,
    },
    /// The text is an IP address inside the network (an IPv4 address written as IPv6 counts as IPv4 too); a text that is
    /// no address is compared with `literal`, ASCII case aside.
    Cidr {
        /// The network.
        net: IpNet,
        /// The network as the rule wrote it.
        literal: String,
    },
    /// The regular expression matches somewhere in the text (PCRE syntax as `fancy-regex` knows it; case counts unless
    /// the expression says otherwise). A match that takes too many steps of backtracking is none.
    Regex(String),
    /// Order against a literal: by number if both sides read as numbers, else by bytes.
    Order {
        /// Which order holds.
        op: OrderOp,
        /// The right side.
        literal: String,
    },
    /// The words stand in the text, bounded on both sides by a breaker or an end of the text: how log search engines
    /// look for a bare word or phrase in a raw event (Splunk, "Event segmentation"). `*` stands for any run of characters,
    /// breakers too; a star at an edge takes the bound away there. A breaker at the edge of the words is its own bound.
    Phrase {
        /// The words.
        text: String,
        /// Whether letter case counts.
        case: Case,
        /// Whether minor breakers (`/ : = @ . - $ # % _` and the backslash) bound a word too.
        minor: bool,
    },
    /// Any of these.
    AnyOf(Vec<Pattern>),
}

/// An order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OrderOp {
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

/// What a negated test means for a field of several values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Differs {
    /// At least one value differs.
    SomeValue,
    /// There is a value, and none is equal.
    EveryValue,
}
