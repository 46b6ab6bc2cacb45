//! Policies, and what they say of a request.
//!
//! The first rule that matches decides; a request that no rule matches is not logged (Kubernetes, "Auditing"; API server,
//! package `audit/policy`). Every list of a rule that is empty matches everything.

use std::path::PathBuf;

use masthead_ir::Diagnostic;

use crate::level::{Level, Stage};
use crate::request::{Request, Resource};

/// An audit policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// The file, as it was given.
    pub path: PathBuf,
    /// Stages that no rule logs.
    pub omit_stages: Vec<Stage>,
    /// Whether bodies are logged without `metadata.managedFields`, unless a rule says otherwise.
    pub omit_managed_fields: bool,
    /// The rules, in order.
    pub rules: Vec<PolicyRule>,
    /// What is odd about it, though the API server takes it.
    pub warnings: Vec<Diagnostic>,
}

/// A rule of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyRule {
    /// The level that it gives.
    pub level: Level,
    /// Names of users.
    pub users: Vec<String>,
    /// Groups of users; one that the user is in suffices.
    pub user_groups: Vec<String>,
    /// Verbs.
    pub verbs: Vec<String>,
    /// Resources.
    pub resources: Vec<GroupResources>,
    /// Namespaces; the empty text stands for what is in none.
    pub namespaces: Vec<String>,
    /// Paths that are no resources. A `*` at the end stands for any rest.
    pub non_resource_urls: Vec<String>,
    /// Stages that it does not log, beside those of the policy.
    pub omit_stages: Vec<Stage>,
    /// Whether managed fields are left out, if it says so itself.
    pub omit_managed_fields: Option<bool>,
    /// The line of the file at which it starts, from 1.
    pub line: usize,
}

/// Resources of one API group.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GroupResources {
    /// The API group; the empty text is the core group. There is no wildcard.
    pub group: String,
    /// `pods`, `pods/log`, `pods/*` (the resource and all that is under it), `*/scale`, `*`. Empty: the whole group.
    pub resources: Vec<String>,
    /// Names of objects.
    pub resource_names: Vec<String>,
}

/// What a policy says of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// How much is logged.
    pub level: Level,
    /// The stages that are not logged, sorted.
    pub omit_stages: Vec<Stage>,
    /// Whether bodies lack `metadata.managedFields`.
    pub omit_managed_fields: bool,
    /// The index of the rule that decided; none if no rule matches.
    pub rule: Option<usize>,
}

impl Decision {
    /// Whether an event of this stage is logged.
    pub fn logs(&self, stage: Stage) -> bool {
        self.level > Level::None && !self.omit_stages.contains(&stage)
    }
}

impl Policy {
    /// What the policy says of a request.
    pub fn level(&self, request: &Request) -> Decision {
        let found = self.rules.iter().enumerate().find(|(_, rule)| rule.matches(request));
        let mut omit_stages = self.omit_stages.clone();
        omit_stages.extend(found.iter().flat_map(|(_, rule)| &rule.omit_stages));
        omit_stages.sort();
        omit_stages.dedup();
        Decision {
            level: found.map_or(Level::None, |(_, rule)| rule.level),
            omit_stages,
            omit_managed_fields: found
                .and_then(|(_, rule)| rule.omit_managed_fields)
                .unwrap_or(self.omit_managed_fields),
            rule: found.map(|(index, _)| index),
        }
    }
}

impl PolicyRule {
    /// Whether the rule is the one for this request, if no rule before it is.
    pub fn matches(&self, request: &Request) -> bool {
        let has = |list: &[String], value: &str| list.iter().any(|member| member == value);
        if !self.users.is_empty() && !request.user.as_deref().is_some_and(|user| has(&self.users, user)) {
            return false;
        }
        if !self.user_groups.is_empty() && !request.groups.iter().any(|group| has(&self.user_groups, group)) {
            return false;
        }
        if !self.verbs.is_empty() && !has(&self.verbs, &request.verb) {
            return false;
        }
        if !self.namespaces.is_empty() || !self.resources.is_empty() {
            let Some(resource) = &request.resource else { return false };
            let here = self.namespaces.is_empty() || has(&self.namespaces, &resource.namespace);
            return here && (self.resources.is_empty() || self.resources.iter().any(|group| group.matches(resource)));
        }
        if !self.non_resource_urls.is_empty() {
            return request.resource.is_none()
                && self.non_resource_urls.iter().any(|url| path_matches(url, &request.path));
        }
        true
    }
}

impl GroupResources {
    /// Whether the resource is one of these.
    pub fn matches(&self, resource: &Resource) -> bool {
        if self.group != resource.group {
            return false;
        }
        let named = || self.resource_names.is_empty() || self.resource_names.contains(&resource.name);
        self.resources.is_empty() || (named() && self.resources.iter().any(|form| form_matches(form, resource)))
    }
}

/// Whether a resource as policies write it (`pods`, `pods/log`, `pods/*`, `*/log`, `*`) means this resource.
fn form_matches(form: &str, resource: &Resource) -> bool {
    if form == "*" {
        return true;
    }
    match form.split_once('/') {
        None => resource.subresource.is_empty() && form == resource.resource,
        Some((name, "*")) => name == resource.resource,
        Some(("*", under)) => !resource.subresource.is_empty() && under == resource.subresource,
        Some((name, under)) => name == resource.resource && under == resource.subresource,
    }
}

/// Whether a path is meant by a pattern that may end with a star.
pub(crate) fn path_matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(_) => path.starts_with(pattern.trim_end_matches('*')),
        None => pattern == path,
    }
}
