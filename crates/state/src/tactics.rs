//! Which ATT&CK tactics a technique serves (MITRE ATT&CK, Enterprise, platforms Containers and IaaS).

/// Technique and its tactics. A sub-technique is looked up by itself, then by its technique.
const TACTICS: &[(&str, &[&str])] = &[
    ("T1020", &["exfiltration"]),
    ("T1021", &["lateral-movement"]),
    ("T1036", &["defense-evasion"]),
    ("T1040", &["credential-access", "discovery"]),
    ("T1046", &["discovery"]),
    ("T1048", &["exfiltration"]),
    ("T1053", &["execution", "persistence", "privilege-escalation"]),
    ("T1059", &["execution"]),
    ("T1068", &["privilege-escalation"]),
    ("T1069", &["discovery"]),
    ("T1070", &["defense-evasion"]),
    ("T1078", &["defense-evasion", "persistence", "privilege-escalation", "initial-access"]),
    ("T1082", &["discovery"]),
    ("T1083", &["discovery"]),
    ("T1087", &["discovery"]),
    ("T1098", &["persistence", "privilege-escalation"]),
    ("T1105", &["command-and-control"]),
    ("T1110", &["credential-access"]),
    ("T1133", &["initial-access", "persistence"]),
    ("T1134", &["defense-evasion", "privilege-escalation"]),
    ("T1136", &["persistence"]),
    ("T1190", &["initial-access"]),
    ("T1195", &["initial-access"]),
    ("T1199", &["initial-access"]),
    ("T1204", &["execution"]),
    ("T1212", &["credential-access"]),
    ("T1485", &["impact"]),
    ("T1489", &["impact"]),
    ("T1490", &["impact"]),
    ("T1496", &["impact"]),
    ("T1498", &["impact"]),
    ("T1499", &["impact"]),
    ("T1505", &["persistence"]),
    ("T1525", &["persistence"]),
    ("T1526", &["discovery"]),
    ("T1528", &["credential-access"]),
    ("T1530", &["collection"]),
    ("T1531", &["impact"]),
    ("T1543", &["persistence", "privilege-escalation"]),
    ("T1546", &["persistence", "privilege-escalation"]),
    ("T1548", &["defense-evasion", "privilege-escalation"]),
    ("T1550", &["defense-evasion", "lateral-movement"]),
    ("T1552", &["credential-access"]),
    ("T1556", &["credential-access", "defense-evasion", "persistence"]),
    ("T1557", &["collection", "credential-access"]),
    ("T1562", &["defense-evasion"]),
    ("T1564", &["defense-evasion"]),
    ("T1567", &["exfiltration"]),
    ("T1578", &["defense-evasion"]),
    ("T1580", &["discovery"]),
    ("T1606", &["credential-access"]),
    ("T1609", &["execution"]),
    ("T1610", &["defense-evasion", "execution"]),
    ("T1611", &["privilege-escalation"]),
    ("T1612", &["defense-evasion"]),
    ("T1613", &["discovery"]),
    ("T1619", &["discovery"]),
    ("T1648", &["execution"]),
];

/// The tactics of a technique or sub-technique (`T1552.007`); none if it is not known.
pub fn tactics_of(technique: &str) -> &'static [&'static str] {
    let own = technique.split('.').next().unwrap_or(technique);
    let at = TACTICS.binary_search_by(|(known, _)| (*known).cmp(own));
    at.ok().and_then(|at| TACTICS.get(at)).map_or(&[], |(_, tactics)| tactics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn techniques_are_in_order_and_found() {
        assert!(TACTICS.is_sorted_by_key(|(technique, _)| technique));
        assert_eq!(tactics_of("T1552.007"), ["credential-access"]);
        assert_eq!(tactics_of("T1613"), ["discovery"]);
        assert!(tactics_of("T9999").is_empty() && tactics_of("").is_empty());
    }
}
