//! Requests to the API server, as an audit policy sees them.

use serde_json::Value as Json;

/// What a policy looks at in a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// The name of the user; none if nobody could be made out (status 401).
    pub user: Option<String>,
    /// The groups of the user.
    pub groups: Vec<String>,
    /// The verb.
    pub verb: String,
    /// The resource; none for a path that is none.
    pub resource: Option<Resource>,
    /// The path, without its query.
    pub path: String,
}

/// What a request is about. What it does not have is the empty text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resource {
    /// The API group; empty for the core group.
    pub group: String,
    /// The resource (`pods`).
    pub resource: String,
    /// What is asked for under it (`exec`).
    pub subresource: String,
    /// The name of the object.
    pub name: String,
    /// The namespace.
    pub namespace: String,
}

impl Resource {
    /// Resource and subresource as policies write them.
    pub fn form(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.clone()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }
}

impl Request {
    /// The request that an audit event tells of; none if the event has no verb and no path.
    ///
    /// A policy sees the user that asks, not the one that is impersonated: the filter that audits stands before the one
    /// that changes the user (API server, `DefaultBuildHandlerChain`).
    pub fn from_audit(event: &Json) -> Option<Request> {
        let text = |at: &str| event.pointer(at).and_then(Json::as_str).unwrap_or_default();
        let uri = text("/requestURI");
        if text("/verb").is_empty() && uri.is_empty() {
            return None;
        }
        let groups = event.pointer("/user/groups").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        let resource = event.get("objectRef").filter(|_| !text("/objectRef/resource").is_empty()).map(|_| Resource {
            group: text("/objectRef/apiGroup").to_owned(),
            resource: text("/objectRef/resource").to_owned(),
            subresource: text("/objectRef/subresource").to_owned(),
            name: text("/objectRef/name").to_owned(),
            namespace: text("/objectRef/namespace").to_owned(),
        });
        Some(Request {
            user: Some(text("/user/username")).filter(|name| !name.is_empty()).map(str::to_owned),
            groups: groups.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
            verb: text("/verb").to_owned(),
            resource,
            path: uri.split('?').next().unwrap_or_default().to_owned(),
        })
    }
}

/// The resource that the path of a request names; none for a path that is no resource (API server, `RequestInfo`).
pub(crate) fn resource_of_path(path: &str) -> Option<Resource> {
    let mut parts = path.split('?').next()?.split('/').filter(|part| !part.is_empty());
    let group = match parts.next()? {
        "api" => String::new(),
        "apis" => parts.next()?.to_owned(),
        _ => return None,
    };
    let _version = parts.next()?;
    let mut rest: Vec<&str> = parts.collect();
    if rest.first() == Some(&"watch") {
        rest.remove(0);
    }
    let part = |at: usize| rest.get(at).copied().unwrap_or_default().to_owned();
    if rest.is_empty() {
        return None;
    }
    // `/namespaces/<name>/status` is about the namespace itself.
    let inside = rest[0] == "namespaces" && rest.len() > 2 && !matches!(rest[2], "status" | "finalize");
    let (from, namespace) = if inside { (2, part(1)) } else { (0, String::new()) };
    let namespace = if !inside && rest[0] == "namespaces" { part(1) } else { namespace };
    Some(Resource { group, resource: part(from), name: part(from + 1), subresource: part(from + 2), namespace })
}

/// The path of a resource, as clients ask for it.
pub(crate) fn path_of_resource(resource: &Resource) -> String {
    let mut path =
        if resource.group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{}/v1", resource.group) };
    let mut add = |part: &str| {
        if !part.is_empty() {
            path.push('/');
            path.push_str(part);
        }
    };
    if !resource.namespace.is_empty() && resource.resource != "namespaces" {
        add("namespaces");
        add(&resource.namespace);
    }
    for part in [&resource.resource, &resource.name, &resource.subresource] {
        add(part);
    }
    path
}
