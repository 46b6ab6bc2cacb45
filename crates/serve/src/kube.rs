//! What a kube-apiserver must be told to post its audit log here.

use std::fmt::Write as _;

/// The kubeconfig for `--audit-webhook-config-file`, with the flags in comments. `server` is the address of this service,
/// `authority` a PEM file that the API server trusts it by.
pub fn webhook_config(server: &str, cluster: &str, authority: Option<&str>, token: Option<&str>) -> String {
    let mut text = String::new();
    let address = format!("{}/k8s/audit/{cluster}", server.trim_end_matches('/'));
    let token = token.unwrap_or("TOKEN");
    // Writing to a text does not fail.
    let _ = write!(
        text,
        "# Give this file to kube-apiserver, with an audit policy:\n\
         #   --audit-policy-file=/etc/kubernetes/audit-policy.yaml\n\
         #   --audit-webhook-config-file=/etc/kubernetes/audit-webhook.yaml\n\
         #   --audit-webhook-mode=batch\n\
         #   --audit-webhook-initial-backoff=5s\n\
         #   --audit-webhook-batch-max-wait=1s\n\
         #   --audit-webhook-batch-throttle-qps=50\n\
         #   --audit-webhook-batch-throttle-burst=100\n\
         apiVersion: v1\n\
         kind: Config\n\
         clusters:\n\
         - name: masthead\n\
         \x20 cluster:\n\
         \x20   server: {address}\n"
    );
    if let Some(authority) = authority {
        let _ = writeln!(text, "    certificate-authority: {authority}");
    }
    let _ = write!(
        text,
        "users:\n\
         - name: masthead\n\
         \x20 user:\n\
         \x20   token: {token}\n\
         contexts:\n\
         - name: masthead\n\
         \x20 context:\n\
         \x20   cluster: masthead\n\
         \x20   user: masthead\n\
         current-context: masthead\n"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_is_in_the_address() {
        let text = webhook_config("https://masthead.example:8470/", "prod", Some("/etc/ca.pem"), None);
        assert!(text.contains("    server: https://masthead.example:8470/k8s/audit/prod\n"), "{text}");
        assert!(
            text.contains("    certificate-authority: /etc/ca.pem\n") && text.contains("    token: TOKEN\n"),
            "{text}"
        );
    }
}
