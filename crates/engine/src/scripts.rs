//! Scripts: candidates in batches to the worker, verdicts to findings.

use std::sync::Arc;
use std::time::Duration;

use masthead_event::EventRef;
use masthead_ir::rule::{Script, ScriptLibrary, ScriptVerdict};
use masthead_ir::time::Micros;
use masthead_script::{Call, Host, HostError, HostOptions, Outcome, Program, WorkerCommand};
use serde_json::{Value as Json, json};

use crate::exceptions::{self, Exception};
use crate::faults::Faults;
use crate::options::ScanOptions;
use crate::plan::{Plan, ScriptRule};
use crate::trigger::{Grouping, Match};

/// How many candidates are sent at once.
const BATCH: usize = 256;

/// Where a candidate comes from.
struct Origin {
    script: usize,
    time: Option<Micros>,
    audit_id: String,
    cluster: Option<String>,
}

/// One interpreter for each library.
struct Shared {
    library: Arc<ScriptLibrary>,
    host: Host,
    calls: Vec<Call>,
    origins: Vec<Origin>,
}

/// The state of one script rule.
pub(crate) struct Running {
    pub(crate) grouping: Grouping,
    pub(crate) candidates: u64,
    pub(crate) matches: u64,
    pub(crate) faults: Faults,
    /// Why no program of its library can be run at all.
    pub(crate) problem: Option<String>,
    script: Script,
    exceptions: Vec<Arc<Exception>>,
    /// Whether it is not called: it could not be loaded.
    broken: bool,
    config: Arc<Json>,
    shared: usize,
}

/// All scripts of a scan.
pub(crate) struct Scripts {
    shared: Vec<Shared>,
    pub(crate) running: Vec<Running>,
}

/// A host for a library, as the options say.
pub(crate) fn host(options: &ScanOptions) -> Host {
    let (exe, args) = options.worker.clone();
    let mut host = HostOptions::new(WorkerCommand { exe, args });
    host.call_timeout = Duration::from_millis(options.script_timeout_ms);
    host.memory_limit = options.script_memory_mib << 20;
    Host::start(host)
}

impl Scripts {
    /// Loads the programs of a plan. What is wrong with one is told as a problem of its rule.
    pub(crate) fn new(plan: &Plan, options: &ScanOptions) -> Scripts {
        let mut scripts = Scripts { shared: Vec::new(), running: Vec::new() };
        for rule in &plan.scripts {
            let library = &rule.script.library;
            let known = scripts.shared.iter().position(|shared| Arc::ptr_eq(&shared.library, library));
            let shared = known.unwrap_or_else(|| {
                let host = host(options);
                let (calls, origins) = (Vec::new(), Vec::new());
                scripts.shared.push(Shared { library: library.clone(), host, calls, origins });
                scripts.shared.len() - 1
            });
            scripts.running.push(Running {
                grouping: Grouping::new(&rule.trigger),
                candidates: 0,
                matches: 0,
                faults: Faults::default(),
                problem: None,
                script: rule.script.clone(),
                exceptions: rule.exceptions.clone(),
                broken: false,
                config: Arc::new(rule.script.config.clone()),
                shared,
            });
        }
        for index in 0..scripts.shared.len() {
            scripts.load(index, &plan.scripts);
        }
        scripts
    }

    fn load(&mut self, index: usize, rules: &[ScriptRule]) {
        let Some(shared) = self.shared.get_mut(index) else { return };
        let mine: Vec<usize> =
            (0..rules.len()).filter(|at| self.running.get(*at).is_some_and(|r| r.shared == index)).collect();
        let program = |at: &usize| {
            let script = &rules[*at].script;
            Program { module: script.module.clone(), source: script.source.clone() }
        };
        match shared.host.load(&shared.library, mine.iter().map(program).collect()) {
            Ok(loaded) => {
                for (at, loaded) in mine.into_iter().zip(loaded) {
                    if let (Err(error), Some(running)) = (loaded, self.running.get_mut(at)) {
                        running.broken = true;
                        running.faults.load(&running.script, &error);
                    }
                }
            }
            Err(error) => mine.into_iter().for_each(|at| self.unrunnable(at, &error)),
        }
    }

    /// No program of its library can be run.
    fn unrunnable(&mut self, script: usize, error: &HostError) {
        if let Some(running) = self.running.get_mut(script) {
            running.broken = true;
            running.problem.get_or_insert_with(|| format!("cannot be run: {error}"));
        }
    }

    /// Sends a candidate, sooner or later.
    pub(crate) fn candidate(
        &mut self,
        plan: &Plan,
        script: usize,
        event: &EventRef<'_>,
        time: Option<Micros>,
        id: &str,
    ) {
        let (Some(running), Some(rule)) = (self.running.get_mut(script), plan.scripts.get(script)) else { return };
        running.candidates += 1;
        if running.broken {
            return;
        }
        let envelope = &event.envelope;
        let row_id = crate::finding::finding_id(&["row", id, &event.ordinal.to_string()]);
        let told = json!({
            "source": &*envelope.source,
            "sourcetype": &*envelope.sourcetype,
            "log_type": envelope.log_type.as_deref(),
            "cluster": envelope.cluster.as_deref(),
            "account": envelope.account.as_deref(),
            "label": envelope.label.as_deref(),
            "row_id": row_id,
        });
        let config = running.config.clone();
        let Some(shared) = self.shared.get_mut(running.shared) else { return };
        shared.calls.push(Call {
            module: rule.script.module.clone(),
            event: String::from_utf8_lossy(event.raw).into(),
            envelope: Arc::new(told),
            config,
        });
        shared.origins.push(Origin {
            script,
            time,
            audit_id: id.to_owned(),
            cluster: envelope.cluster.as_deref().map(str::to_owned),
        });
        if shared.calls.len() >= BATCH {
            let index = running.shared;
            self.flush(index);
        }
    }

    /// Sends what is waiting.
    pub(crate) fn finish(&mut self) {
        for index in 0..self.shared.len() {
            self.flush(index);
        }
    }

    fn flush(&mut self, index: usize) {
        let Some(shared) = self.shared.get_mut(index) else { return };
        let (calls, origins) = (std::mem::take(&mut shared.calls), std::mem::take(&mut shared.origins));
        if calls.is_empty() {
            return;
        }
        match shared.host.evaluate(&calls) {
            Ok(outcomes) => {
                for ((origin, outcome), call) in origins.into_iter().zip(outcomes).zip(&calls) {
                    self.take(origin, outcome, &call.event);
                }
            }
            Err(error) => {
                origins.iter().for_each(|origin| self.unrunnable(origin.script, &error));
            }
        }
    }

    fn take(&mut self, origin: Origin, outcome: Outcome, event: &str) {
        let Some(running) = self.running.get_mut(origin.script) else { return };
        let verdict = match outcome {
            Outcome::Verdict(verdict) => verdict,
            Outcome::Killed { message, .. } => {
                // Those that are waiting come back as disabled; no more need be sent.
                running.broken = true;
                return running.faults.killed(&running.script, &message);
            }
            Outcome::Disabled { .. } => return,
        };
        for error in &verdict.errors {
            running.faults.exception(&running.script, error, verdict.matched);
        }
        if !verdict.matched {
            return;
        }
        if !running.exceptions.is_empty()
            && exceptions::suppressed(&running.exceptions, &exceptions::Event::read(event), origin.time)
        {
            return;
        }
        running.matches += 1;
        let Origin { time, audit_id, cluster, .. } = origin;
        running.grouping.add(Match { time, audit_id, cluster, verdict });
    }
}

/// What a script says of one event of a test; the error says why it could not be asked.
pub(crate) fn judge(host: &Host, call: Call) -> Result<ScriptVerdict, String> {
    let outcome = host.evaluate(&[call]).map_err(|error| error.to_string())?.into_iter().next();
    match outcome {
        Some(Outcome::Verdict(verdict)) => Ok(verdict),
        Some(Outcome::Killed { message, .. } | Outcome::Disabled { message }) => Err(format!("killed: it {message}")),
        None => Err("no answer".to_owned()),
    }
}
