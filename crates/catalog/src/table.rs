//! Tables that are shown as plain text or as Markdown.

/// How a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A head and rows of as many cells.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: impl IntoIterator<Item = (impl Into<String>, Align)>) -> Table {
        Table { columns: columns.into_iter().map(|(name, align)| (name.into(), align)).collect(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Columns padded to the longest cell, counted in characters.
    pub(crate) fn text(&self) -> String {
        let head: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&head).chain(&self.rows).collect();
        let width = |at: usize| {
            let cells = lines.iter().filter_map(|cells| cells.get(at));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let mut text = String::new();
        for cells in lines {
            let mut line = String::new();
            for ((cell, width), (_, align)) in cells.iter().zip(&widths).zip(&self.columns) {
                let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
                let separator = if line.is_empty() { "" } else { "  " };
                line.push_str(separator);
                match align {
                    Align::Left => line.extend([cell.as_str(), &gap]),
                    Align::Right => line.extend([gap.as_str(), cell]),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    pub(crate) fn markdown(&self) -> String {
        let line = |cells: &mut dyn Iterator<Item = String>| {
            let cells: Vec<String> = cells.collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let mut text = line(&mut self.columns.iter().map(|(name, _)| name.clone()));
        let marks = self.columns.iter().map(|(_, align)| if *align == Align::Left { "---" } else { "---:" });
        text.push_str(&line(&mut marks.map(str::to_owned)));
        for cells in &self.rows {
            text.push_str(&line(&mut cells.iter().map(|cell| inline(cell).replace('|', "\\|"))));
        }
        text
    }
}

/// Text of a rule as one line of Markdown that makes no HTML and no emphasis.
pub(crate) fn inline(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace('&', "&amp;").replace('<', "&lt;").replace('*', "\\*")
}

/// How many rules there are, in words.
pub(crate) fn rules(number: usize) -> String {
    if number == 1 { "1 rule".to_owned() } else { format!("{number} rules") }
}

/// The first few names, and how many are left.
pub(crate) fn some(names: &[String], most: usize) -> String {
    let mut text = names.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    if let Some(more @ 1..) = names.len().checked_sub(most) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_longest_cell() {
        let mut table = Table::new([("name", Align::Left), ("number", Align::Right)]);
        table.row(vec!["ünïcode".to_owned(), "7".to_owned()]);
        table.row(vec!["a|b <c>".to_owned(), "1234567".to_owned()]);
        assert_eq!(table.text(), "name      number\nünïcode        7\na|b <c>  1234567\n");
        assert_eq!(
            table.markdown(),
            "| name | number |\n| --- | ---: |\n| ünïcode | 7 |\n| a\\|b &lt;c> | 1234567 |\n"
        );
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        assert_eq!((some(&names, 3).as_str(), some(&names, 1).as_str()), ("a, b, c", "a and 2 more"));
    }
}
