//! The types of the Kubernetes API and of the audit Event: which fields an object has, and what each holds.
//!
//! Source: the OpenAPI document of Kubernetes 1.37 (stable versions; alpha and beta where there is no other), read once into
//! `types.txt`. A line that begins with `@` says which types the requests of a resource carry; every other line is a type
//! with its fields.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::LazyLock;

use crate::audit;

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// A text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A truth value.
    Boolean,
    /// A moment, as RFC 3339 text.
    Time,
    /// Anything: quantities, values that are number or text, raw objects.
    Any,
    /// An object of a named type.
    Object(&'static str),
    /// A list.
    List(Box<Shape>),
    /// An object whose keys are free.
    Map(Box<Shape>),
}

/// A field that a path can mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What it holds, lists taken away.
    pub shape: Shape,
    /// The path with `{}` after every list; none below something of which nothing is known.
    pub marked: Option<String>,
    /// Whether a list is on the way, so that there may be several values.
    pub several: bool,
}

/// Where a path leaves its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    /// The object that has no such field; none if the path goes on below a plain value.
    pub owner: Option<&'static str>,
    /// How many of the path's keys are right.
    pub right: usize,
}

struct Tables {
    types: HashMap<&'static str, BTreeMap<&'static str, Shape>>,
    resources: Vec<Resource>,
}

/// A resource or subresource and the types that its requests carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The resource, in the plural.
    pub resource: &'static str,
    /// The subresource, or nothing.
    pub subresource: &'static str,
    /// The types of its objects.
    pub types: Vec<&'static str>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let mut tables = Tables { types: HashMap::new(), resources: Vec::new() };
    for line in include_str!("types.txt").lines().chain(audit::TYPES.lines()) {
        let mut words = line.split(' ');
        match (words.next(), line.starts_with('@')) {
            (Some(_), true) => tables.resources.extend(resource(words)),
            (Some(name), false) => {
                tables.types.insert(name, words.filter_map(|word| word.split_once(':')).map(field).collect());
            }
            (None, _) => {}
        }
    }
    tables
});

fn resource(mut words: std::str::Split<'static, char>) -> Option<Resource> {
    let mut parts = words.next()?.split('/');
    let (group, resource) = (parts.next()?, parts.next()?);
    Some(Resource { group, resource, subresource: parts.next().unwrap_or_default(), types: words.collect() })
}

fn field((name, shape): (&'static str, &'static str)) -> (&'static str, Shape) {
    (name, shape_of(shape))
}

fn shape_of(text: &'static str) -> Shape {
    if let Some(inner) = text.strip_suffix("[]") {
        return Shape::List(Box::new(shape_of(inner)));
    }
    if let Some(inner) = text.strip_suffix("{}") {
        return Shape::Map(Box::new(shape_of(inner)));
    }
    match text {
        "s" => Shape::Text,
        "i" => Shape::Integer,
        "n" => Shape::Number,
        "b" => Shape::Boolean,
        "t" => Shape::Time,
        "*" => Shape::Any,
        name => Shape::Object(name),
    }
}

/// All resources and subresources whose types are known.
pub fn resources() -> &'static [Resource] {
    &TABLES.resources
}

/// The types of the objects of a resource; with no subresource given, those of its subresources too. Empty if it is not
/// known. The group may be left out.
pub fn types_of(group: Option<&str>, resource: &str, subresource: Option<&str>) -> Vec<&'static str> {
    let wanted = |known: &&Resource| {
        known.resource.eq_ignore_ascii_case(resource)
            && group.is_none_or(|group| group.eq_ignore_ascii_case(known.group))
            && subresource.is_none_or(|name| name.eq_ignore_ascii_case(known.subresource))
    };
    let mut types: Vec<&str> =
        resources().iter().filter(wanted).flat_map(|known| known.types.iter().copied()).collect();
    types.sort_unstable();
    types.dedup();
    types
}

/// Whether there is a type of this name.
pub fn is_type(name: &str) -> bool {
    TABLES.types.contains_key(name)
}

/// The fields of a type and what they hold, in the order of their names.
pub fn fields_of(name: &str) -> impl Iterator<Item = (&'static str, &'static Shape)> {
    TABLES.types.get(name).into_iter().flatten().map(|(name, shape)| (*name, shape))
}

/// The most places that one path can mean: keys of free objects may have dots, so that a path can be read in several ways.
const MAX_PLACES: usize = 16;

/// Paths of more keys are not read: no object is so deep.
const MAX_KEYS: usize = 64;

/// What a path below a type can mean. Keys are joined by dots; marks of lists (`{}`) do not count, and with `folded` neither
/// does the case of letters. No places: that is not known.
///
/// # Errors
///
/// Where the path leaves the type, if no reading of it stays inside.
pub fn resolve(type_name: &'static str, path: &str, folded: bool) -> Result<Vec<Place>, Dead> {
    let keys: Vec<&str> = path.split('.').map(|key| key.trim_end_matches("{}")).collect();
    if keys.len() > MAX_KEYS {
        return Ok(Vec::new());
    }
    let mut walk = Walk { folded, places: Vec::new(), dead: Dead { owner: Some(type_name), right: 0 } };
    walk.go(&Shape::Object(type_name), &keys, 0, &Trail::default());
    if walk.places.is_empty() { Err(walk.dead) } else { Ok(walk.places) }
}

#[derive(Clone, Default)]
struct Trail {
    marked: String,
    several: bool,
}

impl Trail {
    fn then(&self, key: &str) -> Trail {
        let dot = if self.marked.is_empty() { "" } else { "." };
        Trail { marked: format!("{}{dot}{key}", self.marked), several: self.several }
    }
}

struct Walk {
    folded: bool,
    places: Vec<Place>,
    dead: Dead,
}

impl Walk {
    fn go(&mut self, shape: &Shape, keys: &[&str], right: usize, trail: &Trail) {
        if self.places.len() >= MAX_PLACES {
            return;
        }
        if let Shape::List(inner) = shape {
            let trail = Trail { marked: format!("{}{{}}", trail.marked), several: true };
            // Some languages name a member by its number.
            let numbered = keys.first().is_some_and(|key| !key.is_empty() && key.bytes().all(|b| b.is_ascii_digit()));
            let skip = usize::from(numbered);
            return self.go(inner, keys.get(skip..).unwrap_or_default(), right + skip, &trail);
        }
        let (Some(key), Shape::Object(_) | Shape::Map(_)) = (keys.first(), shape) else {
            return self.arrive(shape, keys, right, trail);
        };
        match shape {
            Shape::Object(name) => {
                let found = fields_of(name).find(|(known, _)| self.same(known, key));
                match found {
                    Some((known, inner)) => self.go(inner, &keys[1..], right + 1, &trail.then(known)),
                    None => self.die(Some(name), right),
                }
            }
            Shape::Map(inner) => {
                for taken in 1..=keys.len() {
                    let trail = trail.then(&keys[..taken].join("."));
                    self.go(inner, &keys[taken..], right + taken, &trail);
                }
            }
            _ => {}
        }
    }

    fn arrive(&mut self, shape: &Shape, keys: &[&str], right: usize, trail: &Trail) {
        let known = *shape != Shape::Any;
        if known && !keys.is_empty() {
            return self.die(None, right);
        }
        let marked = known.then(|| trail.marked.clone());
        self.places.push(Place { shape: shape.clone(), marked, several: trail.several || !known });
    }

    fn die(&mut self, owner: Option<&'static str>, right: usize) {
        if right > self.dead.right {
            self.dead = Dead { owner, right };
        }
    }

    fn same(&self, known: &str, key: &str) -> bool {
        if self.folded { known.eq_ignore_ascii_case(key) } else { known == key }
    }
}

/// How deep [`path_to`] looks.
const MAX_DEPTH: usize = 7;

/// The shortest path below these types that ends with a field of this name, letter case aside; of equally short ones the
/// first by type and name.
pub fn path_to(types: &[&'static str], name: &str) -> Option<String> {
    let mut seen = std::collections::HashSet::new();
    let mut pending: VecDeque<(&'static str, String, usize)> =
        types.iter().map(|name| (*name, String::new(), 0)).collect();
    while let Some((owner, path, depth)) = pending.pop_front() {
        if depth > MAX_DEPTH || !seen.insert(owner) {
            continue;
        }
        for (field, shape) in fields_of(owner) {
            let dot = if path.is_empty() { "" } else { "." };
            let below = format!("{path}{dot}{field}");
            if field.eq_ignore_ascii_case(name) {
                return Some(below);
            }
            if let Some(inner) = object_in(shape) {
                pending.push_back((inner, below, depth + 1));
            }
        }
    }
    None
}

fn object_in(shape: &Shape) -> Option<&'static str> {
    match shape {
        Shape::Object(name) => Some(name),
        Shape::List(inner) => object_in(inner),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(type_name: &'static str, path: &str) -> String {
        match resolve(type_name, path, false) {
            Ok(places) => {
                let shown = |place: Place| format!("{:?} {}", place.shape, place.marked.as_deref().unwrap_or("?"));
                places.into_iter().map(shown).collect::<Vec<_>>().join(", ")
            }
            Err(dead) => format!("dead after {} in {}", dead.right, dead.owner.unwrap_or("a value")),
        }
    }

    #[test]
    fn every_type_that_is_named_is_there() {
        for (name, fields) in &TABLES.types {
            for (field, shape) in fields {
                let mut inner = shape;
                while let Shape::List(next) | Shape::Map(next) = inner {
                    inner = next;
                }
                assert!(!matches!(inner, Shape::Object(used) if !is_type(used)), "{name}.{field}: {shape:?}");
            }
        }
        for resource in resources() {
            assert!(!resource.types.is_empty() && resource.types.iter().all(|name| is_type(name)), "{resource:?}");
        }
    }

    #[test]
    fn paths_are_read_by_type() {
        for (type_name, path, expected) in [
            ("Pod", "spec.hostPID", "Boolean spec.hostPID"),
            ("Pod", "spec.hostPid", "dead after 1 in PodSpec"),
            ("Pod", "spec.containers.image", "Text spec.containers{}.image"),
            ("Pod", "spec.containers{}.ports{}.hostPort", "Integer spec.containers{}.ports{}.hostPort"),
            ("Pod", "spec.containers.0.image", "Text spec.containers{}.image"),
            ("Pod", "metadata.labels.app.kubernetes.io/name", "Text metadata.labels.app.kubernetes.io/name"),
            ("Pod", "metadata.creationTimestamp.x", "dead after 2 in a value"),
            ("Deployment", "spec.replicas", "Integer spec.replicas"),
            ("Deployment", "spec.containers", "dead after 1 in DeploymentSpec"),
            ("Pod", "spec.containers.resources.limits.cpu", "Text spec.containers{}.resources.limits.cpu"),
            ("ControllerRevision", "data.anything.at.all", "Any ?"),
            ("Secret", "data", "Map(Text) data"),
        ] {
            assert_eq!(shape(type_name, path), expected, "{type_name}.{path}");
        }
        assert!(resolve("Pod", "SPEC.hostpid", true).is_ok());
    }

    #[test]
    fn resources_have_types() {
        for (group, resource, subresource, expected) in [
            (None, "pods", Some(""), vec!["Pod"]),
            (Some("apps"), "deployments", Some("scale"), vec!["Scale"]),
            (None, "deployments", None, vec!["Deployment", "Scale"]),
            (Some("example.com"), "deployments", None, vec![]),
            (None, "serviceaccounts", Some("token"), vec!["AuthenticationV1TokenRequest"]),
            (None, "widgets", None, vec![]),
        ] {
            assert_eq!(types_of(group, resource, subresource), expected, "{resource}");
        }
    }

    #[test]
    fn a_field_is_found_by_its_last_name() {
        for (name, expected) in [
            ("hostpath", Some("spec.volumes.hostPath")),
            ("capabilities", Some("spec.containers.securityContext.capabilities")),
            ("nothing", None),
        ] {
            assert_eq!(path_to(&["Pod"], name).as_deref(), expected);
        }
    }
}
