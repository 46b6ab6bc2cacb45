//! Python source: parsed once, with limits that keep hostile nesting off the stack.

use std::path::PathBuf;
use std::sync::Arc;

use masthead_ir::diagnostic::{Diagnostic, Span};
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{ModModule, Stmt};
use ruff_python_parser::{Mode, lexer, parse_module};
use ruff_text_size::Ranged;

/// Sources longer than this, in bytes, are refused.
const MAX_BYTES: usize = 2 << 20;
/// How deep brackets and operators may nest in one statement. A syntax tree is walked and dropped recursively.
const MAX_NESTING: usize = 600;
/// How deep blocks may nest; Python's own limit.
const MAX_INDENT: usize = 100;

/// A Python file that could be parsed.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: Arc<str>,
    pub(crate) module: ModModule,
}

impl Source {
    /// Parses a file's text; a `python-syntax` error with its place if it is none that can be run.
    pub(crate) fn parse(path: PathBuf, text: Arc<str>) -> Result<Source, Box<Diagnostic>> {
        let span = |start: usize, end: usize| Span { path: path.clone(), text: text.clone(), start, end };
        let refuse = |message: String, start, end| {
            Err(Box::new(Diagnostic::error("python-syntax", message).at(span(start, end))))
        };
        if text.len() > MAX_BYTES {
            return refuse(format!("the Python file is longer than {} MiB", MAX_BYTES >> 20), 0, 0);
        }
        if too_deep(&text) {
            return refuse("a statement of the Python code nests too deeply to be read".to_owned(), 0, 0);
        }
        match parse_module(&text) {
            Ok(parsed) => Ok(Source { module: parsed.into_syntax(), path, text }),
            Err(error) => {
                let range = error.location;
                let message = format!("the Python code cannot be parsed: {}", error.error);
                refuse(message, range.start().to_usize(), range.end().to_usize())
            }
        }
    }

    /// The start of the file.
    pub(crate) fn start(&self) -> Span {
        Span { path: self.path.clone(), text: self.text.clone(), start: 0, end: 0 }
    }

    /// The modules that are imported at the top level, each with its place.
    pub(crate) fn imports(&self) -> Vec<(&str, Span)> {
        let mut imports = Vec::new();
        for stmt in &self.module.body {
            let names = match stmt {
                Stmt::Import(import) => import.names.iter().map(|alias| alias.name.as_str()).collect(),
                Stmt::ImportFrom(import) => import.module.iter().map(|module| module.as_str()).collect(),
                _ => Vec::new(),
            };
            let range = stmt.range();
            let (start, end) = (range.start().to_usize(), range.end().to_usize());
            let place = || Span { path: self.path.clone(), text: self.text.clone(), start, end };
            imports.extend(names.into_iter().map(|name| (name, place())));
        }
        imports
    }

    /// Whether the module binds a name at its top level, in whatever way.
    pub(crate) fn binds(&self, name: &str) -> bool {
        self.module.body.iter().any(|stmt| match stmt {
            Stmt::FunctionDef(def) => def.name.as_str() == name,
            Stmt::Assign(assign) => assign
                .targets
                .iter()
                .any(|target| target.as_name_expr().is_some_and(|target| target.id.as_str() == name)),
            Stmt::Import(import) => {
                import.names.iter().any(|alias| alias.asname.as_ref().unwrap_or(&alias.name) == name)
            }
            Stmt::ImportFrom(import) => import.names.iter().any(|alias| {
                matches!(alias.asname.as_ref().unwrap_or(&alias.name).as_str(), "*")
                    || alias.asname.as_ref().unwrap_or(&alias.name) == name
            }),
            Stmt::If(_) | Stmt::Try(_) | Stmt::With(_) | Stmt::For(_) | Stmt::While(_) | Stmt::Match(_) => true,
            _ => false,
        })
    }
}

/// Whether brackets, operators or blocks nest too deeply for a recursive walk.
fn too_deep(text: &str) -> bool {
    let mut tokens = lexer::lex(text, Mode::Module);
    let mut indent = 0_usize;
    // Per open bracket, the operators since the last comma: these can hang below each other in the tree.
    let mut chains: Vec<usize> = vec![0];
    let mut depth = 0_usize;
    loop {
        match tokens.next_token() {
            TokenKind::EndOfFile => return false,
            TokenKind::Indent => indent += 1,
            TokenKind::Dedent => indent = indent.saturating_sub(1),
            TokenKind::Newline => {
                chains.clear();
                chains.push(0);
                depth = 0;
            }
            TokenKind::Comma => {
                if let Some(chain) = chains.last_mut() {
                    depth -= *chain;
                    *chain = 0;
                }
            }
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace if chains.len() > 1 => {
                depth -= chains.pop().unwrap_or(0);
            }
            kind if nests(kind) => {
                if let Some(chain) = chains.last_mut() {
                    *chain += 1;
                    depth += 1;
                }
                if matches!(kind, TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace) {
                    chains.push(0);
                }
            }
            _ => {}
        }
        if depth > MAX_NESTING || indent > MAX_INDENT {
            return true;
        }
    }
}

/// Whether a token can put one node of the tree below another.
fn nests(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Lpar
            | TokenKind::Lsqb
            | TokenKind::Lbrace
            | TokenKind::Dot
            | TokenKind::Plus
            | TokenKind::Minus
            | TokenKind::Star
            | TokenKind::DoubleStar
            | TokenKind::Slash
            | TokenKind::DoubleSlash
            | TokenKind::Percent
            | TokenKind::At
            | TokenKind::Amper
            | TokenKind::Vbar
            | TokenKind::CircumFlex
            | TokenKind::LeftShift
            | TokenKind::RightShift
            | TokenKind::Tilde
            | TokenKind::Not
            | TokenKind::If
            | TokenKind::Else
            | TokenKind::Lambda
            | TokenKind::Await
            | TokenKind::Yield
            | TokenKind::Colon
            | TokenKind::FStringStart
    )
}
