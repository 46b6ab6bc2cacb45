//! Conditions on events, as tests that the matcher knows.
//!
//! A test is never unknown, but in ES|QL a comparison with null is, and so is its negation. So a condition is compiled for
//! what is wanted of it: that it is true, or that it is false. Both fail where the field has no value.

use ipnet::IpNet;
use masthead_ir::expr::{CompareOp, Expr, FieldPath};
use masthead_ir::pattern::{Case, Differs, OrderOp, Pattern};

use super::ast::{Call, Node, NodeKind};
use super::parser::Parsed;
use super::pattern::{Wildcard, lucene, wildcard};
use super::pieces::{all, any, not, test, truth};
use super::stages::{Compiler, Place};
use super::time::constant;
use super::typed::Mode;

/// A field whose text is tested.
struct Tested {
    path: FieldPath,
    case: TextCase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TextCase {
    AsIs,
    Lower,
    Upper,
}

impl Tested {
    /// How a literal is compared; none if the literal can never be equal to what the function gives.
    fn case(&self, literal: &str) -> Option<Case> {
        match self.case {
            TextCase::AsIs => Some(Case::Sensitive),
            TextCase::Lower => (literal.to_lowercase() == literal).then_some(Case::Folded),
            TextCase::Upper => (literal.to_uppercase() == literal).then_some(Case::Folded),
        }
    }
}

impl Compiler<'_> {
    /// The condition that the expression is true, or that it is false, of an event.
    pub(super) fn condition(&mut self, node: &Node, wanted: bool) -> Parsed<Expr> {
        let parts = |this: &mut Self, nodes: &[Node]| {
            nodes.iter().map(|node| this.condition(node, wanted)).collect::<Parsed<Vec<_>>>()
        };
        match &node.kind {
            NodeKind::Not(inner) => self.condition(inner, !wanted),
            NodeKind::And(nodes) => {
                let parts = parts(self, nodes)?;
                Ok(if wanted { all(parts) } else { any(parts) })
            }
            NodeKind::Or(nodes) => {
                let parts = parts(self, nodes)?;
                Ok(if wanted { any(parts) } else { all(parts) })
            }
            NodeKind::IsNull(inner) => match self.tested(inner) {
                Some(tested) => {
                    let present = test(&tested.path, Pattern::Present);
                    Ok(if wanted { not(present) } else { present })
                }
                None => self.general(node, wanted),
            },
            _ => match self.leaf(node, wanted)? {
                Some(test) => Ok(test),
                None => self.general(node, wanted),
            },
        }
    }

    /// A part that is no test of a field against a literal.
    fn general(&mut self, node: &Node, wanted: bool) -> Parsed<Expr> {
        let expr = self.plain(node, Mode::Event)?;
        if let Some(value) = constant(&expr) {
            return Ok(truth(masthead_ir::eval::truth_of(&value) == Some(wanted)));
        }
        Ok(if wanted { expr } else { not(expr) })
    }

    /// The field behind an expression whose text is that of the field.
    fn tested(&mut self, node: &Node) -> Option<Tested> {
        match &node.kind {
            NodeKind::Name(name) => match self.place(name) {
                Place::Event(path) => {
                    self.read(name, &path);
                    Some(Tested { path, case: TextCase::AsIs })
                }
                _ => None,
            },
            NodeKind::Cast { value, target } if ["string", "keyword", "text", "ip", "version"].contains(&&**target) => {
                self.tested(value)
            }
            NodeKind::Call(Call { name, args, .. }) => {
                let [arg] = args.as_slice() else { return None };
                let case = match name.as_str() {
                    "to_string" | "to_str" | "to_ip" | "to_version" | "to_ver" => None,
                    "to_lower" => Some(TextCase::Lower),
                    "to_upper" => Some(TextCase::Upper),
                    _ => return None,
                };
                let inner = self.tested(arg)?;
                Some(Tested { case: case.unwrap_or(inner.case), ..inner })
            }
            _ => None,
        }
    }

    /// A test of a field against literals; none if the expression is no such one.
    fn leaf(&mut self, node: &Node, wanted: bool) -> Parsed<Option<Expr>> {
        let found = match &node.kind {
            NodeKind::Name(_) => self.tested(node).map(|tested| (tested.path, equal("true", Case::Sensitive))),
            NodeKind::Compare { op, left, right } => return Ok(self.comparison_test(*op, left, right, wanted)),
            NodeKind::SameFolded { left, right } => {
                right.literal().and_then(|text| Some((self.tested(left)?.path, equal(&text, Case::Folded))))
            }
            NodeKind::In { value, list } => self.membership(value, list),
            NodeKind::Like { value, patterns, regex } => self.like_test(value, patterns, *regex)?,
            NodeKind::Call(call) => self.call_test(call),
            _ => None,
        };
        Ok(found.map(|(path, pattern)| leaf(path, pattern, wanted)))
    }

    fn comparison_test(&mut self, op: CompareOp, left: &Node, right: &Node, wanted: bool) -> Option<Expr> {
        let (field, literal, op) = match (left.literal(), right.literal()) {
            (None, Some(literal)) => (left, literal, op),
            (Some(literal), None) => (right, literal, mirrored(op)),
            _ => return None,
        };
        let tested = self.tested(field)?;
        let case = tested.case(&literal)?;
        let order = |op| leaf(tested.path.clone(), Pattern::Order { op, literal: literal.clone() }, wanted);
        Some(match op {
            CompareOp::Eq => leaf(tested.path, equal(&literal, case), wanted),
            CompareOp::Ne => {
                let (field, pattern) = (tested.path, equal(&literal, case));
                let differs = Expr::Differs { field: field.clone(), pattern, rule: Differs::SomeValue };
                if wanted { differs } else { all([test(&field, Pattern::Present), not(differs)]) }
            }
            _ if tested.case != TextCase::AsIs => return None,
            CompareOp::Lt => order(OrderOp::Lt),
            CompareOp::Le => order(OrderOp::Le),
            CompareOp::Gt => order(OrderOp::Gt),
            CompareOp::Ge => order(OrderOp::Ge),
        })
    }

    fn membership(&mut self, value: &Node, list: &[Node]) -> Option<(FieldPath, Pattern)> {
        let literals = list.iter().map(Node::literal).collect::<Option<Vec<_>>>()?;
        let tested = self.tested(value)?;
        let patterns = literals.iter().map(|literal| Some(equal(literal, tested.case(literal)?)));
        Some((tested.path.clone(), any_of(patterns.collect::<Option<Vec<_>>>()?)))
    }

    fn like_test(
        &mut self,
        value: &Node,
        patterns: &[(String, std::ops::Range<usize>)],
        regex: bool,
    ) -> Parsed<Option<(FieldPath, Pattern)>> {
        let Some(tested) = self.tested(value) else { return Ok(None) };
        let mut tests = Vec::new();
        for (text, range) in patterns {
            let Some(case) = tested.case(text) else { return Ok(None) };
            let expression = match wildcard(text) {
                Wildcard::Stars(glob) if !regex => {
                    tests.push(Pattern::Wildcard { glob, case });
                    continue;
                }
                Wildcard::Regex(expression) if !regex => expression,
                _ => lucene(text),
            };
            if tested.case != TextCase::AsIs {
                return Ok(None);
            }
            self.check_regex(&expression, range)?;
            tests.push(Pattern::Regex(expression));
        }
        Ok(Some((tested.path, any_of(tests))))
    }

    fn call_test(&mut self, call: &Call) -> Option<(FieldPath, Pattern)> {
        let (first, rest) = call.args.split_first()?;
        let literals = rest.iter().map(Node::literal).collect::<Option<Vec<_>>>()?;
        let tested = self.tested(first)?;
        if call.name == "cidr_match" {
            let nets =
                literals.iter().map(|literal| Some(Pattern::Cidr { net: network(literal)?, literal: literal.clone() }));
            let nets = nets.collect::<Option<Vec<_>>>()?;
            return (!nets.is_empty()).then(|| (tested.path, any_of(nets)));
        }
        let [literal] = literals.as_slice() else { return None };
        let case = tested.case(literal)?;
        let text = literal.clone();
        let pattern = match call.name.as_str() {
            "starts_with" => Pattern::Prefix { text, case },
            "ends_with" => Pattern::Suffix { text, case },
            "contains" => Pattern::Contains { text, case },
            "mv_contains" | "match" | "match_phrase" | "term" => equal(literal, case),
            _ => return None,
        };
        Some((tested.path, pattern))
    }
}

/// A network; a lone address is a network of one.
pub(super) fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from))
}

fn leaf(field: FieldPath, pattern: Pattern, wanted: bool) -> Expr {
    if wanted { Expr::Test { field, pattern } } else { Expr::Differs { field, pattern, rule: Differs::EveryValue } }
}

fn equal(text: &str, case: Case) -> Pattern {
    Pattern::Text { text: text.to_owned(), case, numeric: true }
}

fn any_of(mut patterns: Vec<Pattern>) -> Pattern {
    if patterns.len() == 1 { patterns.swap_remove(0) } else { Pattern::AnyOf(patterns) }
}

fn mirrored(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::Le => CompareOp::Ge,
        CompareOp::Gt => CompareOp::Lt,
        CompareOp::Ge => CompareOp::Le,
        same => same,
    }
}

/// The fields that an event certainly has if it passes a condition.
pub(super) fn certain(condition: &[Expr]) -> Vec<&FieldPath> {
    let mut fields = Vec::new();
    for part in condition {
        match part {
            Expr::Test { field, .. } | Expr::Differs { field, .. } => fields.push(field),
            Expr::And(parts) => fields.extend(certain(parts)),
            _ => {}
        }
    }
    fields
}
