//! Python values from JSON text and back.

use rustpython_vm::builtins::{PyDict, PyFloat, PyInt, PyList, PyStr, PyTuple};
use rustpython_vm::{AsObject, PyObject, PyObjectRef, PyRef, VirtualMachine, py_serde};
use serde_json::{Map, Number, Value};

/// How deep a result may be nested. `serde_json` has the same limit for what it reads.
const MAX_DEPTH: usize = 127;

/// A JSON text as a Python value.
pub(crate) fn to_python(vm: &VirtualMachine, text: &str) -> Result<PyObjectRef, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = py_serde::deserialize(vm, &mut reader)?;
    reader.end()?;
    Ok(value)
}

/// A Python value as JSON: what Python's `json` module makes of it, but `null` for a float that JSON does not know.
/// The error is a sentence that names the type which has no JSON form.
pub(crate) fn from_python(vm: &VirtualMachine, object: &PyObject) -> Result<Value, String> {
    convert(vm, object, 0)
}

fn convert(vm: &VirtualMachine, object: &PyObject, depth: usize) -> Result<Value, String> {
    if depth > MAX_DEPTH {
        return Err(format!("a value nested more than {MAX_DEPTH} deep"));
    }
    if vm.is_none(object) {
        return Ok(Value::Null);
    }
    if let Some(text) = object.downcast_ref::<PyStr>() {
        return Ok(Value::String(text.as_wtf8().to_string_lossy().into_owned()));
    }
    if object.fast_isinstance(vm.ctx.types.bool_type) {
        return Ok(Value::Bool(object.is(&vm.ctx.true_value)));
    }
    if let Some(number) = object.downcast_ref::<PyInt>() {
        return Ok(integer(number));
    }
    if let Some(number) = object.downcast_ref::<PyFloat>() {
        return Ok(Number::from_f64(number.to_f64()).map_or(Value::Null, Value::Number));
    }
    if let Some(list) = object.downcast_ref::<PyList>() {
        // A copy, so that no lock is held while members are converted.
        let items = list.borrow_vec().to_vec();
        return items.iter().map(|item| convert(vm, item, depth + 1)).collect();
    }
    if let Some(tuple) = object.downcast_ref::<PyTuple>() {
        return tuple.iter().map(|item| convert(vm, item, depth + 1)).collect();
    }
    if let Ok(dict) = object.to_owned().downcast::<PyDict>() {
        return members(vm, dict, depth).map(Value::Object);
    }
    Err(format!("a value of type {}", object.class().name()))
}

fn members(vm: &VirtualMachine, dict: PyRef<PyDict>, depth: usize) -> Result<Map<String, Value>, String> {
    let mut map = Map::new();
    for (key, value) in dict {
        let key = match convert(vm, &key, MAX_DEPTH)? {
            Value::String(key) => key,
            Value::Null => "null".to_owned(),
            key @ (Value::Bool(_) | Value::Number(_)) => key.to_string(),
            Value::Array(_) | Value::Object(_) => return Err("a key that is no string".to_owned()),
        };
        map.insert(key, convert(vm, &value, depth + 1)?);
    }
    Ok(map)
}

/// An integer that fits no machine word becomes a float, as JSON readers make it.
fn integer(number: &PyInt) -> Value {
    let digits = || number.as_bigint().to_string();
    if let Ok(small) = i64::try_from(number.as_bigint()) {
        return small.into();
    }
    if let Ok(small) = u64::try_from(number.as_bigint()) {
        return small.into();
    }
    digits().parse::<f64>().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
}
