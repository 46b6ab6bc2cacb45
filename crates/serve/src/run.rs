//! Start, work, stop.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum_server::tls_rustls::RustlsConfig;
use masthead_event::Envelope;
use masthead_ir::finding::Finding;
use masthead_ir::rule::RuleSet;
use masthead_sinks::{Courier, CourierOptions, Sinks};
use masthead_sources::decode::Told;
use masthead_sources::http::HttpOptions;
use masthead_sources::stdin::StdinOptions;
use masthead_sources::tail::{Start, TailOptions, TailReport};
use masthead_spool::{Spool, SpoolOptions};
use masthead_state::State;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, FilesConfig, FilesStart};
use crate::evaluator::{Evaluator, Order, Parts};
use crate::gate::Gate;
use crate::metrics::Metrics;
use crate::outbox::StateOutbox;
use crate::queue::Queue;
use crate::risk::RiskRules;
use crate::rules::{Look, RuleLoad, Worker, load};
use crate::service::{Loaded, Service};
use crate::silence::Silence;
use crate::{logs, server};

/// How long everything may take to end after it was told to.
const STOP: Duration = Duration::from_secs(8);

/// What is not in the configuration.
pub struct RunOptions {
    /// How the binary starts itself as a worker for scripts.
    pub worker: Worker,
    /// Whether events are read from standard input too.
    pub stdin: bool,
    /// Writes new findings to standard output when there is no sink.
    pub print: Option<Printer>,
    /// Where the configuration came from, to be read again on SIGHUP.
    pub path: Option<PathBuf>,
    /// Whether standard error is a terminal.
    pub colours: bool,
}

/// Writes a finding.
pub type Printer = Box<dyn Fn(&Finding) -> std::io::Result<()> + Send>;

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration asks for what cannot be had.
    #[error("{0}")]
    Config(String),
    /// Something that it needs failed.
    #[error("{0}")]
    Failed(String),
}

/// Runs the service until it is told to stop (SIGINT, SIGTERM).
///
/// # Errors
/// When it cannot start.
pub fn run(config: Config, options: RunOptions) -> Result<(), RunError> {
    logs::start(&config.log, options.colours).map_err(RunError::Config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| RunError::Failed(error.to_string()))?;
    let handle = runtime.handle().clone();
    let started = runtime.block_on(Running::start(config, options, handle));
    let result = started.map(|running| runtime.block_on(running.work()));
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// A service that has started.
struct Running {
    config: Config,
    worker: Worker,
    path: Option<PathBuf>,
    service: Arc<Service>,
    orders: Sender<Order>,
    evaluator: std::thread::JoinHandle<()>,
    printer: Option<std::thread::JoinHandle<()>>,
    server: axum_server::Handle<SocketAddr>,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
    tls: Option<RustlsConfig>,
    stop: CancellationToken,
    look: Look,
}

impl Running {
    async fn start(config: Config, options: RunOptions, runtime: tokio::runtime::Handle) -> Result<Running, RunError> {
        let failed = |error: String| RunError::Failed(error);
        let look = Look::at(&config);
        let first = load(&config, &options.worker).map_err(RunError::Config)?;
        let tls = server::tls(&config.server).map_err(RunError::Config)?.map(RustlsConfig::from_config);
        let sinks = Arc::new(Sinks::new(&config.sinks()).map_err(|error| RunError::Config(error.to_string()))?);
        let url = config.state_url().map_err(RunError::Config)?;
        let state = State::open(&url, &config.node()).await.map_err(|error| failed(error.to_string()))?;
        let gate = Gate::new(state.clone(), &config.server, &config.ingest).map_err(RunError::Config)?;
        let gate = Arc::new(gate);
        let spool = open_spool(&config).map_err(failed)?;
        let queue = Arc::new(Queue::new(spool.clone(), config.data.queue));
        let listener = listen(config.server.listen).map_err(failed)?;
        let courier = CourierOptions {
            dead_letters: Some(config.data.folder.join("dead-letters.jsonl")),
            ..CourierOptions::default()
        };
        let courier = Arc::new(Courier::start(sinks.clone(), Arc::new(StateOutbox(state.clone())), courier));
        let stop = CancellationToken::new();
        let service = Arc::new(Service {
            state: state.clone(),
            spool: spool.clone(),
            queue: queue.clone(),
            gate: gate.clone(),
            metrics: Arc::new(Metrics::new()),
            courier: courier.clone(),
            risk: RiskRules::new(&config.risk),
            report: Arc::default(),
            loaded: RwLock::default(),
            tails: follow(&config, &queue, &stop),
            started: Instant::now(),
            rates: Mutex::new((Instant::now(), BTreeMap::new())),
        });
        let (told, printer) = options.print.filter(|_| sinks.names().is_empty()).map(printing).unzip();
        let parts = Parts {
            spool,
            state,
            sinks,
            courier,
            metrics: service.metrics.clone(),
            risk: service.risk.clone(),
            runtime,
            report: service.report.clone(),
            told,
        };
        service.loaded(&first);
        let running = first.running;
        let (orders, evaluator) = evaluate(parts, first).await.map_err(failed)?;
        let ingest = masthead_sources::http::router(queue.clone(), gate, http_options(&config));
        let app = server::router(service.clone(), ingest);
        let handle = axum_server::Handle::new();
        let address = listener.local_addr().map_err(|error| failed(error.to_string()))?;
        let (limits, own_tls, own) = (config.server.clone(), tls.clone(), handle.clone());
        let serving = tokio::spawn(async move { server::serve(listener, &limits, own_tls, app, own).await });
        if options.stdin {
            read_stdin(&config, queue, stop.clone());
        }
        let scheme = if tls.is_some() { "https" } else { "http" };
        tracing::info!(rules = running, data = %config.data.folder.display(), "listening on {scheme}://{address}");
        let _no_systemd = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        let (worker, path) = (options.worker, options.path);
        let server = handle;
        Ok(Running { config, worker, path, service, orders, evaluator, printer, server, serving, tls, stop, look })
    }

    /// Until it is told to stop.
    async fn work(mut self) {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
        let (Ok(mut term), Ok(mut int), Ok(mut hup)) = signals else {
            return tracing::error!("signals cannot be received");
        };
        let mut every = tokio::time::interval(self.config.rules.reload.max(Duration::from_secs(1)));
        let mut minute = tokio::time::interval(Duration::from_secs(60));
        let mut silence = Silence::default();
        loop {
            tokio::select! {
                _ = term.recv() => break,
                _ = int.recv() => break,
                _ = hup.recv() => {
                    self.read_config();
                    self.reload().await;
                }
                _ = every.tick(), if !self.config.rules.reload.is_zero() => {
                    let look = Look::at(&self.config);
                    if look != self.look {
                        self.look = look;
                        self.reload().await;
                    }
                }
                _ = minute.tick() => self.look_around(&mut silence).await,
                ended = &mut self.serving => {
                    tracing::error!(?ended, "the HTTP server ended");
                    break;
                }
            }
        }
        self.end().await;
    }

    async fn look_around(&self, silence: &mut Silence) {
        let now = jiff::Timestamp::now().as_microsecond();
        let found = silence.look(&self.service.report(), self.config.silence.after, now);
        if !found.is_empty() {
            let _stopping = self.orders.send(Order::Raise(found));
        }
        let day = 86_400_000_000_i64;
        let before = now.saturating_sub(i64::from(self.config.data.keep_days).saturating_mul(day));
        if let Err(error) = self.service.state.expire(before, now.saturating_sub(8 * day)).await {
            tracing::warn!(%error, "old findings cannot be deleted");
        }
    }

    /// Reads the configuration again. Rules, exceptions and windows are taken over; the rest asks for a new start.
    fn read_config(&mut self) {
        let Some(path) = &self.path else { return };
        match Config::read(path) {
            Ok(config) => {
                self.config.rules = config.rules;
                self.config.windows = config.windows;
            }
            Err(error) => tracing::error!(%error, "the configuration is kept as it was"),
        }
    }

    /// Compiles everything aside and swaps it whole, or keeps what runs.
    async fn reload(&mut self) {
        let (config, worker) = (self.config.clone(), self.worker.clone());
        let loaded = match tokio::task::spawn_blocking(move || load(&config, &worker)).await {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(error)) => return self.service.not_loaded(&error),
            Err(error) => return self.service.not_loaded(&error.to_string()),
        };
        if let Some(tls) = &self.tls {
            match server::tls(&self.config.server) {
                Ok(Some(config)) => tls.reload_from_config(config),
                Ok(None) => {}
                Err(error) => tracing::error!(error, "the certificate is kept as it was"),
            }
        }
        let rules =
            RuleSet { rules: loaded.rules.rules.clone(), tables: loaded.rules.tables.clone(), diagnostics: Vec::new() };
        let (done, answer) = tokio::sync::oneshot::channel();
        let order = Order::Rules(Box::new(rules), Box::new(loaded.options.clone()), done);
        if self.orders.send(order).is_err() {
            return;
        }
        match answer.await {
            Ok(Ok(())) => {
                self.service.loaded(&loaded);
                self.service.metrics.reloads.inc();
                tracing::info!(rules = loaded.running, refused = loaded.refused.len(), "rules were loaded anew");
            }
            Ok(Err(error)) => self.service.not_loaded(&error),
            // The thread is ending.
            Err(_) => {}
        }
    }

    /// Accepts nothing more, evaluates what was taken, and ends. What waits in the queue stays there for the next start.
    async fn end(self) {
        let Running { service, orders, evaluator, printer, server, serving, stop, .. } = self;
        let _no_systemd = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        tracing::info!("stopping");
        stop.cancel();
        service.queue.stop();
        server.graceful_shutdown(Some(Duration::from_secs(2)));
        let _stopping = orders.send(Order::Stop);
        let evaluated = tokio::task::spawn_blocking(move || {
            let _panicked = evaluator.join();
            printer.map(std::thread::JoinHandle::join)
        });
        if tokio::time::timeout(STOP, evaluated).await.is_err() {
            tracing::warn!("what is not evaluated yet stays in the queue for the next start");
        }
        let _ended = tokio::time::timeout(Duration::from_secs(1), serving).await;
        service.state.close().await;
    }
}

impl Service {
    fn loaded(&self, loaded: &RuleLoad) {
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Loaded {
            exceptions: loaded.exceptions.clone(),
            refused: loaded.refused.clone(),
            rules: loaded.running,
            problem: None,
            at: Some(jiff::Timestamp::now().to_string()),
        };
    }

    fn not_loaded(&self, error: &str) {
        tracing::error!(error, "the rules are kept as they were");
        self.metrics.failed_reloads.inc();
        self.loaded.write().unwrap_or_else(PoisonError::into_inner).problem = Some(error.to_owned());
    }
}

fn open_spool(config: &Config) -> Result<Arc<Spool>, String> {
    let options = SpoolOptions { max_bytes: config.data.queue, ..SpoolOptions::default() };
    let (spool, found) = Spool::open(&config.data.folder.join("queue"), options).map_err(|error| error.to_string())?;
    if found.batches > 0 {
        tracing::info!(batches = found.batches, bytes = found.bytes, "accepted events are left from before");
    }
    Ok(Arc::new(spool))
}

fn listen(address: SocketAddr) -> Result<std::net::TcpListener, String> {
    let told = |error: std::io::Error| format!("cannot listen on {address}: {error}");
    let listener = std::net::TcpListener::bind(address).map_err(told)?;
    listener.set_nonblocking(true).map_err(told)?;
    Ok(listener)
}

/// Starts the thread that evaluates.
async fn evaluate(parts: Parts, first: RuleLoad) -> Result<(Sender<Order>, std::thread::JoinHandle<()>), String> {
    let (orders, inbox) = channel();
    let (ready, started) = tokio::sync::oneshot::channel();
    let work = move || match Evaluator::new(parts, &first.rules, first.options) {
        Ok(evaluator) => {
            let _nobody_waits = ready.send(Ok(()));
            evaluator.run(&inbox);
        }
        Err(error) => {
            let _nobody_waits = ready.send(Err(error));
        }
    };
    let thread = std::thread::Builder::new().name("evaluator".to_owned()).spawn(work);
    let thread = thread.map_err(|error| error.to_string())?;
    started.await.map_err(|_| "the thread that evaluates ended".to_owned())??;
    Ok((orders, thread))
}

/// A thread that writes findings to standard output: a reader that is slow must not hold up the evaluation.
fn printing(print: Printer) -> (Sender<Finding>, std::thread::JoinHandle<()>) {
    let (told, findings) = channel::<Finding>();
    let thread = std::thread::spawn(move || {
        for finding in findings {
            if print(&finding).is_err() {
                break;
            }
        }
        let _closed = std::io::stdout().flush();
    });
    (told, thread)
}

fn http_options(config: &Config) -> HttpOptions {
    HttpOptions {
        max_body: config.ingest.max_body,
        body_timeout: config.ingest.body_timeout,
        told: Told {
            cluster: config.ingest.cluster.as_deref().map(Arc::from),
            log_type: config.ingest.log_type.as_deref().map(Arc::from),
            ..Told::default()
        },
        ..HttpOptions::default()
    }
}

fn envelope(cluster: Option<&str>, log_type: Option<&str>) -> Arc<Envelope> {
    Arc::new(Envelope { cluster: cluster.map(Arc::from), log_type: log_type.map(Arc::from), ..Envelope::raw() })
}

fn follow(config: &Config, queue: &Arc<Queue>, stop: &CancellationToken) -> Vec<(String, Arc<TailReport>)> {
    let start = |files: &FilesConfig| {
        let report = Arc::new(TailReport::default());
        let mut options = TailOptions::new(&files.name, files.paths.clone());
        options.start = match files.start {
            FilesStart::Beginning => Start::Beginning,
            FilesStart::End => Start::End,
        };
        let cluster = files.cluster.as_deref().or(config.ingest.cluster.as_deref());
        options.envelope = envelope(cluster, files.log_type.as_deref().or(config.ingest.log_type.as_deref()));
        let (queue, stop, own, name) = (queue.clone(), stop.clone(), report.clone(), files.name.clone());
        tokio::spawn(async move {
            if let Err(error) = masthead_sources::tail::tail(options, queue, stop, own).await {
                tracing::error!(%error, name, "files are not followed any more");
            }
        });
        (files.name.clone(), report)
    };
    config.files.iter().map(start).collect()
}

fn read_stdin(config: &Config, queue: Arc<Queue>, stop: CancellationToken) {
    let envelope = envelope(config.ingest.cluster.as_deref(), config.ingest.log_type.as_deref());
    let options = StdinOptions { envelope, ..StdinOptions::default() };
    tokio::spawn(async move {
        if let Err(error) = masthead_sources::stdin::stdin(options, queue, stop, tokio::io::stdin()).await {
            tracing::error!(%error, "standard input cannot be read any more");
        }
    });
}
