//! The interpreter without the host: which modules it has, and what is taken from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustpython::InterpreterBuilderExt;
use rustpython_vm::builtins::{PyModule, PyUtf8StrRef};
use rustpython_vm::common::rc::PyRc;
use rustpython_vm::function::FuncArgs;
use rustpython_vm::{AsObject, InterpreterBuilder, PyObjectRef, PyResult, Settings, VirtualMachine, compiler, import};

/// How deep Python calls may nest, as in CPython. Programs share an interpreter: none may raise it for the others.
pub(crate) const RECURSION_LIMIT: usize = 1000;

/// Modules in Rust that are not there: they inspect other processes or make threads. `_json` panics on some text that is
/// no JSON; without it `json` does everything in Python.
const ABSENT_NATIVE: &[&str] =
    &["_asyncio", "_interpchannels", "_interpqueues", "_interpreters", "_json", "_remote_debugging"];

/// Modules in Python, with all below them, that are not there: they are about processes, the network, files or a
/// terminal and could only fail later and less clearly.
const ABSENT_FROZEN: &[&str] = &[
    "_pyrepl",
    "asyncio",
    "bdb",
    "cmd",
    "code",
    "concurrent",
    "ctypes",
    "dbm",
    "ensurepip",
    "ftplib",
    "idlelib",
    "imaplib",
    "mailbox",
    "multiprocessing",
    "os",
    "pdb",
    "poplib",
    "pty",
    "shelve",
    "signal",
    "site",
    "smtplib",
    "socket",
    "socketserver",
    "sqlite3",
    "ssl",
    "subprocess",
    "tkinter",
    "unittest",
    "venv",
    "webbrowser",
    "wsgiref",
    "xmlrpc",
];

/// Modules of ours in the place of some of them.
const STAND_INS: &[(&str, &str)] = &[
    ("os", include_str!("python/os.py")),
    ("posix", include_str!("python/posix.py")),
    ("unittest.mock", include_str!("python/mock.py")),
];

/// Functions of native modules that fail.
const REFUSED: &[(&str, &[&str])] = &[
    ("_io", &["open", "open_code"]),
    ("_thread", &["start_new_thread", "start_new", "start_joinable_thread"]),
    ("marshal", &["load", "loads"]),
];

/// An interpreter that reaches no file, network, process, thread or terminal.
pub(crate) fn interpreter() -> rustpython_vm::Interpreter {
    let mut settings = Settings::default();
    settings.import_site = false;
    settings.install_signal_handlers = false;
    settings.isolated = true;
    settings.ignore_environment = true;
    settings.user_site_directory = false;
    settings.write_bytecode = false;
    settings.safe_path = true;
    settings.allow_external_library = false;
    let builder = InterpreterBuilder::new().settings(settings).init_stdlib();
    builder.init_hook(remove_modules).build()
}

fn remove_modules(vm: &mut VirtualMachine) {
    // The state is shared with nobody before the interpreter is initialised.
    let Some(state) = PyRc::get_mut(&mut vm.state) else { return };
    state.config.paths = Default::default();
    state.module_defs.retain(|name, _| !ABSENT_NATIVE.contains(name));
    state.frozen.retain(|name, _| {
        let root = name.split('.').next().unwrap_or(name);
        !ABSENT_FROZEN.contains(&root)
    });
}

/// Closes what the interpreter still offers, and makes `modules` importable before all others.
pub(crate) fn close(vm: &VirtualMachine, modules: &BTreeMap<String, Arc<str>>) -> PyResult<()> {
    vm.recursion_limit.set(RECURSION_LIMIT);
    for name in ["open", "input", "breakpoint"] {
        vm.builtins.set_attr(name, refusal(vm, name), vm)?;
    }
    let set_limit = |limit: usize, vm: &VirtualMachine| vm.recursion_limit.set(limit.clamp(1, RECURSION_LIMIT));
    vm.sys_module.set_attr("setrecursionlimit", vm.new_function("setrecursionlimit", set_limit), vm)?;
    refuse_bytecode(vm)?;
    for (module, names) in REFUSED {
        let module = vm.import(*module, 0)?;
        for name in *names {
            module.set_attr(*name, refusal(vm, name), vm)?;
        }
    }
    keep_closed(vm)?;
    install_importer(vm, modules)
}

/// A function that fails.
fn refusal(vm: &VirtualMachine, name: &'static str) -> PyObjectRef {
    let refuse = move |_arguments: FuncArgs, vm: &VirtualMachine| -> PyResult {
        let message = format!("{name}() is not available to scripts");
        let kind = vm.ctx.exceptions.permission_error.to_owned();
        Err(vm.new_os_subtype_error(kind, None, message).upcast())
    };
    vm.new_function(name, refuse).into()
}

/// The interpreter trusts its bytecode, so that only its compiler may make any.
fn refuse_bytecode(vm: &VirtualMachine) -> PyResult<()> {
    let code = vm.ctx.types.code_type;
    code.slots.new.store(None);
    for name in ["__new__", "replace", "__replace__"] {
        code.set_attr(vm.ctx.intern_str(name), refusal(vm, name));
    }
    // Its second argument, which nothing uses, is bytecode.
    let frozen = |name: PyUtf8StrRef, vm: &VirtualMachine| import::make_frozen(vm, name.as_str());
    vm.import("_imp", 0)?.set_attr("get_frozen_object", vm.new_function("get_frozen_object", frozen), vm)
}

/// A module that a script removes from `sys.modules` would be made anew with all of its functions: hands out the closed
/// one instead.
fn keep_closed(vm: &VirtualMachine) -> PyResult<()> {
    let imp = vm.import("_imp", 0)?;
    let create = imp.get_attr("create_builtin", vm)?;
    let closed = REFUSED.iter().map(|(name, _)| Ok((*name, vm.import(*name, 0)?))).collect::<PyResult<Vec<_>>>()?;
    let closed: Vec<_> = closed.into_iter().chain([("_imp", imp.clone())]).collect();
    let guarded = move |spec: PyObjectRef, vm: &VirtualMachine| -> PyResult {
        let name = spec.get_attr("name", vm)?.str(vm)?;
        match closed.iter().find(|(closed, _)| name.as_wtf8() == *closed) {
            Some((_, module)) => Ok(module.clone()),
            None => create.call((spec,), vm),
        }
    };
    imp.set_attr("create_builtin", vm.new_function("create_builtin", guarded), vm)
}

fn install_importer(vm: &VirtualMachine, modules: &BTreeMap<String, Arc<str>>) -> PyResult<()> {
    let sources = vm.ctx.new_dict();
    for (name, source) in STAND_INS {
        sources.set_item(*name, vm.ctx.new_str(*source).into(), vm)?;
    }
    for (name, source) in modules {
        sources.set_item(name.as_str(), vm.ctx.new_str(&**source).into(), vm)?;
    }
    let bootstrap = run_module(vm, "_bootstrap", include_str!("python/bootstrap.py"))?;
    bootstrap.get_attr("install", vm)?.call((sources,), vm)?;
    Ok(())
}

/// Compiles and runs the text of a module. It does not get into `sys.modules`.
pub(crate) fn run_module(vm: &VirtualMachine, name: &str, source: &str) -> PyResult<PyObjectRef> {
    let path = format!("{name}.py");
    let code = vm
        .compile(source, compiler::Mode::Exec, path.clone())
        .map_err(|error| vm.new_syntax_error(&error, Some(source)))?;
    let globals = vm.ctx.new_dict();
    globals.set_item("__name__", vm.ctx.new_str(name).into(), vm)?;
    globals.set_item("__file__", vm.ctx.new_str(path).into(), vm)?;
    let module: rustpython_vm::PyRef<PyModule> = vm.new_module(name, globals.clone(), None);
    vm.run_code_obj(code, rustpython_vm::scope::Scope::with_builtins(None, globals, vm))?;
    Ok(module.as_object().to_owned())
}
