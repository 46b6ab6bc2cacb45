//! The aggregate functions as DataFusion sees them.
//!
//! Each is a function of its own name over (value, time); intermediate states travel as JSON text, so that partial
//! aggregates can be merged wherever they were made.

use std::hash::{Hash, Hasher};
use std::mem::{size_of, size_of_val};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator as DataFusionAccumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};
use masthead_ir::Value;
use masthead_ir::eval::number::Number;
use masthead_ir::pipeline::AggregateFunc;

use crate::accumulate::{Accumulator, result_kind};
use crate::kind::{Kind, Reader, column};
use crate::rows::MAX_IDS;
use rustc_hash::FxHashSet;

/// The aggregate function of the IR.
pub(crate) fn aggregate(func: AggregateFunc) -> AggregateUDF {
    AggregateUDF::from(Named {
        name: format!("ir_{func:?}").to_ascii_lowercase(),
        what: What::Func(func),
        signature: any(),
    })
}

/// The audit ids of a group's rows: distinct, in the order of their first appearance.
pub(crate) fn ids() -> AggregateUDF {
    AggregateUDF::from(Named { name: "ir_ids".to_owned(), what: What::Ids, signature: any() })
}

fn any() -> Signature {
    Signature::variadic_any(Volatility::Immutable)
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum What {
    Func(AggregateFunc),
    Ids,
}

#[derive(Debug, Clone)]
struct Named {
    name: String,
    what: What,
    signature: Signature,
}

// The name says all: a percentile's share is part of it.
impl PartialEq for Named {
    fn eq(&self, other: &Named) -> bool {
        self.name == other.name
    }
}

impl Eq for Named {}

impl Hash for Named {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl AggregateUDFImpl for Named {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let input = arguments.first().map_or(Kind::Text, Kind::of_type);
        Ok(match self.what {
            What::Func(func) => result_kind(func, input),
            What::Ids => Kind::List,
        }
        .data_type())
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn DataFusionAccumulator>> {
        let kind = Kind::of_type(arguments.return_field.data_type());
        Ok(match self.what {
            What::Func(func) => Box::new(Running { func, kind, state: Accumulator::new(func) }),
            What::Ids => Box::new(Ids::default()),
        })
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let kind = match self.what {
            What::Func(_) => Kind::Text,
            What::Ids => Kind::List,
        };
        Ok(vec![Arc::new(Field::new(format!("{}[state]", arguments.name), kind.data_type(), true))])
    }
}

/// One value of a column as DataFusion's scalar.
fn scalar(kind: Kind, value: &Value) -> Result<ScalarValue> {
    ScalarValue::try_from_array(&column(kind, [value]), 0)
}

#[derive(Debug)]
struct Running {
    func: AggregateFunc,
    kind: Kind,
    state: Accumulator,
}

impl DataFusionAccumulator for Running {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [input, rest @ ..] = values else { return Ok(()) };
        let (reader, time) = (Reader::new(input), rest.first().map(Reader::new_of));
        for row in 0..input.len() {
            let time = time.as_ref().and_then(|time| Number::of(&time.value(row)).map(Number::as_f64));
            self.state.add(self.func, &reader.value(row), time);
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let texts = states.first().and_then(|array| array.as_string_opt::<i32>());
        for text in texts.into_iter().flatten().flatten() {
            let state = serde_json::from_str(text).map_err(|error| DataFusionError::External(error.into()))?;
            self.state.merge(self.func, state);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let text = serde_json::to_string(&self.state).map_err(|error| DataFusionError::External(error.into()))?;
        Ok(vec![ScalarValue::Utf8(Some(text))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        scalar(self.kind, &self.state.finish(self.func))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.state.size()
    }
}

/// Beyond so many ids a set tells whether one is known; most groups have one or two.
const FEW: usize = 16;

#[derive(Debug, Default)]
struct Ids {
    order: Vec<Value>,
    seen: FxHashSet<Arc<str>>,
}

impl Ids {
    fn take(&mut self, array: &ArrayRef) {
        let reader = Reader::new(array);
        for row in 0..array.len() {
            if self.order.len() >= MAX_IDS {
                return;
            }
            for member in reader.value(row).members() {
                self.add(member);
            }
        }
    }

    fn add(&mut self, member: &Value) {
        let Value::Text(id) = member else { return };
        let known = if self.seen.is_empty() { self.order.contains(member) } else { self.seen.contains(id) };
        if known || self.order.len() >= MAX_IDS {
            return;
        }
        if self.order.is_empty() {
            self.order.reserve_exact(1);
        }
        self.order.push(member.clone());
        if !self.seen.is_empty() {
            self.seen.insert(id.clone());
        } else if self.order.len() > FEW {
            let texts = self.order.iter().filter_map(|value| match value {
                Value::Text(id) => Some(id.clone()),
                _ => None,
            });
            self.seen = texts.collect();
        }
    }
}

impl DataFusionAccumulator for Ids {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        values.iter().take(1).for_each(|array| self.take(array));
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        scalar(Kind::List, &Value::list(self.order.iter().cloned()))
    }

    fn size(&self) -> usize {
        // An audit id is a UUID of 36 letters, behind two counters; in the set is another pointer to it.
        size_of_val(self)
            + self.order.capacity() * size_of::<Value>()
            + self.order.len() * 64
            + self.seen.capacity() * 18
    }
}
