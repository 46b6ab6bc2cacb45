//! One message of one or many findings: what stands in it.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use masthead_ir::finding::Finding;
use masthead_ir::rule::Severity;
use sha2::{Digest as _, Sha256};

use crate::text;

/// How many findings a message shows; the others are counted.
pub(crate) const SHOWN: usize = 10;

/// One or many findings. There is at least one.
#[derive(Clone, Copy)]
pub(crate) struct Digest<'f> {
    worst: &'f Finding,
    findings: &'f [Finding],
}

impl<'f> Digest<'f> {
    /// None of no findings.
    pub(crate) fn new(findings: &'f [Finding]) -> Option<Digest<'f>> {
        // `min_by_key` takes the first of equals, so the oldest of the worst stands for all.
        findings.iter().min_by_key(|finding| Reverse(finding.severity)).map(|worst| Digest { worst, findings })
    }

    pub(crate) fn findings(&self) -> &'f [Finding] {
        self.findings
    }

    /// The first of the worst.
    pub(crate) fn worst(&self) -> &'f Finding {
        self.worst
    }

    pub(crate) fn is_single(&self) -> bool {
        self.findings.len() == 1
    }

    /// The same findings have the same key: the id of a single one, else a digest of all ids. Were it the id of the first, a
    /// receiver that drops doubles would drop what has joined the group since.
    pub(crate) fn key(&self) -> String {
        if self.is_single() {
            return self.worst.finding_id.clone();
        }
        let ids: BTreeSet<&str> = self.findings.iter().map(|finding| finding.finding_id.as_str()).collect();
        let mut hash = Sha256::new();
        for id in ids {
            hash.update(id.as_bytes());
            hash.update([0]);
        }
        hex(&hash.finalize())
    }

    /// What is shown, the worst first.
    pub(crate) fn shown(&self) -> Vec<&'f Finding> {
        let mut all: Vec<&Finding> = self.findings.iter().collect();
        all.sort_by_key(|finding| Reverse(finding.severity));
        all.truncate(SHOWN);
        all
    }

    /// How many are not shown.
    pub(crate) fn more(&self) -> usize {
        self.findings.len().saturating_sub(SHOWN)
    }

    /// `and 37 more`, if there are more.
    pub(crate) fn more_text(&self) -> Option<String> {
        (self.more() > 0).then(|| format!("and {} more", self.more()))
    }

    /// One line that says what it is about.
    pub(crate) fn headline(&self) -> String {
        if self.is_single() {
            return text::line(&self.worst.title, 200);
        }
        let rules: BTreeSet<&str> = self.findings.iter().map(|finding| finding.rule.id.as_str()).collect();
        let count = self.findings.len();
        match rules.len() {
            1 => format!("{count} findings: {}", text::line(&self.worst.rule.name, 150)),
            rules => format!("{count} findings of {rules} rules: {} and others", text::line(&self.worst.title, 120)),
        }
    }
}

/// The severity as people read it.
pub(crate) fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "INFORMATIONAL",
        Severity::Low => "LOW",
        Severity::Medium => "MEDIUM",
        Severity::High => "HIGH",
        Severity::Critical => "CRITICAL",
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample_finding;

    fn finding(id: &str, severity: Severity) -> Finding {
        Finding { finding_id: id.to_owned(), severity, title: format!("title {id}"), ..sample_finding() }
    }

    #[test]
    fn the_key_depends_on_the_findings_alone() {
        let (a, b) = (finding("a", Severity::Low), finding("b", Severity::High));
        let key = |findings: &[Finding]| Digest::new(findings).unwrap().key();
        assert_eq!(key(std::slice::from_ref(&a)), "a");
        assert_eq!(key(&[a.clone(), b.clone()]), key(&[b.clone(), a.clone()]));
        assert_eq!(key(&[a.clone(), b.clone()]).len(), 64);
        assert_ne!(key(&[a.clone(), b.clone()]), key(&[a, finding("c", Severity::Low)]));
    }

    #[test]
    fn the_worst_are_shown_first_and_the_rest_is_counted() {
        let mut findings: Vec<Finding> = (0..47).map(|n| finding(&n.to_string(), Severity::Low)).collect();
        findings[40].severity = Severity::Critical;
        let digest = Digest::new(&findings).unwrap();
        let shown: Vec<&str> = digest.shown().iter().map(|finding| finding.finding_id.as_str()).collect();
        assert_eq!(shown, ["40", "0", "1", "2", "3", "4", "5", "6", "7", "8"]);
        assert_eq!(digest.more_text().as_deref(), Some("and 37 more"));
        assert_eq!(digest.worst().finding_id, "40");
        assert_eq!(digest.headline(), "47 findings: Sample rule");
        findings[3].rule.id = "other".to_owned();
        assert_eq!(Digest::new(&findings).unwrap().headline(), "47 findings of 2 rules: title 40 and others");
    }

    #[test]
    fn hexadecimal() {
        assert_eq!(hex(&[0, 15, 16, 255]), "000f10ff");
    }
}
