//! Programs in real worker processes. The test binary is its own worker, hence the harness of its own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use masthead_ir::rule::{ScriptError, ScriptLibrary, ScriptVerdict};
use masthead_script::{Call, Host, HostError, HostOptions, KillReason, Outcome, Program, WorkerCommand, worker_main};
use serde_json::{Value, json};

const WORKER: &str = "--masthead-script-worker";

/// Has the test binary start a worker that hangs, and wait for it.
const PARENT: &str = "--parent-of-a-worker";

type Test = fn() -> Result<(), Failed>;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(WORKER) {
        return worker_main();
    }
    if std::env::args().nth(1).as_deref() == Some(PARENT) {
        return hang();
    }
    let tests: &[(&str, Test)] = &[
        ("verdicts_carry_what_the_entry_point_returns", verdicts),
        ("results_that_are_no_verdict_are_errors", bad_results),
        ("json_survives_the_way_to_python_and_back", round_trip),
        ("exceptions_carry_type_message_and_line", exceptions),
        ("programs_that_do_not_load_are_reported_with_their_line", load_errors),
        ("a_library_that_does_not_load_is_an_error_of_the_host", library_errors),
        ("library_modules_take_precedence_and_form_packages", library_modules),
        ("the_standard_library_loads", standard_library),
        ("the_standard_library_is_mended_where_it_failed", mended_library),
        ("the_host_is_out_of_reach", out_of_reach),
        ("mocks_answer_everything", mocks),
        ("runaway_calls_are_killed_and_the_others_go_on", runaways),
        ("runaway_loads_are_killed_and_the_others_go_on", runaway_loads),
        ("recursion_ends_in_an_exception", recursion),
        ("a_second_strike_disables_if_two_are_allowed", strikes),
        ("a_host_without_programs_starts_no_process", lazy),
        ("threads_share_a_host", threads),
        ("long_batches_and_long_events", long_input),
        ("a_worker_is_limited_and_ends_with_its_parent", limits),
        ("what_is_no_worker_is_an_error", no_worker),
    ];
    let trials = tests.iter().map(|&(name, test)| Trial::test(name, test)).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn ensure(condition: bool, message: impl Into<String>) -> Result<(), Failed> {
    if condition { Ok(()) } else { Err(Failed::from(message.into())) }
}

fn same<T: PartialEq + std::fmt::Debug>(got: T, expected: T, what: &str) -> Result<(), Failed> {
    ensure(got == expected, format!("{what}: got {got:?}, expected {expected:?}"))
}

fn worker() -> WorkerCommand {
    let exe = std::env::current_exe().expect("a running test has a file");
    WorkerCommand { exe, args: vec![OsString::from(WORKER)] }
}

/// Options for programs that behave: no deadline that a busy machine could miss.
fn options() -> HostOptions {
    let long = Duration::from_secs(60);
    HostOptions { call_timeout: long, load_timeout: long, ..HostOptions::new(worker()) }
}

const PRELUDE: &str = "def evaluate(module, event, envelope, config):\n    return module.rule(event)\n";

fn library(modules: &[(&str, &str)]) -> Arc<ScriptLibrary> {
    let mut all = BTreeMap::from([("prelude".to_owned(), Arc::from(PRELUDE))]);
    all.extend(modules.iter().map(|(name, text)| ((*name).to_owned(), Arc::from(*text))));
    Arc::new(ScriptLibrary { modules: all, entry: ("prelude".to_owned(), "evaluate".to_owned()) })
}

fn program(module: &str, source: &str) -> Program {
    Program { module: module.to_owned(), source: source.into() }
}

fn call(module: &str, event: &Value) -> Call {
    Call {
        module: module.to_owned(),
        event: event.to_string().into(),
        envelope: Arc::new(json!({})),
        config: Arc::new(json!({})),
    }
}

/// A host with the programs, all of which must load.
fn host(programs: &[(&str, &str)]) -> Result<Host, Failed> {
    let mut host = Host::start(options());
    let programs = programs.iter().map(|(module, source)| program(module, source)).collect();
    for loaded in host.load(&library(&[]), programs)? {
        loaded.map_err(|error| format!("{error:?}"))?;
    }
    Ok(host)
}

fn evaluate(host: &Host, calls: &[(&str, Value)]) -> Result<Vec<Outcome>, Failed> {
    let calls: Vec<Call> = calls.iter().map(|(module, event)| call(module, event)).collect();
    Ok(host.evaluate(&calls)?)
}

fn verdict(outcome: &Outcome) -> Result<&ScriptVerdict, Failed> {
    match outcome {
        Outcome::Verdict(verdict) => Ok(verdict),
        other => Err(format!("no verdict: {other:?}").into()),
    }
}

/// The verdict on one event of a program of its own.
fn run(source: &str, event: Value) -> Result<ScriptVerdict, Failed> {
    let host = host(&[("program", source)])?;
    let outcomes = evaluate(&host, &[("program", event)])?;
    Ok(verdict(&outcomes[0])?.clone())
}

fn verdicts() -> Result<(), Failed> {
    let prelude = "
def evaluate(module, event, envelope, config):
    return {'matched': module.rule(event), 'title': envelope['label'], 'severity': config['severity'],
            'destinations': ['a', 'b'], 'context': {'event': event},
            'errors': [{'function': 'title', 'message': 'KeyError: x', 'line': 3}]}
";
    let mut host = Host::start(options());
    let source = "def rule(event):\n    return event['verb'] == 'delete'\n";
    host.load(&library(&[("prelude", prelude)]), vec![program("deletes", source)])?;
    let mut first = call("deletes", &json!({"verb": "delete"}));
    first.envelope = Arc::new(json!({"label": "eks"}));
    first.config = Arc::new(json!({"severity": "HIGH"}));
    let second = Call { event: json!({"verb": "get"}).to_string().into(), ..first.clone() };
    let unknown = Call { module: "nobody".to_owned(), ..first.clone() };
    let outcomes = host.evaluate(&[first, second, unknown])?;
    let expected = ScriptVerdict {
        matched: true,
        title: Some("eks".to_owned()),
        severity: Some("HIGH".to_owned()),
        destinations: Some(vec!["a".to_owned(), "b".to_owned()]),
        context: json!({"event": {"verb": "delete"}}).as_object().cloned(),
        errors: vec![ScriptError { function: "title".to_owned(), message: "KeyError: x".to_owned(), line: 3 }],
        ..Default::default()
    };
    same(verdict(&outcomes[0])?, &expected, "first")?;
    same(verdict(&outcomes[1])?.matched, false, "second")?;
    same(&*verdict(&outcomes[2])?.errors[0].message, "no program named nobody is loaded", "unknown program")
}

fn bad_results() -> Result<(), Failed> {
    for (source, expected) in [
        ("def rule(e): return None", "returned no dict"),
        ("def rule(e): return [1]", "returned no dict"),
        ("def rule(e): return {'context': {'a': object()}}", "returned a value of type object, which is no JSON"),
        ("def rule(e): return {'context': {'a': {1, 2}}}", "returned a value of type set, which is no JSON"),
        (
            "def rule(e):\n x = {}\n x['x'] = x\n return x",
            "returned a value nested more than 127 deep, which is no JSON",
        ),
        ("def rule(e): return {'matched': 'yes'}", "returned a dict that is no verdict"),
        ("def rule(e): return {'title': 5}", "returned a dict that is no verdict"),
    ] {
        let got = run(source, json!({}))?;
        let error = got.errors.first().ok_or(format!("{source}: no error"))?;
        ensure(error.message.starts_with(expected), format!("{source}: {error:?}"))?;
        same(&*error.function, "evaluate", source)?;
    }
    let mut broken = call("program", &json!({}));
    broken.event = "{\"a\": ".into();
    let host = host(&[("program", "def rule(e): return {}")])?;
    let outcomes = host.evaluate(&[broken, call("program", &json!({}))])?;
    ensure(verdict(&outcomes[0])?.errors[0].message.starts_with("the event is no JSON: EOF"), "broken event")?;
    same(verdict(&outcomes[1])?, &ScriptVerdict::default(), "the call after it")
}

fn round_trip() -> Result<(), Failed> {
    let event = json!({
        "null": null, "yes": true, "no": false, "int": -7, "large": u64::MAX, "small": i64::MIN, "float": 1.5,
        "text": "gr\u{fc}n \u{1F512} \0", "list": [1, [2, []]], "object": {"": {}},
    });
    let got = run("def rule(e): return {'context': {'e': e, 't': (1, 2)}}", event.clone())?;
    same(Value::from(got.context), json!({"e": event, "t": [1, 2]}), "plain values")?;

    let source = "
from collections import OrderedDict, defaultdict
class Text(str): pass
def rule(e):
    nested = defaultdict(list)
    nested['a'].append(OrderedDict(b=Text('c')))
    return {'context': {'keys': {1: 'a', None: 'b', True: 'c'}, 'nan': float('nan'), 'wide': 10 ** 20,
                        'nested': nested, 'half': '\\ud800'}}
";
    let got = run(source, json!({}))?;
    let expected = json!({
        "keys": {"1": "c", "null": "b"}, "nan": null, "wide": 1e20, "nested": {"a": [{"b": "c"}]}, "half": "\u{fffd}"
    });
    same(Value::from(got.context), expected, "values that JSON does not have")
}

fn exceptions() -> Result<(), Failed> {
    let helper = "def fail():\n\n\n    raise KeyError('no such key')\n";
    let programs: &[(&str, &str, &str, u32)] = &[
        ("plain", "def rule(e):\n    x = 1\n    return 1 / 0\n", "ZeroDivisionError: division by zero", 3),
        (
            "nested",
            "def inner():\n    raise ValueError('bad')\n\ndef rule(e):\n    return inner()\n",
            "ValueError: bad",
            2,
        ),
        ("helper", "import helper\n\ndef rule(e):\n    return helper.fail()\n", "KeyError: 'no such key'", 4),
        ("missing", "x = 1\n", "AttributeError: ", 0),
        ("exits", "import sys\ndef rule(e):\n    sys.exit(3)\n", "SystemExit: 3", 3),
        ("own", "class E(Exception):\n def __str__(self): raise ValueError\ndef rule(e):\n raise E()\n", "E", 4),
        ("interrupt", "def rule(e):\n    raise KeyboardInterrupt\n", "KeyboardInterrupt", 2),
    ];
    let mut host = Host::start(options());
    let loaded = programs.iter().map(|(name, source, ..)| program(name, source)).collect();
    host.load(&library(&[("helper", helper)]), loaded)?;
    let calls: Vec<_> = programs.iter().map(|(name, ..)| call(name, &json!({}))).collect();
    let outcomes = host.evaluate(&calls)?;
    for (outcome, (name, _, message, line)) in outcomes.iter().zip(programs) {
        let got = verdict(outcome)?;
        let error = &got.errors[0];
        ensure(!got.matched && error.message.starts_with(message), format!("{name}: {error:?}"))?;
        same(error.line, *line, name)?;
    }
    Ok(())
}

fn load_errors() -> Result<(), Failed> {
    let programs = [
        ("good", "def rule(e): return {'matched': True}", None),
        ("syntax", "x = 1\ndef rule(e)\n    return\n", Some(("SyntaxError: ", 2))),
        ("raises", "x = 1\n\nx.y\n", Some(("AttributeError: ", 3))),
        ("imports", "import nowhere\n", Some(("ModuleNotFoundError: No module named 'nowhere'", 1))),
        ("good_too", "def rule(e): return {'matched': False}", None),
    ];
    let mut host = Host::start(options());
    let loaded = host.load(&library(&[]), programs.iter().map(|(name, source, _)| program(name, source)).collect())?;
    for (result, (name, _, expected)) in loaded.iter().zip(&programs) {
        match (result, expected) {
            (Ok(()), None) => {}
            (Err(error), Some((message, line))) => {
                ensure(error.message.starts_with(message), format!("{name}: {error:?}"))?;
                same(error.line, *line, name)?;
            }
            _ => return Err(format!("{name}: {result:?}").into()),
        }
    }
    let outcomes = evaluate(&host, &[("syntax", json!({})), ("good", json!({}))])?;
    same(
        &*verdict(&outcomes[0])?.errors[0].message,
        "no program named syntax is loaded",
        "a program that did not load",
    )?;
    same(verdict(&outcomes[1])?.matched, true, "good")
}

fn library_errors() -> Result<(), Failed> {
    for (prelude, expected, line) in [
        ("x = 1\nraise ValueError('no')\n", "ValueError: no", 2),
        ("x = (\n", "SyntaxError: ", 1),
        ("x = 1\n", "AttributeError: ", 0),
        ("while True: pass\n", "took longer than 1500 ms", 0),
    ] {
        let mut host = Host::start(HostOptions { load_timeout: Duration::from_millis(1500), ..options() });
        let error = match host.load(&library(&[("prelude", prelude)]), vec![program("a", "")]) {
            Err(HostError::Library(error)) => error,
            other => return Err(format!("{prelude}: {other:?}").into()),
        };
        ensure(error.message.starts_with(expected), format!("{prelude}: {error:?}"))?;
        same(error.line, line, prelude)?;
    }
    Ok(())
}

fn library_modules() -> Result<(), Failed> {
    let modules = [
        ("helpers", "from shapes.flat.circle import area\n"),
        ("shapes.flat.circle", "from . import pi\nfrom .. import round as r\ndef area(): return pi.value\n"),
        ("shapes.flat.pi", "value = 3\n"),
        ("shapes", "round = True\n"),
        ("json", "def dumps(x): return 'ours'\n"),
        ("os", "system = 'ours'\n"),
    ];
    let source = "
import json, os, helpers
def rule(e):
    return {'title': json.dumps(1), 'dedup': os.system, 'description': str(helpers.area())}
";
    let mut host = Host::start(options());
    for loaded in host.load(&library(&modules), vec![program("program", source)])? {
        loaded.map_err(|error| format!("{error:?}"))?;
    }
    let outcomes = evaluate(&host, &[("program", json!({}))])?;
    let expected = ScriptVerdict {
        title: Some("ours".to_owned()),
        dedup: Some("ours".to_owned()),
        description: Some("3".to_owned()),
        ..Default::default()
    };
    same(verdict(&outcomes[0])?, &expected, "library")
}

/// Modules that rules and their helpers import.
const MODULES: &str = "abc argparse array ast base64 binascii bisect bz2 calendar cmath codecs collections collections.abc \
    colorsys configparser contextlib contextvars copy copyreg csv dataclasses datetime decimal difflib dis email \
    email.utils enum errno fnmatch fractions functools gc genericpath graphlib gzip hashlib heapq hmac html html.parser \
    http importlib importlib.util inspect io ipaddress itertools json keyword locale logging lzma math mimetypes numbers \
    operator os os.path pathlib pickle pkgutil posixpath pprint queue quopri random re reprlib secrets shlex stat \
    statistics string stringprep struct sys textwrap threading time timeit token tokenize tomllib traceback types typing \
    unicodedata unittest unittest.mock urllib urllib.parse uuid warnings weakref xml.etree.ElementTree zlib zoneinfo";

fn standard_library() -> Result<(), Failed> {
    let programs = MODULES.split_whitespace().map(|name| program(name, &format!("import {name}\n"))).collect();
    let mut host = Host::start(options());
    let loaded = host.load(&library(&[]), programs)?;
    let failed: Vec<_> = MODULES
        .split_whitespace()
        .zip(loaded)
        .filter_map(|(name, loaded)| Some((name, loaded.err()?.message)))
        .collect();
    same(failed, Vec::new(), "modules that do not load")?;

    let source = "
import base64, dataclasses, datetime, enum, fnmatch, hashlib, ipaddress, json, os, random, re, time, typing, uuid
from urllib.parse import urlparse
@dataclasses.dataclass
class Point:
    x: int
    y: int = 2
class Colour(enum.Enum):
    RED = 1
class Pair(typing.NamedTuple):
    a: int
def rule(e):
    random.random(), time.time(), datetime.datetime.now(), datetime.datetime.now().astimezone()
    return {'context': {
        'point': dataclasses.asdict(Point(1)), 'colour': Colour.RED.name, 'pair': Pair(1),
        'b64': base64.b64encode(b'ab').decode(), 'fn': fnmatch.fnmatch('a.py', '*.py'),
        'sha': hashlib.sha256(b'').hexdigest()[:8], 'global': ipaddress.ip_address('8.8.8.8').is_global,
        'json': json.loads(json.dumps({'a': [1]})), 'path': os.path.join('a', 'b'), 'exists': os.path.exists('/'),
        're': re.findall(r'(?P<n>\\d+)', 'a1b22'), 'host': urlparse('https://x.example/p').hostname,
        'uuid': len(str(uuid.uuid4())), 'env': os.getenv('HOME', 'none'), 'zone': time.strftime('%Z', time.gmtime(0)),
        'stamp': datetime.datetime.fromisoformat('2024-01-02T03:04:05+00:00').timestamp()}}
";
    let got = run(source, json!({}))?;
    same(got.errors.clone(), Vec::new(), "errors")?;
    let expected = json!({
        "point": {"x": 1, "y": 2}, "colour": "RED", "pair": [1], "b64": "YWI=", "fn": true, "sha": "e3b0c442", "global": true,
        "json": {"a": [1]}, "path": "a/b", "exists": false, "re": ["1", "22"], "host": "x.example", "uuid": 36, "env": "none",
        "zone": "UTC", "stamp": 1_704_164_645.0,
    });
    same(Value::from(got.context), expected, "results")
}

/// In the interpreter's own library both of these ended in a panic or a `NameError`.
fn mended_library() -> Result<(), Failed> {
    let source = "
import datetime, json, re
def rule(e):
    texts = ['e', 'é', '{\"a\": e', '[1', '\"', '{\"a\": 1}x']
    failed = []
    for text in texts:
        try:
            json.loads(text)
        except json.JSONDecodeError as error:
            failed.append(error.pos)
    day = datetime.datetime.strptime('03-04', '%m-%d').day
    return {'context': {'failed': len(failed), 'day': day, 'json': json.loads('{\"é\": [1, 2.5, null]}')}}
";
    let got = run(source, json!({}))?;
    same(got.errors.clone(), Vec::new(), "errors")?;
    same(Value::from(got.context), json!({"failed": 6, "day": 4, "json": {"é": [1, 2.5, null]}}), "results")
}

fn out_of_reach() -> Result<(), Failed> {
    let attempts = [
        ("open('/etc/passwd')", "PermissionError: open() is not available to scripts"),
        ("open('/tmp/x', 'w')", "PermissionError"),
        ("__import__('io').open('/etc/passwd')", "PermissionError"),
        ("__import__('_io').open('/etc/passwd')", "PermissionError"),
        ("__import__('io').FileIO('/etc/passwd')", "PermissionError"),
        ("__import__('pathlib').Path('/etc/passwd').read_text()", "PermissionError"),
        ("__import__('os').system('true')", "AttributeError"),
        ("__import__('os').popen('true')", "AttributeError"),
        ("__import__('os').listdir('/')", "PermissionError"),
        ("__import__('os').environ['PATH']", "KeyError"),
        ("__import__('posix').system('true')", "AttributeError"),
        ("__import__('posix').listdir('/')", "PermissionError"),
        ("__import__('subprocess')", "ModuleNotFoundError"),
        ("__import__('socket')", "ModuleNotFoundError"),
        ("__import__('_socket')", "ModuleNotFoundError"),
        ("__import__('ctypes')", "ModuleNotFoundError"),
        ("__import__('_ctypes')", "ModuleNotFoundError"),
        ("__import__('signal')", "ModuleNotFoundError"),
        ("__import__('_signal')", "ModuleNotFoundError"),
        ("__import__('_posixsubprocess')", "ModuleNotFoundError"),
        ("__import__('_interpreters')", "ModuleNotFoundError"),
        ("__import__('multiprocessing')", "ModuleNotFoundError"),
        ("__import__('mmap')", "ModuleNotFoundError"),
        ("__import__('faulthandler')", "ModuleNotFoundError"),
        ("__import__('_thread').start_new_thread(print, ())", "PermissionError"),
        ("__import__('threading').Thread(target=print).start()", "PermissionError"),
        ("fresh_thread().start_new_thread(print, ())", "PermissionError"),
        ("__import__('marshal').loads(b'')", "PermissionError"),
        ("__import__('_imp').get_frozen_object('abc', b'')", "TypeError"),
        ("rule.__code__.replace(co_code=b'')", "PermissionError"),
        ("__import__('copy').replace(rule.__code__, co_code=b'')", "PermissionError"),
        ("type(rule.__code__)()", "TypeError"),
        ("type(rule.__code__).__new__(type(rule.__code__))", "PermissionError"),
        ("__import__('types').CodeType(*range(16))", "TypeError"),
        ("input()", "PermissionError"),
        ("breakpoint()", "PermissionError"),
        ("__import__('urllib.request').request.urlopen('http://127.0.0.1/')", "ModuleNotFoundError"),
        ("__import__('http.client')", "ModuleNotFoundError"),
        ("'x' + str(__import__('sys').argv) + __import__('sys').executable + 1", "TypeError"),
    ];
    let preface = "
def fresh_thread():
    import sys, _imp
    for name in ('_thread', '_imp'):
        del sys.modules[name]
    import _thread
    return _thread
";
    let programs: Vec<_> = attempts
        .iter()
        .enumerate()
        .map(|(index, (attempt, _))| {
            program(&format!("p{index}"), &format!("{preface}def rule(e):\n    return {attempt}\n"))
        })
        .collect();
    let calls: Vec<_> = programs.iter().map(|program| call(&program.module, &json!({}))).collect();
    let mut host = Host::start(options());
    host.load(&library(&[]), programs)?;
    for (outcome, (attempt, expected)) in host.evaluate(&calls)?.iter().zip(attempts) {
        let errors = &verdict(outcome)?.errors;
        ensure(errors.len() == 1 && errors[0].message.starts_with(expected), format!("{attempt}: {errors:?}"))?;
    }
    let source = "
import logging, sys, warnings
def rule(e):
    print('nowhere'), print('nowhere', file=sys.stderr), sys.__stderr__.write('nowhere')
    logging.error('nowhere'), warnings.warn('nowhere')
    return {'title': repr((sys.argv, sys.executable, sys.path, sys.prefix, sys.stdin.read()))}
";
    let got = run(source, json!({}))?;
    same(got.errors.clone(), Vec::new(), "print")?;
    same(got.title.as_deref(), Some("([], '', [], '', '')"), "what sys tells of the host")
}

fn mocks() -> Result<(), Failed> {
    let source = "
import json
from unittest.mock import MagicMock, Mock, call, patch
def rule(e):
    mock = MagicMock(return_value=3)
    with patch('json.dumps', return_value='patched'):
        inside = json.dumps({})
    with patch.object(json, 'loads', lambda text: 'object'):
        loaded = json.loads('1')
    with patch.dict(e, {'b': 2}):
        during = dict(e)
    failing = Mock(side_effect=ValueError('x'))
    try:
        failing()
        raised = False
    except ValueError:
        raised = True
    return {'context': {
        'value': mock(1), 'args': mock.call_args == call(1), 'child': isinstance(mock.a.b(), MagicMock),
        'inside': inside, 'outside': json.dumps({}), 'loaded': loaded, 'during': during, 'after': e, 'raised': raised,
        'is': isinstance(1, MagicMock), 'effects': [Mock(side_effect=[4])(), len(MagicMock())]}}
";
    let got = run(source, json!({"a": 1}))?;
    same(got.errors.clone(), Vec::new(), "errors")?;
    let expected = json!({
        "value": 3, "args": true, "child": true, "inside": "patched", "outside": "{}", "loaded": "object",
        "during": {"a": 1, "b": 2}, "after": {"a": 1}, "raised": true, "is": false, "effects": [4, 0],
    });
    same(Value::from(got.context), expected, "mocks")
}

const GOOD: &str = "def rule(e): return {'matched': e['n'] % 2 == 0, 'title': str(e['n'])}\n";

fn runaways() -> Result<(), Failed> {
    use KillReason::{Crashed, Memory, Timeout};
    let bad: &[(&str, &str, &[KillReason])] = &[
        ("loops", "while True:\n  try:\n   while True: pass\n  except BaseException: pass", &[Timeout]),
        ("backtracks", "import re\n return re.match('(a+)+$', 'a' * 64 + 'b')", &[Timeout]),
        ("sums", "return sum(range(10 ** 11))", &[Timeout]),
        ("sleeps", "import time\n time.sleep(60)", &[Timeout]),
        ("multiplies", "import math\n return math.factorial(10 ** 8)", &[Timeout, Memory]),
        ("doubles", "x = 'x'\n while True: x += x", &[Memory, Timeout]),
        ("grows", "x = []\n while True: x.append('x' * 1000000 + str(len(x)))", &[Memory, Timeout]),
        ("panics", "import _imp\n _imp.find_frozen('abc', True)", &[Crashed]),
        ("allocates", "return len(bytearray(1 << 33))", &[Memory]),
    ];
    let bodies: Vec<_> = bad.iter().map(|(name, body, _)| program(name, &format!("def rule(e):\n {body}\n"))).collect();
    let mut host = Host::start(HostOptions::new(worker()));
    let programs = [program("good", GOOD)].into_iter().chain(bodies).collect();
    for loaded in host.load(&library(&[]), programs)? {
        loaded.map_err(|error| format!("{error:?}"))?;
    }
    let mut calls = Vec::new();
    for (number, (name, ..)) in bad.iter().enumerate() {
        calls.push(call("good", &json!({"n": number})));
        calls.push(call(name, &json!({})));
    }
    calls.extend(bad.iter().map(|(name, ..)| call(name, &json!({}))));
    calls.push(call("good", &json!({"n": 98})));
    let started = Instant::now();
    let outcomes = host.evaluate(&calls)?;
    let took = started.elapsed();
    ensure(took < Duration::from_secs(2) * bad.len() as u32, format!("took {took:?}"))?;
    for (number, (name, _, reasons)) in bad.iter().enumerate() {
        let good = verdict(&outcomes[2 * number])?;
        same((good.matched, good.title.clone()), (number % 2 == 0, Some(number.to_string())), "a good rule")?;
        match &outcomes[2 * number + 1] {
            Outcome::Killed { reason, message } if reasons.contains(reason) && !message.is_empty() => {}
            other => return Err(format!("{name}: {other:?}").into()),
        }
        let again = &outcomes[2 * bad.len() + number];
        ensure(matches!(again, Outcome::Disabled { message } if !message.is_empty()), format!("{name}: {again:?}"))?;
    }
    same(verdict(&outcomes[calls.len() - 1])?.matched, true, "the last call")?;
    same(verdict(&evaluate(&host, &[("good", json!({"n": 3}))])?[0])?.matched, false, "a later batch")
}

fn runaway_loads() -> Result<(), Failed> {
    // Long enough that what behaves is done on a busy machine.
    let call_timeout = Duration::from_secs(6);
    let mut host = Host::start(HostOptions { call_timeout, ..HostOptions::new(worker()) });
    let nested = format!("x = {}\n", "(".repeat(1 << 20));
    let programs = [
        ("first", GOOD),
        ("loops", "while True: pass\n"),
        ("second", GOOD),
        ("allocates", "x = bytearray(1 << 33)\n"),
        ("third", GOOD),
        ("nests", &nested),
    ];
    let loaded = host.load(&library(&[]), programs.iter().map(|(name, source)| program(name, source)).collect())?;
    let messages: Vec<_> = loaded.iter().map(|result| result.as_ref().err().map(|error| &*error.message)).collect();
    let overflow = Some("the worker process ended (signal 6): fatal runtime error: stack overflow, aborting");
    let expected =
        vec![None, Some("took longer than 6000 ms"), None, Some("used more memory than 512 MiB"), None, overflow];
    same(messages, expected, "load")?;
    let calls: Vec<_> = programs.iter().map(|(name, _)| (*name, json!({"n": 2}))).collect();
    for (outcome, (name, source)) in evaluate(&host, &calls)?.iter().zip(programs) {
        match outcome {
            Outcome::Verdict(verdict) if source == GOOD => same(verdict.matched, true, name)?,
            Outcome::Disabled { .. } if source != GOOD => {}
            other => return Err(format!("{name}: {other:?}").into()),
        }
    }
    Ok(())
}

fn recursion() -> Result<(), Failed> {
    for source in [
        "def rule(e): return rule(e)\n",
        "import sys\nsys.setrecursionlimit(10 ** 8)\ndef rule(e): return rule(e)\n",
        "class A:\n def __getattr__(self, name): return getattr(self, name + 'x')\ndef rule(e): return A().b\n",
        "def rule(e):\n x = []\n for _ in range(10 ** 5): x = [x]\n return {'title': repr(x)}\n",
    ] {
        let got = run(source, json!({}))?;
        ensure(
            got.errors.iter().any(|error| error.message.starts_with("RecursionError")),
            format!("{source}: {got:?}"),
        )?;
    }
    Ok(())
}

fn strikes() -> Result<(), Failed> {
    let source = "def rule(e):\n    while e['loop']: pass\n    return {'matched': True}\n";
    let timeout = Duration::from_millis(500);
    let mut host = Host::start(HostOptions { strikes: 2, call_timeout: timeout, ..options() });
    host.load(&library(&[]), vec![program("program", source)])?;
    let calls = [true, false, true, false].map(|hang| ("program", json!({"loop": hang})));
    let outcomes = evaluate(&host, &calls)?;
    let message = "took longer than 500 ms".to_owned();
    let killed = Outcome::Killed { reason: KillReason::Timeout, message: message.clone() };
    let matched = Outcome::Verdict(ScriptVerdict { matched: true, ..Default::default() });
    same(outcomes, vec![killed.clone(), matched, killed, Outcome::Disabled { message }], "outcomes")
}

fn lazy() -> Result<(), Failed> {
    let mut host = Host::start(HostOptions::new(WorkerCommand { exe: "/nonexistent".into(), args: Vec::new() }));
    same(host.load(&library(&[]), Vec::new())?, Vec::new(), "no programs")?;
    same(host.evaluate(&[])?, Vec::new(), "no calls")
}

fn threads() -> Result<(), Failed> {
    let mut host = Host::start(HostOptions { workers: 2, ..options() });
    host.load(&library(&[]), vec![program("good", GOOD)])?;
    let calls: Vec<_> = (0..500).map(|number| call("good", &json!({"n": number}))).collect();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| host.evaluate(&calls))).collect();
        for thread in threads {
            let outcomes = thread.join().map_err(|_| "a thread panicked")??;
            for (number, outcome) in outcomes.iter().enumerate() {
                same(verdict(outcome)?.title.as_deref(), Some(&*number.to_string()), "title")?;
            }
        }
        Ok(())
    })
}

fn long_input() -> Result<(), Failed> {
    let host = host(&[("program", "def rule(e): return {'title': str(len(e['text']))}")])?;
    let lengths = [3 << 20, 1, 7 << 20, 9 << 20, 0];
    let calls: Vec<_> = lengths.iter().map(|&length| ("program", json!({"text": "x".repeat(length)}))).collect();
    let outcomes = evaluate(&host, &calls)?;
    for (length, outcome) in lengths.iter().zip(&outcomes) {
        let got = verdict(outcome)?;
        if *length > 8 << 20 {
            same(&*got.errors[0].message, "the event is longer than 8 MiB", "too long")?;
        } else {
            same(got.title.clone(), Some(length.to_string()), "length")?;
        }
    }
    // What is no JSON may take six times its length on the way to the worker.
    let mut control = call("program", &json!({}));
    control.event = "\u{1}".repeat(8 << 20).into();
    let outcomes = host.evaluate(&[call("program", &json!({"text": "x".repeat(1 << 20)})), control])?;
    same(verdict(&outcomes[0])?.errors.len(), 0, "the event before it")?;
    ensure(verdict(&outcomes[1])?.errors[0].message.starts_with("the event is no JSON"), "control characters")?;
    let mut config = call("program", &json!({"text": ""}));
    config.config = Arc::new(json!("\u{1}".repeat(11 << 20)));
    let outcomes = host.evaluate(&[config, call("program", &json!({"text": ""}))])?;
    ensure(verdict(&outcomes[0])?.errors[0].message.ends_with("is too long"), "a message that is too long")?;
    same(verdict(&outcomes[1])?.title.as_deref(), Some("0"), "the call after it")
}

fn no_worker() -> Result<(), Failed> {
    for (exe, args, expected) in [
        ("/nonexistent", &[][..], "cannot start the script worker: /nonexistent"),
        ("/bin/true", &[], "cannot start the script worker: the worker process ended (exit code 0)"),
        ("/bin/cat", &[], "cannot start the script worker: the worker's answer is broken"),
        ("/bin/sleep", &["5"], "cannot start the script worker: took longer than 200 ms"),
    ] {
        if exe != "/nonexistent" && !std::path::Path::new(exe).exists() {
            continue;
        }
        let worker = WorkerCommand { exe: exe.into(), args: args.iter().map(OsString::from).collect() };
        let load_timeout = Duration::from_millis(200);
        let mut host = Host::start(HostOptions { load_timeout, ..HostOptions::new(worker) });
        let error = host.load(&library(&[]), vec![program("a", "")]).err().ok_or("started")?;
        let stopped = error.to_string().contains("roken pipe");
        ensure(stopped || error.to_string().starts_with(expected), format!("{exe}: {error}"))?;
    }
    Ok(())
}

fn hang() -> ExitCode {
    let hang = || -> Result<(), Failed> {
        let mut host = Host::start(HostOptions { call_timeout: Duration::from_secs(60), ..options() });
        host.load(&library(&[]), vec![program("loops", "def rule(e):\n while True: pass\n")])?;
        evaluate(&host, &[("loops", json!({}))]).map(drop)
    };
    hang().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

/// The process that has this one as its parent, from Linux' process table.
fn child_of(parent: u32) -> Option<u32> {
    std::fs::read_dir("/proc").ok()?.filter_map(Result::ok).find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name in parentheses may hold anything; the state and the parent follow it.
        let ppid = stat.rsplit(')').next()?.split_whitespace().nth(1)?;
        (ppid.parse() == Ok(parent)).then_some(pid)
    })
}

fn limits() -> Result<(), Failed> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    let wait = |what: &str, done: &dyn Fn() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !done() {
            ensure(Instant::now() < deadline, what)?;
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok::<_, Failed>(())
    };
    let mut parent = std::process::Command::new(std::env::current_exe()?).arg(PARENT).env("SECRET", "x").spawn()?;
    let limited = |pid: u32| {
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
        ["Max open files 3 3", "Max file size 0 0", "Max processes 0 0", "Max core file size 0 0"].iter().all(|limit| {
            limits.lines().any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ").starts_with(limit))
        }) && !limits.lines().any(|line| line.starts_with("Max address space") && line.contains("unlimited"))
    };
    let started = wait("no limited worker", &|| child_of(parent.id()).is_some_and(limited));
    let worker = child_of(parent.id());
    let environment = worker.map(|pid| std::fs::read(format!("/proc/{pid}/environ")));
    parent.kill()?;
    parent.wait()?;
    started?;
    let (worker, environment) = worker.zip(environment).ok_or("no worker")?;
    same(environment?, Vec::new(), "environment")?;
    wait("the worker outlives its parent", &|| !std::path::Path::new(&format!("/proc/{worker}")).exists())
}
