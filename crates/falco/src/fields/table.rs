//! The list of fields (k8saudit plugin 0.18, json plugin 0.7, and those of every event source that audit events have).

/// A field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// What may stand in brackets behind it.
    pub(super) argument: Argument,
    /// Whether it is a list.
    pub(super) list: bool,
    /// Where its value comes from.
    pub(super) read: Read,
}

/// What may stand in brackets behind a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    /// Nothing.
    None,
    /// The place of an element, or nothing.
    Index,
    /// A key; it must stand there.
    Key,
}

/// Where the value of a field comes from. An array is given by the keys that lead to it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Read {
    /// A place in the event, through arrays.
    At(&'static str),
    /// A part of the event as it stands there, objects as JSON text.
    Json(&'static [&'static str]),
    /// What every element of an array has.
    Each { array: &'static [&'static str], rest: &'static str },
    /// What the first element of an array has.
    First { array: &'static [&'static str], rest: &'static str },
    /// The elements of an array, each as JSON text.
    Elements { array: &'static [&'static str] },
    /// The image of every container without tag and digest.
    Repository { array: &'static [&'static str] },
    /// The same of the first container.
    FirstRepository { array: &'static [&'static str] },
    /// A list of words that every element of an array has, joined by blanks.
    Joined { array: &'static [&'static str], rest: &'static str },
    /// The ports that containers open on their host.
    HostPorts { array: &'static [&'static str] },
    /// What every container runs as: its own setting, that of the pod, or 0.
    Effective { array: &'static [&'static str], rest: &'static str },
    /// Whether any container is privileged.
    AnyPrivileged,
    /// The kinds of volumes.
    VolumeTypes,
    /// Whether a volume has a path of the host.
    HasHostPath,
    /// The names of a binding's subjects of one kind.
    Subjects { kind: &'static str, with_namespace: bool },
    /// The name of a pod that was asked for itself.
    PodName,
    /// A parameter of the request's query.
    UriParameter,
    /// A JSON pointer.
    Pointer,
    /// The whole event.
    Whole,
    /// The time of the event in nanoseconds.
    RawTime,
    /// The same for all events.
    Constant(&'static str),
}

impl Entry {
    /// Whether every event has the field.
    pub(super) fn always(&self) -> bool {
        matches!(self.read, Read::Whole | Read::RawTime | Read::Constant(_))
    }
}

const CONTAINERS: &[&str] = &["requestObject", "spec", "containers"];
const VOLUMES: &[&str] = &["requestObject", "spec", "volumes"];
const RULES: &[&str] = &["requestObject", "rules"];

/// The lists of containers that a pod has.
const CONTAINER_LISTS: &[(&str, &[&str])] = &[
    ("containers", CONTAINERS),
    ("initContainers", &["requestObject", "spec", "initContainers"]),
    ("ephemeralContainers", &["requestObject", "spec", "ephemeralContainers"]),
];

/// What every container has: the end of the field's name, and of the path.
const CONTAINER_FIELDS: &[(&str, &str)] = &[
    ("add_capabilities", "securityContext.capabilities.add"),
    ("allow_privilege_escalation", "securityContext.allowPrivilegeEscalation"),
    ("image", "image"),
    ("name", "name"),
    ("privileged", "securityContext.privileged"),
    ("proc_mount", "securityContext.procMount"),
    ("read_only_fs", "securityContext.readOnlyRootFilesystem"),
    ("run_as_group", "securityContext.runAsGroup"),
    ("run_as_user", "securityContext.runAsUser"),
];

/// Further fields of containers, which are computed.
const COMPUTED_CONTAINER_FIELDS: &[&str] =
    &["args", "command", "eff_run_as_group", "eff_run_as_user", "host_port", "image.repository"];

/// Fields with one value.
const SINGLE: &[(&str, Read)] = &[
    ("evt.datetime", Read::At("stageTimestamp")),
    ("evt.pluginname", Read::Constant("k8saudit")),
    ("evt.rawtime", Read::RawTime),
    ("evt.source", Read::Constant("k8s_audit")),
    ("evt.time", Read::At("stageTimestamp")),
    ("evt.time.iso8601", Read::At("stageTimestamp")),
    ("evt.type", Read::Constant("pluginevent")),
    ("jevt.obj", Read::Whole),
    ("jevt.rawtime", Read::RawTime),
    ("jevt.time", Read::At("stageTimestamp")),
    ("jevt.time.iso8601", Read::At("stageTimestamp")),
    ("json.obj", Read::Whole),
    ("json.rawtime", Read::RawTime),
    ("ka.auditid", Read::At("auditID")),
    ("ka.auth.decision", Read::At("annotations.authorization.k8s.io/decision")),
    ("ka.auth.openshift.decision", Read::At("annotations.authentication.openshift.io/decision")),
    ("ka.auth.openshift.username", Read::At("annotations.authentication.openshift.io/username")),
    ("ka.auth.reason", Read::At("annotations.authorization.k8s.io/reason")),
    ("ka.cluster.name", Read::At("annotations.cluster_name")),
    ("ka.impuser.name", Read::At("impersonatedUser.username")),
    ("ka.req.binding.role", Read::At("requestObject.roleRef.name")),
    ("ka.req.configmap.name", Read::At("objectRef.name")),
    ("ka.req.configmap.obj", Read::Json(&["requestObject", "data"])),
    ("ka.req.container.host_network", Read::At("requestObject.spec.hostNetwork")),
    ("ka.req.container.image", Read::First { array: CONTAINERS, rest: "image" }),
    ("ka.req.container.image.repository", Read::FirstRepository { array: CONTAINERS }),
    ("ka.req.container.privileged", Read::AnyPrivileged),
    ("ka.req.pod.fs_group", Read::At("requestObject.spec.securityContext.fsGroup")),
    ("ka.req.pod.host_ipc", Read::At("requestObject.spec.hostIPC")),
    ("ka.req.pod.host_network", Read::At("requestObject.spec.hostNetwork")),
    ("ka.req.pod.host_pid", Read::At("requestObject.spec.hostPID")),
    ("ka.req.pod.run_as_group", Read::At("requestObject.spec.securityContext.runAsGroup")),
    ("ka.req.pod.run_as_user", Read::At("requestObject.spec.securityContext.runAsUser")),
    ("ka.req.service.type", Read::At("requestObject.spec.type")),
    ("ka.resp.name", Read::At("responseObject.metadata.name")),
    ("ka.response.code", Read::At("responseStatus.code")),
    ("ka.response.reason", Read::At("responseStatus.reason")),
    ("ka.security.pod.violations", Read::At("annotations.pod-security.kubernetes.io/audit-violations")),
    ("ka.stage", Read::At("stage")),
    ("ka.target.name", Read::At("objectRef.name")),
    ("ka.target.namespace", Read::At("objectRef.namespace")),
    ("ka.target.pod.name", Read::PodName),
    ("ka.target.resource", Read::At("objectRef.resource")),
    ("ka.target.subresource", Read::At("objectRef.subresource")),
    ("ka.uri", Read::At("requestURI")),
    ("ka.user.name", Read::At("user.username")),
    ("ka.useragent", Read::At("userAgent")),
    (
        "ka.validations.admission.policy.failure",
        Read::At("annotations.validation.policy.admission.k8s.io/validation_failure"),
    ),
    ("ka.verb", Read::At("verb")),
];

/// Fields that need a key in brackets.
const KEYED: &[(&str, Read)] = &[
    ("jevt.value", Read::Pointer),
    ("json.value", Read::Pointer),
    // The plugin calls it deprecated; it gives `true` whatever the key is.
    ("ka.req.binding.subject.has_name", Read::Constant("true")),
    ("ka.req.volume.hostpath", Read::HasHostPath),
    ("ka.uri.param", Read::UriParameter),
];

/// Lists, with whether an index may stand behind them.
const LISTS: &[(&str, bool, Read)] = &[
    ("ka.req.binding.subjects", false, Read::Elements { array: &["requestObject", "subjects"] }),
    ("ka.req.binding.subjects.group_names", false, Read::Subjects { kind: "Group", with_namespace: false }),
    (
        "ka.req.binding.subjects.serviceaccount_names",
        false,
        Read::Subjects { kind: "ServiceAccount", with_namespace: false },
    ),
    (
        "ka.req.binding.subjects.serviceaccount_ns_names",
        false,
        Read::Subjects { kind: "ServiceAccount", with_namespace: true },
    ),
    ("ka.req.binding.subjects.user_names", false, Read::Subjects { kind: "User", with_namespace: false }),
    ("ka.req.pod.supplemental_groups", false, Read::At("requestObject.spec.securityContext.supplementalGroups")),
    ("ka.req.pod.volumes.flexvolume_driver", true, Read::Each { array: VOLUMES, rest: "flexVolume.driver" }),
    ("ka.req.pod.volumes.hostpath", true, Read::Each { array: VOLUMES, rest: "hostPath.path" }),
    ("ka.req.pod.volumes.volume_type", true, Read::VolumeTypes),
    ("ka.req.role.rules", false, Read::Elements { array: RULES }),
    ("ka.req.role.rules.apiGroups", true, Read::Each { array: RULES, rest: "apiGroups" }),
    ("ka.req.role.rules.nonResourceURLs", true, Read::Each { array: RULES, rest: "nonResourceURLs" }),
    ("ka.req.role.rules.resources", true, Read::Each { array: RULES, rest: "resources" }),
    ("ka.req.role.rules.verbs", true, Read::Each { array: RULES, rest: "verbs" }),
    // One value: all ports as JSON text.
    ("ka.req.service.ports", true, Read::Json(&["requestObject", "spec", "ports"])),
    ("ka.sourceips", true, Read::At("sourceIPs")),
    ("ka.user.groups", false, Read::At("user.groups")),
];

/// The field of a name.
pub(super) fn entry(name: &str) -> Option<Entry> {
    if let Some((_, read)) = SINGLE.iter().find(|(known, _)| *known == name) {
        return Some(Entry { argument: Argument::None, list: false, read: *read });
    }
    if let Some((_, read)) = KEYED.iter().find(|(known, _)| *known == name) {
        return Some(Entry { argument: Argument::Key, list: false, read: *read });
    }
    if let Some((_, index, read)) = LISTS.iter().find(|(known, ..)| *known == name) {
        let argument = if *index { Argument::Index } else { Argument::None };
        return Some(Entry { argument, list: true, read: *read });
    }
    let (list, end) = name.strip_prefix("ka.req.pod.")?.split_once('.')?;
    let (_, array) = CONTAINER_LISTS.iter().find(|(known, _)| *known == list)?;
    Some(Entry { argument: Argument::Index, list: true, read: of_containers(array, end)? })
}

/// A field of a list of containers.
fn of_containers(array: &'static [&'static str], end: &str) -> Option<Read> {
    if let Some((_, rest)) = CONTAINER_FIELDS.iter().find(|(known, _)| *known == end) {
        return Some(Read::Each { array, rest });
    }
    Some(match end {
        "args" => Read::Joined { array, rest: "args" },
        "command" => Read::Joined { array, rest: "command" },
        "eff_run_as_group" => Read::Effective { array, rest: "runAsGroup" },
        "eff_run_as_user" => Read::Effective { array, rest: "runAsUser" },
        // Ephemeral containers have no ports; the plugin has no such field of them.
        "host_port" if array.last() != Some(&"ephemeralContainers") => Read::HostPorts { array },
        "image.repository" => Read::Repository { array },
        _ => return None,
    })
}

/// The names of all fields.
pub(super) fn names() -> Vec<String> {
    let ends = || CONTAINER_FIELDS.iter().map(|(end, _)| *end).chain(COMPUTED_CONTAINER_FIELDS.iter().copied());
    let containers =
        CONTAINER_LISTS.iter().flat_map(|(list, _)| ends().map(move |end| format!("ka.req.pod.{list}.{end}")));
    let plain = SINGLE.iter().map(|(name, _)| *name).chain(KEYED.iter().map(|(name, _)| *name));
    let plain = plain.chain(LISTS.iter().map(|(name, ..)| *name)).map(str::to_owned);
    plain.chain(containers.filter(|name| entry(name).is_some())).collect()
}
