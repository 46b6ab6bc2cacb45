//! The resources and paths that a branch can be about.

use crate::candidates::Tester;
use crate::known::{self, PATHS, RESOURCES};
use crate::needs::Dimension;
use crate::request::{Resource, path_of_resource, resource_of_path};

/// What a request can be about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// A resource.
    Resource(ResourceTarget),
    /// A path that is no resource.
    Path(String),
}

/// A resource and what is under it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ResourceTarget {
    /// The group; none if the rule does not say it and the resource is unknown.
    pub(crate) group: Option<String>,
    /// The resource; a star for any of its group.
    pub(crate) resource: String,
    /// What is under it; else empty.
    pub(crate) subresource: String,
    /// Namespace and name, if a path gave them.
    pub(crate) place: Option<(String, String)>,
}

impl Target {
    /// As policies write it.
    pub(crate) fn form(&self) -> String {
        match self {
            Target::Path(path) => path.clone(),
            Target::Resource(target) if target.subresource.is_empty() => target.resource.clone(),
            Target::Resource(target) => format!("{}/{}", target.resource, target.subresource),
        }
    }

    /// Whether requests for it stay open.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self, Target::Resource(target) if known::STREAMS.contains(&target.subresource.as_str()))
    }
}

/// What a branch is about.
pub(crate) struct Targets {
    /// Whether the rule names or describes them; else any of them will do.
    pub(crate) listed: bool,
    /// Whether what is under a resource counts for itself.
    pub(crate) each: bool,
    /// Examples.
    pub(crate) targets: Vec<Target>,
}

/// Why there are no examples.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Nothing {
    /// No request is so, whatever the policy.
    Impossible(String),
    /// It is not about audit events: they do not have this field.
    Elsewhere(String),
    /// It cannot be told.
    Unknown,
}

/// A URI that describes more resources than this describes no certain one.
const MAX_BY_URI: usize = 8;

impl Tester<'_> {
    /// The resources and paths that the branch can be about. What is under a resource counts only if the resource itself
    /// does not fit.
    pub(crate) fn targets(&self) -> Result<Targets, Nothing> {
        let named = [Dimension::Resource, Dimension::Subresource, Dimension::ApiGroup];
        let by_name = named.into_iter().any(|dimension| self.lists(dimension));
        let by_uri = self.lists(Dimension::Uri);
        let resources = self.resources();
        let mut targets = self.mains(&resources);
        targets.retain(|target| self.fits_uri(target));
        if targets.is_empty() {
            targets = self.under(&resources);
            targets.retain(|target| self.fits_uri(target));
        }
        if by_uri {
            targets.extend(self.by_uri());
        }
        let mut targets: Vec<Target> = targets.into_iter().map(Target::Resource).collect();
        targets.extend(self.paths().into_iter().map(Target::Path));
        if by_uri && targets.is_empty() && self.loose(Dimension::Uri) {
            targets = self.mains(&resources).into_iter().map(Target::Resource).collect();
            return self.found(Targets { listed: by_name, each: false, targets });
        }
        let listed = by_name || (by_uri && targets.len() <= MAX_BY_URI);
        self.found(Targets { listed, each: self.lists(Dimension::Subresource) || by_uri, targets })
    }

    fn found(&self, found: Targets) -> Result<Targets, Nothing> {
        if !found.targets.is_empty() {
            return Ok(found);
        }
        let dimensions = [Dimension::Resource, Dimension::Subresource, Dimension::ApiGroup];
        let unclear = self.lists(Dimension::Uri) || dimensions.into_iter().any(|dimension| self.opaque(dimension));
        if unclear || self.lists(Dimension::Subresource) && !self.lists(Dimension::Resource) {
            return Err(Nothing::Unknown);
        }
        let names = self.wanted(Dimension::Resource);
        Err(Nothing::Impossible(if names.is_empty() {
            "no request is about what the rule asks for".to_owned()
        } else {
            format!("no request is about the resource {}, as the rule has it", names.join(", "))
        }))
    }

    fn resources(&self) -> Vec<ResourceTarget> {
        let grouped = self.lists(Dimension::ApiGroup);
        let target = |group: Option<&str>, resource: &str| ResourceTarget {
            group: group.map(str::to_owned),
            resource: resource.to_owned(),
            subresource: String::new(),
            place: None,
        };
        let mut found: Vec<ResourceTarget> = RESOURCES
            .iter()
            .filter(|known| grouped || known::group_of(known.resource) == Some(known.group))
            .filter(|known| self.allows(Dimension::Resource, known.resource))
            .filter(|known| self.allows(Dimension::ApiGroup, known.group))
            .map(|known| target(Some(known.group), known.resource))
            .collect();
        let mut groups = self.named(Dimension::ApiGroup);
        groups.retain(|group| known::is_group_name(group));
        let mut names = self.named(Dimension::Resource);
        if found.is_empty() && names.is_empty() && self.lists(Dimension::Resource) {
            names = self.examples(Dimension::Resource).into_iter().take(1).collect();
        }
        for name in names.iter().filter(|name| is_resource_name(name)) {
            let known = found.iter().any(|known| known.resource == *name);
            if !known && !groups.is_empty() {
                found.extend(groups.iter().map(|group| target(Some(group), name)));
            } else if !known && !grouped && known::group_of(name).is_none() {
                found.push(target(None, name));
            }
        }
        if !self.lists(Dimension::Resource) {
            for group in groups.iter().filter(|group| !known::is_group(group)) {
                found.push(target(Some(group), "*"));
            }
        }
        found
    }

    fn mains(&self, resources: &[ResourceTarget]) -> Vec<ResourceTarget> {
        if self.passes(Dimension::Subresource, &[]) { resources.to_vec() } else { Vec::new() }
    }

    fn under(&self, resources: &[ResourceTarget]) -> Vec<ResourceTarget> {
        let with =
            |target: &ResourceTarget, under: &str| ResourceTarget { subresource: under.to_owned(), ..target.clone() };
        let known = |target: &ResourceTarget| {
            RESOURCES
                .iter()
                .find(|known| Some(known.group) == target.group.as_deref() && known.resource == target.resource)
                .map_or(&[][..], |known| known.subresources)
        };
        let mut found: Vec<ResourceTarget> = resources
            .iter()
            .flat_map(|target| known(target).iter().map(move |under| with(target, under)))
            .filter(|target| self.allows(Dimension::Subresource, &target.subresource))
            .collect();
        if found.is_empty() && self.lists(Dimension::Resource) {
            let names = self.named(Dimension::Subresource);
            found = resources
                .iter()
                .flat_map(|target| names.iter().map(|under| with(target, under)))
                .filter(|target| is_resource_name(&target.subresource))
                .collect();
        }
        found
    }

    /// Whether some way to ask for the target has a URI that fits.
    fn fits_uri(&self, target: &ResourceTarget) -> bool {
        if self.passes(Dimension::Uri, &["/"]) && !self.lists(Dimension::Uri) {
            return true;
        }
        let namespaces = self.namespaces(target, &[]);
        let names = self.names(target, &[]);
        let paths = namespaces.iter().flat_map(|namespace| {
            names.iter().map(|name| {
                path_of_resource(&Resource {
                    group: target.group.clone().unwrap_or_else(|| "example.com".to_owned()),
                    resource: target.resource.clone(),
                    subresource: target.subresource.clone(),
                    name: if name.is_empty() && !target.subresource.is_empty() { "x".to_owned() } else { name.clone() },
                    namespace: namespace.clone(),
                })
            })
        });
        let query = if target.subresource == "exec" { "command=x&container=x&stdin=true" } else { "x=x" };
        let fits = |uri: &str| self.passes(Dimension::Uri, &[uri]);
        paths.into_iter().any(|path| fits(&path) || fits(&format!("{path}?{query}")))
    }

    /// Known resources that a URI of the rule names.
    fn by_uri(&self) -> Vec<ResourceTarget> {
        let mut found = Vec::new();
        for resource in self.examples(Dimension::Uri).iter().filter_map(|uri| resource_of_path(uri)) {
            let known = known::is_namespaced(&resource.group, &resource.resource).is_some();
            let fits = self.allows(Dimension::Resource, &resource.resource)
                && self.allows(Dimension::ApiGroup, &resource.group)
                && self.allows(Dimension::Subresource, &resource.subresource);
            if known && fits {
                found.push(ResourceTarget {
                    group: Some(resource.group),
                    resource: resource.resource,
                    subresource: resource.subresource,
                    place: Some((resource.namespace, resource.name)),
                });
            }
        }
        found
    }

    /// Paths that are no resources; their events have no `objectRef`.
    fn paths(&self) -> Vec<String> {
        let parts =
            [Dimension::Resource, Dimension::Subresource, Dimension::ApiGroup, Dimension::Namespace, Dimension::Name];
        if !parts.into_iter().all(|dimension| self.passes(dimension, &[])) {
            return Vec::new();
        }
        let mut paths: Vec<String> = PATHS.iter().map(|path| (*path).to_owned()).collect();
        let fits = |path: &String| {
            path.starts_with('/')
                && !path.contains('*')
                && resource_of_path(path).is_none()
                && self.passes(Dimension::Uri, &[path])
        };
        paths.extend(self.named(Dimension::Uri));
        paths.retain(fits);
        if paths.is_empty() {
            paths.extend(self.examples(Dimension::Uri).into_iter().filter(fits));
        }
        let mut plain: Vec<String> =
            paths.iter().map(|path| path.split('?').next().unwrap_or_default().to_owned()).collect();
        plain.sort();
        plain.dedup();
        plain
    }

    /// Namespaces that a request for the target can be in; the empty text stands for none. `more` are tried too.
    pub(crate) fn namespaces(&self, target: &ResourceTarget, more: &[String]) -> Vec<String> {
        if let Some((namespace, _)) = &target.place {
            return vec![namespace.clone()];
        }
        let known = target.group.as_deref().and_then(|group| known::is_namespaced(group, &target.resource));
        let mut namespaces = Vec::new();
        // The namespace of a request for a namespace is that namespace.
        if known != Some(false) || target.resource == "namespaces" {
            namespaces.extend(self.examples(Dimension::Namespace));
            namespaces.extend(more.iter().cloned());
            namespaces.extend(["default".to_owned(), "kube-system".to_owned()]);
        }
        namespaces.push(String::new());
        namespaces.retain(|namespace| self.allows(Dimension::Namespace, namespace));
        if namespaces.is_empty() && self.opaque(Dimension::Namespace) && known != Some(false) {
            namespaces.push("default".to_owned());
        }
        namespaces
    }

    /// Names that the object of a request can have; the empty text stands for none. `more` are tried too.
    pub(crate) fn names(&self, target: &ResourceTarget, more: &[String]) -> Vec<String> {
        if let Some((_, name)) = &target.place {
            return vec![name.clone()];
        }
        let mut names = self.examples(Dimension::Name);
        names.extend(more.iter().cloned());
        names.extend(["x".to_owned(), String::new()]);
        names.retain(|name| self.allows(Dimension::Name, name));
        if names.is_empty() && self.opaque(Dimension::Name) {
            names.push("x".to_owned());
        }
        names
    }

    /// The values of a dimension as the rule writes them.
    pub(crate) fn wanted(&self, dimension: Dimension) -> Vec<String> {
        let mut wanted = self.named(dimension);
        wanted.truncate(3);
        wanted
    }
}

/// Whether an API could have a resource of this name.
fn is_resource_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
