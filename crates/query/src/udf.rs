//! The functions of single rows as DataFusion sees them.
//!
//! There is one function per type of result (`ir_text`, `ir_list`, `ir_int`, `ir_float`, `ir_truth`). Its first argument is a
//! literal: the [`Map`] as JSON with the names of the columns that follow. So every expression has one meaning, and a
//! plan can travel to another process that knows the functions by name.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{ArrayRef, BooleanBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column as DataFusionColumn, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr as PlanExpr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};
use masthead_ir::eval::{Context, Program, Row};
use masthead_ir::{Expr, FieldPath, Value};
use serde::{Deserialize, Serialize};

use crate::kind::{ColumnBuilder, Kind, Reader};
use crate::map::{Map, Tools};

/// A column by its whole name, which may hold dots and braces.
pub(crate) fn col(name: &str) -> PlanExpr {
    PlanExpr::Column(DataFusionColumn::new_unqualified(name))
}

/// The functions of one run.
#[derive(Debug, Clone)]
pub(crate) struct Functions {
    tools: Arc<Tools>,
}

/// The literal argument.
#[derive(Debug, Serialize, Deserialize)]
struct Call {
    what: What,
    columns: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
enum What {
    Map(Map),
    Truth(Expr),
}

impl Functions {
    pub(crate) fn new(tools: Arc<Tools>) -> Functions {
        Functions { tools }
    }

    /// A map over the columns that are there; it is checked here, so that its fault is told before anything runs.
    pub(crate) fn map(&self, map: &Map, kind: Kind, columns: &[String]) -> Result<PlanExpr> {
        let _checked = map.compile(&self.tools).map_err(DataFusionError::Plan)?;
        self.call(What::Map(map.clone()), Some(kind), map.fields(), columns)
    }

    /// Whether an expression is true.
    pub(crate) fn truth(&self, expr: &Expr, columns: &[String]) -> Result<PlanExpr> {
        Program::compile(expr).map_err(|error| DataFusionError::Plan(error.to_string()))?;
        let fields = expr.fields().into_iter().map(|field| field.to_string()).collect();
        self.call(What::Truth(expr.clone()), None, fields, columns)
    }

    fn call(&self, what: What, kind: Option<Kind>, fields: Vec<String>, columns: &[String]) -> Result<PlanExpr> {
        let mut fields: Vec<String> = fields.into_iter().filter(|field| columns.contains(field)).collect();
        fields.sort();
        fields.dedup();
        let call = Call { what, columns: fields };
        let text = serde_json::to_string(&call).map_err(|error| DataFusionError::External(error.into()))?;
        let arguments = std::iter::once(lit(text)).chain(call.columns.iter().map(|name| col(name))).collect();
        let function = Function {
            kind,
            tools: self.tools.clone(),
            signature: Signature::variadic_any(Volatility::Immutable),
            compiled: Mutex::default(),
        };
        Ok(ScalarUDF::from(function).call(arguments))
    }
}

enum Compiled {
    Map(crate::map::Compiled),
    Truth(Box<Program>),
}

/// What a literal argument means: the columns, and what runs over them.
type Ready = Arc<(Vec<String>, Compiled)>;

struct Function {
    /// None: a truth value.
    kind: Option<Kind>,
    tools: Arc<Tools>,
    signature: Signature,
    compiled: Mutex<HashMap<String, Ready>>,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Function) -> bool {
        self.kind == other.kind && Arc::ptr_eq(&self.tools, &other.tools)
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind.hash(state);
    }
}

impl Function {
    fn ready(&self, text: &str) -> Result<Ready> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = compiled.get(text) {
            return Ok(ready.clone());
        }
        let call: Call = serde_json::from_str(text).map_err(|error| DataFusionError::External(error.into()))?;
        let what = match &call.what {
            What::Map(map) => Compiled::Map(map.compile(&self.tools).map_err(DataFusionError::Execution)?),
            What::Truth(expr) => {
                let program = Program::compile(expr).map_err(|error| DataFusionError::Execution(error.to_string()))?;
                Compiled::Truth(Box::new(program))
            }
        };
        let ready = Arc::new((call.columns, what));
        compiled.insert(text.to_owned(), ready.clone());
        Ok(ready)
    }
}

/// One row of the arguments.
struct BatchRow<'a> {
    names: &'a [String],
    readers: &'a [Reader<'a>],
    row: usize,
}

impl Row for BatchRow<'_> {
    fn get(&self, field: &FieldPath) -> Value {
        let index = self.names.iter().position(|column| field.is_column(column));
        index.and_then(|index| self.readers.get(index)).map_or(Value::Absent, |reader| reader.value(self.row))
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        match self.kind {
            Some(Kind::Text) => "ir_text",
            Some(Kind::List) => "ir_list",
            Some(Kind::Int) => "ir_int",
            Some(Kind::Float) => "ir_float",
            None => "ir_truth",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.kind.map_or(DataType::Boolean, Kind::data_type))
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(ColumnarValue::Scalar(ScalarValue::Utf8(Some(text)))) = call.args.first() else {
            return Err(DataFusionError::Plan(format!("{} takes a literal first", self.name())));
        };
        let ready = self.ready(text)?;
        let (names, compiled) = &*ready;
        let rows = call.number_rows;
        let arrays: Vec<ArrayRef> =
            call.args[1..].iter().map(|argument| argument.to_array(rows)).collect::<Result<_>>()?;
        let readers: Vec<Reader<'_>> = arrays.iter().map(Reader::new_of).collect();
        let row = |row| BatchRow { names, readers: &readers, row };
        let array: ArrayRef = match (compiled, self.kind) {
            (Compiled::Map(map), Some(kind)) => {
                let mut column = ColumnBuilder::new(kind);
                (0..rows).for_each(|index| column.push(&map(&row(index))));
                column.finish()
            }
            (Compiled::Truth(program), _) => {
                let mut column = BooleanBuilder::with_capacity(rows);
                let context = Context { now: self.tools.now };
                (0..rows).for_each(|index| column.append_value(program.truth(&row(index), &context) == Some(true)));
                Arc::new(column.finish())
            }
            (Compiled::Map(_), None) => return Err(DataFusionError::Plan("a map gives no truth value".to_owned())),
        };
        Ok(ColumnarValue::Array(array))
    }
}
