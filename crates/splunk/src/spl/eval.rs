//! Expressions of `eval` and `where` (Splunk Search Reference, "eval"): NOT, AND, OR, XOR in this order, unlike in searches.

use masthead_ir::expr::{ArithOp, CompareOp, Expr, FieldPath, Func};
use masthead_ir::{Value, eval::number::Number};

use super::Problem;
use super::lex::{Kind, Token};

/// How deep expressions may nest.
const MAX_DEPTH: usize = 60;

/// The letters that end a word of an expression.
pub(super) const SIGNS: &str = "()=!<>,+-/*%.'";

/// Functions by name, with the least and most arguments they take.
const FUNCTIONS: &[(&str, Func, usize, usize)] = &[
    ("if", Func::If, 3, 3),
    ("case", Func::Case, 2, 200),
    ("coalesce", Func::Coalesce, 1, 200),
    ("null", Func::Null, 0, 0),
    ("nullif", Func::NullIf, 2, 2),
    ("true", Func::True, 0, 0),
    ("false", Func::False, 0, 0),
    ("isnull", Func::IsNull, 1, 1),
    ("isnotnull", Func::IsNotNull, 1, 1),
    ("isnum", Func::IsNum, 1, 1),
    ("isstr", Func::IsStr, 1, 1),
    ("isint", Func::IsInt, 1, 1),
    ("in", Func::In, 2, 200),
    ("like", Func::Like, 2, 2),
    ("match", Func::Match, 2, 2),
    ("cidrmatch", Func::CidrMatch, 2, 2),
    ("abs", Func::Abs, 1, 1),
    ("ceiling", Func::Ceiling, 1, 1),
    ("ceil", Func::Ceiling, 1, 1),
    ("exact", Func::Exact, 1, 1),
    ("exp", Func::Exp, 1, 1),
    ("floor", Func::Floor, 1, 1),
    ("ln", Func::Ln, 1, 1),
    ("log", Func::Log, 1, 2),
    ("min", Func::Min, 1, 200),
    ("max", Func::Max, 1, 200),
    ("pi", Func::Pi, 0, 0),
    ("pow", Func::Pow, 2, 2),
    ("round", Func::Round, 1, 2),
    ("sqrt", Func::Sqrt, 1, 1),
    ("tonumber", Func::ToNumber, 1, 2),
    ("len", Func::Len, 1, 1),
    ("lower", Func::Lower, 1, 1),
    ("upper", Func::Upper, 1, 1),
    ("ltrim", Func::Ltrim, 1, 2),
    ("rtrim", Func::Rtrim, 1, 2),
    ("trim", Func::Trim, 1, 2),
    ("replace", Func::Replace, 3, 3),
    ("substr", Func::Substr, 2, 3),
    ("tostring", Func::ToString, 1, 2),
    ("urldecode", Func::UrlDecode, 1, 1),
    ("md5", Func::Md5, 1, 1),
    ("sha1", Func::Sha1, 1, 1),
    ("sha256", Func::Sha256, 1, 1),
    ("printf", Func::Printf, 1, 200),
    ("typeof", Func::TypeOf, 1, 1),
    ("split", Func::Split, 2, 2),
    ("mvappend", Func::MvAppend, 1, 200),
    ("mvcount", Func::MvCount, 1, 1),
    ("mvdedup", Func::MvDedup, 1, 1),
    ("mvfilter", Func::MvFilter, 1, 1),
    ("mvfind", Func::MvFind, 2, 2),
    ("mvindex", Func::MvIndex, 2, 3),
    ("mvjoin", Func::MvJoin, 2, 2),
    ("mvmap", Func::MvMap, 2, 2),
    ("mvrange", Func::MvRange, 2, 3),
    ("mvsort", Func::MvSort, 1, 1),
    ("mvzip", Func::MvZip, 2, 3),
    ("now", Func::Now, 0, 0),
    ("relative_time", Func::RelativeTime, 2, 2),
    ("strftime", Func::StrfTime, 2, 2),
    ("strptime", Func::StrpTime, 2, 2),
    ("time", Func::Time, 0, 0),
    ("json_extract", Func::JsonExtract, 1, 200),
    ("json_valid", Func::JsonValid, 1, 1),
    ("spath", Func::Spath, 2, 2),
];

/// Reads one expression that begins at `at`; gives the place behind it.
pub(super) fn parse(tokens: &[Token], at: usize, end: usize) -> Result<(Expr, usize), Problem> {
    let mut reader = Reader { tokens, at, end, depth: 0 };
    let expr = reader.binary(0)?;
    Ok((expr, reader.at))
}

/// Reads one expression that is all there is.
pub(super) fn parse_all(tokens: &[Token], end: usize) -> Result<Expr, Problem> {
    let (expr, at) = parse(tokens, 0, end)?;
    match tokens.get(at) {
        Some(token) => Err(Problem::syntax(format!("`{}` is not expected here", token.text), token.range.clone())),
        None => Ok(expr),
    }
}

struct Reader<'t> {
    tokens: &'t [Token],
    at: usize,
    end: usize,
    depth: usize,
}

/// What binds two expressions.
#[derive(Clone, Copy)]
enum Binary {
    Xor,
    Or,
    And,
    Compare(CompareOp),
    Like,
    In,
    Arith(ArithOp),
}

impl Reader<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn fault<T>(&self, message: &str) -> Result<T, Problem> {
        let at = self.peek().map_or(self.end..self.end, |token| token.range.clone());
        Err(Problem::syntax(message, at))
    }

    fn operator(&self) -> Option<(Binary, u8)> {
        let token = self.peek()?;
        let lower = token.text.to_ascii_lowercase();
        Some(match (token.kind, lower.as_str()) {
            (Kind::Word, "xor") => (Binary::Xor, 1),
            (Kind::Word, "or") => (Binary::Or, 2),
            (Kind::Word, "and") => (Binary::And, 3),
            (Kind::Word, "like") => (Binary::Like, 5),
            (Kind::Word, "in") => (Binary::In, 5),
            (Kind::Sign, "=" | "==") => (Binary::Compare(CompareOp::Eq), 5),
            (Kind::Sign, "!=") => (Binary::Compare(CompareOp::Ne), 5),
            (Kind::Sign, "<") => (Binary::Compare(CompareOp::Lt), 5),
            (Kind::Sign, "<=") => (Binary::Compare(CompareOp::Le), 5),
            (Kind::Sign, ">") => (Binary::Compare(CompareOp::Gt), 5),
            (Kind::Sign, ">=") => (Binary::Compare(CompareOp::Ge), 5),
            (Kind::Sign, ".") => (Binary::Arith(ArithOp::Concat), 6),
            (Kind::Sign, "+") => (Binary::Arith(ArithOp::Add), 7),
            (Kind::Sign, "-") => (Binary::Arith(ArithOp::Sub), 7),
            (Kind::Sign, "*") => (Binary::Arith(ArithOp::Mul), 8),
            (Kind::Sign, "/") => (Binary::Arith(ArithOp::Div), 8),
            (Kind::Sign, "%") => (Binary::Arith(ArithOp::Rem), 8),
            _ => return None,
        })
    }

    fn binary(&mut self, least: u8) -> Result<Expr, Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fault("nested too deep");
        }
        let mut left = self.unary()?;
        while let Some((operator, power)) = self.operator().filter(|(_, power)| *power > least) {
            self.at += 1;
            left = match operator {
                Binary::In => {
                    let mut args = vec![left];
                    args.extend(self.arguments()?);
                    Expr::Call { func: Func::In, args }
                }
                _ => {
                    let right = self.binary(power)?;
                    join(operator, left, right)
                }
            };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, Problem> {
        let Some(token) = self.peek().cloned() else {
            return self.fault("expected an expression, and the search ends");
        };
        match (token.kind, token.text.as_str()) {
            (Kind::Word, word) if word.eq_ignore_ascii_case("not") => {
                self.at += 1;
                Ok(Expr::Not(Box::new(self.binary(4)?)))
            }
            (Kind::Sign, "-") => {
                self.at += 1;
                let right = self.binary(8)?;
                let left = Expr::Literal(Value::Int(0));
                Ok(Expr::Arith { op: ArithOp::Sub, left: Box::new(left), right: Box::new(right) })
            }
            (Kind::Sign, "(") => {
                self.at += 1;
                let inside = self.binary(0)?;
                self.close()?;
                Ok(inside)
            }
            (Kind::Quoted, text) => {
                self.at += 1;
                Ok(Expr::Literal(Value::text(text)))
            }
            (Kind::Single, name) => {
                self.at += 1;
                Ok(Expr::Field(FieldPath::flat(name)))
            }
            (Kind::Word, word) => {
                self.at += 1;
                self.word(word, &token)
            }
            _ => self.fault("expected an expression"),
        }
    }

    fn word(&mut self, word: &str, token: &Token) -> Result<Expr, Problem> {
        if self.peek().is_some_and(|next| next.kind == Kind::Sign && next.text == "(") {
            return self.call(word, token);
        }
        if word.starts_with(|letter: char| letter.is_ascii_digit()) {
            let mut text = word.to_owned();
            // A point is a sign of its own, since it joins texts elsewhere.
            let touching = |a: &Token, b: &Token| a.range.end == b.range.start;
            if let (Some(dot), Some(rest)) = (self.tokens.get(self.at), self.tokens.get(self.at + 1))
                && dot.text == "."
                && touching(token, dot)
                && touching(dot, rest)
                && rest.kind == Kind::Word
                && rest.text.bytes().all(|b| b.is_ascii_digit())
            {
                text = format!("{word}.{}", rest.text);
                self.at += 2;
            }
            if let Some(number) = Number::parse(&text) {
                return Ok(Expr::Literal(number.value()));
            }
        }
        Ok(Expr::Field(FieldPath::flat(word)))
    }

    fn call(&mut self, name: &str, token: &Token) -> Result<Expr, Problem> {
        let lower = name.to_ascii_lowercase();
        let Some((_, func, least, most)) = FUNCTIONS.iter().find(|(known, ..)| *known == lower) else {
            let hint = masthead_rulefile::suggest(&lower, FUNCTIONS.iter().map(|(known, ..)| *known));
            let hint = hint.map(|hint| format!("; did you mean `{hint}`?")).unwrap_or_default();
            let problem = Problem::syntax(format!("there is no function `{name}`{hint}"), token.range.clone());
            return Err(Problem { code: "spl-unknown-function", ..problem });
        };
        let args = self.arguments()?;
        if args.len() < *least || args.len() > *most {
            let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
            let message = format!("`{name}` takes {wanted} arguments, not {}", args.len());
            return Err(Problem::syntax(message, token.range.clone()));
        }
        Ok(Expr::Call { func: *func, args })
    }

    fn arguments(&mut self) -> Result<Vec<Expr>, Problem> {
        if !self.peek().is_some_and(|token| token.text == "(" && token.kind == Kind::Sign) {
            return self.fault("expected `(`");
        }
        self.at += 1;
        let mut args = Vec::new();
        while !self.peek().is_some_and(|token| token.kind == Kind::Sign && token.text == ")") {
            args.push(self.binary(0)?);
            if self.peek().is_some_and(|token| token.kind == Kind::Sign && token.text == ",") {
                self.at += 1;
            } else {
                break;
            }
        }
        self.close()?;
        Ok(args)
    }

    fn close(&mut self) -> Result<(), Problem> {
        if !self.peek().is_some_and(|token| token.kind == Kind::Sign && token.text == ")") {
            return self.fault("expected `)`");
        }
        self.at += 1;
        Ok(())
    }
}

fn join(operator: Binary, left: Expr, right: Expr) -> Expr {
    let boxed = |left, right| (Box::new(left), Box::new(right));
    match operator {
        Binary::Or => Expr::Or(vec![left, right]),
        Binary::And => Expr::And(vec![left, right]),
        Binary::Xor => {
            let (left, right) = boxed(left, right);
            Expr::Xor(left, right)
        }
        Binary::Compare(op) => {
            let (left, right) = boxed(left, right);
            Expr::Compare { op, left, right }
        }
        Binary::Arith(op) => {
            let (left, right) = boxed(left, right);
            Expr::Arith { op, left, right }
        }
        Binary::Like => Expr::Call { func: Func::Like, args: vec![left, right] },
        Binary::In => Expr::Call { func: Func::In, args: vec![left, right] },
    }
}
