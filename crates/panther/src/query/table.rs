//! Tables of logs, and how their columns are spelled in an event.
//!
//! A table is named after its log type, in lower case and with underscores for dots. Names of columns have no case in SQL,
//! fields of an event do.

use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::pattern::{Case, Pattern};
use masthead_schema::field::{LISTS, SCALARS};
use sqlparser::ast::ObjectName;

use super::{always, any};
use crate::guard::LOG_TYPE_FIELD;

/// The field by which an event that the platform has been through names its own log type.
const OWN_LOG_TYPE: &str = "p_log_type";

/// Tables that hold Kubernetes audit events as the API server writes them.
const KUBERNETES: &[&str] = &["amazon_eks_audit", "kubernetes_audit", "kubernetes_control_plane"];

/// Columns of audit events.
const AUDIT: &[&str] = &[
    "annotations",
    "apiVersion",
    "auditID",
    "impersonatedUser",
    "kind",
    "level",
    "objectRef",
    "requestObject",
    "requestReceivedTimestamp",
    "requestURI",
    "responseObject",
    "responseStatus",
    "sourceIPs",
    "stage",
    "stageTimestamp",
    "user",
    "userAgent",
    "verb",
];

/// Columns whose field has capitals, of the native logs of clouds.
const NATIVE: &[(&str, &[&str])] = &[
    (
        "aws_cloudtrail",
        &[
            "additionalEventData",
            "awsRegion",
            "errorCode",
            "errorMessage",
            "eventCategory",
            "eventID",
            "eventName",
            "eventSource",
            "eventTime",
            "eventType",
            "readOnly",
            "recipientAccountId",
            "requestID",
            "requestParameters",
            "responseElements",
            "sourceIPAddress",
            "userAgent",
            "userIdentity",
        ],
    ),
    ("gcp_auditlog", &["insertId", "logName", "protoPayload", "receiveTimestamp"]),
    (
        "azure_monitoractivity",
        &["callerIpAddress", "correlationId", "operationName", "resourceId", "resultSignature", "resultType"],
    ),
    (
        "okta_systemlog",
        &["authenticationContext", "debugContext", "displayMessage", "eventType", "legacyEventType", "securityContext"],
    ),
];

/// Audit fields that every event has.
const ALWAYS: &[&str] = &["auditID", "level", "requestURI", "stage", "user.username", "verb"];

/// A table of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    /// Kubernetes audit events.
    Kubernetes,
    /// Native records, with the columns whose spelling is known.
    Native(&'static [&'static str]),
}

impl Table {
    /// The table of a name and the filter that picks its events; none if it is none of logs.
    pub(super) fn of(name: &ObjectName) -> Option<(Table, Expr)> {
        let parts: Vec<String> =
            name.0.iter().filter_map(|part| part.as_ident().map(|ident| ident.value.to_ascii_lowercase())).collect();
        let table = match parts.as_slice() {
            [database, schema, table] if database == "panther_logs" && schema == "public" => table,
            [schema, table] if schema == "public" => table,
            [table] if known(table) => table,
            _ => return None,
        };
        if KUBERNETES.contains(&table.as_str()) {
            return Some((Table::Kubernetes, always()));
        }
        let columns = NATIVE.iter().find(|(name, _)| name == table).map_or(&[][..], |(_, columns)| columns);
        Some((Table::Native(columns), log_type(table)))
    }

    /// How a column is spelled in the event.
    pub(super) fn spelled(self, column: &str) -> Option<&'static str> {
        let columns = match self {
            Table::Kubernetes => AUDIT,
            Table::Native(columns) => columns,
        };
        // Tables that were made by hand write words with underscores.
        let plain = column.replace('_', "");
        columns.iter().find(|name| name.eq_ignore_ascii_case(column) || name.eq_ignore_ascii_case(&plain)).copied()
    }

    /// Whether a field is known to hold one scalar.
    pub(super) fn is_scalar(self, field: &str) -> bool {
        self == Table::Kubernetes && SCALARS.contains(&field)
    }

    /// Whether a field is known to hold a list of texts.
    pub(super) fn is_list(self, field: &str) -> bool {
        self == Table::Kubernetes && LISTS.contains(&field)
    }

    /// Whether every event has a field.
    pub(super) fn always_has(self, field: &str) -> bool {
        self == Table::Kubernetes && ALWAYS.contains(&field)
    }

    /// The fields behind a column that the platform adds; none if the event itself would have it.
    pub(super) fn added(self, column: &str) -> Option<Vec<FieldPath>> {
        let names: &[&str] = match (self, column) {
            (_, "p_event_time" | "p_parse_time") => &["_time"],
            (_, OWN_LOG_TYPE) => &[LOG_TYPE_FIELD],
            (_, "p_source_label") => &["source"],
            (Table::Kubernetes, "p_any_ip_addresses") => &["sourceIPs{}"],
            (Table::Kubernetes, "p_any_usernames") => &["user.username", "impersonatedUser.username"],
            _ => return None,
        };
        Some(names.iter().map(FieldPath::flat).collect())
    }
}

fn known(table: &str) -> bool {
    KUBERNETES.contains(&table) || NATIVE.iter().any(|(name, _)| *name == table)
}

/// Whether an event is of the log type that a table is named after.
fn log_type(table: &str) -> Expr {
    let text = table.replace('_', ".");
    let test = |field| Expr::Test {
        field: FieldPath::flat(field),
        pattern: Pattern::Text { text: text.clone(), case: Case::Folded, numeric: false },
    };
    any(vec![test(LOG_TYPE_FIELD), test(OWN_LOG_TYPE)])
}
