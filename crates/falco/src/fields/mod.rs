//! The fields of the k8saudit and json plugins, and how each is had from an event.

mod computed;
mod table;

use masthead_ir::expr::Func;
use masthead_ir::pattern::Pattern;
use masthead_ir::{Expr, FieldPath, Value};
use masthead_rulefile::suggest;
use masthead_schema::field;

use computed::Reader;
use table::{Argument, Entry, Read};

/// Where a field is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a filter over events: walks by keys are known.
    Event,
    /// In a stage over rows: only columns are known, among them the event's text.
    Row,
}

/// How the value of a field is had.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Access {
    /// The place in the event that holds it, where it is read as it stands: then it can be tested without computing it. With
    /// it, if only the start of the value counts, the expression of what may follow that.
    pub(crate) path: Option<(FieldPath, Option<&'static str>)>,
    /// The value.
    pub(crate) value: Expr,
    /// Whether it is a list: what it can be compared with depends on that, not on the event.
    pub(crate) list: bool,
    /// Whether every event has it.
    pub(crate) always: bool,
}

/// Why a field cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FieldError {
    /// The code of the diagnostic.
    pub(crate) code: &'static str,
    /// What is wrong.
    pub(crate) message: String,
    /// A way out.
    pub(crate) help: Option<String>,
}

impl Access {
    /// A value that stands in the event.
    fn at(path: FieldPath) -> Access {
        Access { value: Expr::Field(path.clone()), path: Some((path, None)), list: false, always: false }
    }

    /// A value that has to be computed.
    pub(crate) fn computed(value: Expr) -> Access {
        Access { path: None, value, list: false, always: false }
    }

    /// The value as an expression.
    pub(crate) fn into_value(self) -> Expr {
        self.value
    }

    /// Whether the event has it.
    pub(crate) fn exists(&self) -> Expr {
        match &self.path {
            _ if self.always => Expr::And(Vec::new()),
            Some((path, _)) => Expr::Test { field: path.clone(), pattern: Pattern::Present },
            None => call(Func::IsNotNull, [self.value.clone()]),
        }
    }
}

/// A call of a function.
pub(crate) fn call(func: Func, args: impl IntoIterator<Item = Expr>) -> Expr {
    Expr::Call { func, args: args.into_iter().collect() }
}

/// How a field is had.
///
/// # Errors
/// For a name that no field has, and for an argument that the field does not take.
pub(crate) fn access(name: &str, argument: Option<&str>, place: Place) -> Result<Access, FieldError> {
    let Some(entry) = table::entry(name) else { return Err(unknown(name)) };
    let reader = Reader::new(place);
    let access = match (entry.argument, argument) {
        (Argument::Index | Argument::None, None) => whole(&entry, &reader),
        (Argument::Index, Some(index)) => match index.parse::<usize>() {
            Ok(index) => indexed(&entry, index, &reader),
            Err(_) => return Err(bad_argument(format!("`{name}` takes a number in brackets, not `{index}`"))),
        },
        (Argument::Key, Some(key)) => reader.keyed(&entry.read, key),
        (Argument::Key, None) => return Err(bad_argument(format!("`{name}` needs an argument: `{name}[…]`"))),
        (Argument::None, Some(_)) => return Err(bad_argument(format!("`{name}` takes no argument"))),
    };
    Ok(Access { list: entry.list, always: entry.always(), ..access })
}

fn unknown(name: &str) -> FieldError {
    let names = table::names();
    let near = suggest(name, names.iter().map(String::as_str));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "fields begin with `ka.`, `jevt.`, `json.` or `evt.`".to_owned(),
    };
    FieldError { code: "falco-field", message: format!("there is no field `{name}`"), help: Some(help) }
}

fn bad_argument(message: String) -> FieldError {
    FieldError { code: "falco-field-argument", message, help: None }
}

/// A field without an index.
fn whole(entry: &Entry, reader: &Reader) -> Access {
    match &entry.read {
        Read::At(path) => Access::at(field(path)),
        Read::Json(keys) => reader.json_access(keys),
        Read::Each { array, rest } => Access::at(field(&[&array.join("."), *rest].join("."))),
        Read::Repository { array } => {
            let path = field(&format!("{}.image", array.join(".")));
            let value = computed::repository(Expr::Field(path.clone()));
            Access { path: Some((path, Some(computed::BEHIND_REPOSITORY))), value, list: true, always: false }
        }
        other => Access::computed(reader.value(other, None)),
    }
}

/// A field with an index: what one element of its list has.
fn indexed(entry: &Entry, index: usize, reader: &Reader) -> Access {
    match &entry.read {
        // A list of texts in the event itself.
        Read::At(path) => {
            let index = Expr::Literal(Value::Int(i64::try_from(index).unwrap_or(i64::MAX)));
            Access::computed(call(Func::MvIndex, [Expr::Field(field(path)), index]))
        }
        // The plugin reads the whole field here: its index counts arrays on the way, and there are none.
        Read::Json(keys) => reader.json_access(keys),
        other => Access::computed(reader.value(other, Some(index))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_can_be_read_everywhere() {
        for name in table::names() {
            let entry = table::entry(&name).unwrap();
            let arguments: &[Option<&str>] = match entry.argument {
                Argument::None => &[None],
                Argument::Index => &[None, Some("0")],
                Argument::Key => &[Some("/a/0")],
            };
            for argument in arguments {
                for place in [Place::Event, Place::Row] {
                    let access = access(&name, *argument, place).unwrap();
                    let compiled = masthead_ir::eval::Program::compile(&access.value);
                    assert!(compiled.is_ok(), "{name}{argument:?}: {compiled:?}");
                    let keys = |field: &FieldPath| matches!(field, FieldPath::Keys(_));
                    assert!(place == Place::Event || !access.value.fields().iter().any(keys), "{name}{argument:?}");
                }
            }
        }
    }

    #[test]
    fn arguments_are_checked() {
        for (name, argument) in [
            ("ka.verb", Some("0")),
            ("ka.uri.param", None),
            ("ka.req.pod.containers.image", Some("x")),
            ("ka.req.pod.containers.image", Some("-1")),
        ] {
            let fault = access(name, argument, Place::Event).unwrap_err();
            assert_eq!(fault.code, "falco-field-argument", "{name}");
        }
        assert_eq!(access("ka.vreb", None, Place::Event).unwrap_err().help.unwrap(), "did you mean `ka.verb`?");
    }
}
