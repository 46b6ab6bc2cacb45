//! Ways to make a request that a rule leaves out: tests that pass, and miss something all the same.

use masthead_ir::Level;
use masthead_schema::audit;

use crate::Fault;
use crate::env::Env;
use crate::walk::Seen;

/// Resources whose requests are questions or orders: they are created and never patched.
const NEVER_PATCHED: &[&str] = &[
    "bindings",
    "localsubjectaccessreviews",
    "selfsubjectaccessreviews",
    "selfsubjectreviews",
    "selfsubjectrulesreviews",
    "subjectaccessreviews",
    "tokenreviews",
];

/// What the tests of a condition leave out.
pub(crate) fn check(seen: &[Seen]) -> Vec<Fault> {
    let meant: Vec<&Seen> = seen.iter().filter(|test| !test.negated).collect();
    [streams(&meant), patches(&meant), anonymous(&meant), full_level(&meant)].into_iter().flatten().collect()
}

fn note(code: &'static str, message: &str, help: &str, subject: &str) -> Option<Fault> {
    let (message, help) = (message.to_owned(), Some(help.to_owned()));
    Some(Fault { code, level: Level::Note, message, help, subject: subject.to_owned() })
}

fn streams(seen: &[&Seen]) -> Option<Fault> {
    let streams = |env: &Env| env.only("objectRef.subresource", audit::STREAMS);
    let created = |test: &&&Seen| streams(&test.env) && test.env.only("verb", &["create"]);
    let mut gotten = seen.iter().filter(|test| {
        audit::STREAMS.iter().any(|name| test.env.may_be("objectRef.subresource", name))
            && test.env.get("verb").is_some_and(|verbs| verbs.iter().any(|verb| verb == "get"))
    });
    seen.iter().find(created)?;
    if gotten.next().is_some() {
        return None;
    }
    let message = "only `create` is looked for, and today's clients open streams with `get` (WebSocket)";
    note("exec-create-only", message, "let the verb be `get` or `create`", "create")
}

fn patches(seen: &[&Seen]) -> Option<Fault> {
    let reads = |test: &&&Seen| audit::root(&test.name) == "requestObject";
    let created = |test: &&&Seen| {
        let env = &test.env;
        let held = env.get("verb").is_some_and(|verbs| verbs.iter().any(|verb| verb.eq_ignore_ascii_case("create")));
        let whole = env.get("objectRef.subresource").is_none();
        let patched = !env.only("objectRef.resource", NEVER_PATCHED);
        held && !env.may_be("verb", "patch") && whole && patched
    };
    seen.iter().filter(reads).find(created)?;
    let patched = seen.iter().filter(reads).any(|test| test.env.may_be("verb", "patch"));
    if patched {
        return None;
    }
    let message = "objects that server-side apply creates are missed: its verb is `patch`";
    note("create-without-patch", message, "add the verb `patch`", "create")
}

fn anonymous(seen: &[&Seen]) -> Option<Fault> {
    let named = |test: &&&Seen| test.name == "user.username" && test.env.only("responseStatus.code", &["401"]);
    seen.iter().find(named)?;
    let message = "events of code 401 have no `user.username`: nobody was known yet";
    note("unauthenticated-user", message, "look at `sourceIPs` and `userAgent` instead", "user.username")
}

fn full_level(seen: &[&Seen]) -> Option<Fault> {
    let narrow = |test: &&&Seen| audit::root(&test.name) == "requestObject" && test.env.only("level", &["Request"]);
    seen.iter().find(narrow)?;
    let message = "clusters that log these requests at `RequestResponse` are missed";
    note("level-excludes", message, "let the level be `Request` or `RequestResponse`", "level")
}
