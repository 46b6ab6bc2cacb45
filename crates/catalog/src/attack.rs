//! Techniques of ATT&CK that rules for Kubernetes name.
//!
//! The table holds all techniques of the Containers platform, their parents, and others that published rules for Kubernetes
//! name. Ids, names, tactics and platforms are those of ATT&CK for Enterprise 18.1 (MITRE, <https://github.com/mitre/cti>).
//! © The MITRE Corporation. This work is reproduced and distributed with the permission of The MITRE Corporation
//! (<https://attack.mitre.org/resources/legal-and-branding/terms-of-use/>).

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Serialize;

/// The version of ATT&CK that the table is of.
pub const VERSION: &str = "18";

const TABLE: &str = include_str!("attack.txt");

/// A technique or a part of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Technique {
    /// Its id, such as `T1552.007`.
    pub id: &'static str,
    /// Its name, without that of its parent.
    pub name: &'static str,
    /// Its tactics, in the order of the matrix.
    pub tactics: Vec<Tactic>,
    /// Whether the Containers platform has it.
    pub containers: bool,
}

impl Technique {
    /// The technique that it is a part of.
    pub fn parent(&self) -> Option<&'static Technique> {
        technique(self.id.split_once('.')?.0)
    }
}

/// What an attacker is after, in the order of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Tactic {
    Reconnaissance,
    ResourceDevelopment,
    InitialAccess,
    Execution,
    Persistence,
    PrivilegeEscalation,
    DefenseEvasion,
    CredentialAccess,
    Discovery,
    LateralMovement,
    Collection,
    CommandAndControl,
    Exfiltration,
    Impact,
}

impl Tactic {
    /// All tactics, in the order of the matrix.
    pub const ALL: [Tactic; 14] = [
        Tactic::Reconnaissance,
        Tactic::ResourceDevelopment,
        Tactic::InitialAccess,
        Tactic::Execution,
        Tactic::Persistence,
        Tactic::PrivilegeEscalation,
        Tactic::DefenseEvasion,
        Tactic::CredentialAccess,
        Tactic::Discovery,
        Tactic::LateralMovement,
        Tactic::Collection,
        Tactic::CommandAndControl,
        Tactic::Exfiltration,
        Tactic::Impact,
    ];

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Tactic::Reconnaissance => "Reconnaissance",
            Tactic::ResourceDevelopment => "Resource Development",
            Tactic::InitialAccess => "Initial Access",
            Tactic::Execution => "Execution",
            Tactic::Persistence => "Persistence",
            Tactic::PrivilegeEscalation => "Privilege Escalation",
            Tactic::DefenseEvasion => "Defense Evasion",
            Tactic::CredentialAccess => "Credential Access",
            Tactic::Discovery => "Discovery",
            Tactic::LateralMovement => "Lateral Movement",
            Tactic::Collection => "Collection",
            Tactic::CommandAndControl => "Command and Control",
            Tactic::Exfiltration => "Exfiltration",
            Tactic::Impact => "Impact",
        }
    }

    /// The tactic of a name, however its words are joined: `credential-access`, `Credential Access`, `credential_access`.
    pub fn of(name: &str) -> Option<Tactic> {
        let letters = |text: &str| -> String {
            text.chars().filter(char::is_ascii_alphabetic).map(|letter| letter.to_ascii_lowercase()).collect()
        };
        let name = letters(name);
        Tactic::ALL.into_iter().find(|tactic| letters(tactic.name()) == name)
    }
}

fn all() -> &'static BTreeMap<&'static str, Technique> {
    static ALL: OnceLock<BTreeMap<&'static str, Technique>> = OnceLock::new();
    ALL.get_or_init(|| TABLE.lines().filter_map(line).map(|technique| (technique.id, technique)).collect())
}

fn line(line: &'static str) -> Option<Technique> {
    let mut cells = line.split('|');
    let (id, name, tactics, platform) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
    if id.starts_with('#') {
        return None;
    }
    let mut tactics: Vec<Tactic> = tactics.split(',').filter_map(Tactic::of).collect();
    tactics.sort_unstable();
    Some(Technique { id, name, tactics, containers: platform == "containers" })
}

/// A technique by its id.
pub fn technique(id: &str) -> Option<&'static Technique> {
    all().get(id)
}

/// All techniques of the table, by id.
pub fn techniques() -> impl Iterator<Item = &'static Technique> {
    all().values()
}

/// The page of a technique: `T1552.007` is at `https://attack.mitre.org/techniques/T1552/007/`.
pub fn link(id: &str) -> String {
    format!("https://attack.mitre.org/techniques/{}/", id.replace('.', "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read() {
        assert_eq!(techniques().count(), TABLE.lines().count() - 1);
        for technique in techniques() {
            assert!(!technique.tactics.is_empty(), "{}", technique.id);
            assert_eq!(technique.parent().is_some(), technique.id.contains('.'), "{} has a parent", technique.id);
        }
        assert_eq!(techniques().filter(|technique| technique.containers).count(), 48);
    }

    #[test]
    fn tactics_are_found_however_they_are_written() {
        for name in ["credential-access", "Credential Access", "credential_access"] {
            assert_eq!(Tactic::of(name), Some(Tactic::CredentialAccess));
        }
        assert_eq!(Tactic::of("t1609"), None);
        assert_eq!(link("T1552.007"), "https://attack.mitre.org/techniques/T1552/007/");
    }
}
