//! How a row's values lie in columns.
//!
//! A column is text, lists of text, or numbers. Which one follows from how the column came about, so that it is known
//! when a plan is made; what a value means as a number is decided where it is used ([`masthead_ir::eval`]).

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Float64Builder, Int64Array, Int64Builder, ListBuilder, StringArray,
    StringBuilder,
};
use datafusion::arrow::datatypes::{DataType, Field, Float64Type, Int64Type};
use masthead_ir::Value;
use masthead_ir::eval::number;
use masthead_ir::expr::DOTTED_COLUMN;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Text,
    List,
    Int,
    Float,
}

impl Kind {
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Kind::Text => DataType::Utf8,
            Kind::List => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
            Kind::Int => DataType::Int64,
            Kind::Float => DataType::Float64,
        }
    }

    /// The kind that holds values of both.
    pub(crate) fn join(self, other: Kind) -> Kind {
        match (self, other) {
            (a, b) if a == b => a,
            (Kind::List, _) | (_, Kind::List) => Kind::List,
            (Kind::Int | Kind::Float, Kind::Int | Kind::Float) => Kind::Float,
            _ => Kind::Text,
        }
    }

    /// The kind of a field that an event brings: only a name with an array level can have several values.
    pub(crate) fn of_field(name: &str) -> Kind {
        match name {
            "_time" => Kind::Float,
            _ if name.contains("{}") || name.starts_with(DOTTED_COLUMN) => Kind::List,
            _ => Kind::Text,
        }
    }

    pub(crate) fn of_type(data_type: &DataType) -> Kind {
        match data_type {
            DataType::List(_) => Kind::List,
            DataType::Int64 => Kind::Int,
            DataType::Float64 => Kind::Float,
            _ => Kind::Text,
        }
    }
}

/// The text of one value; none for absent ones. Of a list, its first member.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::List(members) => members.first().and_then(text_of),
        other => number::text(other).map(|text| text.into_owned()),
    }
}

fn number_of(value: &Value) -> Option<f64> {
    number::Number::of(value).map(number::Number::as_f64)
}

/// Builds a column of one kind.
pub(crate) enum ColumnBuilder {
    Text(StringBuilder),
    List(ListBuilder<StringBuilder>),
    Int(Int64Builder),
    Float(Float64Builder),
}

impl ColumnBuilder {
    pub(crate) fn new(kind: Kind) -> ColumnBuilder {
        match kind {
            Kind::Text => ColumnBuilder::Text(StringBuilder::new()),
            Kind::List => ColumnBuilder::List(ListBuilder::new(StringBuilder::new())),
            Kind::Int => ColumnBuilder::Int(Int64Builder::new()),
            Kind::Float => ColumnBuilder::Float(Float64Builder::new()),
        }
    }

    /// Appends a value as far as the kind can hold it.
    pub(crate) fn push(&mut self, value: &Value) {
        match self {
            ColumnBuilder::Text(builder) => match value {
                Value::Text(text) | Value::Json(text) => builder.append_value(text),
                other => builder.append_option(text_of(other)),
            },
            ColumnBuilder::List(builder) => {
                for member in value.members() {
                    builder.values().append_option(text_of(member));
                }
                builder.append(!value.is_absent());
            }
            ColumnBuilder::Int(builder) => builder.append_option(number_of(value).map(|n| n as i64)),
            ColumnBuilder::Float(builder) => builder.append_option(number_of(value)),
        }
    }

    pub(crate) fn finish(&mut self) -> ArrayRef {
        match self {
            ColumnBuilder::Text(builder) => Arc::new(builder.finish()),
            ColumnBuilder::List(builder) => Arc::new(builder.finish()),
            ColumnBuilder::Int(builder) => Arc::new(builder.finish()),
            ColumnBuilder::Float(builder) => Arc::new(builder.finish()),
        }
    }
}

/// A column of values of one kind.
pub(crate) fn column<'v>(kind: Kind, values: impl IntoIterator<Item = &'v Value>) -> ArrayRef {
    let mut builder = ColumnBuilder::new(kind);
    for value in values {
        builder.push(value);
    }
    builder.finish()
}

/// A column, to be read row by row.
pub(crate) enum Reader<'a> {
    Text(&'a StringArray),
    List(&'a datafusion::arrow::array::ListArray),
    Int(&'a Int64Array),
    Float(&'a Float64Array),
    /// Nothing, or a type that no column of ours has.
    None,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(array: &'a dyn Array) -> Reader<'a> {
        match array.data_type() {
            DataType::Utf8 => array.as_string_opt().map_or(Reader::None, Reader::Text),
            DataType::List(_) => array.as_list_opt().map_or(Reader::None, Reader::List),
            DataType::Int64 => array.as_primitive_opt::<Int64Type>().map_or(Reader::None, Reader::Int),
            DataType::Float64 => array.as_primitive_opt::<Float64Type>().map_or(Reader::None, Reader::Float),
            _ => Reader::None,
        }
    }

    pub(crate) fn new_of(array: &'a datafusion::arrow::array::ArrayRef) -> Reader<'a> {
        Reader::new(array.as_ref())
    }

    pub(crate) fn value(&self, row: usize) -> Value {
        match self {
            Reader::Text(array) if array.is_valid(row) => Value::text(array.value(row)),
            Reader::Int(array) if array.is_valid(row) => Value::Int(array.value(row)),
            Reader::Float(array) if array.is_valid(row) => number::float(array.value(row)),
            Reader::List(array) if array.is_valid(row) => {
                let members = array.value(row);
                let Some(members) = members.as_string_opt::<i32>() else { return Value::Absent };
                Value::list(members.iter().flatten().map(Value::text))
            }
            _ => Value::Absent,
        }
    }
}
