//! What the compiler knows of an expression beside what it computes.

use masthead_ir::Expr;

use super::ast::Duration;

/// An expression and what is known of its values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Typed {
    pub(super) expr: Expr,
    pub(super) ty: Type,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Type {
    Any,
    /// Seconds since 1970.
    Date,
    /// A length of time, which only arithmetic on times knows.
    Span(Duration),
}

impl Typed {
    pub(super) fn any(expr: Expr) -> Typed {
        Typed { expr, ty: Type::Any }
    }

    pub(super) fn date(expr: Expr) -> Typed {
        Typed { expr, ty: Type::Date }
    }

    pub(super) fn is_date(&self) -> bool {
        self.ty == Type::Date
    }

    /// A time if all of these are.
    pub(super) fn date_if(expr: Expr, date: bool) -> Typed {
        if date { Typed::date(expr) } else { Typed::any(expr) }
    }
}

/// What names stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Fields of an event.
    Event,
    /// Columns of a row.
    Row,
    /// Columns of a group; aggregates may be called.
    Group,
}
