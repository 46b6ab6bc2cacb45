//! Macros that detections use and that a folder of detections may lack: those of ESCU's own app, of the Kubernetes
//! content, and of apps that ESCU builds on. Definitions in files go before them.

use std::collections::BTreeMap;

use crate::spl::Macro;

/// Name, arguments, definition.
const BUILTIN: &[(&str, &[&str], &str)] = &[
    ("kube_audit", &[], r#"source="kubernetes""#),
    ("aws_cloudwatchlogs_eks", &[], r#"sourcetype="aws:cloudwatchlogs:eks""#),
    ("cloudwatch_eks", &[], r#"sourcetype="aws:cloudwatchlogs:eks""#),
    ("google_gcp_pubsub_message", &[], r#"sourcetype="google:gcp:pubsub:message""#),
    ("kube_container_falco", &[], r#"sourcetype="kube:container:falco""#),
    ("kube_objects_events", &[], "sourcetype=kube:objects:events"),
    ("kubernetes_container_controller", &[], "sourcetype=kube:container:controller"),
    ("kubernetes_metrics", &[], "index=kubernetes_metrics"),
    ("kubernetes_azure", &[], "sourcetype=mscs:storage:blob:json"),
    ("kube_allowed_images", &[], "objectRef.name IN (*splunk*, *falco*)"),
    ("kube_allowed_locations", &[], r#"Country="United States""#),
    ("kube_allowed_user_agents", &[], "userAgent=Helm/3.13.2"),
    ("kube_allowed_user_groups", &[], "user.groups{} IN (admin)"),
    ("kube_allowed_user_names", &[], "user.username=admin"),
    ("security_content_ctime", &["field"], r#"convert timeformat="%Y-%m-%dT%H:%M:%S" ctime($field$)"#),
    (
        "security_content_summariesonly",
        &[],
        "summariesonly=`summariesonly_config` allow_old_summaries=`oldsummaries_config` \
         fillnull_value=`fillnull_config`",
    ),
    ("summariesonly_config", &[], "false"),
    ("oldsummaries_config", &[], "true"),
    ("fillnull_config", &[], "null"),
    ("drop_dm_object_name", &["object"], r#"rename "$object$.*" as *"#),
];

/// The macros by name and number of arguments.
pub(crate) fn builtin_macros() -> BTreeMap<(String, usize), Macro> {
    let one = |&(name, args, definition): &(&str, &[&str], &str)| {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        ((name.to_owned(), args.len()), Macro { args, definition: definition.to_owned(), iseval: false })
    };
    BUILTIN.iter().map(one).collect()
}

/// What a macro that is defined nowhere stands for. Every detection ends in a macro of its own, `<name>_filter`, that
/// the app's build defines as `search *`.
pub(crate) fn missing_macro(name: &str) -> Option<String> {
    name.ends_with("_filter").then(|| "search *".to_owned())
}
