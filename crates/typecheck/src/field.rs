//! What a field of a test means in an audit event.

use masthead_ir::Level;
use masthead_ir::expr::FieldPath;
use masthead_rulefile::suggest;
use masthead_schema::audit;
use masthead_schema::types::{self, Dead, Place};

use crate::env::Env;
use crate::walk::Problem;

/// What travels with an event and is not part of it.
const ENVELOPE: &[&str] =
    &["source", "sourcetype", "host", "index", "log_type", "cluster", "account", "label", "row_id", "eventtype", "tag"];

/// The keys of one operation of a JSON patch.
const PATCH_KEYS: &[&str] = &["op", "path", "value", "from"];

/// A field as the event has it.
#[derive(Debug)]
pub(crate) struct Read {
    /// The path without marks of lists.
    pub(crate) name: String,
    /// What it can be; empty if that is not known.
    pub(crate) places: Vec<Place>,
    /// Whether the language of the rule keeps types of values.
    pub(crate) typed: bool,
}

impl Read {
    /// Whether an event has at most one value of it.
    pub(crate) fn single(&self) -> bool {
        !self.places.is_empty() && self.places.iter().all(|place| !place.several)
    }
}

/// A path without marks of lists.
pub(crate) fn plain(field: &FieldPath) -> String {
    field.to_string().replace("{}", "")
}

/// What a field can be in events that the conditions around it allow.
pub(crate) fn read(field: &FieldPath, env: &Env) -> Result<Read, Problem> {
    let name = plain(field);
    let typed = matches!(field, FieldPath::Keys(_));
    let root = audit::root(&name);
    let outside = ENVELOPE.contains(&root) || name.starts_with(['_', '@']) || name.starts_with("p_");
    if outside || name.is_empty() || name.contains(['*', '<']) {
        return Ok(Read { name, places: Vec::new(), typed });
    }
    let places = match object_of(&name, typed) {
        Some((root, below)) => in_object(root, below, typed, env)?,
        None => types::resolve(audit::EVENT, &name, typed).map_err(|dead| no_such_field(&name, &dead))?,
    };
    if let FieldPath::Flat(flat) = field {
        marked_right(flat, &places)?;
    }
    Ok(Read { name, places, typed })
}

/// The object of a request or response that a path goes into, and the path below it.
fn object_of(name: &str, folded: bool) -> Option<(&'static str, &str)> {
    let (root, below) = name.split_once('.')?;
    let same = |known: &&str| if folded { known.eq_ignore_ascii_case(root) } else { **known == *root };
    ["requestObject", "responseObject"].into_iter().find(same).map(|known| (known, below))
}

/// A flattened name says which of its keys are lists, and is another name if it says so wrongly.
fn marked_right(flat: &str, places: &[Place]) -> Result<(), Problem> {
    let right: Option<Vec<&String>> = places.iter().map(|place| place.marked.as_ref()).collect();
    let Some(right) = right else { return Ok(()) };
    match right.first() {
        Some(first) if !right.iter().any(|marked| *marked == flat) => Err(Problem {
            code: "unknown-field",
            level: Level::Warning,
            message: format!("no audit event has `{flat}`: the marks of lists are wrong"),
            help: Some(format!("the field is called `{first}`")),
            subject: flat.to_owned(),
            // Front-ends may look for a field under several of its names.
            elsewhere: true,
        }),
        _ => Ok(()),
    }
}

fn no_such_field(name: &str, dead: &Dead) -> Problem {
    let keys: Vec<&str> = name.split('.').collect();
    let (before, wrong) = keys.split_at(dead.right.min(keys.len() - 1));
    let message = match (before.is_empty(), dead.owner) {
        (true, _) => format!("no audit event has a field `{name}`"),
        (false, Some(_)) => format!("`{}` of an audit event has no field `{}`", before.join("."), wrong.join(".")),
        (false, None) => {
            format!("`{}` of an audit event is a plain value and has no field `{}`", before.join("."), wrong.join("."))
        }
    };
    let object = || found_below(COMMON, &keys).map(|path| format!("requestObject.{path}"));
    let near = beside(audit::EVENT, &keys, dead).or_else(|| found_below(&[audit::EVENT], &keys)).or_else(object);
    problem(name, Level::Warning, message, near)
}

/// The types among which a field is looked for that stands at the top of the event by mistake, the most common first.
const COMMON: &[&str] = &["Pod", "ClusterRole", "ClusterRoleBinding", "Secret", "Service", "Deployment"];

fn problem(subject: &str, level: Level, message: String, near: Option<String>) -> Problem {
    let help = near.map(|path| format!("there is `{path}`"));
    Problem { code: "unknown-field", level, message, help, subject: subject.to_owned(), elsewhere: false }
}

/// A path below a type with its first wrong key replaced by one of nearly the same name.
fn beside(type_name: &'static str, keys: &[&str], dead: &Dead) -> Option<String> {
    let (before, wrong) = keys.split_at_checked(dead.right)?;
    let (key, after) = wrong.split_first()?;
    let owner = dead.owner?;
    let names = || types::fields_of(owner).map(|(name, _)| name);
    let near = names().find(|name| name.eq_ignore_ascii_case(key)).or_else(|| suggest(key, names()))?;
    let path = join(before.iter().copied().chain([near]).chain(after.iter().copied()));
    types::resolve(type_name, &path, false).is_ok().then_some(path)
}

/// A path below these types that ends as this one does, in as many keys as possible.
fn found_below(types: &[&'static str], keys: &[&str]) -> Option<String> {
    (0..keys.len()).find_map(|at| {
        let start = types::path_to(types, keys[at])?;
        let path = join([start.as_str()].into_iter().chain(keys[at + 1..].iter().copied()));
        types.iter().any(|name| types::resolve(name, &path, false).is_ok()).then_some(path)
    })
}

fn join<'k>(keys: impl Iterator<Item = &'k str>) -> String {
    keys.collect::<Vec<_>>().join(".")
}

/// The types that the object of a request or response can have.
struct Types {
    names: Vec<&'static str>,
    /// What is asked for, if the conditions say it.
    resource: Option<String>,
}

fn in_object(root: &'static str, below: &str, folded: bool, env: &Env) -> Result<Vec<Place>, Problem> {
    let first = audit::root(below);
    let request = root == "requestObject";
    let patch = request && env.may_be("verb", "patch") && PATCH_KEYS.contains(&first);
    if patch || below.split('.').any(|key| key.starts_with('$')) {
        return Ok(Vec::new());
    }
    let Some(types) = types_in(request, env) else { return Ok(Vec::new()) };
    // The answer to a list request holds the objects in `items`.
    let below_items = if request { below } else { below.strip_prefix("items.").unwrap_or(below) };
    if !request && (below == "items" || below_items != below) {
        let sound =
            below == "items" || types.names.iter().any(|name| types::resolve(name, below_items, folded).is_ok());
        return if sound { Ok(Vec::new()) } else { Err(not_in_types(root, below, &types, None)) };
    }
    let (mut places, mut inside) = (Vec::new(), false);
    let mut deepest: Option<(&'static str, Dead)> = None;
    for name in &types.names {
        match types::resolve(name, below, folded) {
            Ok(found) => {
                inside = true;
                places.extend(found);
            }
            Err(dead) if deepest.as_ref().is_none_or(|(_, known)| dead.right > known.right) => {
                deepest = Some((name, dead));
            }
            Err(_) => {}
        }
    }
    if !inside {
        return Err(not_in_types(root, below, &types, deepest));
    }
    for place in &mut places {
        place.marked = place.marked.take().map(|marked| format!("{root}.{marked}"));
    }
    Ok(places)
}

fn not_in_types(root: &str, below: &str, types: &Types, deepest: Option<(&'static str, Dead)>) -> Problem {
    let keys: Vec<&str> = below.split('.').collect();
    let near = deepest.and_then(|(name, dead)| beside(name, &keys, &dead));
    let whole: Vec<&'static str> = types.names.iter().copied().filter(|name| !name.ends_with("Options")).collect();
    let near = near.or_else(|| found_below(&whole, &keys)).map(|path| format!("{root}.{path}"));
    let name = format!("{root}.{below}");
    match &types.resource {
        Some(resource) => {
            let whose = if root == "requestObject" { "request for" } else { "response about" };
            let message = format!("no {whose} {resource} has a field `{name}`");
            let known = |resource: &types::Resource| {
                resource.types.iter().any(|name| types::resolve(name, below, false).is_ok())
            };
            Problem { elsewhere: types::resources().iter().any(known), ..problem(&name, Level::Warning, message, near) }
        }
        None => {
            let message = format!("no Kubernetes type has a field `{name}`; only a custom resource could");
            problem(&name, Level::Note, message, near)
        }
    }
}

/// The types of the objects of the resources that the conditions allow; none if one of them is not known.
fn types_in(request: bool, env: &Env) -> Option<Types> {
    let subresources = env.get("objectRef.subresource");
    let of = |group: Option<&str>, resource: &str| match subresources {
        None => types::types_of(group, resource, None),
        Some(all) => all.iter().flat_map(|name| types::types_of(group, resource, Some(name))).collect(),
    };
    let mut names: Vec<&'static str> = Vec::new();
    let resource = match env.get("objectRef.resource") {
        None | Some([]) => {
            names.extend(types::resources().iter().flat_map(|known| known.types.iter().copied()));
            None
        }
        Some(resources) => {
            for resource in resources {
                let found: Vec<_> = match env.get("objectRef.apiGroup") {
                    None | Some([]) => of(None, resource),
                    Some(groups) => groups.iter().flat_map(|group| of(Some(group), resource)).collect(),
                };
                if found.is_empty() {
                    return None;
                }
                names.extend(found);
            }
            let mut resources = resources.to_vec();
            resources.dedup();
            Some(format!("`{}`", resources.join("` or `")))
        }
    };
    if !request {
        names.extend(["Status", "Table"]);
    } else if env.may_be("verb", "delete") || env.may_be("verb", "deletecollection") {
        names.push("DeleteOptions");
    }
    names.sort_unstable();
    names.dedup();
    Some(Types { names, resource })
}
