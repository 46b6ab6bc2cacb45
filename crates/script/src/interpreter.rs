//! One interpreter with a library and its programs.

use std::collections::HashMap;
use std::sync::Arc;

use masthead_ir::rule::{ScriptError, ScriptVerdict};
use rustpython_vm::builtins::PyBaseExceptionRef;
use rustpython_vm::{AsObject, PyObjectRef, PyResult, VirtualMachine};

use crate::{json, sandbox};

/// The longest text of an exception that is passed on, in characters.
const MAX_MESSAGE: usize = 2000;

/// The function name that errors of a module's own statements carry.
pub(crate) const MODULE_LEVEL: &str = "<module>";

/// A Python interpreter, its programs, and the function that runs them.
pub(crate) struct Interpreter {
    python: rustpython_vm::Interpreter,
    entry: Option<(String, PyObjectRef)>,
    programs: HashMap<String, PyObjectRef>,
    /// By program: the configuration of its last call, as JSON and as Python has it. It seldom changes, and can be longer
    /// than an event.
    configs: HashMap<String, (String, PyObjectRef)>,
}

impl Interpreter {
    pub(crate) fn new() -> Self {
        Self { python: sandbox::interpreter(), entry: None, programs: HashMap::new(), configs: HashMap::new() }
    }

    /// Makes the modules importable and imports the entry point `(module, function)`.
    pub(crate) fn load_library(
        &mut self,
        modules: Vec<(String, Arc<str>)>,
        entry: &(String, String),
    ) -> Result<(), ScriptError> {
        let (module, function) = entry;
        let found = self.python.enter(|vm| {
            let import = || -> PyResult {
                sandbox::close(vm, &modules.into_iter().collect())?;
                vm.import(&*vm.ctx.new_str(module.as_str()), 0)?;
                // The import of a dotted name gives the package.
                let loaded = vm.sys_module.get_attr("modules", vm)?.get_item(module.as_str(), vm)?;
                loaded.get_attr(&*vm.ctx.new_str(function.as_str()), vm)
            };
            import().map_err(|exception| describe(vm, &exception, MODULE_LEVEL, module))
        })?;
        self.entry = Some((function.clone(), found));
        Ok(())
    }

    /// Compiles a program and runs its module-level statements.
    pub(crate) fn load_program(&mut self, name: &str, source: &str) -> Result<(), ScriptError> {
        let module = self.python.enter(|vm| {
            let module = sandbox::run_module(vm, name, source);
            module.map_err(|exception| describe(vm, &exception, MODULE_LEVEL, name))
        })?;
        self.programs.insert(name.to_owned(), module);
        Ok(())
    }

    /// Calls the entry point. The texts are JSON.
    pub(crate) fn call(
        &mut self,
        name: &str,
        event: &str,
        envelope: &str,
        config: &str,
    ) -> Result<ScriptVerdict, ScriptError> {
        let Some((function, entry)) = &self.entry else {
            return Err(failure(MODULE_LEVEL, "no library is loaded".to_owned()));
        };
        let Some(module) = self.programs.get(name) else {
            return Err(failure(function, format!("no program named {name} is loaded")));
        };
        let configs = &mut self.configs;
        self.python.enter(|vm| {
            vm.recursion_limit.set(sandbox::RECURSION_LIMIT);
            let read = |what: &str, text: &str| {
                json::to_python(vm, text).map_err(|error| failure(function, format!("the {what} is no JSON: {error}")))
            };
            let config = match configs.get(name) {
                Some((text, ready)) if text == config => ready.clone(),
                _ => {
                    let ready = read("config", config)?;
                    configs.insert(name.to_owned(), (config.to_owned(), ready.clone()));
                    ready
                }
            };
            let arguments = (module.clone(), read("event", event)?, read("envelope", envelope)?, config);
            let result = entry.call(arguments, vm).map_err(|exception| describe(vm, &exception, function, name))?;
            let result = json::from_python(vm, &result)
                .map_err(|what| failure(function, format!("returned {what}, which is no JSON")))?;
            if !result.is_object() {
                return Err(failure(function, "returned no dict".to_owned()));
            }
            serde_json::from_value(result)
                .map_err(|error| failure(function, format!("returned a dict that is no verdict: {error}")))
        })
    }
}

fn failure(function: &str, message: String) -> ScriptError {
    ScriptError { function: function.to_owned(), message, line: 0 }
}

/// An exception as `Type: message`, with the last line of the program's own file that it passed.
fn describe(vm: &VirtualMachine, exception: &PyBaseExceptionRef, function: &str, program: &str) -> ScriptError {
    // The text of an exception can be a method of the program's and fail in turn.
    let text = exception.as_object().str(vm).map(|text| text.as_wtf8().to_string_lossy().into_owned());
    let text: String = text.unwrap_or_default().chars().take(MAX_MESSAGE).collect();
    let kind = exception.class().name().to_string();
    let message = if text.is_empty() { kind } else { format!("{kind}: {text}") };
    let line = line_in(vm, exception, &format!("{program}.py"));
    ScriptError { function: function.to_owned(), message, line }
}

fn line_in(vm: &VirtualMachine, exception: &PyBaseExceptionRef, path: &str) -> u32 {
    let mut line = 0;
    let mut next = exception.__traceback__();
    while let Some(entry) = next {
        if entry.frame.code.source_path().as_str() == path {
            line = entry.lineno.get();
        }
        next = entry.next.lock().clone();
    }
    if exception.fast_isinstance(vm.ctx.exceptions.syntax_error) {
        let attribute = |name: &'static str| exception.as_object().get_attr(name, vm).ok();
        let file = attribute("filename").and_then(|file| file.str(vm).ok());
        if file.is_some_and(|file| file.as_wtf8() == path) {
            let stated = attribute("lineno").and_then(|line| line.try_into_value::<usize>(vm).ok());
            line = stated.unwrap_or(line);
        }
    }
    u32::try_from(line).unwrap_or(0)
}
