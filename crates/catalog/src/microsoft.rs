//! Microsoft's threat matrix for Kubernetes, and which of it an audit log can show.
//!
//! Ids, names, tactics and the ATT&CK techniques that they stand for are those of the matrix's own pages
//! (<https://microsoft.github.io/Threat-Matrix-for-Kubernetes/>), with a few ATT&CK techniques more where ATT&CK has got a closer
//! one since. What an audit log shows is our own judgement.

use serde::Serialize;

use crate::attack::Tactic;
use Tactic::{
    Collection, CredentialAccess, DefenseEvasion, Discovery, Execution, Impact, InitialAccess, LateralMovement,
    Persistence, PrivilegeEscalation,
};
use Visibility::{Audit, Bodies, Cloud, Unseen};

/// Where a technique can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Visibility {
    /// In the audit log of the API server, at any level.
    #[serde(rename = "A")]
    Audit,
    /// In the audit log, if the bodies of requests are logged (level Request or higher).
    #[serde(rename = "a")]
    Bodies,
    /// In the log of the cloud.
    #[serde(rename = "C")]
    Cloud,
    /// On nodes or in the network only.
    #[serde(rename = "–")]
    Unseen,
}

impl Visibility {
    /// The letter that tables show.
    pub fn letter(self) -> &'static str {
        match self {
            Audit => "A",
            Bodies => "a",
            Cloud => "C",
            Unseen => "–",
        }
    }

    /// Whether an audit log shows it.
    pub fn is_visible(self) -> bool {
        matches!(self, Audit | Bodies)
    }
}

/// A technique of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Technique {
    /// Its number: 6 is MS-TA9006.
    pub number: u8,
    /// Its name.
    pub name: &'static str,
    /// Its tactics.
    pub tactics: &'static [Tactic],
    /// Where it can be seen.
    pub visibility: Visibility,
    /// What can be seen of it.
    pub seen: &'static str,
    /// The ATT&CK techniques that a rule must name one of to count for it, if the rule has no tags of the matrix.
    pub attack: &'static [&'static str],
}

impl Technique {
    /// Its id: `MS-TA9006`.
    pub fn id(&self) -> String {
        format!("MS-TA90{:02}", self.number)
    }
}

/// The number of a technique of the matrix that a tag of a rule names: `ms.ta9006`, `ms-ta9006`, `MS-TA9006`.
pub fn number(tag: &str) -> Option<u8> {
    let tag = tag.trim().to_ascii_lowercase();
    let digits = tag.strip_prefix("ms.ta90").or_else(|| tag.strip_prefix("ms-ta90"))?;
    let number = digits.parse().ok().filter(|_| digits.len() == 2)?;
    MATRIX.iter().any(|technique| technique.number == number).then_some(number)
}

const fn row(
    number: u8,
    name: &'static str,
    tactics: &'static [Tactic],
    visibility: Visibility,
    seen: &'static str,
    attack: &'static [&'static str],
) -> Technique {
    Technique { number, name, tactics, visibility, seen, attack }
}

/// The techniques of the matrix, by number. MS-TA9032 has gone into MS-TA9005 there; rules still name it.
#[rustfmt::skip]
pub const MATRIX: &[Technique] = &[
    row(1, "Using cloud credentials", &[InitialAccess], Audit, "identities and addresses that are new to the cluster; the log of the cloud shows more", &["T1078.004"]),
    row(2, "Compromised image in registry", &[InitialAccess], Unseen, "no more than the name of the image", &["T1195.002", "T1525"]),
    row(3, "Kubeconfig file", &[InitialAccess], Audit, "use of an identity from places where it was not before", &["T1078.001", "T1078.003"]),
    row(4, "Application vulnerability", &[InitialAccess], Unseen, "what happens inside of the application is not logged", &["T1190"]),
    row(5, "Exposed sensitive interfaces", &[InitialAccess, Discovery], Audit, "anonymous requests; with bodies also services that open ports", &["T1133"]),
    row(6, "Exec into container", &[Execution], Audit, "requests for pods/exec and pods/attach", &["T1609"]),
    row(7, "Bash or cmd inside container", &[Execution], Audit, "the command in the address of an exec request", &["T1059", "T1059.004", "T1059.013"]),
    row(8, "New container", &[Execution], Bodies, "new pods and workloads", &["T1610"]),
    row(9, "Application exploit (RCE)", &[Execution], Unseen, "what happens inside of the application is not logged", &["T1190"]),
    row(10, "SSH server running inside container", &[Execution], Unseen, "processes and connections are not logged; an image may tell", &["T1021.004"]),
    row(11, "Sidecar injection", &[Execution], Bodies, "containers added to a workload", &["T1610"]),
    row(12, "Backdoor container", &[Persistence], Bodies, "daemon sets and deployments", &["T1543", "T1543.005"]),
    row(13, "Writable hostPath mount", &[Persistence, PrivilegeEscalation, LateralMovement], Bodies, "volumes of pods and workloads", &["T1611"]),
    row(14, "Kubernetes CronJob", &[Persistence], Audit, "new cron jobs; with bodies also what they run", &["T1053.007"]),
    row(15, "Malicious admission controller", &[Persistence, CredentialAccess], Audit, "changes to webhook configurations; with bodies also where they send to", &["T1546"]),
    row(16, "Container service account", &[Persistence, CredentialAccess, LateralMovement], Audit, "requests for tokens, and requests of service accounts", &["T1528", "T1550.001"]),
    row(17, "Static pods", &[Persistence], Unseen, "only the mirror that the kubelet makes of the pod", &[]),
    row(18, "Privileged container", &[PrivilegeEscalation], Bodies, "security contexts of containers", &["T1611"]),
    row(19, "Cluster-admin binding", &[PrivilegeEscalation], Bodies, "role and subjects of new bindings", &["T1098.006"]),
    row(20, "Access cloud resources", &[PrivilegeEscalation, LateralMovement], Cloud, "calls to the API of the cloud", &["T1078.004"]),
    row(21, "Clear container logs", &[DefenseEvasion], Unseen, "files of the node are not logged", &["T1070.002"]),
    row(22, "Delete Kubernetes events", &[DefenseEvasion], Audit, "deletions of events", &["T1070"]),
    row(23, "Pod or container name similarity", &[DefenseEvasion], Audit, "names of new objects", &["T1036.005"]),
    row(24, "Connect from proxy server", &[DefenseEvasion], Audit, "source addresses", &["T1090"]),
    row(25, "List Kubernetes secrets", &[CredentialAccess], Audit, "reads of secrets", &["T1552.007"]),
    row(26, "Mount service principal", &[CredentialAccess], Bodies, "volumes with files of the node that hold credentials", &["T1552.001"]),
    row(27, "Application credentials in configuration files", &[CredentialAccess, LateralMovement], Audit, "reads of config maps and pod definitions", &["T1552", "T1552.001"]),
    row(28, "Access managed identity credentials", &[CredentialAccess], Unseen, "requests to the metadata service; the log of the cloud shows the use", &["T1552.005"]),
    row(29, "Access Kubernetes API server", &[Discovery], Audit, "reviews of rights, refusals, wide lists", &["T1613", "T1069", "T1087"]),
    row(30, "Access kubelet API", &[Discovery], Unseen, "the kubelet's own port is not logged; requests for nodes/proxy are", &[]),
    row(31, "Network mapping", &[Discovery], Unseen, "flow logs of the network", &["T1046"]),
    row(32, "Access Kubernetes dashboard", &[Discovery], Audit, "requests that go through the proxy of services, and requests of the dashboard's account", &["T1538"]),
    row(33, "Instance metadata API", &[Discovery], Unseen, "requests to the metadata service; an exec command may tell", &["T1552.005"]),
    row(34, "Cluster internal networking", &[LateralMovement], Unseen, "traffic between pods", &["T1210"]),
    row(35, "CoreDNS poisoning", &[LateralMovement], Bodies, "changes to the config map of CoreDNS", &["T1557"]),
    row(36, "ARP poisoning and IP spoofing", &[LateralMovement], Unseen, "traffic between pods", &[]),
    row(37, "Images from a private registry", &[Collection], Cloud, "the log of the registry", &["T1530"]),
    row(38, "Data destruction", &[Impact], Audit, "deletions", &["T1485"]),
    row(39, "Resource hijacking", &[Impact], Bodies, "images, commands and numbers of new workloads", &["T1496", "T1496.001"]),
    row(40, "Denial of service", &[Impact], Audit, "number and kind of requests", &["T1498", "T1499", "T1489"]),
    row(41, "Collecting data from pod", &[Collection], Audit, "exec requests that copy files", &["T1005"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_has_41_techniques_and_ids_are_read() {
        let numbers: Vec<u8> = MATRIX.iter().map(|technique| technique.number).collect();
        assert_eq!(numbers, (1..=41).collect::<Vec<u8>>());
        for technique in MATRIX {
            for id in technique.attack {
                assert!(crate::attack::technique(id).is_some(), "{id} is in the table");
            }
        }
        assert_eq!(MATRIX[5].id(), "MS-TA9006");
        for (tag, expected) in [
            ("ms.ta9006", Some(6)),
            ("MS-TA9041", Some(41)),
            ("ms.ta9042", None),
            ("ms.ta900", None),
            ("attack.t1609", None),
        ] {
            assert_eq!(number(tag), expected, "{tag}");
        }
    }
}
