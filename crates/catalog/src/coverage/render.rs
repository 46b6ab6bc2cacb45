//! Coverage as text and as Markdown.

use super::{Coverage, MatrixCover, RuleName};
use crate::attack::{self, Tactic};
use crate::microsoft::Visibility;
use crate::stratus::AttackCover;
use crate::table::{Align, Table, rules, some};

/// How many names of rules a cell shows.
const NAMES: usize = 3;

const LETTERS: &str = "Seen: A in the audit log, a in it with bodies of requests, C in the log of the cloud, – on nodes or in the network only.";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Markdown,
}

impl Coverage {
    /// The coverage as tables of plain text.
    pub fn text(&self) -> String {
        self.render(Form::Text)
    }

    /// The coverage as Markdown.
    pub fn markdown(&self) -> String {
        self.render(Form::Markdown)
    }

    fn render(&self, form: Form) -> String {
        let mut page = Page { form, text: String::new() };
        let visible = self.microsoft.iter().filter(|cover| cover.visibility.is_visible());
        let covered = visible.clone().filter(|cover| cover.is_covered()).count();
        let seen = self.stratus.iter().filter(|cover| cover.visibility.is_visible());
        let stratus = seen.clone().filter(|cover| cover.is_covered()).count();
        page.line(&rules_counted(self));
        page.heading("ATT&CK");
        page.table(&self.technique_table(form));
        page.heading("Microsoft threat matrix for Kubernetes");
        page.line(&format!(
            "{covered} of {} techniques that an audit log shows are covered. {LETTERS}",
            visible.count()
        ));
        page.table(&self.matrix_table());
        page.heading("Gaps");
        self.gaps(&mut page);
        page.heading("Stratus Red Team");
        page.line(&format!("{stratus} of {} attacks that an audit log shows are covered.", seen.count()));
        page.table(&self.stratus_table());
        page.text
    }

    fn technique_table(&self, form: Form) -> Table {
        let fixed = [("technique", Align::Left), ("name", Align::Left), ("tactics", Align::Left)];
        let dialects = self.dialects.iter().map(|dialect| (*dialect, Align::Right));
        let mut table = Table::new(fixed.into_iter().chain(dialects).chain([("total", Align::Right)]));
        for cover in &self.techniques {
            let id = match form {
                Form::Text => cover.id.clone(),
                Form::Markdown => format!("[{}]({})", cover.id, attack::link(&cover.id)),
            };
            let mut cells = vec![id, cover.name.to_owned(), tactics(&cover.tactics)];
            cells.extend(
                self.dialects
                    .iter()
                    .map(|dialect| cover.rules.get(dialect).map_or_else(String::new, |rules| rules.len().to_string())),
            );
            cells.push(cover.number.to_string());
            table.row(cells);
        }
        table
    }

    fn matrix_table(&self) -> Table {
        let columns = [
            ("id", Align::Left),
            ("technique", Align::Left),
            ("tactics", Align::Left),
            ("seen", Align::Left),
            ("by tag", Align::Right),
            ("by technique", Align::Right),
            ("rules", Align::Left),
        ];
        let mut table = Table::new(columns);
        for cover in &self.microsoft {
            let count = |rules: &[RuleName]| if rules.is_empty() { String::new() } else { rules.len().to_string() };
            table.row(vec![
                cover.id.clone(),
                cover.name.to_owned(),
                tactics(cover.tactics),
                cover.visibility.letter().to_owned(),
                count(&cover.by_tag),
                count(&cover.by_technique),
                rules_of(cover),
            ]);
        }
        table
    }

    fn gaps(&self, page: &mut Page) {
        if self.gaps.is_empty() {
            page.line("No technique of the Microsoft matrix that an audit log shows is without a rule.");
        } else {
            let mut table = Table::new(["id", "technique", "seen", "what can be seen"].map(|name| (name, Align::Left)));
            for gap in &self.gaps {
                let letter = gap.visibility.letter().to_owned();
                table.row(vec![gap.id.clone(), gap.name.to_owned(), letter, gap.seen.to_owned()]);
            }
            page.table(&table);
        }
        if !self.unnamed.is_empty() {
            let names: Vec<String> =
                self.unnamed.iter().map(|technique| format!("{} {}", technique.id, technique.name)).collect();
            page.line(&format!(
                "No rule names these techniques of ATT&CK's Containers platform: {}.",
                names.join(", ")
            ));
        }
    }

    fn stratus_table(&self) -> Table {
        let columns = ["attack", "seen", "covered", "rules"].map(|name| (name, Align::Left));
        let mut table = Table::new(columns);
        for cover in &self.stratus {
            let covered = match cover.visibility {
                Visibility::Cloud | Visibility::Unseen => "not visible",
                _ if cover.is_covered() => "yes",
                _ => "no",
            };
            let letter = cover.visibility.letter().to_owned();
            table.row(vec![cover.id.to_owned(), letter, covered.to_owned(), rules_against(cover)]);
        }
        table
    }
}

fn rules_counted(coverage: &Coverage) -> String {
    let off = match coverage.off {
        0 => String::new(),
        off => format!(" Left out, as switched off: {off}."),
    };
    format!("{}.{off}", rules(coverage.counted))
}

fn tactics(tactics: &[Tactic]) -> String {
    tactics.iter().map(|tactic| tactic.name()).collect::<Vec<_>>().join(", ")
}

fn rules_of(cover: &MatrixCover) -> String {
    let names: Vec<String> = cover.by_tag.iter().chain(&cover.by_technique).map(|rule| rule.name.clone()).collect();
    some(&names, NAMES)
}

fn rules_against(cover: &AttackCover) -> String {
    let names: Vec<String> = cover.rules.iter().map(|rule| rule.name.clone()).collect();
    some(&names, NAMES)
}

/// A page in the making: blocks with an empty line between them.
struct Page {
    form: Form,
    text: String,
}

impl Page {
    fn block(&mut self, block: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(block);
        self.text.push('\n');
    }

    fn line(&mut self, line: &str) {
        self.block(line);
    }

    fn heading(&mut self, heading: &str) {
        match self.form {
            Form::Text => self.block(heading),
            Form::Markdown => self.block(&format!("## {heading}")),
        }
    }

    fn table(&mut self, table: &Table) {
        let text = match self.form {
            Form::Text => table.text(),
            Form::Markdown => table.markdown(),
        };
        self.block(text.trim_end_matches('\n'));
    }
}
