//! Commands to the stages of a pipeline.
//!
//! Fields of events that commands behind the first filter use become columns of their ES|QL names, at the start of the
//! pipeline. What `WHERE` asks of fields of events alone goes into the source, also behind commands that look at one row at
//! a time.

use std::ops::Range;

use masthead_ir::eval::Program;
use masthead_ir::expr::{Expr, FieldPath, Func};
use masthead_ir::pipeline::{Pipeline, SortKey, SortOrder, Source, Stage};
use masthead_schema::rows;

use super::ast::{Command, CommandKind, NamePattern, Named, Node, NodeKind};
use super::parser::Parsed;
use super::pieces::{NULL, all, arith, call, column, text};
use super::scope::{Column, Scope, kept};
use super::typed::{Mode, Typed};
use super::{EsqlProblem, EsqlQuery, FieldResolver, KqlCompiler, Resolved, dissect, grok, time};

/// What a name stands for.
pub(super) enum Place {
    Column { column: String, date: bool },
    Event(FieldPath),
    Constant(String),
    Absent,
    Unknown,
}

/// Fields that describe a document, not an event.
const METADATA: &[&str] = &["_id", "_ignored", "_index", "_index_mode", "_score", "_source", "_tier", "_version"];

pub(super) struct Compiler<'a> {
    text: &'a str,
    field: FieldResolver<'a>,
    pub(super) kql: KqlCompiler<'a>,
    pub(super) filter: Vec<Expr>,
    /// Columns made of fields of events.
    prelude: Vec<(Column, Expr)>,
    /// Fields of events that are read: names of the query and where they are.
    reads: Vec<(String, FieldPath)>,
    pub(super) stages: Vec<Stage>,
    pub(super) scope: Scope,
    /// Whether a row is still made of the event that it came from, so that a filter can go before everything.
    pub(super) single: bool,
    pub(super) grouping: Option<super::stats::Grouping>,
    pub(super) aggregates: bool,
    temporaries: usize,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(text: &'a str, field: FieldResolver<'a>, kql: KqlCompiler<'a>) -> Compiler<'a> {
        Compiler {
            text,
            field,
            kql,
            filter: Vec::new(),
            prelude: Vec::new(),
            reads: Vec::new(),
            stages: Vec::new(),
            scope: Scope::default(),
            single: true,
            grouping: None,
            aggregates: false,
            temporaries: 0,
        }
    }

    pub(super) fn compile(mut self, commands: &[Command]) -> Result<EsqlQuery, Vec<EsqlProblem>> {
        let mut problems = Vec::new();
        for command in commands {
            let before = self.filter.len();
            let from = self.stages.len();
            match self.command(command) {
                Ok(()) => problems.extend(self.check(before, from, &command.range)),
                // What follows would only complain about columns that this did not make.
                Err(problem) => {
                    problems.push(problem);
                    if !matches!(command.kind, CommandKind::Where(_) | CommandKind::Sort(_)) {
                        break;
                    }
                }
            }
        }
        if problems.is_empty() { Ok(self.finish()) } else { Err(problems) }
    }

    /// Whether what a command has added can be run.
    fn check(&self, filters: usize, stages: usize, range: &Range<usize>) -> Option<EsqlProblem> {
        let of_stages = self.stages.iter().skip(stages).filter_map(|stage| match stage {
            Stage::Filter(expr) | Stage::Assign { expr, .. } => Some(expr),
            _ => None,
        });
        let error = self.filter.iter().skip(filters).chain(of_stages).find_map(|expr| Program::compile(expr).err())?;
        Some(EsqlProblem::new("esql-arguments", range.clone(), error.to_string()))
    }

    fn command(&mut self, command: &Command) -> Parsed<()> {
        match &command.kind {
            CommandKind::From => Ok(()),
            CommandKind::Where(node) => self.filtered(node),
            CommandKind::Eval(items) => items.iter().try_for_each(|item| self.assigned(item)),
            CommandKind::Stats { aggregates, by } => self.stats(aggregates, by),
            CommandKind::Keep(patterns) => self.keep(patterns),
            CommandKind::Drop(patterns) => self.drop_columns(patterns),
            CommandKind::Rename(pairs) => pairs.iter().try_for_each(|(from, to)| self.rename(from, to)),
            CommandKind::Sort(keys) => self.sort(keys),
            CommandKind::Limit(count) => {
                self.single = false;
                self.stages.push(Stage::Head { count: *count });
                Ok(())
            }
            CommandKind::MvExpand(node) => {
                let field = self.column_of(node)?;
                self.single = false;
                self.stages.push(Stage::Expand { field: field.column.clone(), limit: 0 });
                self.scope.define(field);
                Ok(())
            }
            CommandKind::Grok { field, pattern, pattern_range } => {
                let taken = grok::translate(pattern, &mut || self.temporary());
                self.extract(field, taken, pattern_range)
            }
            CommandKind::Dissect { field, pattern, pattern_range, separator } => {
                let taken = dissect::translate(pattern, separator, &mut || self.temporary());
                self.extract(field, taken, pattern_range)
            }
        }
    }

    /// A name that no query can spell without trying.
    pub(super) fn temporary(&mut self) -> String {
        self.temporaries += 1;
        format!("esql_{}", self.temporaries)
    }

    pub(super) fn assign(&mut self, field: String, expr: Expr) {
        self.stages.push(Stage::Assign { field, expr });
    }

    /// What a name stands for behind the commands so far.
    pub(super) fn place(&self, name: &str) -> Place {
        if let Some(column) = self.scope.find(name) {
            return match column.absent {
                true => Place::Absent,
                false => Place::Column { column: column.column.clone(), date: column.date },
            };
        }
        if !self.scope.sees_event(name) {
            return Place::Unknown;
        }
        if name == "@timestamp" {
            return Place::Event(FieldPath::flat("_time"));
        }
        if METADATA.contains(&name) {
            return Place::Absent;
        }
        match (self.field)(name) {
            Resolved::Path(path) => Place::Event(path),
            Resolved::Constant(value) => Place::Constant(value),
            Resolved::Absent => Place::Absent,
        }
    }

    pub(super) fn sees_events(&self) -> bool {
        !self.scope.closed && self.single
    }

    pub(super) fn read(&mut self, name: &str, path: &FieldPath) {
        if !self.reads.iter().any(|(_, known)| known == path) {
            self.reads.push((name.to_owned(), path.clone()));
        }
    }

    pub(super) fn unknown_column(&self, name: &str, range: &Range<usize>) -> EsqlProblem {
        let message = format!("there is no column `{name}` any more");
        let known: Vec<String> =
            self.scope.columns.iter().take(12).map(|column| format!("`{}`", column.name)).collect();
        let problem = EsqlProblem::new("esql-unknown-column", range.clone(), message);
        if known.is_empty() { problem } else { problem.help(format!("there are {}", known.join(", "))) }
    }

    /// The column of a name, made of the field of the event if it is one.
    pub(super) fn materialised(&mut self, name: &str, range: &Range<usize>) -> Parsed<Column> {
        if let Some(column) = self.scope.find(name) {
            return Ok(column.clone());
        }
        let (expr, date) = match self.place(name) {
            Place::Event(FieldPath::Keys(_)) => {
                return Err(EsqlProblem::unsupported(range.clone(), &format!("the field `{name}` outside of `WHERE`")));
            }
            Place::Event(path) => {
                self.read(name, &path);
                let date = path == FieldPath::flat("_time");
                (Expr::Field(path), date)
            }
            Place::Constant(value) => (text(value), false),
            Place::Absent | Place::Column { .. } => (NULL, false),
            Place::Unknown => return Err(self.unknown_column(name, range)),
        };
        let column = Column::new(name, date);
        if !self.prelude.iter().any(|(known, _)| known.name == column.name) {
            self.prelude.push((column.clone(), expr));
        }
        Ok(column)
    }

    /// The column of an expression; one of its own if it is no name.
    pub(super) fn column_of(&mut self, node: &Node) -> Parsed<Column> {
        if let NodeKind::Name(name) = &node.kind {
            return self.materialised(name, &node.range);
        }
        let Typed { expr, ty } = self.typed(node, Mode::Row)?;
        let name = self.temporary();
        self.assign(name.clone(), expr);
        Ok(Column::new(&name, ty == super::typed::Type::Date))
    }

    fn filtered(&mut self, node: &Node) -> Parsed<()> {
        let conjuncts = match &node.kind {
            NodeKind::And(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut rest = Vec::new();
        for conjunct in conjuncts {
            if self.single && !conjunct.any(&mut |part| self.is_of_rows(part)) {
                let condition = self.condition(conjunct, true)?;
                self.filter.push(condition);
            } else {
                rest.push(self.plain(conjunct, Mode::Row)?);
            }
        }
        if !rest.is_empty() {
            self.stages.push(Stage::Filter(all(rest)));
        }
        Ok(())
    }

    /// Whether a part of a condition cannot be asked of an event: it reads a column, or asks what time it is.
    fn is_of_rows(&self, part: &Node) -> bool {
        match &part.kind {
            NodeKind::Name(name) => match self.place(name) {
                Place::Column { .. } | Place::Unknown => true,
                Place::Event(path) => path == FieldPath::flat("_time"),
                Place::Constant(_) | Place::Absent => self.scope.closed,
            },
            NodeKind::Call(call) => call.name == "now",
            _ => false,
        }
    }

    fn assigned(&mut self, item: &Named) -> Parsed<()> {
        let Typed { expr, ty } = self.typed(&item.node, Mode::Row)?;
        self.define(&item.name, expr, ty == super::typed::Type::Date);
        Ok(())
    }

    pub(super) fn define(&mut self, name: &str, expr: Expr, date: bool) {
        let column = Column::new(name, date);
        self.assign(column.column.clone(), expr);
        self.scope.define(column);
    }

    fn extract(&mut self, field: &Node, taken: Result<grok::Extraction, String>, range: &Range<usize>) -> Parsed<()> {
        let taken = taken.map_err(|reason| EsqlProblem::new("esql-pattern", range.clone(), reason))?;
        self.check_regex(&taken.regex, range)?;
        let field = self.column_of(field)?;
        self.stages.push(Stage::Extract { field: field.column, regex: taken.regex, max_match: 1 });
        for target in taken.targets {
            let mut groups = target.groups.iter().map(column);
            let value = match &target.separator {
                Some(separator) => {
                    let joined = groups.reduce(|left, right| {
                        let left = arith(masthead_ir::expr::ArithOp::Concat, left, text(separator));
                        arith(masthead_ir::expr::ArithOp::Concat, left, right)
                    });
                    joined.unwrap_or(NULL)
                }
                None if target.groups.len() == 1 => groups.next().unwrap_or(NULL),
                None => call(Func::MvAppend, groups),
            };
            let value = if target.number { call(Func::ToNumber, [value]) } else { value };
            self.define(&target.name, value, false);
        }
        Ok(())
    }

    fn keep(&mut self, patterns: &[NamePattern]) -> Parsed<()> {
        if patterns.iter().any(|pattern| pattern.text == "*") && !self.scope.closed {
            return Ok(());
        }
        let mut columns = self.scope.columns.clone();
        for pattern in patterns {
            let names = if pattern.star { self.read_names(pattern) } else { vec![pattern.text.clone()] };
            for name in names {
                if columns.iter().any(|column| column.name == name) {
                    continue;
                }
                let mut column = match self.place(&name) {
                    Place::Absent => Column { absent: true, ..Column::new(&name, false) },
                    _ => self.materialised(&name, &pattern.range)?,
                };
                column.name = name;
                columns.push(column);
            }
        }
        self.scope = Scope::of(kept(&columns, patterns));
        Ok(())
    }

    /// The fields of events that the query has read and a pattern covers.
    fn read_names(&self, pattern: &NamePattern) -> Vec<String> {
        let names = self.reads.iter().map(|(name, _)| name).filter(|name| pattern.covers(name));
        names.filter(|name| self.scope.sees_event(name)).cloned().collect()
    }

    fn drop_columns(&mut self, patterns: &[NamePattern]) -> Parsed<()> {
        for pattern in patterns {
            if !pattern.star && matches!(self.place(&pattern.text), Place::Unknown) {
                return Err(self.unknown_column(&pattern.text, &pattern.range));
            }
            self.scope.drop(pattern);
        }
        Ok(())
    }

    fn rename(&mut self, from: &NamePattern, to: &str) -> Parsed<()> {
        let old = self.materialised(&from.text, &from.range)?;
        let new = Column { absent: old.absent, ..Column::new(to, old.date) };
        if old.column != new.column {
            self.stages.push(Stage::Rename(vec![(old.column, new.column.clone())]));
        }
        self.scope.rename(from, new);
        Ok(())
    }

    fn sort(&mut self, keys: &[(Node, bool)]) -> Parsed<()> {
        let mut sorted = Vec::new();
        for (node, descending) in keys {
            let field = self.column_of(node)?.column;
            sorted.push(SortKey { field, descending: *descending, order: SortOrder::Auto });
        }
        self.stages.push(Stage::Sort { keys: sorted, limit: 0 });
        Ok(())
    }

    /// The text of a place in the query.
    pub(super) fn written(&self, range: &Range<usize>) -> &'a str {
        self.text.get(range.clone()).unwrap_or("")
    }

    fn finish(mut self) -> EsqlQuery {
        let visible: Vec<Column> = self.scope.columns.iter().filter(|column| !column.absent).cloned().collect();
        let dates = visible.iter().filter(|column| column.date).map(|column| column.column.clone()).collect::<Vec<_>>();
        if !dates.is_empty() {
            self.stages.push(Stage::FormatTime { fields: dates, format: time::FORMAT.to_owned() });
        }
        let computed = visible.into_iter().map(|column| column.column);
        let mut last = if self.scope.closed {
            vec![Stage::Keep { fields: computed.collect(), ordered: true }]
        } else {
            self.shown(computed)
        };
        let columns = columns(&last);
        let prelude =
            self.prelude.into_iter().filter(|(column, expr)| *expr != Expr::Field(FieldPath::flat(&column.column)));
        let mut stages: Vec<Stage> =
            prelude.map(|(column, expr)| Stage::Assign { field: column.column, expr }).collect();
        stages.append(&mut self.stages);
        stages.append(&mut last);
        let source = Source::Events { filter: all(self.filter), range: None };
        EsqlQuery { pipeline: Pipeline { source, stages }, columns, aggregates: self.aggregates }
    }

    /// What findings show everywhere, what the query reads and what it computes.
    fn shown(&self, computed: impl Iterator<Item = String>) -> Vec<Stage> {
        let read =
            self.reads.iter().filter(|(name, path)| *path != FieldPath::flat("_time") && self.scope.sees_event(name));
        let mut stages = rows::shown(read.map(|(_, path)| path.clone()));
        if let Some(Stage::Keep { fields, .. }) = stages.first_mut() {
            for column in computed {
                if !fields.contains(&column) {
                    fields.push(column);
                }
            }
        }
        stages
    }
}

/// The columns that the last stages leave, as [`rows::shown`] makes them.
fn columns(last: &[Stage]) -> Vec<String> {
    let (mut columns, mut pairs) = (Vec::new(), Vec::new());
    for stage in last {
        match stage {
            Stage::Keep { fields, .. } => columns.clone_from(fields),
            Stage::Rename(renamed) => pairs.clone_from(renamed),
            _ => {}
        }
    }
    for column in &mut columns {
        if let Some((_, to)) = pairs.iter().find(|(from, _)| from == column) {
            column.clone_from(to);
        }
    }
    columns
}
